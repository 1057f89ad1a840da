"""What every benchmark here shares: rows, shapes, and how a shape is run.

A *shape* is one way to do a job (the medium, or a peer), as an async context
manager. Entering it sets everything up, and it yields a coroutine function
that does the job once and returns the nanoseconds of one operation. Set-up,
tear-down and the loop are never inside what is measured.

A *row* is the medium's shape beside its peers', with the ratios we are after:
`goal`, and `floor`, which must hold on a noisy machine with two cores. The
operation counts are such that one run takes 1 to 100 ms.

The garbage collector stays on, as in the programs this is for. Peers get the
payload alone, without a message object around it: their best case.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns as now
from typing import Any

try:
    import uvloop
except ImportError:  # not on Windows
    uvloop = None  # type: ignore[assignment]

__all__ = [
    "LOOPS",
    "PAYLOAD",
    "Measure",
    "Peer",
    "Row",
    "Run",
    "Shape",
    "interleaved",
    "now",
    "once",
    "shape",
]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Measure = Callable[[], None]
Run = Callable[[], Awaitable[float]]
Shape = Callable[[], AbstractAsyncContextManager[Run]]

PAYLOAD = {"id": 1}
LOOPS: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
if uvloop is not None:
    LOOPS["uvloop"] = uvloop.new_event_loop


@dataclass(frozen=True)
class Peer:
    """Somebody else's way to do the row's job, and how much faster we are to be."""

    name: str
    shape: Shape
    goal: float
    floor: float


@dataclass(frozen=True)
class Row:
    """One job: `ours` against each of `peers`; `also`: other ways of ours, shown without a target."""

    name: str
    unit: str
    ours: Shape
    peers: tuple[Peer, ...]
    also: dict[str, Shape] = field(default_factory=dict)

    def shapes(self) -> dict[str, Shape]:
        """Every shape of the row by name, ours first."""
        return {"aether": self.ours, **self.also, **{peer.name: peer.shape for peer in self.peers}}


def shape(
    function: Callable[..., AsyncIterator[Run]],
) -> Callable[..., AbstractAsyncContextManager[Run]]:
    """Make a shape of an async generator function."""
    return asynccontextmanager(function)


def run(job: Callable[[], Awaitable[Any]], loop_factory: LoopFactory) -> Any:
    """Run `job` under a fresh loop."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_awaited(job))


async def _awaited(job: Callable[[], Awaitable[Any]]) -> Any:
    return await job()


def once(a_shape: Shape, loop_factory: LoopFactory) -> float:
    """Nanoseconds of one operation: one warm-up and one measured run under a fresh loop."""

    async def job() -> float:
        async with a_shape() as measured:
            await measured()
            gc.collect()
            return await measured()

    return float(run(job, loop_factory))


def interleaved(
    shapes: dict[str, Shape], rounds: int, loop_factory: LoopFactory
) -> dict[str, float]:
    """Best of `rounds` for each shape, in turns under one loop, so that noise hits all alike."""

    async def job() -> dict[str, float]:
        best: dict[str, float] = {}
        async with AsyncExitStack() as stack:
            runs = {
                name: await stack.enter_async_context(a_shape()) for name, a_shape in shapes.items()
            }
            gc.collect()
            gc.freeze()  # what stands waiting is not walked over again and again
            try:
                for measured in runs.values():
                    await measured()
                for _ in range(rounds):
                    for name, measured in runs.items():
                        best[name] = min(await measured(), best.get(name, float("inf")))
            finally:
                gc.unfreeze()
        return best

    return dict(run(job, loop_factory))
