"""Waves at a steady interval: when they go out, and when they do not."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from tests.handling.passing import entered, passes
from tests.probes import turns, until

from aether import Aether, AetherConfig, ChannelError, ManualClock, Ticker


async def test_one_goes_out_each_time(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("beat")
        ticker = medium.every(2.0, "beat", "now", amplitude=0.5, headers={"by": "clock"})
        await passes(clock, 1.5)
        assert worker.statistics().current_buffer_used == 0
        await passes(clock, 8.5, 0.5)
        waves = [worker.receive_nowait() for _ in range(5)]
        assert [wave.timestamp for wave in waves] == [2.0, 4.0, 6.0, 8.0, 10.0]
        assert {(wave.payload, wave.amplitude, wave.headers["by"]) for wave in waves} == {
            ("now", 0.5, "clock")
        }
        assert (ticker.emitted, ticker.skipped) == (5, 0)
        ticker.close()
        await passes(clock, 10.0, 1.0)
        assert ticker.emitted == 5
        assert medium.timers.next() is None


async def test_times_that_are_missed_are_skipped(anyio_backend: object) -> None:
    async with entered() as (medium, clock, _, _):
        ticker = medium.every(1.0, "beat")
        await passes(clock, 10.5)
        assert (ticker.emitted, ticker.skipped) == (1, 9)
        await passes(clock, 0.5)
        assert (ticker.emitted, ticker.skipped) == (2, 9), "it keeps its beat"


async def test_it_waits_for_nobody(anyio_backend: object) -> None:
    async with entered() as (medium, clock, _, _):
        slow = medium.vibrator("slow", buffer_size=2)
        slow.resonate_on("beat")
        ticker = medium.every(1.0, "beat")
        await passes(clock, 5.0, 1.0)
        assert (ticker.emitted, ticker.skipped) == (2, 3)
        slow.receive_nowait()
        await passes(clock, 1.0)
        assert ticker.emitted == 3
        slow.close()


async def test_a_function_makes_each_payload(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []

    def make() -> Any:
        made.append(1)
        if len(made) in (2, 3):
            raise ValueError("not this time")
        return len(made)

    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("beat")
        with (
            caplog.at_level(logging.ERROR, "aether"),
            medium.every(1.0, "beat", make=make) as ticker,
        ):
            await passes(clock, 5.0, 1.0)
        assert [worker.receive_nowait().payload for _ in range(3)] == [1, 4, 5]
        assert (ticker.emitted, ticker.skipped) == (3, 2)
    assert [getattr(record, "event", "") for record in caplog.records] == ["every.failed"]


async def test_it_runs_while_the_handlers_do(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = Aether(AetherConfig(drain_timeout=0.0), clock=clock)
    ticker = medium.every(1.0, "beat")
    for expected in (2, 4):
        async with medium.running():
            await passes(clock, 2.0, 1.0)
        await passes(clock, 5.0, 1.0)
        assert ticker.emitted == expected
    async with medium:
        await passes(clock, 1.0)
    assert ticker.emitted == 5
    await turns(5)
    assert medium.timers.next() is None


async def test_one_of_another_thread_does_not_begin_behind_the_handlers(
    anyio_backend: object,
) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    made: list[Ticker] = []
    async with medium.running():
        # The loop does not turn until the handlers are stopped.
        thread = threading.Thread(target=lambda: made.append(medium.every(1.0, "beat")))
        thread.start()
        thread.join()
    [ticker] = made
    await passes(clock, 3.0, 1.0)
    assert (ticker.emitted, medium.timers.next()) == (0, None)
    async with medium.running():
        await passes(clock, 2.0, 1.0)
        assert ticker.emitted == 2
        thread = threading.Thread(target=lambda: made.append(medium.every(1.0, "beat")))
        thread.start()
        thread.join()
        await passes(clock, 2.0, 1.0)
        assert made[1].emitted == 2
    await medium.aclose()


def test_mistakes_are_told_at_once() -> None:
    medium = Aether()
    with pytest.raises(ChannelError):
        medium.every(1.0, "beat.*")
    for seconds in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="seconds must be"):
            medium.every(seconds, "beat")
    with pytest.raises(TypeError, match="make="):
        medium.every(1.0, "beat", 7, make=lambda: 8)
    with pytest.raises(TypeError, match="headers"):
        medium.every(1.0, "beat", headers=3)  # type: ignore[arg-type]


async def test_one_that_is_stopped_by_what_makes_its_payload_is_stopped(
    anyio_backend: object,
) -> None:
    def make() -> None:
        ticker.stop()

    async with entered() as (medium, clock, _, _):
        ticker = medium.every(1.0, "beat", make=make)
        await passes(clock, 5.0, 1.0)
        assert ticker.emitted == 1
        assert medium.timers.next() is None
        ticker.start()
        await passes(clock, 1.0)
        assert ticker.emitted == 2


async def test_an_interval_shorter_than_an_emission_takes_leaves_the_loop_to_others(
    anyio_backend: object,
) -> None:
    async with Aether() as medium:
        ticker = medium.every(1e-9, "beat")
        await until(lambda: ticker.emitted > 3)
