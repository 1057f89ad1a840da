"""What watching costs: the burst with each kind of observation, beside the same without, in one run.

A *job* is a burst of a hundred waves, put and then taken by one task, as in `bench_burst.py`: awaited at both ends, or
emitted without waiting. A *way* is a medium with something turned on. In each round every way does each job once, in an
order that turns, so that what the machine does meanwhile hits all alike; the cost of a way is the median over all rounds
of its processor time beside that of the plain medium in the same round.

    python benches/observability.py [--rounds 200]

`again` is the plain medium once more: how far it is from 0 says what the figures are worth. What it costs to have
observation built in at all and turned off, no run of one build can say: `--against FOLDER` takes the package of an older
build from there for the way `before`, in a process of its own, which takes turns with this one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import thread_time_ns as now

CHANNEL = "bench.burst.wave"
NUMBERS = list(range(100))
BURSTS = 100


@dataclass(frozen=True, slots=True)
class Way:
    """A medium with something turned on."""

    name: str
    make: Callable[[], object]
    """Makes an `Aether`."""
    most: float | None = None
    """What it may cost at most, as a share of the time."""


def plain() -> object:
    from aether import Aether

    return Aether()


def with_metrics() -> object:
    from aether import Aether, AetherConfig, MetricsConfig

    return Aether(AetherConfig(metrics=MetricsConfig()))


def with_tracing(**tracing: float) -> Callable[[], object]:
    """One wave in a hundred is followed, and nobody is told."""

    def make() -> object:
        from aether import Aether, AetherConfig, TracingConfig

        return Aether(AetherConfig(tracing=TracingConfig(sample=0.01, **tracing)))

    return make


def tapped() -> object:
    """Somebody looks on as `aether tap` does, who takes nothing out: the worst that a slow terminal can do."""
    from aether import Aether

    medium = Aether()
    LOOKING.append(medium.ring("*", 1000))
    return medium


LOOKING: list[object] = []
"""Who looks on does so while he is held."""

WAYS = [
    Way("plain", plain),
    Way("again", plain),
    Way("metrics", with_metrics, 0.03),
    Way("tracing", with_tracing(), 0.1),
    Way("tapped", tapped),
    # As many traces as there are, which nobody would want to have sent.
    Way("unbounded", with_tracing(traces_per_second=1e9), 0.1),
]
"""The first is what the others are compared with."""

Job = Callable[[], Awaitable[float]]


async def jobs_of(medium, ends: AsyncExitStack) -> dict[str, Job]:
    """The jobs on a medium; each gives ns per wave."""
    await ends.enter_async_context(medium)
    reader = medium.vibrator("reader")
    await ends.enter_async_context(reader)
    reader.resonate_on(CHANNEL)
    emit, emit_wave, receive = medium.emit_nowait, medium.emit_wave, reader.receive

    async def awaited() -> float:
        took = 0
        for _ in range(BURSTS):
            begun = now()
            for number in NUMBERS:
                await emit_wave(CHANNEL, number)
            got = [await receive() for _ in NUMBERS]
            took += now() - begun
            assert [wave.payload for wave in got] == NUMBERS
        return took / (BURSTS * len(NUMBERS))

    async def nowait() -> float:
        took = 0
        for _ in range(BURSTS):
            begun = now()
            for number in NUMBERS:
                emit(CHANNEL, number)
            got = [await receive() for _ in NUMBERS]
            took += now() - begun
            assert [wave.payload for wave in got] == NUMBERS
        return took / (BURSTS * len(NUMBERS))

    return {"awaited": awaited, "nowait": nowait}


class Older:
    """The jobs of another build, in a process that waits for its turn."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        command = [sys.executable, __file__, "--serve"]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def job(self, name: str) -> Job:
        async def ask() -> float:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(name, file=self._process.stdin, flush=True)
            return float(self._process.stdout.readline())

        return ask

    def close(self) -> None:
        self._process.communicate()


async def serve() -> None:
    """Does the jobs that are named on standard input, on a plain medium."""
    async with AsyncExitStack() as ends:
        jobs = await jobs_of(plain(), ends)
        for line in sys.stdin:
            print(await jobs[line.strip()](), flush=True)


async def measured(rounds: int, older: Older | None) -> dict[str, dict[str, list[float]]]:
    """By job and way, what each round took."""
    async with AsyncExitStack() as ends:
        ways = {way.name: await jobs_of(way.make(), ends) for way in WAYS}
        if older is not None:
            ways["before"] = {name: older.job(name) for name in ways[WAYS[0].name]}
        names = list(ways)
        took: dict[str, dict[str, list[float]]] = {}
        for number in range(rounds):
            order = names if number % 2 else names[::-1]
            for job in ways[names[0]]:
                for name in order:
                    took.setdefault(job, {}).setdefault(name, []).append(await ways[name][job]())
    return took


def shares(took: dict[str, list[float]]) -> dict[str, float]:
    """What each way costs, beside the first."""
    base = took[WAYS[0].name]
    return {
        name: median(one / other for one, other in zip(rounds, base, strict=True)) - 1
        for name, rounds in took.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What watching costs.")
    parser.add_argument("--rounds", type=int, default=200, help="how often every way does each job")
    parser.add_argument("--against", type=Path, help="the folder of an older package `aether`")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve())
        return
    older = None if given.against is None else Older(given.against)
    took = asyncio.run(measured(given.rounds, older))
    if older is not None:
        older.close()
    most = {way.name: way.most for way in WAYS}
    print(f"{'job':<10} {'way':<10} {'ns/wave':>8} {'cost':>7}  target")
    for job, ways in took.items():
        for name, share in shares(ways).items():
            target = most.get(name)
            said = (
                ""
                if target is None
                else f"at most {target:.0%}" + ("" if share <= target else ", MISSED")
            )
            print(
                f"{job:<10} {name:<10} {median(ways[name]):>8.0f} {share:>+7.1%}  {said}".rstrip()
            )


if __name__ == "__main__":
    main()
