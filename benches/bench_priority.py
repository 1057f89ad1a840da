"""One wave in and the loudest out, with 1,000 and 100,000 waiting; per pair.

The hold model: each new amplitude is drawn from a window that slides down as
the loudest leave, so that a new one lands anywhere among those that wait.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from functools import cache, partial
from itertools import count

from aether import Aether
from harness import PAYLOAD, Measure, Peer, Row, Run, Shape, now, shape

PAIRS = 5_000
CHANNEL = "bench.priority.wave"


@cache
def amplitudes(waiting: int) -> tuple[list[float], list[float]]:
    """Those that wait, and those that come, in 0.02..1."""
    dice = random.Random(waiting)
    window = 0.98 / (1 + PAIRS / waiting)
    slide = 0.98 - window
    first = [0.02 + slide + dice.random() * window for _ in range(waiting)]
    coming = [0.02 + slide * (1 - i / PAIRS) + dice.random() * window for i in range(PAIRS)]
    return first, coming


@shape
async def medium_pair(waiting: int) -> AsyncIterator[Run]:
    first, coming = amplitudes(waiting)
    async with Aether() as medium:
        reader = medium.vibrator("reader", buffer_size=waiting + 1)
        reader.resonate_on(CHANNEL)
        emit, receive = medium.emit_nowait, reader.receive

        async def run() -> float:
            for amplitude in first:
                emit(CHANNEL, PAYLOAD, amplitude=amplitude)
            start = now()
            for amplitude in coming:
                emit(CHANNEL, PAYLOAD, amplitude=amplitude)
                await receive()
            took = now() - start
            medium.clear()
            return took / PAIRS

        yield run


@shape
async def priority_queue(waiting: int) -> AsyncIterator[Run]:
    first, coming = amplitudes(waiting)

    async def run() -> float:
        queue: asyncio.PriorityQueue[tuple[float, int, object]] = asyncio.PriorityQueue()
        put, get, number = queue.put_nowait, queue.get, count()
        for amplitude in first:
            put((-amplitude, next(number), PAYLOAD))
        start = now()
        for amplitude in coming:
            put((-amplitude, next(number), PAYLOAD))
            await get()
        return (now() - start) / PAIRS

    yield run


def of(a_shape: Callable[[int], object], waiting: int) -> Shape:
    return partial(a_shape, waiting)  # type: ignore[return-value]


ROWS = tuple(
    Row(
        f"priority pair, {n:,} waiting",
        "pair",
        of(medium_pair, n),
        (Peer("asyncio.PriorityQueue", of(priority_queue, n), goal, floor),),
    )
    for n, goal, floor in ((1_000, 10, 5), (100_000, 14, 6))
)


def test_priority(measure: Measure) -> None:
    measure()
