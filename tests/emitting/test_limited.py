"""Emitters with limits: how many waves pass, who waits for whom, and who gives up."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
import weakref
from functools import partial
from typing import Any

import anyio
import pytest
from tests.conftest import LOOPS
from tests.handling.passing import passes
from tests.probes import PATIENCE, begin, receive, tuned, turns, until

from aether import (
    Aether,
    ChannelError,
    Closed,
    EmitterStatistics,
    LimitedEmitter,
    ManualClock,
    Wave,
    WouldBlock,
)
from aether._wait import Home


def timed() -> tuple[Aether, ManualClock]:
    clock = ManualClock()
    return Aether(clock=clock), clock


async def test_a_thousand_a_second_pass_in_ten_seconds(anyio_backend: object) -> None:
    medium, clock = timed()
    emitter = medium.emitter(rate=1_000, burst=50)
    passed: list[float] = []

    async def emit() -> None:
        while True:
            await emitter.emit_wave("a")
            passed.append(clock.now())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(emit)
        await turns(100)
        assert len(passed) == 50, "the burst, and nobody else"
        await passes(clock, 10.0, 0.01)
        group.cancel_scope.cancel()
    assert len(passed) == pytest.approx(10_000, rel=0.01)
    for begun in range(0, len(passed) - 500, 97):
        seconds = passed[begun + 500] - passed[begun]
        assert 50 + 1_000 * seconds + 1e-6 >= 501, "in any span"


def test_eight_threads_share_a_rate() -> None:
    medium, clock = timed()
    emitter = medium.emitter(rate=100, burst=5, bulkhead=4)
    passed: list[float] = []
    over = threading.Event()

    def emit() -> None:
        while not over.is_set():
            emitter.emit_sync("a")
            passed.append(clock.now())

    threads = [threading.Thread(target=emit) for _ in range(8)]
    for thread in threads:
        thread.start()

    def all_wait() -> bool:
        counted = emitter.statistics()
        assert counted.under_way <= 4
        return counted.waiting == 8

    deadline = time.monotonic() + 6 * PATIENCE
    for step in range(1_001):
        # Exactly the burst, and one in each hundredth of a second; the next one is not due.
        while len(passed) < 5 + step or not all_wait():
            assert time.monotonic() < deadline, "somebody is stuck"
            time.sleep(0)
        assert len(passed) == 5 + step
        clock.advance(0.01)
    over.set()
    for thread in threads:
        while thread.is_alive():
            clock.advance(1.0)
            thread.join(0.01)
    assert emitter.statistics().under_way == 0


def test_no_more_threads_than_the_bulkhead_are_under_way() -> None:
    medium = Aether()
    reader = tuned(medium, "a", buffer_size=1)
    emitter = medium.emitter(bulkhead=3)
    emitter.emit_sync("a")
    threads = [threading.Thread(target=emitter.emit_sync, args=("a",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for left in (*range(8, 0, -1), 0):
        while medium.statistics().tasks_waiting_send != min(left, 3) or emitter.statistics() != (
            EmitterStatistics(min(left, 3), max(left - 3, 0), 5, 0, 0)
        ):
            assert time.monotonic() < deadline, emitter.statistics()
            time.sleep(0)
        reader.receive_nowait()
    for thread in threads:
        thread.join(PATIENCE)


async def test_no_more_than_the_bulkhead_are_under_way_in_order(anyio_backend: object) -> None:
    medium, _ = timed()
    reader = tuned(medium, "a", buffer_size=1)
    emitter = medium.emitter(bulkhead=2)
    await emitter.emit_wave("a", "first")
    async with anyio.create_task_group() as group:
        calls = []
        for number in range(6):
            calls.append(begin(group, partial(emitter.emit_wave, "a", number)))
            await turns(3)
        assert medium.statistics().tasks_waiting_send == 2
        assert emitter.statistics() == EmitterStatistics(2, 4, 4, 0, 0)
        with pytest.raises(WouldBlock, match="limit bulkhead"):
            emitter.emit_nowait("b")
        await calls[3].cancel()
        assert [(await receive(reader)).payload for _ in range(6)] == ["first", 0, 1, 2, 4, 5]
    assert emitter.statistics().under_way == 0
    assert emitter.emit_nowait("b") is not None


async def test_who_is_cancelled_anywhere_costs_nobody_a_turn(anyio_backend: object) -> None:
    dice = random.Random(11)
    for _ in range(30):
        medium, clock = timed()
        emitter = medium.emitter(rate=1.0, bulkhead=3)
        await emitter.emit_wave("a")
        async with anyio.create_task_group() as group:
            calls = []
            for _ in range(6):
                calls.append(begin(group, partial(emitter.emit_wave, "a")))
                await turns(2)
            victims = dice.sample(calls, 3)
            moment = dice.randrange(4)
            clock.advance(1.0)
            await turns(moment)
            for victim in victims:
                victim.scope.cancel()
            await turns(20)
            await passes(clock, 5.0, 1.0)
            done = [call.value.sequence for call in calls if call.value is not None]
            assert all(call.done for call in calls)
            assert set(calls) - set(victims) <= {call for call in calls if call.value is not None}
            assert done == sorted(done)
        counted = emitter.statistics()
        assert (counted.under_way, counted.waiting) == (0, 0)
        assert medium.statistics().emitted == len(done) + 1


async def test_each_limit_is_named_by_who_gives_up(anyio_backend: object) -> None:
    medium, clock = timed()
    rated = medium.emitter(rate=0.1, timeout=2.0)
    await rated.emit_wave("a")
    async with anyio.create_task_group() as group:
        late = begin(group, lambda: rated.emit(Wave("a")))
        await passes(clock, 1.9)
        assert not late.done
        await passes(clock, 0.2)
        with pytest.raises(TimeoutError, match=r"waited 2 s by the limit rate .*rate=0.1, burst=1"):
            await late.result()
        tuned(medium, "full", buffer_size=1)
        walled = medium.emitter(bulkhead=1, timeout=2.0)
        await walled.emit_wave("full")
        stuck = begin(group, lambda: walled.emit_wave("full"))
        await turns(3)
        late = begin(group, lambda: walled.emit_wave("free"))
        await passes(clock, 2.0)
        with pytest.raises(TimeoutError, match=r"limit bulkhead .*bulkhead=1"):
            await late.result()
        await stuck.cancel()
        assert await walled.emit_wave("free") is not None
        # Its turn comes by the clock and not by who has given up.
        await passes(clock, 5.9)
        assert await rated.emit_wave("a") is not None
    assert rated.statistics().timed_out == walled.statistics().timed_out == 1
    assert medium.limiting.incidents() == {
        ("rate", "waited"): 1,
        ("rate", "timed_out"): 1,
        ("bulkhead", "waited"): 1,
        ("bulkhead", "timed_out"): 1,
    }


async def test_many_go_out_one_by_one_and_a_prefix_if_cancelled(anyio_backend: object) -> None:
    medium, clock = timed()
    reader = tuned(medium, "*")
    emitter = medium.emitter(rate=1, burst=2)
    with pytest.raises(ChannelError):
        emitter.emit_many([("a", 0), ("a.*", 1)])
    with pytest.raises(TypeError, match="each item"):
        emitter.emit_many([("a", 0), 1])  # type: ignore[list-item]
    async with anyio.create_task_group() as group:
        many = begin(
            group, lambda: emitter.emit_many([("a", 0), Wave("b", 1), ("a", 2), ("a", 3), ("a", 4)])
        )
        await passes(clock, 1.0)
        assert not many.done
        await many.cancel()
    assert [(await receive(reader)).payload for _ in range(3)] == [0, 1, 2]
    await passes(clock, 2.0)
    receipts = await emitter.emit_many([("a", 5), ("a", 6)])
    assert [receipt.sequence for receipt in receipts] == [4, 5]


@pytest.mark.filterwarnings("error")
async def test_none_that_was_cancelled_before_it_began_is_said_to_be_forgotten(
    anyio_backend: object,
) -> None:
    medium, _ = timed()
    emitter = medium.emitter(rate=1)
    for call in (emitter.emit_wave("a"), emitter.emit_many([("a", 1)])):
        with pytest.raises(KeyError):
            call.throw(KeyError())
    emitter.emit_wave("a").close()
    assert medium.statistics().emitted == 0
    with pytest.warns(RuntimeWarning, match=r'"a" was never awaited'):
        emitter.emit_wave("a")


async def test_the_end_of_the_medium_is_the_end_of_the_wait(anyio_backend: object) -> None:
    medium, _ = timed()
    emitter = medium.emitter(rate=1)
    async with medium:
        await emitter.emit_wave("a")
        async with anyio.create_task_group() as group:
            late = begin(group, lambda: emitter.emit_wave("a"))
            sync = begin(group, lambda: anyio.to_thread.run_sync(emitter.emit_sync, "a"))
            await until(lambda: emitter.statistics().waiting == 2)
            await medium.aclose()
            for one in (late, sync):
                with pytest.raises(Closed):
                    await one.result()
    with pytest.raises(Closed):
        await medium.emitter(bulkhead=1).emit_wave("a")


def test_a_thread_gives_up_and_leaves_its_place() -> None:
    medium = Aether()
    emitter = medium.vibrator("v").emitter(rate=0.001, bulkhead=1, timeout=0.001)
    reader = tuned(medium, "*")
    emitter.emit_sync("a")
    assert reader.receive_nowait().source == "v"
    with pytest.raises(TimeoutError, match="limit rate"):
        emitter.emit_sync("a")
    with pytest.raises(WouldBlock, match=r"limit rate .* \(rate=0.001, burst=1\)"):
        emitter.emit_nowait("a")
    assert emitter.statistics() == EmitterStatistics(0, 0, 1, 1, 1)


async def test_no_thread_with_a_loop_stands_still(anyio_backend: object) -> None:
    emitter = Aether().emitter(rate=1)
    with pytest.raises(RuntimeError, match="emit_sync would stop the event loop"):
        emitter.emit_sync("a")
    assert emitter.emit_nowait("a") is not None, "that has cost no turn"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": 0}, "rate must be"),
        ({"rate": 1, "burst": 0}, "burst must be"),
        ({"bulkhead": 0}, "bulkhead must be"),
        ({"rate": 1, "timeout": -1}, "timeout must be"),
        ({"burst": 1}, "give rate="),
        ({"timeout": 1}, "give rate= or bulkhead="),
    ],
)
def test_limits_out_of_range_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Aether().emitter(**options)


def test_an_emitter_of_an_emitter_has_limits_of_its_own() -> None:
    medium = Aether()
    plain = medium.emitter()
    limited = plain.emitter(rate=1)
    assert isinstance(limited, LimitedEmitter)
    assert not isinstance(limited.emitter(), LimitedEmitter)
    limited.emit_nowait("a")
    with pytest.raises(WouldBlock):
        limited.emit_nowait("a")
    assert plain.emit_nowait("a").sequence == 2


async def test_a_place_that_is_free_before_a_turn_is_due_is_taken_when_it_is(
    anyio_backend: object,
) -> None:
    medium, clock = timed()
    tuned(medium, "full", buffer_size=1)
    emitter = medium.emitter(rate=1, burst=2, bulkhead=1)
    await emitter.emit_wave("full")
    async with anyio.create_task_group() as group:
        stuck = begin(group, lambda: emitter.emit_wave("full"))
        await turns(3)
        # No turn is asked for, as there is no place.
        late = begin(group, lambda: emitter.emit_wave("free"))
        await until(lambda: emitter.statistics().waiting == 1)
        await stuck.cancel()
        await turns(3)
        assert not late.done, "both turns are used"
        await passes(clock, 1.0)
        assert (await late.result()).sequence == 2


@pytest.mark.parametrize("backend", LOOPS)
def test_a_loop_that_has_ended_is_not_kept_by_who_waited_in_it(backend: str) -> None:
    medium = Aether()
    emitter = medium.emitter(rate=1_000.0, burst=1)
    ended: list[weakref.ref[object]] = []

    async def one() -> None:
        ended.append(weakref.ref(Home().key))
        await emitter.emit_wave("a")
        async with anyio.create_task_group() as group:
            later = begin(group, lambda: emitter.emit_wave("a"))
            await until(lambda: emitter.statistics().waiting == 1)
            await later.cancel()

    async def another() -> None:
        for _ in range(3):
            await emitter.emit_wave("a")

    name = "asyncio" if backend == "uvloop" else backend
    options = {"use_uvloop": True} if backend == "uvloop" else {}
    anyio.run(one, backend=name, backend_options=options)
    anyio.run(another, backend=name, backend_options=options)
    gc.collect()
    assert ended[0]() is None
    assert emitter.statistics().waiting == 0


def test_one_that_is_dropped_without_its_loop_leaves_its_turn() -> None:
    medium, clock = timed()
    emitter = medium.emitter(rate=1)
    emitter.emit_nowait("a")

    async def begun() -> Any:
        call = emitter.emit_wave("a").__await__()
        call.send(None)
        clock.advance(1.0)
        # Its turn has come, and it does not go on.
        await until(lambda: emitter.statistics().waiting == 0)
        return call

    call = asyncio.run(begun())
    threads = [threading.Thread(target=emitter.emit_sync, args=("a",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    while emitter.statistics().waiting < 2:
        assert time.monotonic() < deadline
        time.sleep(0)
    call.close()
    for emitted in (2, 3):
        while medium.statistics().emitted < emitted:
            assert time.monotonic() < deadline
            time.sleep(0)
        clock.advance(1.0)
    for thread in threads:
        thread.join(PATIENCE)
