"""Waking a parked task: a ping-pong round trip, and a burst of 100 to one parked receiver."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import anyio

from aether import Aether
from harness import PAYLOAD, Measure, Peer, Row, Run, now, shape

TRIPS = 2_000
BURST = 100
BURSTS = 50


@shape
async def medium_pingpong() -> AsyncIterator[Run]:
    async with Aether() as medium:
        left, right = medium.vibrator("left"), medium.vibrator("right")
        left.resonate_on("bench.ping")
        right.resonate_on("bench.pong")

        async def answer() -> None:
            for _ in range(TRIPS):
                await left.receive()
                left.emit_nowait("bench.pong", PAYLOAD)

        async def run() -> float:
            task = asyncio.create_task(answer())
            await asyncio.sleep(0)
            start = now()
            for _ in range(TRIPS):
                right.emit_nowait("bench.ping", PAYLOAD)
                await right.receive()
            took = now() - start
            await task
            return took / TRIPS

        yield run


@shape
async def queue_pingpong() -> AsyncIterator[Run]:
    ping: asyncio.Queue[object] = asyncio.Queue()
    pong: asyncio.Queue[object] = asyncio.Queue()

    async def answer() -> None:
        for _ in range(TRIPS):
            await ping.get()
            pong.put_nowait(PAYLOAD)

    async def run() -> float:
        task = asyncio.create_task(answer())
        await asyncio.sleep(0)
        start = now()
        for _ in range(TRIPS):
            ping.put_nowait(PAYLOAD)
            await pong.get()
        took = now() - start
        await task
        return took / TRIPS

    yield run


@shape
async def anyio_pingpong() -> AsyncIterator[Run]:
    ping_in, ping_out = anyio.create_memory_object_stream[object](math.inf)
    pong_in, pong_out = anyio.create_memory_object_stream[object](math.inf)

    async def answer() -> None:
        for _ in range(TRIPS):
            await ping_out.receive()
            pong_in.send_nowait(PAYLOAD)

    async def run() -> float:
        task = asyncio.create_task(answer())
        await asyncio.sleep(0)
        start = now()
        for _ in range(TRIPS):
            ping_in.send_nowait(PAYLOAD)
            await pong_out.receive()
        took = now() - start
        await task
        return took / TRIPS

    with ping_in, ping_out, pong_in, pong_out:
        yield run


@shape
async def medium_parked() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        reader.resonate_on("bench.parked")
        emit, receive = medium.emit_nowait, reader.receive
        got = 0

        async def read() -> None:
            nonlocal got
            while True:
                await receive()
                got += 1

        async def run() -> float:
            wanted = got
            start = now()
            for _ in range(BURSTS):
                wanted += BURST
                for _ in range(BURST):
                    emit("bench.parked", PAYLOAD)
                while got < wanted:
                    await asyncio.sleep(0)
            return (now() - start) / (BURST * BURSTS)

        task = asyncio.create_task(read())
        yield run
        task.cancel()


@shape
async def queue_parked() -> AsyncIterator[Run]:
    queue: asyncio.Queue[object] = asyncio.Queue()
    put, get = queue.put_nowait, queue.get
    got = 0

    async def read() -> None:
        nonlocal got
        while True:
            await get()
            got += 1

    async def run() -> float:
        wanted = got
        start = now()
        for _ in range(BURSTS):
            wanted += BURST
            for _ in range(BURST):
                put(PAYLOAD)
            while got < wanted:
                await asyncio.sleep(0)
        return (now() - start) / (BURST * BURSTS)

    task = asyncio.create_task(read())
    yield run
    task.cancel()


@shape
async def anyio_parked() -> AsyncIterator[Run]:
    send_end, receive_end = anyio.create_memory_object_stream[object](math.inf)
    send, receive = send_end.send_nowait, receive_end.receive
    got = 0

    async def read() -> None:
        nonlocal got
        while True:
            await receive()
            got += 1

    async def run() -> float:
        wanted = got
        start = now()
        for _ in range(BURSTS // 10):
            wanted += BURST
            for _ in range(BURST):
                send(PAYLOAD)
            while got < wanted:
                await asyncio.sleep(0)
        return (now() - start) / (BURST * (BURSTS // 10))

    task = asyncio.create_task(read())
    with send_end, receive_end:
        yield run
        task.cancel()


ROWS = (
    Row(
        "ping-pong",
        "round trip",
        medium_pingpong,
        (
            Peer("asyncio.Queue", queue_pingpong, 1.2, 0.95),
            Peer("anyio stream", anyio_pingpong, 1.3, 1.0),
        ),
    ),
    Row(
        "burst of 100 to a parked reader",
        "wave",
        medium_parked,
        (Peer("asyncio.Queue", queue_parked, 4, 2), Peer("anyio stream", anyio_parked, 35, 10)),
    ),
)


def test_wake(measure: Measure) -> None:
    measure()
