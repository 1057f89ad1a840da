"""The speed of a replay, on a clock that stands unless it is slept on."""

from __future__ import annotations

import pytest

from aether.cli.errors import MISUSED, CliError
from aether.cli.pacing import Pacer, parse_speed


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


async def due(speed: float | None, *stamps: float) -> list[float]:
    """When events of these times are due, in seconds after the first."""
    clock = Clock()
    pacer = Pacer(speed, now=clock.now, sleep=clock.sleep)
    times = []
    for stamp in stamps:
        await pacer.wait(stamp)
        times.append(clock.time - 1000.0)
    return times


@pytest.mark.parametrize(
    ("text", "speed"), [("max", None), ("1", 1.0), ("2.5", 2.5), ("2.5x", 2.5), ("1e6", 1e6)]
)
def test_speed_is_max_or_a_multiple(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "", "x", "fast", "1,5"])
def test_other_speeds_are_a_wrong_call(text: str) -> None:
    with pytest.raises(CliError, match="--speed") as caught:
        parse_speed(text)
    assert caught.value.status == MISUSED


async def test_max_waits_for_nothing() -> None:
    assert await due(None, 0.0, 1e9) == [0.0, 0.0]


async def test_real_time() -> None:
    assert await due(1.0, 50.0, 51.0, 53.5) == [0.0, 1.0, 3.5]


async def test_multiple_of_real_time() -> None:
    assert await due(4.0, 0.0, 2.0, 10.0) == [0.0, 0.5, 2.5]


async def test_event_out_of_order_is_due_at_once_and_moves_nothing() -> None:
    assert await due(1.0, 10.0, 12.0, 5.0, 13.0) == [0.0, 2.0, 2.0, 3.0]


async def test_gap_of_years_is_slept_in_pieces() -> None:
    clock = Clock()
    pacer = Pacer(1.0, now=clock.now, sleep=clock.sleep)
    await pacer.wait(0.0)
    await pacer.wait(10_000.0)
    assert clock.slept == [3600.0, 3600.0, 2800.0]
