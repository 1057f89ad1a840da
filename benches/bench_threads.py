"""A thread hands waves to a loop that awaits them; per wave, from the thread's start to the last one received."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from importlib.util import find_spec

from aether import Aether
from harness import PAYLOAD, Measure, Peer, Row, Run, now, shape

HAS_AIOLOGIC = find_spec("aiologic") is not None

WAVES = 10_000
CHANNEL = "bench.thread.wave"


@shape
async def medium_thread() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader", buffer_size=WAVES)
        reader.resonate_on(CHANNEL)
        emit, receive = medium.emit_nowait, reader.receive

        def produce() -> None:
            for _ in range(WAVES):
                emit(CHANNEL, PAYLOAD)

        async def run() -> float:
            thread = threading.Thread(target=produce)
            start = now()
            thread.start()
            for _ in range(WAVES):
                await receive()
            took = now() - start
            thread.join()
            return took / WAVES

        yield run


@shape
async def queue_threadsafe() -> AsyncIterator[Run]:
    queue: asyncio.Queue[object] = asyncio.Queue()
    put, get = queue.put_nowait, queue.get
    call_soon_threadsafe = asyncio.get_running_loop().call_soon_threadsafe

    def produce() -> None:
        for _ in range(WAVES):
            call_soon_threadsafe(put, PAYLOAD)

    async def run() -> float:
        thread = threading.Thread(target=produce)
        start = now()
        thread.start()
        for _ in range(WAVES):
            await get()
        took = now() - start
        thread.join()
        return took / WAVES

    yield run


@shape
async def aiologic_queue() -> AsyncIterator[Run]:
    import aiologic

    queue = aiologic.SimpleQueue[object]()
    put, get = queue.green_put, queue.async_get

    def produce() -> None:
        for _ in range(WAVES):
            put(PAYLOAD)

    async def run() -> float:
        thread = threading.Thread(target=produce)
        start = now()
        thread.start()
        for _ in range(WAVES):
            await get()
        took = now() - start
        thread.join()
        return took / WAVES

    yield run


ROWS = (
    Row(
        "thread into a loop",
        "wave",
        medium_thread,
        (
            Peer("call_soon_threadsafe", queue_threadsafe, 20, 2),
            *((Peer("aiologic", aiologic_queue, 5, 2),) if HAS_AIOLOGIC else ()),
        ),
    ),
)


def test_threads(measure: Measure) -> None:
    measure()
