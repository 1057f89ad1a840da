"""Taking waves that are already there: await, async for, and many at once; per wave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aether import Aether, Vibrator
from harness import PAYLOAD, Measure, Peer, Row, Run, now, shape

WAITING = 10_240
CHANNEL = "bench.receive.wave"


def filled(medium: Aether) -> tuple[Vibrator, Callable[[], None]]:
    """A vibrator and a function that queues WAITING waves for it."""
    reader = medium.vibrator("reader", buffer_size=WAITING)
    reader.resonate_on(CHANNEL)

    def fill() -> None:
        for _ in range(WAITING):
            medium.emit_nowait(CHANNEL, PAYLOAD)

    return reader, fill


@shape
async def medium_receive() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader, fill = filled(medium)
        receive = reader.receive

        async def run() -> float:
            fill()
            start = now()
            for _ in range(WAITING):
                await receive()
            return (now() - start) / WAITING

        yield run


@shape
async def medium_async_for() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader, fill = filled(medium)

        async def run() -> float:
            fill()
            left = WAITING
            start = now()
            async for _ in reader:
                left -= 1
                if not left:
                    break
            return (now() - start) / WAITING

        yield run


@shape
async def medium_many() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader, fill = filled(medium)

        async def run() -> float:
            fill()
            start = now()
            for _ in range(WAITING // 64):
                for _ in await reader.receive_many(64):
                    pass
            return (now() - start) / WAITING

        yield run


@shape
async def queue_get() -> AsyncIterator[Run]:
    queue: asyncio.Queue[object] = asyncio.Queue()
    get = queue.get

    async def run() -> float:
        for _ in range(WAITING):
            queue.put_nowait(PAYLOAD)
        start = now()
        for _ in range(WAITING):
            await get()
        return (now() - start) / WAITING

    yield run


ROWS = (
    Row(
        "await receive(), queued", "wave", medium_receive, (Peer("asyncio.Queue", queue_get, 5, 3),)
    ),
    Row("async for, queued", "wave", medium_async_for, (Peer("asyncio.Queue", queue_get, 6, 3),)),
    Row("receive_many(64)", "wave", medium_many, (Peer("asyncio.Queue", queue_get, 10, 6),)),
)


def test_receive(measure: Measure) -> None:
    measure()
