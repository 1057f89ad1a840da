"""Timers: what happens at a moment of a medium's clock, whichever it is and on each loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from functools import partial

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.probes import turns

from aether import ManualClock
from aether.timers import Timer, Timers


def manual() -> tuple[ManualClock, Timers]:
    """Timers that go by a clock of the test."""
    clock = ManualClock()
    return clock, Timers(clock)


async def test_calls_come_when_the_clock_is_moved_there(anyio_backend: object) -> None:
    clock, timers = manual()
    seen: list[str] = []
    timers.after(2.0, partial(seen.append, "two"))
    timers.after(1.0, partial(seen.append, "one"))
    timers.after(1.0, partial(seen.append, "one again"))
    timers.after(3.0, partial(seen.append, "three"))
    assert timers.next() == 1.0
    await turns(5)
    assert seen == []
    clock.advance(0.5)
    await turns(5)
    assert seen == []
    clock.advance(1.5)
    assert seen == [], "never in the midst of a task"
    await turns(5)
    assert seen == ["one", "one again", "two"]
    assert timers.next() == 3.0
    clock.advance(10.0)
    await turns(5)
    assert seen[3:] == ["three"]
    assert timers.next() is None


async def test_what_is_cancelled_does_not_come(anyio_backend: object) -> None:
    clock, timers = manual()
    seen: list[int] = []
    made = [timers.after(float(number), partial(seen.append, number)) for number in range(1, 6)]
    made[0].cancel()
    made[3].cancel()
    assert timers.next() == 2.0
    clock.advance(10.0)
    await turns(5)
    assert seen == [2, 3, 5]
    assert not any(timer.is_pending for timer in made)


async def test_a_call_may_ask_for_the_next(anyio_backend: object) -> None:
    clock, timers = manual()
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.now())
        if len(seen) < 3:
            timers.after(1.0, again)

    timers.after(1.0, again)
    for _ in range(5):
        clock.advance(1.0)
        await turns(5)
    assert seen == [1.0, 2.0, 3.0]
    assert timers.next() is None


async def test_a_call_that_fails_keeps_no_other_back(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    clock, timers = manual()
    seen: list[int] = []
    timers.after(1.0, partial(int, "no number"))
    timers.after(1.0, partial(seen.append, 1))
    with caplog.at_level(logging.ERROR, "aether"):
        clock.advance(1.0)
        await turns(5)
    assert seen == [1]
    assert [record.event for record in caplog.records] == ["timer.failed"]  # type: ignore[attr-defined]


async def test_by_the_machine_they_come_too(anyio_backend: object) -> None:
    timers = Timers(None)
    done, seen = anyio.Event(), list[int]()
    timers.after(3600.0, partial(seen.append, 0)).cancel()
    timers.after(0.02, done.set)
    timers.after(0.01, partial(seen.append, 1))
    timers.after(0.0, partial(seen.append, 2))
    with anyio.fail_after(30):
        await done.wait()
    assert seen == [2, 1]
    assert timers.next() is None


async def test_a_sleep_ends_at_its_moment_and_can_be_cancelled(anyio_backend: object) -> None:
    clock, timers = manual()
    seen: list[float] = []

    async def sleep(seconds: float) -> None:
        await timers.sleep(seconds)
        seen.append(seconds)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleep, 2.0)
        tasks.start_soon(sleep, 0.0)
        await turns(5)
        assert seen == [0.0]
        with anyio.move_on_after(0):
            await sleep(1.0)
        assert timers.next() == 2.0, "the one that was cancelled is gone"
        clock.advance(2.0)
    assert seen == [0.0, 2.0]


async def test_the_clock_may_be_moved_by_another_thread(anyio_backend: object) -> None:
    clock, timers = manual()
    done = anyio.Event()
    where: list[int] = []

    def ring() -> None:
        where.append(threading.get_ident())
        done.set()

    timers.after(1.0, ring)
    thread = threading.Thread(target=clock.advance, args=(1.0,))
    thread.start()
    with anyio.fail_after(30):
        await done.wait()
    thread.join()
    assert where == [threading.get_ident()]


async def test_nothing_is_kept_once_all_are_over(anyio_backend: object) -> None:
    clock, timers = manual()

    class Call:
        def __call__(self) -> None: ...

    calls = [Call() for _ in range(1_000)]
    watched = [weakref.ref(call) for call in calls]
    first = timers.after(5.0, lambda: None)
    made = [timers.after(10.0, call) for call in calls]
    del calls
    for timer in made:
        timer.cancel()
    del made, timer
    gc.collect()
    assert not any(one() for one in watched), "a call that is cancelled is let go at once"
    later = [timers.after(10.0, lambda: None) for _ in range(100)]
    kept = timers._loops
    assert sum(len(one._heap) for one in kept.values()) <= 200
    for timer in [first, *later]:
        timer.cancel()
    clock.advance(5.0)
    await turns(5)
    assert not kept


def test_loops_that_have_ended_are_forgotten() -> None:
    clock, timers = manual()
    seen: list[int] = []

    async def leave(number: int) -> None:
        timers.after(1.0, partial(seen.append, number))

    for number in range(20):
        asyncio.run(leave(number))
    assert len(timers._loops) <= 1
    clock.advance(1.0)
    assert seen == []


STEPS = st.one_of(
    st.tuples(st.just("after"), st.integers(0, 8)),
    st.tuples(st.just("cancel"), st.integers(0, 100)),
    st.tuples(st.just("advance"), st.integers(0, 4)),
)


async def play(timers: Timers, clock: ManualClock, steps: list[tuple[str, int]]) -> None:
    """Does the steps, against a plain list that is sorted each time."""
    made: list[Timer] = []
    seen: list[int] = []
    plain: dict[int, float] = {}
    for what, number in steps:
        if what == "after":
            plain[len(made)] = clock.now() + number
            made.append(timers.after(float(number), partial(seen.append, len(made))))
        elif what == "cancel" and made:
            made[number % len(made)].cancel()
            plain.pop(number % len(made), None)
        elif what == "advance":
            clock.advance(float(number))
            await turns(2)
            due = [one for one, when in plain.items() if when <= clock.now()]
            due.sort(key=lambda one: (plain[one], one))
            assert seen == due
            seen.clear()
            for one in due:
                del plain[one]
        assert timers.next() == min(plain.values(), default=None)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(steps=st.lists(STEPS, max_size=40))
def test_they_are_a_sorted_list(backend: str, steps: list[tuple[str, int]]) -> None:
    clock, timers = manual()
    anyio.run(play, timers, clock, steps, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_a_loop_that_has_ended_left_is_no_next_call(backend: str) -> None:
    """A virtual clock would go to it for ever."""
    _, timers = manual()

    async def leaves_one() -> None:
        timers.after(1.0, print)
        assert timers.next() == 1.0

    anyio.run(leaves_one, backend=backend)
    assert timers.next() is None
