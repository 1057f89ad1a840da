"""Burst 1:1. A hundred waves are emitted, then a hundred received, by one task; per wave.

`awaited`: both ends awaited, as most programs do it. `mixed amplitudes`: the default
order has to sort, the peer does not.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator

import anyio

from aether import Aether
from harness import PAYLOAD, Measure, Peer, Row, Run, now, shape
from peers import FutureQueue

BURST = 100
BURSTS = 100
CHANNEL = "bench.burst.wave"


@shape
async def medium_nowait() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on(CHANNEL)
        emit, receive = medium.emit_nowait, reader.receive

        async def run() -> float:
            start = now()
            for _ in range(BURSTS):
                for _ in range(BURST):
                    emit(CHANNEL, PAYLOAD)
                for _ in range(BURST):
                    await receive()
            return (now() - start) / (BURST * BURSTS)

        yield run


@shape
async def emitter_nowait() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on(CHANNEL)
        emit, receive = medium.vibrator("writer").emitter().emit_nowait, reader.receive

        async def run() -> float:
            start = now()
            for _ in range(BURSTS):
                for _ in range(BURST):
                    emit(CHANNEL, PAYLOAD)
                for _ in range(BURST):
                    await receive()
            return (now() - start) / (BURST * BURSTS)

        yield run


@shape
async def queue_nowait() -> AsyncIterator[Run]:
    queue: asyncio.Queue[object] = asyncio.Queue()
    put, get = queue.put_nowait, queue.get

    async def run() -> float:
        start = now()
        for _ in range(BURSTS):
            for _ in range(BURST):
                put(PAYLOAD)
            for _ in range(BURST):
                await get()
        return (now() - start) / (BURST * BURSTS)

    yield run


@shape
async def future_queue() -> AsyncIterator[Run]:
    queue = FutureQueue()
    put, get = queue.put, queue.get

    async def run() -> float:
        start = now()
        for _ in range(BURSTS):
            for _ in range(BURST):
                put(PAYLOAD)
            for _ in range(BURST):
                await get()
        return (now() - start) / (BURST * BURSTS)

    yield run


@shape
async def anyio_stream() -> AsyncIterator[Run]:
    send_end, receive_end = anyio.create_memory_object_stream[object](math.inf)
    send, receive = send_end.send_nowait, receive_end.receive
    bursts = BURSTS // 10

    async def run() -> float:
        start = now()
        for _ in range(bursts):
            for _ in range(BURST):
                send(PAYLOAD)
            for _ in range(BURST):
                await receive()
        return (now() - start) / (BURST * bursts)

    with send_end, receive_end:
        yield run


@shape
async def medium_awaited() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on(CHANNEL)
        emit_wave, receive = medium.emit_wave, reader.receive

        async def run() -> float:
            start = now()
            for _ in range(BURSTS):
                for _ in range(BURST):
                    await emit_wave(CHANNEL, PAYLOAD)
                for _ in range(BURST):
                    await receive()
            return (now() - start) / (BURST * BURSTS)

        yield run


@shape
async def medium_mixed() -> AsyncIterator[Run]:
    dice = random.Random(4)
    amplitudes = [dice.uniform(0.1, 1.0) for _ in range(BURST)]
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on(CHANNEL)
        emit_wave, receive = medium.emit_wave, reader.receive

        async def run() -> float:
            start = now()
            for _ in range(BURSTS):
                for amplitude in amplitudes:
                    await emit_wave(CHANNEL, PAYLOAD, amplitude=amplitude)
                for _ in range(BURST):
                    await receive()
            return (now() - start) / (BURST * BURSTS)

        yield run


@shape
async def queue_awaited() -> AsyncIterator[Run]:
    queue: asyncio.Queue[object] = asyncio.Queue(1000)
    put, get = queue.put, queue.get

    async def run() -> float:
        start = now()
        for _ in range(BURSTS):
            for _ in range(BURST):
                await put(PAYLOAD)
            for _ in range(BURST):
                await get()
        return (now() - start) / (BURST * BURSTS)

    yield run


ROWS = (
    Row(
        "burst 1:1",
        "wave",
        medium_nowait,
        (
            Peer("asyncio.Queue", queue_nowait, 4, 1.8),
            Peer("deque + future", future_queue, 1.7, 1),
            Peer("anyio stream", anyio_stream, 35, 8),
        ),
        {"aether v.emitter()": emitter_nowait},
    ),
    Row(
        "burst 1:1, awaited",
        "wave",
        medium_awaited,
        (Peer("asyncio.Queue", queue_awaited, 2.5, 1.5),),
    ),
    Row(
        "burst 1:1, mixed amplitudes",
        "wave",
        medium_mixed,
        (Peer("asyncio.Queue", queue_awaited, 1.5, 1.5),),
    ),
)


def test_burst(measure: Measure) -> None:
    measure()
