"""The demo's other side: hand-written queues that do the whole job."""

from __future__ import annotations

import asyncio

import pytest
from tests.probes import PATIENCE

from aether.cli.demo import history_path
from aether.cli.demo.job import MAILBOXES, Emission, derived, load
from aether.cli.demo.queues import LoudestQueue, Message, get_many, through_queues
from aether.cli.demo.sums import expected, faults
from aether.cli.events import EventReader

ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@pytest.fixture(scope="module")
def history() -> list[Emission]:
    with EventReader(history_path()) as reader:
        return load(reader)


def message(amplitude: float) -> Message:
    return Message("a", {}, amplitude)


@ASYNCIO
async def test_loudest_queue_hands_out_the_loudest_first() -> None:
    queue = LoudestQueue(3)
    for number, amplitude in enumerate([0.2, 0.9, 0.2]):
        queue.offer((-amplitude, number, message(amplitude)))
    queue.end()
    taken = []
    while (one := await queue.get()) is not None:
        taken.append(one.amplitude)
    assert taken == [0.9, 0.2, 0.2]
    assert queue.dropped == 0


@ASYNCIO
async def test_loudest_queue_drops_the_faintest() -> None:
    queue = LoudestQueue(2)
    for number, amplitude in enumerate([0.5, 0.3, 0.4, 0.1]):
        queue.offer((-amplitude, number, message(amplitude)))
    queue.end()
    assert [one.amplitude for one in [await queue.get(), await queue.get()] if one] == [0.5, 0.4]
    assert queue.dropped == 2


@ASYNCIO
async def test_loudest_queue_is_waited_for() -> None:
    queue = LoudestQueue(2)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        first = tasks.create_task(queue.get())
        await asyncio.sleep(0)
        queue.offer((-0.5, 0, message(0.5)))
        assert (await first) is not None
        last = tasks.create_task(queue.get())
        await asyncio.sleep(0)
        queue.end()
        assert await last is None


@ASYNCIO
async def test_many_are_taken_up_to_the_end() -> None:
    queue: asyncio.Queue[Message | None] = asyncio.Queue()
    waiting = [message(0.1), message(0.2), None]
    for one in waiting:
        queue.put_nowait(one)
    async with asyncio.timeout(PATIENCE):
        assert await get_many(queue) == waiting[:2]
        # The end was not lost with them.
        assert await get_many(queue) == []


@ASYNCIO
async def test_queues_lose_nothing_but_the_faintest(history: list[Emission]) -> None:
    side = await through_queues(history, lambda done: None)
    emissions = [*(event.channel for event in history), *derived(history)]
    assert faults(expected(emissions, MAILBOXES), side.measured) == []
    assert side.emitted == len(emissions)
    assert [one.name for one in side.measured if one.missed] == ["digest"]
    assert side.findings.desk.hops == 3
