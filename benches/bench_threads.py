"""Threads hand messages to a loop that awaits them, 1, 4 and 8 at once; per message.

From the first thread's start to the last message received. Every message carries
its thread and its number: none may be missing, and each thread's must come in order.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from time import perf_counter_ns as now
from typing import Any

from aether import Aether
from harness import Measure, Row, Run, Shape, Way, check, payloads, shape
from queues import Ends

MESSAGES = 10_000
CHANNEL = "bench.thread.wave"


def numbers_of(threads: int, messages: int) -> list[list[tuple[int, int]]]:
    """What each thread sends."""
    return [[(t, n) for n in range(messages // threads)] for t in range(threads)]


def check_threads(got: list[Any], numbers: list[list[tuple[int, int]]]) -> None:
    for thread, wanted in enumerate(numbers):
        check([pair for pair in got if pair[0] == thread], wanted, f"thread {thread}")


async def received(
    produce: Callable[[list[tuple[int, int]]], None],
    get: Callable[[], Awaitable[Any]],
    numbers: list[list[tuple[int, int]]],
) -> tuple[list[Any], int]:
    """What came out, and what it took."""
    threads = [threading.Thread(target=produce, args=(mine,)) for mine in numbers]
    everything = range(sum(map(len, numbers)))
    start = now()
    for thread in threads:
        thread.start()
    got = [await get() for _ in everything]
    took = now() - start
    for thread in threads:
        thread.join()
    return got, took


@shape
async def medium(threads: int) -> AsyncIterator[Run]:
    numbers = numbers_of(threads, MESSAGES)
    async with Aether() as aether:
        reader = aether.vibrator("reader", buffer_size=MESSAGES)
        reader.resonate_on(CHANNEL)
        emit = aether.emit_nowait

        def produce(mine: list[tuple[int, int]]) -> None:
            for pair in mine:
                emit(CHANNEL, pair)

        async def run() -> float:
            got, took = await received(produce, reader.receive, numbers)
            check_threads(payloads(got), numbers)
            return took / len(got)

        yield run


@shape
async def queue(
    open_one: Callable[[], AbstractAsyncContextManager[Ends]], messages: int, threads: int
) -> AsyncIterator[Run]:
    numbers = numbers_of(threads, messages)
    async with open_one() as (put, get):

        def produce(mine: list[tuple[int, int]]) -> None:
            for pair in mine:
                put(pair)

        async def run() -> float:
            got, took = await received(produce, get, numbers)
            check_threads(got, numbers)
            return took / len(got)

        yield run


@asynccontextmanager
async def call_soon_threadsafe() -> AsyncIterator[Ends]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    yield partial(asyncio.get_running_loop().call_soon_threadsafe, queue.put_nowait), queue.get


@asynccontextmanager
async def aiologic_queue() -> AsyncIterator[Ends]:
    import aiologic

    queue = aiologic.SimpleQueue[Any]()
    yield queue.put, queue.async_get


@asynccontextmanager
async def culsans_queue() -> AsyncIterator[Ends]:
    import culsans

    queue = culsans.Queue[Any]()
    yield queue.sync_put, queue.async_get


@asynccontextmanager
async def janus_queue() -> AsyncIterator[Ends]:
    import janus

    queue = janus.Queue[Any]()
    yield queue.sync_q.put, queue.async_q.get
    await queue.aclose()


@asynccontextmanager
async def anyio_stream() -> AsyncIterator[Ends]:
    import anyio

    send, receive = anyio.create_memory_object_stream[Any](math.inf)
    token = anyio.lowlevel.current_token()

    def put(pair: Any) -> None:
        anyio.from_thread.run_sync(send.send_nowait, pair, token=token)

    with send, receive:
        yield put, receive.receive


@asynccontextmanager
async def trio_channel() -> AsyncIterator[Ends]:
    import trio

    send, receive = trio.open_memory_channel[Any](math.inf)
    run_sync_soon = trio.lowlevel.current_trio_token().run_sync_soon
    with send, receive:
        yield partial(run_sync_soon, send.send_nowait), receive.receive


def of(a_shape: Callable[..., object], *arguments: object) -> Shape:
    return partial(a_shape, *arguments)  # type: ignore[return-value]


ROWS = tuple(
    Row(
        "thread into a loop" if threads == 1 else f"{threads} threads into a loop",
        "message",
        (
            Way("aether", of(medium, threads)),
            Way("aether, on trio", of(medium, threads), loop="trio", needs="trio"),
            Way("call_soon_threadsafe", of(queue, call_soon_threadsafe, MESSAGES, threads), 20, 2),
            Way("aiologic", of(queue, aiologic_queue, MESSAGES, threads), 5, 2, needs="aiologic"),
            Way("culsans", of(queue, culsans_queue, MESSAGES, threads), needs="culsans"),
            Way("janus", of(queue, janus_queue, MESSAGES, threads), needs="janus"),
            # A thread waits for its message to be put: as anyio does it.
            Way("anyio.from_thread", of(queue, anyio_stream, 1_000, threads)),
            Way(
                "trio run_sync_soon",
                of(queue, trio_channel, MESSAGES, threads),
                loop="trio",
                needs="trio",
            ),
        ),
        picture=threads in {1, 8},
    )
    for threads in (1, 4, 8)
)


def test_threads(measure: Measure) -> None:
    measure()
