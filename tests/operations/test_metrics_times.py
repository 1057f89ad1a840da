"""Times in metrics: which waves are timed, and that a plain list of durations says the same."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, strategies as st
from tests.operations.scraped import end_all, measured, scrape, vibrator

from aether import Aether, ManualClock
from aether._native import histogram_bounds
from aether.journal import Journal

GOLDEN = 0x9E3779B97F4A7C15
REACH = 131_072


def is_timed(sequence: int) -> bool:
    """The rule, by hand: one in 64, by the golden ratio."""
    return sequence > 0 and (sequence * GOLDEN) % 2**64 <= (2**64 - 1) // 64


def next_timed(medium: Aether) -> None:
    """Emits to nobody until the next wave is one that is timed."""
    while not is_timed(medium.statistics().emitted + 1):
        medium.emit_nowait("nobody")


def distribution(medium: Aether, name: str, **labels: str) -> tuple[list[int], float]:
    """The counts of the buckets alone, and the sum."""
    got = scrape(medium)
    within = got.by(f"{name}_bucket", **labels)
    bounds = {dict(key)["le"]: count for key, count in within.items()}
    ordered = [bounds[key] for key in sorted(bounds, key=float)]
    assert got(f"{name}_count", **labels) == ordered[-1]
    alone = [int(after - before) for before, after in itertools.pairwise([0, *ordered])]
    return alone, got(f"{name}_sum", **labels)


def plain(durations: list[float]) -> list[int]:
    """The same counts, by search."""
    counts = [0] * (len(histogram_bounds()) + 1)
    for one in durations:
        counts[bisect_left(histogram_bounds(), one)] += 1
    return counts


# Times that are exact in nanoseconds and as floats.
STEPS = st.sampled_from([0.0, 2.0**-20, 2.0**-9, 0.0625, 1.0, 3.0, 20.0])


@given(st.lists(st.tuples(st.sampled_from(["emit", "wait", "take", "many"]), STEPS), max_size=200))
def test_times_are_those_of_the_clock(program: list[tuple[str, float]]) -> None:
    clock = ManualClock(start=1000.0)
    medium = measured(clock=clock)
    desk = vibrator(medium, "desk", order="fifo", overflow="drop_oldest", buffer_size=300)
    desk.resonate_on("orders")
    waiting: list[tuple[int, float]] = []
    durations: list[float] = []

    def taken(count: int) -> None:
        for _ in range(count):
            sequence, since = waiting.pop(0)
            if is_timed(sequence):
                durations.append(clock.now() - since)

    for action, seconds in program:
        if action == "wait":
            clock.advance(seconds)
        elif action == "emit":
            for _ in range(40):
                sequence = medium.emit_nowait("orders").sequence
                assert sequence is not None
                waiting.append((sequence, clock.now()))
            del waiting[:-300]
        elif waiting:
            count = 1 if action == "take" else min(30, len(waiting))
            for _ in range(count):
                assert desk.receive_nowait().sequence == waiting[0][0]
                taken(1)
    for name in ("aether_latency_seconds", "aether_queue_seconds"):
        alone, total = distribution(medium, name)
        assert alone == plain(durations)
        assert total == pytest.approx(sum(durations), abs=1e-6)
    got = scrape(medium)
    assert got("aether_vibrator_queue_seconds_count", vibrator="desk") == len(durations)
    assert got("aether_untimed_total") == 0
    end_all()


async def test_every_way_to_receive_is_timed(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = measured(clock=clock)
    desk = vibrator(medium, "desk", order="fifo")
    desk.resonate_on("orders")
    stream = aiter(desk)

    async def with_a_timeout() -> None:
        await anyio.to_thread.run_sync(lambda: desk.receive_sync(timeout=5))

    ways: list[Any] = [
        desk.receive,
        lambda: anext(stream),
        lambda: desk.receive_many(1),
        lambda: desk.receive_many(1, max_wait=1.0),
        with_a_timeout,
    ]
    async with medium:
        for number, way in enumerate(ways, 1):
            next_timed(medium)
            await medium.emit_wave("orders")
            clock.advance(0.5)
            await way()
            assert distribution(medium, "aether_latency_seconds") == (
                plain([0.5] * (2 * number - 1)),
                0.5 * (2 * number - 1),
            )
            # One that was waited for, too.
            next_timed(medium)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(way)
                await anyio.wait_all_tasks_blocked()
                medium.emit_nowait("orders")
                clock.advance(0.5)
            alone, _ = distribution(medium, "aether_latency_seconds")
            assert sum(alone) == 2 * number
            # A thread may have taken it before the clock was moved.
            clock.advance(0.0)


async def test_waiting_for_room_is_latency_and_no_queue_time(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = measured(clock=clock)
    desk = vibrator(medium, "desk", buffer_size=1)
    desk.resonate_on("orders")
    async with medium:
        while not is_timed(medium.statistics().emitted + 2):
            medium.emit_nowait("nobody")
        await medium.emit_wave("orders", 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(medium.emit_wave, "orders", 2)
            await anyio.wait_all_tasks_blocked()
            clock.advance(4.0)
            assert await desk.receive()
        clock.advance(1.0)
        assert await desk.receive()
    assert distribution(medium, "aether_latency_seconds") == (plain([5.0]), 5.0)
    assert distribution(medium, "aether_queue_seconds") == (plain([1.0]), 1.0)


async def test_handlers_are_timed(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = measured(clock=clock)
    desk = vibrator(medium, "desk")

    @desk.on("orders")
    async def handle(wave: Any) -> None:
        clock.advance(wave.payload)
        if wave.payload == 2.0:
            raise ValueError("no")

    async with medium:
        for seconds in (0.25, 2.0, 8.0):
            next_timed(medium)
            await medium.emit_wave("orders", seconds)
            # One that is not timed.
            await medium.emit_wave("orders", 100.0)
            assert await medium.settle(10)
    durations = [0.25, 2.0, 8.0]
    assert distribution(medium, "aether_handler_seconds") == (plain(durations), sum(durations))
    got = scrape(medium)
    assert got("aether_vibrator_handler_seconds_count", vibrator="desk") == 3
    assert got("aether_vibrator_handler_seconds_sum", vibrator="desk") == sum(durations)


async def test_standing_behind_a_key_is_no_handling(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = measured(clock=clock)
    desk = vibrator(medium, "desk", order="fifo")
    go = anyio.Event()

    @desk.on("orders", key=lambda wave: "one", concurrency=2)
    async def handle(wave: Any) -> None:
        if wave.payload == "first":
            await go.wait()
        clock.advance(1.0)

    async with medium:
        while not is_timed(medium.statistics().emitted + 2):
            medium.emit_nowait("nobody")
        await medium.emit_wave("orders", "first")
        await medium.emit_wave("orders", "second")
        await anyio.wait_all_tasks_blocked()
        assert distribution(medium, "aether_latency_seconds") == (plain([]), 0.0), "it stands"
        clock.advance(16.0)
        go.set()
        assert await medium.settle(10)
    assert distribution(medium, "aether_handler_seconds") == (plain([1.0]), 1.0)
    # The handler of the first one has taken a second, too.
    for name in ("aether_latency_seconds", "aether_queue_seconds"):
        assert distribution(medium, name) == (plain([17.0]), 17.0)


async def test_what_is_dropped_behind_a_key_is_no_handling(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = measured(clock=clock)
    desk = vibrator(medium, "desk", order="fifo")
    go = anyio.Event()

    @desk.on("orders", key=lambda wave: "one", concurrency=2)
    async def handle(wave: Any) -> None:
        await go.wait()

    async with medium:
        while not is_timed(medium.statistics().emitted + 2):
            medium.emit_nowait("nobody")
        await medium.emit_wave("orders", "first")
        await medium.emit_wave("orders", "second")
        await anyio.wait_all_tasks_blocked()
        assert medium.clear() == 1
        go.set()
        assert await medium.settle(10)
    for name in ("aether_handler_seconds", "aether_latency_seconds"):
        assert distribution(medium, name) == (plain([]), 0.0)
    assert scrape(medium)("aether_dropped_total", reason="cleared") == 1


@pytest.mark.parametrize("key", [None, lambda wave: wave.payload % 3], ids=["no key", "keys"])
async def test_latency_is_what_the_handlers_see(key: Any, anyio_backend: object) -> None:
    """Each notes for itself how old its wave is when it begins; the clock goes on within all of them."""
    clock = ManualClock()
    medium = measured(clock=clock)
    seen: list[float] = []

    @vibrator(medium, "desk").on("orders", concurrency=5, key=key)
    async def handle(wave: Any) -> None:
        if is_timed(wave.sequence):
            seen.append(clock.now() - wave.timestamp)
        await anyio.lowlevel.checkpoint()
        clock.advance(2.0**-6)

    async with medium:
        for number in range(900):
            medium.emit_nowait("orders", number)
        assert await medium.settle(20)
    assert len(seen) == sum(map(is_timed, range(1, 901)))
    alone, total = distribution(medium, "aether_latency_seconds")
    assert alone == plain(seen)
    assert total == pytest.approx(sum(seen))
    assert scrape(medium)("aether_vibrator_queue_seconds_count", vibrator="desk") == len(seen)


async def test_the_disk_is_latency(tmp_path: Path, anyio_backend: object) -> None:
    medium = measured(journal=Journal(tmp_path))
    desk = vibrator(medium, "desk")
    desk.resonate_on("orders")
    async with medium:
        for number in range(128):
            await medium.emit_wave("orders", number)
            assert await desk.receive()
        timed = sum(map(is_timed, range(1, 129)))
        latency, queue = (
            distribution(medium, f"aether_{name}_seconds") for name in ("latency", "queue")
        )
        assert sum(latency[0]) == sum(queue[0]) == timed
        assert latency[1] > queue[1] > 0


def test_a_wave_that_waits_for_too_long_is_counted_as_not_timed() -> None:
    medium = measured()
    desk = vibrator(medium, "desk", buffer_size=10)
    desk.resonate_on("orders")
    next_timed(medium)
    late = medium.emit_nowait("orders").sequence
    assert late is not None
    for _ in range(REACH - 64):
        medium.emit_nowait("nobody")
    next_timed(medium)
    early = medium.emit_nowait("orders").sequence
    assert early is not None
    for _ in range(200):
        medium.emit_nowait("nobody")
    # Whose note has made room for another one's, as that was admitted to nobody: it was not.
    assert desk.receive_nowait().sequence == late
    got = scrape(medium)
    assert got("aether_latency_seconds_count") + got("aether_untimed_total") == 1
