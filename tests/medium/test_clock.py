"""`ManualClock`: time that moves when the test says so."""

import math
from typing import Any

import pytest
from tests.probes import tuned

from aether import Aether, ManualClock


def test_starts_at_zero_or_where_told() -> None:
    assert ManualClock().now() == 0.0
    assert ManualClock(12.5).now() == 12.5
    assert ManualClock(start=3).now() == 3.0


def test_moves_only_by_advance() -> None:
    clock = ManualClock(1.0)
    clock.advance(0.5)
    clock.advance(2)
    assert clock.now() == 3.5
    assert clock.now() == 3.5


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_does_not_go_back_nor_astray(seconds: float) -> None:
    clock = ManualClock(5.0)
    with pytest.raises(ValueError, match="seconds") as caught:
        clock.advance(seconds)
    assert str(seconds).removesuffix(".0") in str(caught.value).lower()
    assert clock.now() == 5.0


@pytest.mark.parametrize("start", [math.nan, math.inf, -math.inf, 10**400, -(10**400)])
def test_does_not_start_astray(start: float) -> None:
    with pytest.raises(ValueError, match="start"):
        ManualClock(start)


def test_an_int_beyond_any_float_is_no_step() -> None:
    with pytest.raises(ValueError, match="seconds"):
        ManualClock().advance(10**400)


@pytest.mark.parametrize("value", ["1", None, [1]])
def test_what_is_no_number_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="start"):
        ManualClock(value)
    with pytest.raises(TypeError, match="seconds"):
        ManualClock().advance(value)


async def test_one_clock_may_drive_several_media() -> None:
    clock = ManualClock(7.0)
    async with Aether(clock=clock) as one, Aether(clock=clock) as two:
        readers = [tuned(one, "a.*"), tuned(two, "a.*")]
        for medium in (one, two):
            await medium.emit_wave("a.b")
        assert [reader.receive_nowait().timestamp for reader in readers] == [7.0, 7.0]
