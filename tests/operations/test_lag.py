"""How late a loop is, by a clock that stands still."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import anyio
import anyio.to_thread
import pytest

from aether._wait import Home
from aether.monitoring.lag import LoopLag


class Loop:
    """Does what is posted when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.posted: list[Callable[[], object]] = []

    def clock(self) -> float:
        return self.now

    def run(self) -> None:
        posted, self.posted[:] = list(self.posted), []
        for one in posted:
            one()


def test_it_is_what_passes_from_the_question_to_the_answer() -> None:
    loop = Loop()
    lag = LoopLag(loop.posted.append, loop.clock)
    assert (lag.take(), lag.silence) == (0.0, 0.0)
    lag.ping()
    loop.now += 0.25
    assert lag.silence == 0.25
    loop.run()
    loop.now += 5
    assert (lag.silence, lag.take(), lag.take()) == (0.0, 0.25, 0.0)


def test_the_worst_since_the_last_time_counts() -> None:
    loop = Loop()
    lag = LoopLag(loop.posted.append, loop.clock)
    for late in (0.5, 2.0, 0.125):
        lag.ping()
        loop.now += late
        loop.run()
    assert lag.take() == 2.0


def test_a_loop_that_has_still_to_answer_is_asked_nothing_more() -> None:
    loop = Loop()
    lag = LoopLag(loop.posted.append, loop.clock)
    for _ in range(10):
        lag.ping()
        loop.now += 1
    assert len(loop.posted) == 1
    assert lag.silence == lag.take() == 10.0
    loop.run()
    lag.ping()
    assert (lag.silence, lag.take()) == (0.0, 10.0)


def _taken_while_it_answers(step: int) -> tuple[list[float], int]:
    """What is taken while the loop answers in another thread, before this instruction; and how many there were."""
    loop = Loop()
    lag = LoopLag(loop.posted.append, loop.clock)
    lag.ping()
    loop.now += 0.5
    loop.run()
    lag.ping()
    loop.now += 2.0
    answering = threading.Thread(target=loop.run)
    seen = [0]

    def trace(frame: FrameType, kind: str, _: Any) -> Any:
        frame.f_trace_opcodes = True
        if kind == "opcode":
            if seen[0] == step:
                answering.start()
                # It waits where it must.
                answering.join(0.02)
            seen[0] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: trace(frame, "", _) if frame.f_code.co_name == "take" else None)
    try:
        taken = [lag.take()]
    finally:
        sys.settrace(before)
    if not answering.ident:
        answering.start()
    answering.join()
    return [*taken, lag.take()], seen[0]


def test_nothing_is_lost_between_two_threads() -> None:
    step, steps = 0, 1
    while step < steps:
        taken, steps = _taken_while_it_answers(step)
        assert max(taken) == 2.0, f"before instruction {step}"
        step += 1
    assert steps > 10


@pytest.mark.anyio
async def test_every_loop_answers_at_once_while_it_idles() -> None:
    answered = anyio.Event()
    home, now = Home(), [0.0]

    def post(answer: Callable[[], object]) -> None:
        def both() -> None:
            answer()
            answered.set()

        home.run(both)

    lag = LoopLag(post, lambda: now[0])
    await anyio.to_thread.run_sync(lag.ping)
    with anyio.fail_after(10):
        await answered.wait()
    now[0] += 5.0
    assert (lag.silence, lag.take()) == (0.0, 0.0)


@pytest.mark.anyio
async def test_a_loop_that_is_busy_answers_when_it_comes_to_it() -> None:
    now = [0.0]
    lag = LoopLag(Home().run, lambda: now[0])
    asked = threading.Thread(target=lag.ping)
    asked.start()
    asked.join()
    # The loop stands still in this very line.
    now[0] += 3.0
    assert lag.silence == 3.0
    while lag.silence:
        await anyio.sleep(0)
    assert lag.take() == 3.0
