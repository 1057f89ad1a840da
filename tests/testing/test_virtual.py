"""A medium on a virtual clock: time passes when a test says so, from timer to timer, in one order."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, strategies as st
from tests.probes import PATIENCE, assert_says, begin

from aether import AetherConfig, CircuitBreaker, Retry, Wave
from aether.testing import VirtualAether, record

STEADY: dict[str, Any] = {"wait_initial": 1.0, "wait_jitter": 0.0, "wait_exp_base": 1.0}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Handlers fail on purpose here."""
    caplog.set_level(logging.CRITICAL, "aether")


async def test_timers_ring_each_at_its_moment_and_in_order(anyio_backend: object) -> None:
    async with VirtualAether(start=100.0) as medium:
        seen: list[tuple[float, str]] = []

        def note(name: str) -> None:
            seen.append((medium.clock.now(), name))

        for seconds, name in ((3.0, "c"), (1.0, "a"), (3.0, "d"), (2.5, "b"), (9.0, "later")):
            medium.timers.after(seconds, partial(note, name))
        assert await medium.clock.advance(5.0) == 105.0
        assert seen == [(101.0, "a"), (102.5, "b"), (103.0, "c"), (103.0, "d")]
        assert medium.clock.next == 109.0


async def test_what_follows_from_a_timer_is_done_before_time_goes_on(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        seen: list[tuple[float, str]] = []
        first, second = medium.vibrator("first"), medium.vibrator("second")

        @first.on("tick")
        async def pass_on(wave: Wave[Any]) -> None:
            for _ in range(30):
                await anyio.lowlevel.checkpoint()
            await first.emit_wave("tock", wave.payload)

        @second.on("tock")
        async def hear(wave: Wave[Any]) -> None:
            seen.append((medium.clock.now(), wave.payload))
            await medium.clock.sleep(0.25)
            seen.append((medium.clock.now(), f"{wave.payload} done"))

        for number in (1, 2):
            medium.timers.after(number, partial(medium.emit_nowait, "tick", f"wave {number}"))
        await medium.clock.advance(10)
        assert seen == [
            (1.0, "wave 1"),
            (1.25, "wave 1 done"),
            (2.0, "wave 2"),
            (2.25, "wave 2 done"),
        ]


async def test_retries_time_limits_and_circuits_go_by_it(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        tried: list[tuple[str, float]] = []
        shop = medium.vibrator("shop")

        @shop.on("retried", retry=Retry(on=ValueError, **STEADY))
        async def fail(_: Wave[Any]) -> None:
            tried.append(("retried", medium.clock.now()))
            if len(tried) < 3:
                raise ValueError

        await medium.emit_wave("retried")
        await medium.clock.advance(60)
        assert tried == [("retried", 0.0), ("retried", 1.0), ("retried", 2.0)]
        tried.clear()

        @shop.on(
            "slow",
            timeout=5.0,
            circuit=CircuitBreaker("target", minimum=1, open_for=30.0),
        )
        async def hang(_: Wave[Any]) -> None:
            tried.append(("slow", medium.clock.now()))
            if len(tried) == 1:
                await anyio.sleep_forever()

        with record(medium, "dead.*") as dead:
            await medium.emit_many([("slow", 1), ("slow", 2)])
            await medium.clock.advance(60)
            assert tried == [("slow", 60.0), ("slow", 95.0)]
            dead.assert_emitted("dead.slow", payload=1, times=1)


@given(st.lists(st.floats(0.0, 1e6, allow_nan=False), max_size=20), st.floats(0.0, 1e9))
def test_every_moment_is_met_exactly(moments: list[float], start: float) -> None:
    async def main() -> None:
        async with VirtualAether(start=start) as medium:
            met: list[float] = []
            wanted = [
                medium.timers.after(seconds, lambda: met.append(medium.clock.now())).when
                for seconds in moments
            ]
            await medium.clock.advance(1e6 + 1)
            assert met == sorted(wanted)

    anyio.run(main)


async def test_advance_to_next_goes_to_the_next_timer_alone(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        seen: list[float] = []
        for seconds in (2.0, 7.0):
            medium.timers.after(seconds, lambda: seen.append(medium.clock.now()))
        assert await medium.clock.advance_to_next()
        assert (seen, medium.clock.now()) == ([2.0], 2.0)
        assert await medium.clock.advance_to_next()
        assert not await medium.clock.advance_to_next()
        assert seen == [2.0, 7.0]


async def test_a_pause_that_is_none_is_told(
    anyio_backend: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aether.testing.idle._MOST_TURNS", 1000)
    monkeypatch.setattr("aether.testing.idle._PATIENCE", 0.05)

    async def hurry() -> None:
        while True:
            # Too little for any moment to come after this one.
            await medium.clock.sleep(1e-30)

    async with VirtualAether(start=1.0) as medium, anyio.create_task_group() as group:
        hurrying = begin(group, hurry)
        with pytest.raises(RuntimeError) as raised:
            await medium.clock.advance(1.0)
        assert_says(raised.value, "has not waited")
        await hurrying.cancel()


async def test_two_tasks_cannot_advance_it(anyio_backend: object) -> None:
    async with VirtualAether() as medium, anyio.create_task_group() as group:
        asked = anyio.Event()
        raised: list[BaseException] = []

        async def other() -> None:
            asked.set()
            try:
                await medium.clock.advance(1.0)
            except RuntimeError as error:
                raised.append(error)

        medium.timers.after(1.0, lambda: None)
        group.start_soon(other)
        await medium.clock.advance(2.0)
        await asked.wait()
        assert_says(raised[0], "another task")


@pytest.mark.parametrize(
    ("seconds", "error"), [(-1.0, ValueError), (float("nan"), ValueError), ("1", TypeError)]
)
async def test_time_passes_by_seconds(
    anyio_backend: object, seconds: Any, error: type[Exception]
) -> None:
    medium = VirtualAether()
    with pytest.raises(error) as raised:
        await medium.clock.advance(seconds)
    assert_says(raised.value, "seconds")
    medium.shut("closed", at_once=True)


async def test_settle_says_who_is_at_work_and_what_to_do(anyio_backend: object) -> None:
    async with VirtualAether(patience=0.01) as medium:
        shop = medium.vibrator("shop")

        @shop.on("orders.*")
        async def book(_: Wave[Any]) -> None:
            await medium.clock.sleep(3.0)

        await medium.emit_wave("orders.created")
        assert not await medium.settle(0.0), "with a timeout it answers"
        with pytest.raises(TimeoutError) as raised:
            await medium.settle()
        assert_says(raised.value, "book", "'shop'", "medium.clock.advance(3)")
        await medium.clock.advance(3.0)
        assert await medium.settle()


@pytest.mark.parametrize(("seconds", "handled"), [(4.0, ["began", "ended"]), (400.0, ["began"])])
async def test_leaving_drains_by_its_own_time(
    anyio_backend: object, seconds: float, handled: list[str]
) -> None:
    seen: list[str] = []
    with anyio.fail_after(PATIENCE):
        async with VirtualAether(AetherConfig(drain_timeout=5.0), patience=60.0) as medium:
            shop = medium.vibrator("shop")

            @shop.on("orders.*")
            async def book(_: Wave[Any]) -> None:
                seen.append("began")
                await medium.clock.sleep(seconds)
                seen.append("ended")

            await medium.emit_wave("orders.created")
    assert seen == handled
    assert medium.clock.now() == min(seconds, 5.0)
    assert medium.statistics().dropped["abandoned"] == (seconds > 5.0)


async def test_leaving_waits_for_what_is_no_matter_of_the_clock(anyio_backend: object) -> None:
    seen: list[str] = []
    go = anyio.Event()
    async with anyio.create_task_group() as group:

        async def later() -> None:
            await anyio.sleep(0.01)
            go.set()

        async with VirtualAether() as medium:
            shop = medium.vibrator("shop")

            @shop.on("orders.*")
            async def book(_: Wave[Any]) -> None:
                await go.wait()
                seen.append("ended")

            await medium.emit_wave("orders.created")
            group.start_soon(later)
    assert seen == ["ended"]


async def test_a_reader_of_a_test_can_be_slow(anyio_backend: object) -> None:
    async with VirtualAether() as medium, anyio.create_task_group() as group:
        reader = medium.vibrator("reader", buffer_size=1)
        reader.resonate_on("a")
        emitted: list[float] = []

        async def read() -> None:
            async for _ in reader:
                await medium.clock.sleep(10.0)

        async def emit() -> None:
            for _ in range(4):
                await medium.emit_wave("a")
                emitted.append(medium.clock.now())

        reading = begin(group, read)
        begin(group, emit)
        await medium.clock.advance(100.0)
        assert emitted == [0.0, 0.0, 10.0, 20.0]
        await reading.cancel()
        reader.close()


async def test_a_task_that_never_waits_is_told(
    anyio_backend: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aether.testing.idle._MOST_TURNS", 100)
    monkeypatch.setattr("aether.testing.idle._PATIENCE", 0.05)

    async def spin() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    async with VirtualAether() as medium, anyio.create_task_group() as group:
        spinning = begin(group, spin)
        with pytest.raises(RuntimeError) as raised:
            await medium.clock.advance(1.0)
        assert_says(raised.value, "has not waited")
        await spinning.cancel()


def test_it_shows_what_its_clock_shows() -> None:
    medium = VirtualAether(start=12.5)
    assert repr(medium.clock) == "<VirtualClock at 12.5 s>"
    medium.shut("closed", at_once=True)
