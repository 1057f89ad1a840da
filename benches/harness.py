"""What every scenario shares: rows, ways, shapes, and the check that nothing was lost.

A *shape* is one way to do a job (the medium, or a peer), as an async context
manager. Entering it sets everything up, and it yields a coroutine function
that does the job once and returns what one operation took, in nanoseconds, or
in bytes where the row says so. Set-up, tear-down, the loop and the checks are
never inside what is measured. Every message is counted: a run hands what came
out to `check`, and one message too few, too many or out of place ends the
whole comparison with the scenario's name.

A *row* is the medium's way beside its peers', with the ratios we are after:
`goal`, and `floor`, which must hold on a noisy machine with two cores. A row
with `parts` measures several things in one set-up; its runs return a tuple.
The operation counts are such that one run takes 1 to 100 ms.

    file bench_<name>.py       a scenario: its header says how it is measured
      ROWS                     its rows; compare.py finds the file by its name
        Row.ways[0]            ours, named "aether"
        Row.ways[1:]           peers, and other ways of ours, named "aether, ..."

The garbage collector stays on, as in the programs this is for. Peers get the
payload alone, without a message object around it: their best case.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from time import perf_counter_ns as now, thread_time_ns
from typing import Any

__all__ = [
    "Lost",
    "Measure",
    "Row",
    "Run",
    "Shape",
    "ThreadClock",
    "Way",
    "check",
    "now",
    "payloads",
    "release",
    "shape",
    "turn_of_the_loop",
]

Sample = float | tuple[float, ...]
Measure = Callable[[], None]
Run = Callable[[], Awaitable[Sample]]
Shape = Callable[[], AbstractAsyncContextManager[Run]]
Target = float | Mapping[str, float] | None  # a row with parts has a target for each part


class ThreadClock:
    """The processor time of the running thread in ns, without what reading it takes.

    The reading is a system call, of a microsecond or so on some machines: too much
    beside a hundred messages. Between two readings lies the cost of one, so each
    reading takes off one more.
    """

    def __init__(self) -> None:
        self._cost = self._readings = 0

    def __call__(self) -> int:
        self._readings += 1
        return thread_time_ns() - self._readings * self._cost

    def calibrate(self) -> None:
        """Find out what a reading takes now."""
        self._cost = 0
        readings = [self() for _ in range(2_001)]
        self._cost = int(median(after - before for before, after in pairwise(readings)))


class Lost(Exception):
    """What came out is not what went in."""


@dataclass(frozen=True)
class Way:
    """One way to do a row's job: whose, on which loop, and how many times faster we are to be.

    `needs` is the module that it cannot do without: where that is not installed,
    the way is left out, and named as left out.
    """

    name: str
    shape: Shape
    goal: Target = None
    floor: Target = None
    loop: str = "asyncio"
    needs: str = ""

    @property
    def ours(self) -> bool:
        """Whether this is the medium, in one of its ways."""
        return self.name.partition(",")[0] == "aether"

    @property
    def installed(self) -> bool:
        """Whether it can run here."""
        return not self.needs or installed(self.needs)


@dataclass(frozen=True)
class Row:
    """One job, and the ways to do it: ours first.

    Attributes:
        name: What is done.
        unit: What one figure is for: a wave, a delivery.
        ways: Ours, then the others.
        parts: What a run returns, if it returns a tuple.
        measure: "ns" or "B".
        limit: A goal and a floor for ours alone, smaller is better.
        by: Which of the rounds the ratios go by: "min", or "median" where the least means little.
        fresh: Every round of every way in a process of its own.
        most_rounds: More rounds would say nothing more.
        picture: Shown in the picture; of a row with parts, these.
        patience: Seconds after which a run has lost something.
    """

    name: str
    unit: str
    ways: tuple[Way, ...]
    parts: tuple[str, ...] = ()
    measure: str = "ns"
    limit: tuple[float, float] | None = None
    by: str = "min"
    fresh: bool = False
    most_rounds: int = 1_000
    picture: bool | tuple[str, ...] = False
    patience: float = 120.0

    def part_names(self) -> tuple[str, ...]:
        """The name of each figure that a run gives."""
        return tuple(f"{self.name}, {part}" for part in self.parts) or (self.name,)


def shape(
    function: Callable[..., AsyncIterator[Run]],
) -> Callable[..., AbstractAsyncContextManager[Run]]:
    """Make a shape of an async generator function."""
    return asynccontextmanager(function)


@cache
def installed(module: str) -> bool:
    """Whether `module` can be imported."""
    return find_spec(module) is not None


def check(got: Iterable[object], wanted: Iterable[object], who: str = "") -> None:
    """Raise `Lost` unless `got` is `wanted`, in this order; what differs first is said."""
    got, wanted = list(got), list(wanted)
    if got == wanted:
        return
    whom = f"{who}: " if who else ""
    if len(got) != len(wanted):
        raise Lost(f"{whom}{len(got):,} messages came out of {len(wanted):,}")
    place = next(i for i, (one, other) in enumerate(zip(got, wanted, strict=True)) if one != other)
    raise Lost(f"{whom}message {place:,} of {len(got):,} is {got[place]!r}, not {wanted[place]!r}")


def payloads(waves: Iterable[object]) -> list[object]:
    """What the waves carry."""
    return [wave.payload for wave in waves]  # type: ignore[attr-defined]


def release(got: list[Any]) -> int:
    """Let go of what was received, and say what that took in ns: whoever makes an object ends it too."""
    start = now()
    got.clear()
    return now() - start


def turn_of_the_loop() -> Callable[[], Awaitable[object]]:
    """What a task awaits to let the others run, cheapest on the loop that runs here."""
    if asyncio._get_running_loop() is not None:
        return lambda: asyncio.sleep(0)
    import trio

    return trio.lowlevel.checkpoint
