"""One-to-one queues of other libraries, each opened in its best use.

A pipe is an async context manager that yields two functions: `put`, which
never waits, and `get`, which is awaited. Scenarios run their loops over them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from harness import Shape, Target, Way
from peers import FutureQueue

__all__ = ["PIPES", "Ends", "Pipe", "open_many", "ways"]

Put = Callable[[Any], object]
Get = Callable[[], Awaitable[Any]]
Ends = tuple[Put, Get]


@dataclass(frozen=True)
class Pipe:
    """A queue of somebody else's, how it is opened, and where it runs."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Ends]]
    loop: str = "asyncio"
    needs: str = ""


@asynccontextmanager
async def asyncio_queue() -> AsyncIterator[Ends]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    yield queue.put_nowait, queue.get


@asynccontextmanager
async def future_queue() -> AsyncIterator[Ends]:
    queue = FutureQueue()
    yield queue.put, queue.get


@asynccontextmanager
async def anyio_stream() -> AsyncIterator[Ends]:
    send, receive = anyio.create_memory_object_stream[Any](math.inf)
    with send, receive:
        yield send.send_nowait, receive.receive


@asynccontextmanager
async def trio_channel() -> AsyncIterator[Ends]:
    import trio

    send, receive = trio.open_memory_channel[Any](math.inf)
    with send, receive:
        yield send.send_nowait, receive.receive


@asynccontextmanager
async def janus_queue() -> AsyncIterator[Ends]:
    import janus

    queue = janus.Queue[Any]()
    yield queue.async_q.put_nowait, queue.async_q.get
    await queue.aclose()


@asynccontextmanager
async def culsans_queue() -> AsyncIterator[Ends]:
    import culsans

    queue = culsans.Queue[Any]()  # its own methods: the proxies sync_q and async_q cost a call more
    yield queue.put_nowait, queue.async_get


@asynccontextmanager
async def aiologic_queue() -> AsyncIterator[Ends]:
    import aiologic

    queue = aiologic.SimpleQueue[Any]()  # unbounded, and the fastest of its queues
    yield queue.put, queue.async_get


PIPES = (
    Pipe("asyncio.Queue", asyncio_queue),
    Pipe("deque + future", future_queue),
    Pipe("anyio stream", anyio_stream),
    Pipe("trio channel", trio_channel, "trio", "trio"),
    Pipe("janus", janus_queue, needs="janus"),
    Pipe("culsans", culsans_queue, needs="culsans"),
    Pipe("aiologic", aiologic_queue, needs="aiologic"),
)


def ways(
    a_shape: Callable[..., object],
    *arguments: object,
    targets: dict[str, tuple[Target, Target]] | None = None,
    only: tuple[str, ...] = (),
) -> tuple[Way, ...]:
    """A way for each pipe (or for `only` some): `a_shape(pipe.open, *arguments)`."""
    given = targets or {}
    return tuple(
        Way(
            pipe.name,
            _shape(a_shape, pipe, *arguments),
            *given.get(pipe.name, (None, None)),
            loop=pipe.loop,
            needs=pipe.needs,
        )
        for pipe in PIPES
        if not only or pipe.name in only
    )


def _shape(a_shape: Callable[..., object], pipe: Pipe, *arguments: object) -> Shape:
    return partial(a_shape, pipe.open, *arguments)  # type: ignore[return-value]


@asynccontextmanager
async def open_many(
    open_one: Callable[[], AbstractAsyncContextManager[Ends]], count: int
) -> AsyncIterator[tuple[list[Put], list[Get]]]:
    """`count` pipes: all their puts, and all their gets."""
    async with AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(open_one()) for _ in range(count)]
        yield [put for put, _ in ends], [get for _, get in ends]
