"""Taking messages that are already there: await, async for, and many at once; per message.

An `asyncio.Queue` has no call for many at once; its fastest way is to await the
first and to take the others with `get_nowait`, which stands beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aether import Aether, Vibrator
from harness import Measure, Row, Run, Way, check, now, payloads, release, shape
from queues import ways

NUMBERS = list(range(10_240))
MANY = 64
CHANNEL = "bench.receive.wave"


def filled(medium: Aether) -> tuple[Vibrator, Callable[[], None]]:
    """A vibrator and a function that queues NUMBERS for it."""
    reader = medium.vibrator("reader", buffer_size=len(NUMBERS))
    reader.resonate_on(CHANNEL)

    def fill() -> None:
        for n in NUMBERS:
            medium.emit_nowait(CHANNEL, n)

    return reader, fill


@shape
async def medium_receive() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader, fill = filled(medium)
        receive = reader.receive

        async def run() -> float:
            fill()
            start = now()
            got = [await receive() for _ in NUMBERS]
            took = now() - start
            check(payloads(got), NUMBERS)
            took += release(got)
            return took / len(NUMBERS)

        yield run


@shape
async def medium_async_for() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader, fill = filled(medium)

        async def run() -> float:
            fill()
            got = []
            left = len(NUMBERS)
            start = now()
            async for wave in reader:
                got.append(wave)
                left -= 1
                if not left:
                    break
            took = now() - start
            check(payloads(got), NUMBERS)
            took += release(got)
            return took / len(NUMBERS)

        yield run


@shape
async def medium_many() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader, fill = filled(medium)

        async def run() -> float:
            fill()
            got = []
            start = now()
            for _ in range(len(NUMBERS) // MANY):
                got += await reader.receive_many(MANY)
            took = now() - start
            check(payloads(got), NUMBERS)
            took += release(got)
            return took / len(NUMBERS)

        yield run


@shape
async def pipe_get(open_one) -> AsyncIterator[Run]:
    async with open_one() as (put, get):

        async def run() -> float:
            for n in NUMBERS:
                put(n)
            start = now()
            got = [await get() for _ in NUMBERS]
            took = now() - start
            check(got, NUMBERS)
            took += release(got)
            return took / len(NUMBERS)

        yield run


@shape
async def queue_get_nowait() -> AsyncIterator[Run]:
    queue: asyncio.Queue[int] = asyncio.Queue()
    get, get_nowait = queue.get, queue.get_nowait

    async def run() -> float:
        for n in NUMBERS:
            queue.put_nowait(n)
        got = []
        start = now()
        for _ in range(len(NUMBERS) // MANY):
            got.append(await get())
            got += [get_nowait() for _ in range(MANY - 1)]
        took = now() - start
        check(got, NUMBERS)
        took += release(got)
        return took / len(NUMBERS)

    yield run


def queue(goal: float, floor: float) -> tuple[Way, ...]:
    return ways(pipe_get, targets={"asyncio.Queue": (goal, floor)}, only=("asyncio.Queue",))


OTHERS = ("deque + future", "anyio stream", "trio channel", "janus", "culsans", "aiologic")
ROWS = (
    Row(
        "await receive(), queued",
        "message",
        (Way("aether", medium_receive), *queue(5, 3), *ways(pipe_get, only=OTHERS)),
    ),
    Row("async for, queued", "message", (Way("aether", medium_async_for), *queue(6, 3))),
    Row(
        "receive_many(64)",
        "message",
        (
            Way("aether", medium_many),
            *queue(10, 6),
            Way("asyncio.Queue, get_nowait", queue_get_nowait),
        ),
    ),
)


def test_receive(measure: Measure) -> None:
    measure()
