"""Waking a parked task: a ping-pong round trip, and a burst of 100 to one parked receiver.

In the burst, the emitting task gives way until the receiver has taken everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from aether import Aether
from harness import Measure, Row, Run, Way, check, now, payloads, release, shape, turn_of_the_loop
from queues import open_many, ways

TRIPS = list(range(2_000))
BURST = list(range(100))
BURSTS = 50


@shape
async def medium_pingpong() -> AsyncIterator[Run]:
    async with Aether() as medium:
        left, right = medium.vibrator("left"), medium.vibrator("right")
        left.resonate_on("bench.ping")
        right.resonate_on("bench.pong")
        turn = turn_of_the_loop()

        async def answer() -> None:
            for _ in TRIPS:
                wave = await left.receive()
                left.emit_nowait("bench.pong", wave.payload)

        async def run() -> float:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer)
                await turn()
                got = []
                start = now()
                for n in TRIPS:
                    right.emit_nowait("bench.ping", n)
                    got.append(await right.receive())
                took = now() - start
            check(payloads(got), TRIPS)
            return took / len(TRIPS)

        yield run


@shape
async def pipe_pingpong(open_one) -> AsyncIterator[Run]:
    async with open_many(open_one, 2) as ((ping, pong), (get_ping, get_pong)):
        turn = turn_of_the_loop()

        async def answer() -> None:
            for _ in TRIPS:
                pong(await get_ping())

        async def run() -> float:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer)
                await turn()
                got = []
                start = now()
                for n in TRIPS:
                    ping(n)
                    got.append(await get_pong())
                took = now() - start
            check(got, TRIPS)
            return took / len(TRIPS)

        yield run


@shape
async def medium_parked() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        reader.resonate_on("bench.parked")
        emit, receive, turn = medium.emit_nowait, reader.receive, turn_of_the_loop()
        got: list[object] = []

        async def read() -> None:
            while True:
                got.append(await receive())

        async def run() -> float:
            took = 0
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                for _ in range(BURSTS):
                    await turn()
                    start = now()
                    for n in BURST:
                        emit("bench.parked", n)
                    while len(got) < len(BURST):
                        await turn()
                    took += now() - start
                    check(payloads(got), BURST)
                    took += release(got)
                tasks.cancel_scope.cancel()
            return took / (BURSTS * len(BURST))

        yield run


@shape
async def pipe_parked(open_one) -> AsyncIterator[Run]:
    async with open_one() as (put, get):
        turn = turn_of_the_loop()
        got: list[object] = []

        async def read() -> None:
            while True:
                got.append(await get())

        async def run() -> float:
            took = 0
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                for _ in range(BURSTS):
                    await turn()
                    start = now()
                    for n in BURST:
                        put(n)
                    while len(got) < len(BURST):
                        await turn()
                    took += now() - start
                    check(got, BURST)
                    took += release(got)
                tasks.cancel_scope.cancel()
            return took / (BURSTS * len(BURST))

        yield run


PINGPONG = {"asyncio.Queue": (1.2, 0.95), "anyio stream": (1.3, 1.0)}
PARKED = {"asyncio.Queue": (4, 2), "anyio stream": (35, 10)}
ROWS = (
    Row(
        "ping-pong",
        "round trip",
        (
            Way("aether", medium_pingpong),
            Way("aether, on trio", medium_pingpong, loop="trio", needs="trio"),
            *ways(pipe_pingpong, targets=PINGPONG),
        ),
        picture=True,
    ),
    Row(
        "burst of 100 to a parked reader",
        "message",
        (
            Way("aether", medium_parked),
            Way("aether, on trio", medium_parked, loop="trio", needs="trio"),
            *ways(pipe_parked, targets=PARKED),
        ),
    ),
)


def test_wake(measure: Measure) -> None:
    measure()
