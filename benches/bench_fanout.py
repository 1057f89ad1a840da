"""Fan-out to 1, 10, 100 and 1,000 readers; per delivery.

Ten waves are emitted, then every reader takes its ten, one by one or all at once;
whoever gets something counts it. A plain list of callables, called one after the
other, is what a synchronous event bus costs at best.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

from aether import Aether
from harness import PAYLOAD, Measure, Peer, Row, Run, Shape, now, shape

BURST = 10
DELIVERIES = 20_000
ALONE = 50
CHANNEL = "bench.fanout.wave"


@shape
async def medium_receive(readers: int) -> AsyncIterator[Run]:
    bursts = DELIVERIES // (BURST * readers)
    async with Aether() as medium:
        vibrators = [medium.vibrator(f"reader-{i}") for i in range(readers)]
        for v in vibrators:
            v.resonate_on(CHANNEL)
        emit, receives = medium.emit_nowait, [v.receive for v in vibrators]

        async def run() -> float:
            got = 0
            start = now()
            for _ in range(bursts):
                for _ in range(BURST):
                    emit(CHANNEL, PAYLOAD)
                for receive in receives:
                    for _ in range(BURST):
                        await receive()
                        got += 1
            return (now() - start) / got

        yield run


@shape
async def medium_many(readers: int) -> AsyncIterator[Run]:
    bursts = DELIVERIES // (BURST * readers)
    async with Aether() as medium:
        vibrators = [medium.vibrator(f"reader-{i}") for i in range(readers)]
        for v in vibrators:
            v.resonate_on(CHANNEL)
        emit = medium.emit_nowait

        async def run() -> float:
            got = 0
            start = now()
            for _ in range(bursts):
                for _ in range(BURST):
                    emit(CHANNEL, PAYLOAD)
                for v in vibrators:
                    for _ in await v.receive_many(64):
                        got += 1
            return (now() - start) / got

        yield run


@shape
async def queues(readers: int) -> AsyncIterator[Run]:
    bursts = DELIVERIES // (BURST * readers)
    boxes: list[asyncio.Queue[object]] = [asyncio.Queue() for _ in range(readers)]
    puts, gets = [q.put_nowait for q in boxes], [q.get for q in boxes]

    async def run() -> float:
        got = 0
        start = now()
        for _ in range(bursts):
            for _ in range(BURST):
                for put in puts:
                    put(PAYLOAD)
            for get in gets:
                for _ in range(BURST):
                    await get()
                    got += 1
        return (now() - start) / got

    yield run


class Counter:
    """What a handler is at least: a method that keeps something."""

    def __init__(self) -> None:
        self.got = 0

    def count(self, payload: object) -> None:
        self.got += 1

    def ignore(self, payload: object) -> None: ...


@shape
async def callables(readers: int, method: str = "count") -> AsyncIterator[Run]:
    callbacks = [getattr(Counter(), method) for _ in range(readers)]

    async def run() -> float:
        start = now()
        for _ in range(DELIVERIES // readers):
            for call in callbacks:
                call(PAYLOAD)
        return (now() - start) / DELIVERIES

    yield run


@shape
async def medium_emit_alone(readers: int) -> AsyncIterator[Run]:
    async with Aether() as medium:
        vibrators = [medium.vibrator(f"reader-{i}") for i in range(readers)]
        for v in vibrators:
            v.resonate_on(CHANNEL)
        emit = medium.emit_nowait

        async def run() -> float:
            start = now()
            for _ in range(ALONE):
                emit(CHANNEL, PAYLOAD)
            took = now() - start
            for v in vibrators:
                await v.receive_many(ALONE)
            return took / (ALONE * readers)

        yield run


@shape
async def queues_put_alone(readers: int) -> AsyncIterator[Run]:
    boxes: list[asyncio.Queue[object]] = [asyncio.Queue() for _ in range(readers)]
    puts, gets = [q.put_nowait for q in boxes], [q.get_nowait for q in boxes]

    async def run() -> float:
        start = now()
        for _ in range(ALONE):
            for put in puts:
                put(PAYLOAD)
        took = now() - start
        for get in gets:
            for _ in range(ALONE):
                get()
        return took / (ALONE * readers)

    yield run


def of(a_shape: Callable[..., object], readers: int) -> Shape:
    return partial(a_shape, readers)  # type: ignore[return-value]


TARGETS = {1: (4, 1.8), 10: (8, 4), 100: (10, 5), 1000: (11, 5)}
ROWS = (
    *(
        Row(
            f"fan-out to {n:,}",
            "delivery",
            of(medium_receive, n),
            (
                Peer("asyncio.Queue", of(queues, n), *TARGETS[n]),
                *((Peer("list of callables", of(callables, n), 1.9, 1.0),) if n == 1000 else ()),
            ),
            {
                "aether receive_many": of(medium_many, n),
                "callables that do nothing": partial(callables, n, "ignore"),
            },
        )
        for n in TARGETS
    ),
    Row(
        "fan-out to 1,000, receive_many",
        "delivery",
        of(medium_many, 1000),
        (
            Peer("asyncio.Queue", of(queues, 1000), *TARGETS[1000]),
            Peer("list of callables", of(callables, 1000), 1.9, 1.0),
        ),
    ),
    Row(
        "fan-out to 1,000, emit alone",
        "delivery",
        of(medium_emit_alone, 1000),
        (Peer("put_nowait loop", of(queues_put_alone, 1000), 100, 12),),
    ),
)


def test_fanout(measure: Measure) -> None:
    measure()
