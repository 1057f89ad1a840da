"""One message in and the loudest out, with 1,000 and 100,000 waiting; per pair.

The hold model: each new amplitude is drawn from a window that slides down as
the loudest leave, so that a new one lands anywhere among those that wait.
Peers get tuples of the negated amplitude, a number and nothing else, as their
queues want it. What comes out is held against the standard library's heap.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncIterator, Callable
from functools import cache, partial
from typing import Any

from aether import Aether
from harness import Measure, Row, Run, Shape, Way, check, now, shape

PAIRS = 5_000
CHANNEL = "bench.priority.wave"
Numbered = list[tuple[float, int]]


@cache
def amplitudes(waiting: int) -> tuple[Numbered, Numbered, list[int]]:
    """Those that wait, and those that come, in 0.02..1, numbered; and in which order they leave."""
    dice = random.Random(waiting)
    window = 0.98 / (1 + PAIRS / waiting)
    slide = 0.98 - window
    first = [0.02 + slide + dice.random() * window for _ in range(waiting)]
    coming = [0.02 + slide * (1 - i / PAIRS) + dice.random() * window for i in range(PAIRS)]
    numbered = [(amplitude, n) for n, amplitude in enumerate(first + coming)]
    heap = [(-amplitude, n) for amplitude, n in numbered[:waiting]]
    heapq.heapify(heap)
    leave = [heapq.heappushpop(heap, (-a, n))[1] for a, n in numbered[waiting:]]
    return numbered[:waiting], numbered[waiting:], leave


@shape
async def medium_pair(waiting: int) -> AsyncIterator[Run]:
    first, coming, leave = amplitudes(waiting)
    async with Aether() as medium:
        reader = medium.vibrator("reader", buffer_size=waiting + 1)
        reader.resonate_on(CHANNEL)
        emit, receive = medium.emit_nowait, reader.receive

        async def run() -> float:
            for amplitude, n in first:
                emit(CHANNEL, n, amplitude=amplitude)
            got = []
            start = now()
            for amplitude, n in coming:
                emit(CHANNEL, n, amplitude=amplitude)
                got.append((await receive()).payload)
            took = now() - start
            check(got, leave)
            check([reader.statistics().current_buffer_used], [waiting], "left over")
            medium.clear()
            return took / PAIRS

        yield run


def asyncio_queue() -> tuple[Any, Any, Any]:
    queue: asyncio.PriorityQueue[Any] = asyncio.PriorityQueue()
    return queue.put_nowait, queue.get, queue.qsize


def culsans_queue() -> tuple[Any, Any, Any]:
    import culsans

    queue = culsans.PriorityQueue[Any]()
    return queue.put_nowait, queue.async_get, queue.qsize


def aiologic_queue() -> tuple[Any, Any, Any]:
    import aiologic

    queue = aiologic.PriorityQueue[Any]()
    return queue.green_put, queue.async_get, partial(len, queue)


def janus_queue() -> tuple[Any, Any, Any]:
    import janus

    queue = janus.PriorityQueue[Any]()
    return queue.async_q.put_nowait, queue.async_q.get, queue.async_q.qsize


@shape
async def queue_pair(make: Callable[[], tuple[Any, Any, Any]], waiting: int) -> AsyncIterator[Run]:
    first, coming, leave = amplitudes(waiting)

    async def run() -> float:
        put, get, size = make()
        for amplitude, n in first:
            put((-amplitude, n))
        got = []
        start = now()
        for amplitude, n in coming:
            put((-amplitude, n))
            got.append((await get())[1])
        took = now() - start
        check(got, leave)
        check([size()], [waiting], "left over")
        return took / PAIRS

    yield run


def of(a_shape: Callable[..., object], *arguments: object) -> Shape:
    return partial(a_shape, *arguments)  # type: ignore[return-value]


ROWS = tuple(
    Row(
        f"priority pair, {n:,} waiting",
        "pair",
        (
            Way("aether", of(medium_pair, n)),
            Way("asyncio.PriorityQueue", of(queue_pair, asyncio_queue, n), goal, floor),
            Way("aiologic", of(queue_pair, aiologic_queue, n), needs="aiologic"),
            Way("culsans", of(queue_pair, culsans_queue, n), needs="culsans"),
            Way("janus", of(queue_pair, janus_queue, n), needs="janus"),
        ),
        picture=n == 100_000,
    )
    for n, goal, floor in ((1_000, 10, 5), (100_000, 14, 6))
)


def test_priority(measure: Measure) -> None:
    measure()
