"""Burst 1:1: a hundred messages are put, then a hundred taken, by one task; per message.

Each is put without waiting and taken with an await, as by a reader that does not
know whether there is one.

`awaited`: both ends awaited, as most programs do it, the queue bounded. `mixed
amplitudes`: the default order has to sort, the peer does not. zenoh runs in one
process, carries bytes (the same ready buffer, so that nothing is copied), and
calls back in the emitting thread.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from aether import Aether
from harness import Measure, Row, Run, Way, check, now, payloads, release, shape
from peers import zenoh_session
from queues import ways

BURSTS = 100
NUMBERS = list(range(100))
CHANNEL = "bench.burst.wave"


@shape
async def medium_nowait(door: str = "medium") -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on(CHANNEL)
        emitter = medium.vibrator("writer").emitter()
        emit = medium.emit_nowait if door == "medium" else emitter.emit_nowait
        receive = reader.receive

        async def run() -> float:
            took = 0
            for _ in range(BURSTS):
                start = now()
                for n in NUMBERS:
                    emit(CHANNEL, n)
                got = [await receive() for _ in NUMBERS]
                took += now() - start
                check(payloads(got), NUMBERS)
                took += release(got)
            return took / (BURSTS * len(NUMBERS))

        yield run


def emitter_nowait():
    return medium_nowait("emitter")


@shape
async def pipe_nowait(open_one) -> AsyncIterator[Run]:
    async with open_one() as (put, get):

        async def run() -> float:
            took = 0
            for _ in range(BURSTS):
                start = now()
                for n in NUMBERS:
                    put(n)
                got = [await get() for _ in NUMBERS]
                took += now() - start
                check(got, NUMBERS)
                took += release(got)
            return took / (BURSTS * len(NUMBERS))

        yield run


@shape
async def zenoh_callback() -> AsyncIterator[Run]:
    import zenoh

    with zenoh_session() as session:
        got: list[zenoh.Sample] = []
        direct = zenoh.handlers.Callback(got.append, indirect=False)
        subscriber = session.declare_subscriber("bench/burst/wave", direct)
        publisher = session.declare_publisher("bench/burst/wave")
        buffers = [zenoh.ZBytes(b"%d" % n) for n in NUMBERS]
        put = publisher.put

        async def run() -> float:
            took = 0
            for _ in range(BURSTS // 10):
                start = now()
                for buffer in buffers:
                    put(buffer)
                took += now() - start
                check([int(sample.payload.to_bytes()) for sample in got], NUMBERS)
                got.clear()
            return took / (BURSTS // 10 * len(NUMBERS))

        yield run
        subscriber.undeclare()
        publisher.undeclare()


@shape
async def medium_awaited() -> AsyncIterator[Run]:
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on(CHANNEL)
        emit_wave, receive = medium.emit_wave, reader.receive

        async def run() -> float:
            took = 0
            for _ in range(BURSTS):
                start = now()
                for n in NUMBERS:
                    await emit_wave(CHANNEL, n)
                got = [await receive() for _ in NUMBERS]
                took += now() - start
                check(payloads(got), NUMBERS)
                took += release(got)
            return took / (BURSTS * len(NUMBERS))

        yield run


@shape
async def medium_mixed() -> AsyncIterator[Run]:
    dice = random.Random(4)
    mixed = [(n, dice.uniform(0.1, 1.0)) for n in NUMBERS]
    loudest_first = [n for n, _ in sorted(mixed, key=lambda pair: -pair[1])]
    async with Aether() as medium:
        reader = medium.vibrator("reader")
        await reader.resonate_on(CHANNEL)
        emit_wave, receive = medium.emit_wave, reader.receive

        async def run() -> float:
            took = 0
            for _ in range(BURSTS):
                start = now()
                for n, amplitude in mixed:
                    await emit_wave(CHANNEL, n, amplitude=amplitude)
                got = [await receive() for _ in NUMBERS]
                took += now() - start
                check(payloads(got), loudest_first)
                took += release(got)
            return took / (BURSTS * len(NUMBERS))

        yield run


@shape
async def queue_awaited() -> AsyncIterator[Run]:
    queue: asyncio.Queue[int] = asyncio.Queue(1000)
    put, get = queue.put, queue.get

    async def run() -> float:
        took = 0
        for _ in range(BURSTS):
            start = now()
            for n in NUMBERS:
                await put(n)
            got = [await get() for _ in NUMBERS]
            took += now() - start
            check(got, NUMBERS)
            took += release(got)
        return took / (BURSTS * len(NUMBERS))

    yield run


TARGETS = {"asyncio.Queue": (4, 1.8), "deque + future": (1.7, 1), "anyio stream": (35, 8)}
ROWS = (
    Row(
        "burst 1:1",
        "message",
        (
            Way("aether", medium_nowait),
            Way("aether, v.emitter()", emitter_nowait),
            Way("aether, on trio", medium_nowait, loop="trio", needs="trio"),
            *ways(pipe_nowait, targets=TARGETS),
            Way("zenoh", zenoh_callback, needs="zenoh"),
        ),
        picture=True,
    ),
    Row(
        "burst 1:1, awaited",
        "message",
        (Way("aether", medium_awaited), Way("asyncio.Queue", queue_awaited, 2.5, 1.5)),
    ),
    Row(
        "burst 1:1, mixed amplitudes",
        "message",
        (Way("aether", medium_mixed), Way("asyncio.Queue", queue_awaited, 1.5, 1.5)),
    ),
)


def test_burst(measure: Measure) -> None:
    measure()
