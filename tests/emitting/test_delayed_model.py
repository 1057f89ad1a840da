"""Waves that are to go out later, by chance: beside a sorted list, and beside a mailbox that is full."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.conftest import LOOPS
from tests.emitting.delaying import METHODS, delayed, rest
from tests.probes import payloads, tuned, turns

from aether import (
    Aether,
    DelayedEmission,
    DelayedStatistics,
    ManualClock,
)

STEPS = st.one_of(
    st.tuples(st.sampled_from(METHODS), st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.5])),
    st.tuples(st.sampled_from(METHODS), st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.5])),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("move"), st.sampled_from([0.1, 0.5, 1.0])),
    st.tuples(st.just("close"), st.just(0)),
)


async def _beside_a_list(steps: list[tuple[str, float]]) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a", buffer_size=1000)
    wanted: list[tuple[float, int]] = []
    made: list[DelayedEmission] = []
    expected = {"emitted": 0, "cancelled": 0, "abandoned": 0}
    async with medium:
        for step, number in steps:
            if step == "cancel":
                if made:
                    index = int(number) % len(made)
                    waits = index in [one for _, one in wanted]
                    assert made[index].cancel() == waits
                    wanted = [one for one in wanted if one[1] != index]
                    expected["cancelled"] += waits
            elif step == "move":
                clock.advance(number)
            elif step == "close":
                await medium.aclose()
                expected["abandoned"] += len(wanted)
                wanted = []
                break
            else:
                wanted.append((clock.now() + number, len(made)))
                made.append(await delayed(medium, step, len(made), number))
            await turns(6)
            due = sorted(one for one in wanted if one[0] <= clock.now())
            wanted = [one for one in wanted if one[0] > clock.now()]
            expected["emitted"] += len(due)
            assert payloads(reader) == [index for _, index in due]
            assert medium.statistics().delayed == DelayedStatistics(waiting=len(wanted), **expected)
            assert {made[index].state for _, index in wanted} <= {"waiting"}
    expected["abandoned"] += len(wanted)
    assert medium.statistics().delayed == DelayedStatistics(**expected)
    assert rest(reader) == []
    reader.close()


async def _beside_a_full_mailbox(steps: list[tuple[str, float]], size: int, seconds: float) -> None:
    """Everyone of them is accounted for, and who was emitted has come, once."""
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a", buffer_size=size)
    made: list[DelayedEmission] = []
    got: list[int] = []
    async with medium:
        for step, number in steps:
            if step == "cancel":
                if made and number % 2:
                    made[int(number) % len(made)].cancel()
                elif waves := reader.statistics().current_buffer_used:
                    got += [reader.receive_nowait().payload for _ in range(min(2, waves))]
            elif step == "move":
                clock.advance(number)
            elif step == "emit_wave":
                made.append(await medium.emit_wave("a", len(made), timeout=seconds, delay=number))
            elif step != "close":
                made.append(await delayed(medium, step, len(made), number))
            await turns(int(number * 2) % 4)
    await turns(20)
    got += rest(reader)
    states = [one.state for one in made]
    assert sorted(got) == [index for index, state in enumerate(states) if state == "emitted"]
    assert all((one.error is not None) == (one.state == "failed") for one in made)
    counted = medium.statistics().delayed
    assert (counted.waiting, counted.under_way) == (0, 0)
    for state in ("emitted", "failed", "cancelled", "abandoned"):
        assert getattr(counted, state) == states.count(state)
    reader.close()


def run(backend: str, main: Any, *args: Any) -> None:
    uvloop = {"use_uvloop": True} if backend == "uvloop" else {}
    loop = "asyncio" if backend == "uvloop" else backend
    anyio.run(partial(main, *args), backend=loop, backend_options=uvloop)


@pytest.mark.parametrize("backend", LOOPS)
@given(steps=st.lists(STEPS, max_size=40))
def test_they_are_a_sorted_list(backend: str, steps: list[tuple[str, float]]) -> None:
    logging.getLogger("aether").setLevel(logging.CRITICAL)
    try:
        run(backend, _beside_a_list, steps)
    finally:
        logging.getLogger("aether").setLevel(logging.NOTSET)


@pytest.mark.parametrize("backend", LOOPS)
@given(
    steps=st.lists(STEPS, max_size=40),
    size=st.integers(1, 3),
    seconds=st.sampled_from([0.0, 0.5, 60.0]),
)
def test_all_are_accounted_for(
    backend: str, steps: list[tuple[str, float]], size: int, seconds: float
) -> None:
    logging.getLogger("aether").setLevel(logging.CRITICAL)
    try:
        run(backend, _beside_a_full_mailbox, steps, size, seconds)
    finally:
        logging.getLogger("aether").setLevel(logging.NOTSET)
