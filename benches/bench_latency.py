"""Latency at 50 % load: from when a message was due to when its receiver has it; p50, p99, p99.9.

Messages are due at random moments (Poisson, the same for everybody), 100 us apart
in the mean, and each costs its receiver 50 us of work: so the receiver is busy
half of the time, and messages that find it busy queue up. One task emits what is
due and lets the loop turn otherwise; the latency counts from when a message was
due, not from when it was emitted, so that nothing is hidden. What is left when
the work of those before is taken away is the loop's and the queue's. The clock
is the thread's own processor time, which stands still while other programs have
the processor; the loop never sleeps here, so nothing else is left out. The
figure of one run is that of 5,000 messages; ratios go by the median of the runs.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from time import thread_time_ns as now
from typing import Any

import anyio

from aether import Aether
from harness import Measure, Row, Run, Way, check, shape, turn_of_the_loop
from queues import ways

MESSAGES = 5_000
WORK = 50_000
GAP = 2 * WORK
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
CHANNEL = "bench.latency.wave"


def due() -> list[int]:
    """When the messages are due, in ns from the start."""
    dice, at, moments = random.Random(7), 0.0, []
    for _ in range(MESSAGES):
        at += dice.expovariate(1 / GAP)
        moments.append(int(at))
    return moments


async def loaded(
    put: Callable[[int], object], take: Callable[[], Awaitable[int]]
) -> tuple[float, ...]:
    """The quantiles of one run."""
    moments, turn = due(), turn_of_the_loop()
    numbers: list[int] = []
    arrivals: list[int] = []

    async def work() -> None:
        for _ in moments:
            numbers.append(await take())
            arrived = now()
            arrivals.append(arrived)
            while now() - arrived < WORK:
                pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await turn()
        start = now()
        for number, moment in enumerate(moments):
            while now() - start < moment:
                await turn()
            put(number)
    check(numbers, range(MESSAGES))
    took = sorted(at - start - moment for at, moment in zip(arrivals, moments, strict=True))
    return tuple(float(took[math.ceil(q * MESSAGES) - 1]) for q in QUANTILES.values())


@shape
async def medium() -> AsyncIterator[Run]:
    async with Aether() as aether:
        reader = aether.vibrator("reader", buffer_size=MESSAGES)
        reader.resonate_on(CHANNEL)
        emit, receive = aether.emit_nowait, reader.receive

        def put(number: int) -> None:
            emit(CHANNEL, number)

        async def take() -> int:
            wave = await receive()
            assert wave is not None
            number: int = wave.payload
            return number

        yield lambda: loaded(put, take)


@shape
async def pipe(open_one: Any) -> AsyncIterator[Run]:
    async with open_one() as (put, get):
        yield lambda: loaded(put, get)


ROWS = (
    Row(
        "latency at 50 % load",
        "message",
        (
            Way("aether", medium),
            Way("aether, on trio", medium, loop="trio", needs="trio"),
            *ways(pipe),
        ),
        parts=tuple(QUANTILES),
        by="median",
        picture=("p50", "p99"),
    ),
)


def test_latency(measure: Measure) -> None:
    measure()
