"""Handlers: async functions that are called for each message, one at a time and 8 at once; per message.

A handler lets the loop turn once, as one that asks somebody would, and notes the
number it got. Queues are worked off by that many tasks. pyee starts a task for
each message and knows no limit; abxbus gets handlers in parallel where 8 may run
at once. From the first emission to the last handler's end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import anyio

from aether import Aether, Wave
from harness import Measure, Row, Run, Shape, Way, check, now, shape, turn_of_the_loop
from queues import PIPES

MESSAGES = 2_000
CHANNEL = "bench.handlers.wave"


class Work:
    """What handlers do, and when all of them are done."""

    def __init__(self, messages: int, *, ordered: bool) -> None:
        self.turn = turn_of_the_loop()
        self.numbers = list(range(messages))
        self._ordered = ordered
        self.begin()

    def begin(self) -> None:
        self.got: list[int] = []
        self.done = anyio.Event()

    async def handle(self, number: int) -> None:
        await self.turn()
        self.got.append(number)
        if len(self.got) == len(self.numbers):
            self.done.set()

    async def timed(self, put: Callable[[int], object]) -> float:
        self.begin()
        start = now()
        for number in self.numbers:
            put(number)
        await self.done.wait()
        took = now() - start
        await self.turn()
        check(self.got if self._ordered else sorted(self.got), self.numbers)
        return took / len(self.numbers)


@shape
async def medium(concurrency: int, keyed: bool = False) -> AsyncIterator[Run]:
    work = Work(MESSAGES, ordered=concurrency == 1)
    aether = Aether()
    v = aether.vibrator("worker")
    key = (lambda wave: wave.payload % 100) if keyed else None

    @v.on(CHANNEL, concurrency=concurrency, key=key, buffer_size=MESSAGES)
    async def handle(wave: Wave[int]) -> None:
        await work.handle(wave.payload)

    async with aether:
        yield lambda: work.timed(partial(aether.emit_nowait, CHANNEL))


@shape
async def pipe(open_one: Any, concurrency: int) -> AsyncIterator[Run]:
    work = Work(MESSAGES, ordered=concurrency == 1)
    async with open_one() as (put, get):

        async def worker() -> None:
            while True:
                await work.handle(await get())

        async def run() -> float:
            async with anyio.create_task_group() as tasks:
                for _ in range(concurrency):
                    tasks.start_soon(worker)
                took = await work.timed(put)
                tasks.cancel_scope.cancel()
            return took

        yield run


@shape
async def pyee() -> AsyncIterator[Run]:
    from pyee.asyncio import AsyncIOEventEmitter

    work = Work(MESSAGES, ordered=False)
    emitter = AsyncIOEventEmitter()
    emitter.add_listener("wave", work.handle)
    yield lambda: work.timed(partial(emitter.emit, "wave"))
    await emitter.wait_for_complete()


@shape
async def abxbus(concurrency: int) -> AsyncIterator[Run]:
    from abxbus import BaseEvent, EventBus

    class Number(BaseEvent[None]):
        number: int

    work = Work(MESSAGES // 40, ordered=concurrency == 1)
    bus = EventBus(
        event_concurrency="parallel" if concurrency > 1 else None,
        max_history_size=0,
        event_handler_detect_file_paths=False,
    )

    async def handle(event: Number) -> None:
        await work.handle(event.number)

    bus.on(Number, handle)
    yield lambda: work.timed(lambda number: bus.emit(Number(number=number)))
    await bus.destroy()


def of(a_shape: Callable[..., object], *arguments: object) -> Shape:
    return partial(a_shape, *arguments)  # type: ignore[return-value]


ROWS = tuple(
    Row(
        f"handlers, {'one at a time' if at_once == 1 else f'{at_once} at once'}",
        "message",
        (
            Way("aether", of(medium, at_once)),
            *((Way("aether, key=", of(medium, at_once, True)),) if at_once > 1 else ()),
            Way("aether, on trio", of(medium, at_once), loop="trio", needs="trio"),
            *(
                Way(p.name, of(pipe, p.open, at_once), loop=p.loop, needs=p.needs)
                for p in PIPES
                if at_once == 1 or p.name != "deque + future"  # which has one consumer
            ),
            *((Way("pyee, no limit", pyee, needs="pyee"),) if at_once > 1 else ()),
            Way("abxbus", of(abxbus, at_once), needs="abxbus"),
        ),
        picture=at_once > 1,
    )
    for at_once in (1, 8)
)


def test_handlers(measure: Measure) -> None:
    measure()
