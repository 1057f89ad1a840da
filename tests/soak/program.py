"""A soak: twenty vibrators whose handlers fail, hang and are cancelled, while the configuration changes and metrics are
scraped every second, from a printed seed.

    python -m tests.soak.program [--minutes 10] [--seed 7] [--loop asyncio|uvloop|trio]

Held to: no wave is lost or done twice; open files and threads stay the same, and memory grows by no more than 1 MiB an hour
after a warm-up of a third of the time (judged from ten minutes on: before that, chance decides). Status 1 otherwise.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
from tests.soak.ledger import Ledger

import aether.metrics
from aether import (
    Aether,
    AetherConfig,
    CircuitBreaker,
    MetricsConfig,
    Rate,
    Retry,
    Wave,
    WouldBlock,
)
from aether.monitoring.process import Figures, figures

VIBRATORS = 20
EMITTERS = 4
RATE = 100
"""Waves a second of each emitter."""
SLOPE = 1024 * 1024
"""Bytes that memory may grow by in an hour."""


class Flaky(Exception):
    """What goes away if one tries again."""


class Broken(Exception):
    """What does not."""


class Looks:
    """What the process was at each look: in a room that is there from the beginning, so that it does not grow itself."""

    def __init__(self, most: int) -> None:
        self._room = array("d", bytes(8 * 4 * most))
        self._count = 0

    def add(self, when: float, figures: Figures) -> None:
        """One more look."""
        at = 4 * self._count
        if at < len(self._room):
            self._room[at : at + 4] = array(
                "d", [when, figures.rss, figures.open_files, figures.threads]
            )
            self._count += 1

    def since(self, when: float) -> list[tuple[float, float, float, float]]:
        """Moment, memory, open files and threads of the looks from a moment on."""
        rows = [tuple(self._room[4 * one : 4 * one + 4]) for one in range(self._count)]
        return [(row[0], row[1], row[2], row[3]) for row in rows if row[0] >= when]


@dataclass
class Soak:
    """One run."""

    seconds: float
    seed: int
    folder: Path
    dice: random.Random = field(init=False)
    ledger: Ledger = field(init=False)
    looks: Looks = field(init=False)
    reloads: int = 0
    scrapes: int = 0
    series: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.names = [f"v{number}" for number in range(VIBRATORS)]
        self.ledger = Ledger(self.names)
        self.over = False
        self.looks = Looks(int(self.seconds) + 60)

    # What is soaked

    def medium(self) -> Aether:
        """The medium, with its handlers."""
        self._configure(0)
        medium = Aether(
            AetherConfig.files(self.folder, metrics=MetricsConfig(), drain_timeout=30.0)
        )
        breaker = CircuitBreaker("soak", open_for=0.5, minimum=20)
        # What is done here fails, hangs and is cancelled; each kind is taken by several.
        kinds: list[tuple[Callable[[Wave[Any]], Awaitable[None]], dict[str, Any]]] = [
            (self._well, {}),
            (self._well, {"concurrency": 4, "key": lambda wave: wave.payload % 16}),
            (
                self._flaky,
                {"retry": Retry(on=Flaky, wait_initial=0.001, wait_jitter=0.002, budget=None)},
            ),
            (
                self._flaky,
                {
                    "retry": Retry(on=Flaky, attempts=2, wait_initial=0.0, wait_jitter=0.001),
                    "concurrency": 4,
                },
            ),
            (self._slow, {"timeout": 0.02, "concurrency": 8}),
            (self._broken, {"circuit": breaker, "concurrency": 2}),
            (self._cancelled, {"dead_letter": True}),
            (self._well, {"rate": Rate(5_000, burst=100), "timeout": 5.0}),
        ]
        for number, name in enumerate(self.names):
            work, options = kinds[number % len(kinds)]
            vibrator = medium.vibrator(name, order="amplitude" if number % 2 else "fifo")
            vibrator.on("soak.all", f"soak.{name}", **options)(self._counted(name, work, options))
        letters = medium.vibrator("letters", buffer_size=100_000)
        letters.on("dead.*")(self._letter)
        return medium

    def _counted(
        self, name: str, work: Callable[[Wave[Any]], Awaitable[None]], options: dict[str, Any]
    ) -> Callable[[Wave[Any]], Awaitable[None]]:
        buries = bool(options.keys() & {"retry", "timeout", "circuit", "dead_letter"})

        async def handle(wave: Wave[Any]) -> None:
            try:
                await work(wave)
            except Exception:
                if not buries:
                    self.ledger.strike(name, wave.payload, monotonic())
                raise
            self.ledger.strike(name, wave.payload, monotonic())

        return handle

    async def _letter(self, wave: Wave[Any]) -> None:
        self.ledger.strike(wave.headers["aether-handler"], wave.payload, monotonic())

    async def _well(self, wave: Wave[Any]) -> None:
        if wave.payload % 7 == 0:
            await anyio.lowlevel.checkpoint()

    async def _flaky(self, wave: Wave[Any]) -> None:
        if self.dice.random() < 0.2:
            raise Flaky

    async def _slow(self, wave: Wave[Any]) -> None:
        if self.dice.random() < 0.02:
            await anyio.sleep(60.0)

    async def _broken(self, wave: Wave[Any]) -> None:
        # Now and then, all of it for a while.
        if int(monotonic()) % 7 == 0:
            raise Broken

    async def _cancelled(self, wave: Wave[Any]) -> None:
        if self.dice.random() < 0.05:
            with anyio.move_on_after(0):
                await anyio.sleep(60.0)
            raise Broken

    # What is done to it

    async def emit(self, medium: Aether, who: int) -> None:
        """Emits until it is over: one wave in ten to all, the others to one."""
        number = who
        while not self.over:
            everybody = number % 10 == who % 10
            to = self.names if everybody else [self.names[number // EMITTERS % VIBRATORS]]
            channel = "soak.all" if everybody else f"soak.{to[0]}"
            self.ledger.enter(to, number, monotonic())
            try:
                if number % 3:
                    await medium.emit_wave(channel, number, amplitude=0.1 + number % 9 / 10)
                else:
                    medium.emit_nowait(channel, number)
            except WouldBlock:
                self.ledger.withdraw(to, number)
            number += EMITTERS
            if number // EMITTERS % 10 == 0:
                await anyio.sleep(10 / RATE)

    async def reload(self, medium: Aether) -> None:
        """Changes the configuration every second."""
        while not self.over:
            self.reloads += 1
            self._configure(self.reloads)
            await anyio.sleep(1.0)

    def _configure(self, number: int) -> None:
        fresh = self.folder / ".aether.toml.new"
        fresh.write_text(
            f"stall_warning = {60 + number % 5}\nattenuation_factor = 0.9{number % 9}\n"
        )
        fresh.replace(self.folder / "aether.toml")

    async def scrape(self, medium: Aether) -> None:
        """Scrapes the metrics, and looks at the process, every second."""
        begun = monotonic()
        while not self.over:
            text = await anyio.to_thread.run_sync(aether.metrics.text, medium)
            self.scrapes += 1
            self.series = max(self.series, text.count("\n"))
            self.looks.add(monotonic() - begun, await anyio.to_thread.run_sync(figures))
            await anyio.sleep(1.0)

    async def run(self) -> list[str]:
        """Soaks, and says what was wrong."""
        medium = self.medium()
        async with medium:
            async with anyio.create_task_group() as tasks:
                for who in range(EMITTERS):
                    tasks.start_soon(self.emit, medium, who)
                tasks.start_soon(self.reload, medium)
                tasks.start_soon(self.scrape, medium)
                await anyio.sleep(self.seconds)
                self.over = True
            settled = await medium.settle(60.0)
        return [*([] if settled else ["it has not settled"]), *self.faults()]

    def faults(self) -> list[str]:
        """What the sums and the looks say."""
        said = [
            f"{name} was done with wave {number} twice" for name, number in self.ledger.doubled[:5]
        ]
        said += [
            f"{name} has lost {len(waves):,} waves, such as {waves[:3]}"
            for name, waves in self.ledger.open().items()
        ]
        later = self.looks.since(self.seconds / 3)
        for what, place in (("open files", 2), ("threads", 3)):
            counts = [look[place] for look in later]
            # A scrape takes a thread now and then, and a reload a file.
            if counts and max(counts[-5:]) > max(counts[:5]) + 1:
                said.append(f"{what} have grown from {counts[0]:.0f} to {counts[-1]:.0f}")
        if self.seconds >= 600 and self.slope() > SLOPE:
            said.append(f"memory grows by {self.slope() / SLOPE:.2f} MiB an hour")
        return said

    def slope(self) -> float:
        """Bytes an hour by which the memory has grown after the warm-up: least squares."""
        points = [(when, rss) for when, rss, _, _ in self.looks.since(self.seconds / 3)]
        if len(points) < 2:
            return 0.0
        middle = sum(when for when, _ in points) / len(points)
        mean = sum(rss for _, rss in points) / len(points)
        spread = sum((when - middle) ** 2 for when, _ in points)
        return 3600 * sum((when - middle) * (rss - mean) for when, rss in points) / spread

    def report(self) -> str:
        """What was done, in a few lines."""
        done = sum(self.ledger.done.values())
        _, rss, files, threads = self.looks.since(0.0)[-1]
        return (
            f"{done:,} times done with a wave; {self.reloads} reloads, {self.scrapes} scrapes, {self.series} lines each\n"
            f"latency: half within {self.ledger.latency(0.5) * 1e3:.2g} ms, 99.9 % within {self.ledger.latency(0.999) * 1e3:.3g} ms\n"
            f"memory {rss / SLOPE:.1f} MiB, {self.slope() / SLOPE:+.2f} MiB an hour; {files:.0f} files, {threads:.0f} threads"
        )


def soaked(seconds: float, seed: int, loop: str) -> tuple[Soak, list[str]]:
    """A run, and what was wrong with it."""
    backend = "asyncio" if loop == "uvloop" else loop
    options = {"use_uvloop": True} if loop == "uvloop" else {}
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(seconds, seed, Path(folder))
        faults = anyio.run(soak.run, backend=backend, backend_options=options)
    return soak, faults


def main() -> int:
    parser = argparse.ArgumentParser(description="A long run under failures.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop", "trio"])
    given = parser.parse_args()
    # What fails is meant to.
    logging.getLogger("aether").setLevel(logging.CRITICAL)
    print(f"seed {given.seed}, {given.loop}, {given.minutes:g} minutes", flush=True)
    soak, faults = soaked(given.minutes * 60, given.seed, given.loop)
    print(soak.report())
    for fault in faults:
        print(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
