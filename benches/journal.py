"""The journal beside SQLite, RocksDB and the bare disk: one run, one disk, records of 256 bytes, one table.

    python benches/journal.py [--folder FOLDER] [--rounds N] [--waves N] [--only TEXT]

The ways of a row run in turns, so that noise hits all alike; minimum, median and maximum of the rounds are shown,
by the wall's clock, as the disk is what is waited for. A ratio is a way's median over that of the first one, which
is ours. `--waves` says how many are written to be read and opened: 10,000,000 is what the goals are about. What is
read was written just before, and comes from the system's cache as far as that is large enough.

What runs in Rust is `rust/journal/examples/measure.rs`, built and run by this. SQLite: WAL, rows of an integer key, a
time, a channel and the payload; `executemany` in one transaction, and a single statement that makes the rows inside
SQLite, which spares it all of Python. RocksDB, by rocksdict: write batches, `sync` where the disk is waited for.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter_ns as now

from aether import Aether
from aether.journal import Journal, Replay

ROOT = Path(__file__).resolve().parent.parent
CHANNEL = "orders.created"
PAYLOAD = bytes(256)
RECORD = bytes(344)
"""As large as a record of ours with this payload: its head, channel and id."""

Run = Callable[[], float]
Shape = Callable[[Path], AbstractContextManager[Run]]


@dataclass(frozen=True)
class Goal:
    """The time of one way is at least, or at most, so many times that of another."""

    way: str
    other: str
    least: float = 0.0
    most: float = inf

    def told(self, times: dict[str, list[float]]) -> str:
        ratio = median(times[self.way]) / median(times[self.other])
        bound = f">= {self.least:g}" if self.least else f"<= {self.most:g}"
        verdict = "met" if self.least <= ratio <= self.most else "MISSED"
        return f"  {self.way} / {self.other}: {ratio:.2f}, goal {bound}: {verdict}"


@dataclass(frozen=True)
class Limit:
    """A way takes at most so long, in nanoseconds."""

    way: str
    most: float

    def told(self, times: dict[str, list[float]]) -> str:
        taken = median(times[self.way])
        verdict = "met" if taken <= self.most else "MISSED"
        return f"  {self.way}: {shown(taken)}, goal <= {shown(self.most)}: {verdict}"


@dataclass(frozen=True)
class Row:
    """Ways to do the same; the first one is ours."""

    name: str
    unit: str
    ways: dict[str, Shape]
    goals: tuple[Goal | Limit, ...] = ()


# Ours


def in_rust(*arguments: object) -> list[float]:
    """What the Rust program measured."""
    program = ROOT / "target/release/examples/measure"
    done = subprocess.run(
        [program, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return [float(word) for word in done.stdout.split()]


def rust(emitters: int, batch: int, rounds: int, durability: str = "fsync") -> Shape:
    @contextmanager
    def way(folder: Path) -> Generator[Run]:
        yield lambda: in_rust("commit", folder, emitters, batch, rounds, durability, len(PAYLOAD))[
            0
        ]

    return way


def python(emitters: int, batch: int, rounds: int, durability: str = "fsync") -> Shape:
    """Tasks that await an emission each, or of batches `emit_many`."""

    @contextmanager
    def way(folder: Path) -> Generator[Run]:
        async def emit(medium: Aether) -> None:
            for _ in range(rounds):
                if batch == 1:
                    await medium.emit_wave(CHANNEL, PAYLOAD)
                else:
                    await medium.emit_many([(CHANNEL, PAYLOAD)] * batch)

        async def measured() -> float:
            async with Aether(journal=Journal(folder, durability=durability)) as medium:
                await medium.emit_wave(CHANNEL, PAYLOAD)
                begun = now()
                await asyncio.gather(*(emit(medium) for _ in range(emitters)))
                return (now() - begun) / (emitters * batch * rounds)

        yield lambda: asyncio.run(measured())

    return way


# The others


def bare(batch: int, rounds: int, sync: bool = True) -> Shape:
    """A file that bytes are appended to."""

    @contextmanager
    def way(folder: Path) -> Generator[Run]:
        file = os.open(folder / "file", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        data = RECORD * batch

        def run() -> float:
            begun = now()
            for _ in range(rounds):
                os.write(file, data)
                if sync:
                    os.fdatasync(file)
            return (now() - begun) / (rounds * batch)

        yield run
        os.close(file)

    return way


def handed_over(rounds: int) -> Shape:
    """The same by another thread, and awaited: what a loop that must not wait for the disk takes at least."""

    @contextmanager
    def way(folder: Path) -> Generator[Run]:
        file = os.open(folder / "file", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

        def commit() -> None:
            os.write(file, RECORD)
            os.fdatasync(file)

        async def measured() -> float:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, commit)
            begun = now()
            for _ in range(rounds):
                await loop.run_in_executor(None, commit)
            return (now() - begun) / rounds

        yield lambda: asyncio.run(measured())
        os.close(file)

    return way


def sqlite(batch: int, rounds: int, synchronous: str = "FULL", inside: bool = False) -> Shape:
    @contextmanager
    def way(folder: Path) -> Generator[Run]:
        base = sqlite3.connect(folder / "base", isolation_level=None)
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(f"PRAGMA synchronous={synchronous}")
        base.execute(
            "CREATE TABLE waves (sequence INTEGER PRIMARY KEY, time REAL, channel TEXT, payload BLOB)"
        )
        insert = "INSERT INTO waves (time, channel, payload) VALUES (?, ?, ?)"
        rows = [(1.7e9, CHANNEL, PAYLOAD)] * batch
        made = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO waves (time, channel, payload) SELECT ?, ?, ? FROM n"
        )

        def run() -> float:
            begun = now()
            for _ in range(rounds):
                base.execute("BEGIN")
                if inside:
                    base.execute(made, (batch, 1.7e9, CHANNEL, PAYLOAD))
                else:
                    base.executemany(insert, rows)
                base.execute("COMMIT")
            return (now() - begun) / (rounds * batch)

        yield run
        base.close()

    return way


def rocks(batch: int, rounds: int, sync: bool = True) -> Shape:
    @contextmanager
    def way(folder: Path) -> Generator[Run]:
        from rocksdict import Options, Rdict, WriteBatch, WriteOptions

        base = Rdict(str(folder / "base"), Options(raw_mode=True))
        options = WriteOptions()
        options.sync = sync
        keys = iter(range(1 << 62))

        def run() -> float:
            begun = now()
            for _ in range(rounds):
                writes = WriteBatch(raw_mode=True)
                for _ in range(batch):
                    writes.put(next(keys).to_bytes(8, "big"), PAYLOAD)
                base.write(writes, options)
            return (now() - begun) / (rounds * batch)

        yield run
        base.close()

    return way


# Reading


def written(folder: Path, count: int, size: int) -> Path:
    """A journal of so many waves, one in a thousand of which is rare."""
    if not folder.exists():
        program = ROOT / "target/release/examples/measure"
        subprocess.run([program, "write", folder, str(count), str(size)], check=True)
    return folder


def read_in_rust(journal: Path, count: int, pattern: str, way_of: str = "read") -> Shape:
    @contextmanager
    def way(_: Path) -> Generator[Run]:
        yield lambda: in_rust(way_of, journal, pattern)[0] / count

    return way


def read_in_python(
    journal: Path, count: int, pattern: str, read: Callable[[Replay], object]
) -> Shape:
    @contextmanager
    def way(_: Path) -> Generator[Run]:
        def run() -> float:
            begun = now()
            read(Journal(journal).replay(pattern))
            return (now() - begun) / count

        yield run

    return way


def from_the_cache(journal: Path, count: int) -> Shape:
    """The files, read into one buffer, of a size at which systems are fast."""

    @contextmanager
    def way(_: Path) -> Generator[Run]:
        buffer = bytearray(128 << 10)

        def run() -> float:
            begun = now()
            for path in sorted(journal.glob("*.segment")):
                with path.open("rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
            return (now() - begun) / count

        yield run

    return way


def opening(journal: Path, without: str) -> Shape:
    @contextmanager
    def way(_: Path) -> Generator[Run]:
        def run() -> float:
            for path in journal.iterdir():
                if without and path.suffix in without.split():
                    path.unlink()
            return in_rust("open", journal)[0]

        yield run

    return way


def emitting_rows() -> Iterator[Row]:
    for batch, rounds in ((100, 50), (1_000, 20), (10_000, 5)):
        yield Row(
            f"batches of {batch:,}, on the disk",
            "wave",
            {
                "aether, in Rust": rust(1, batch, rounds),
                "aether, emit_many": python(1, batch, rounds),
                "write + fdatasync": bare(batch, rounds),
                "SQLite FULL, executemany": sqlite(batch, rounds),
                "SQLite FULL, made inside": sqlite(batch, rounds, inside=True),
                "rocksdict, sync": rocks(batch, rounds),
            },
            (
                Goal("SQLite FULL, executemany", "aether, in Rust", least=5),
                Goal("SQLite FULL, executemany", "aether, emit_many", least=2),
            ),
        )
    yield Row(
        "batches of 1,000, left to the system",
        "wave",
        {
            "aether, in Rust": rust(1, 1_000, 100, "os"),
            "aether, emit_many": python(1, 1_000, 100, "os"),
            "write": bare(1_000, 100, sync=False),
            "SQLite NORMAL, executemany": sqlite(1_000, 100, "NORMAL"),
            "SQLite NORMAL, made inside": sqlite(1_000, 100, "NORMAL", inside=True),
            "rocksdict": rocks(1_000, 100, sync=False),
        },
        (
            Goal("SQLite NORMAL, executemany", "aether, in Rust", least=5),
            Goal("SQLite NORMAL, executemany", "aether, emit_many", least=2),
        ),
    )
    yield Row(
        "one at a time, on the disk",
        "wave",
        {
            "aether, in Rust": rust(1, 1, 200),
            "aether, await emit_wave": python(1, 1, 200),
            "write + fdatasync": bare(1, 200),
            "write + fdatasync, awaited": handed_over(200),
            "SQLite FULL": sqlite(1, 200),
            "rocksdict, sync": rocks(1, 200),
        },
        (
            Goal("aether, in Rust", "write + fdatasync", most=1.25),
            Goal("aether, await emit_wave", "write + fdatasync", most=1.25),
            Goal("aether, await emit_wave", "write + fdatasync, awaited", most=1.25),
        ),
    )
    yield Row(
        "64 emitters at once, on the disk",
        "wave",
        {
            "aether, 64 threads of Rust": rust(64, 1, 100),
            "aether, 64 tasks": python(64, 1, 100),
            "aether, one in Rust": rust(1, 1, 200),
            "aether, one task": python(1, 1, 200),
        },
        (
            Goal("aether, one in Rust", "aether, 64 threads of Rust", least=20),
            Goal("aether, one task", "aether, 64 tasks", least=20),
        ),
    )


def reading_rows(folder: Path, count: int) -> Iterator[Row]:
    small = written(folder / "small", count, len(PAYLOAD))
    for what, pattern in (("1 in 1,000", "rare.*"), ("half", "orders.*"), ("all", "*")):
        ways = {
            "aether, in Rust": read_in_rust(small, count, pattern),
            "aether, in Rust, backwards": read_in_rust(small, count, pattern, "backwards"),
            "aether, to_columns": read_in_python(small, count, pattern, Replay.to_columns),
        }
        if pattern == "rare.*":
            ways["aether, for wave in replay"] = read_in_python(small, count, pattern, list)
        name = f"replay of {count:,}, of which a pattern takes {what}"
        goals = Limit("aether, in Rust", 1e3 / 3), Limit("aether, to_columns", 1e3 / 3)
        yield Row(name, "wave read", ways, goals)
    yield Row(
        f"opening {count:,} waves",
        "opening",
        {
            "by a snapshot": opening(small, ""),
            "by a full scan": opening(small, ".snapshot"),
            "the same, and indexes made": opening(small, ".snapshot .index"),
        },
        (Limit("by a snapshot", 1e8), Limit("by a full scan", count * 500.0)),
    )
    large, size = min(count // 100, 20_000), 65_536
    journal = written(folder / "large", large, size)
    yield Row(
        f"replay of {large:,} waves of 64 KiB",
        "wave",
        {
            "aether, in Rust": read_in_rust(journal, large, "*"),
            "the files, read": from_the_cache(journal, large),
        },
        (Goal("the files, read", "aether, in Rust", least=0.7),),
    )


def shown(nanoseconds: float) -> str:
    unit, factor = next(
        (
            (unit, factor)
            for unit, factor in (("ns", 1), ("us", 1e3))
            if nanoseconds < 1_000 * factor
        ),
        ("ms", 1e6),
    )
    return f"{nanoseconds / factor:,.2f} {unit}"


def measure(row: Row, folder: Path, rounds: int) -> None:
    """Runs the ways of a row in turns, and prints them."""
    print(f"\n{row.name}, per {row.unit}")
    taken: dict[str, list[float]] = {name: [] for name in row.ways}
    with ExitStack() as stack:
        runs: dict[str, Run] = {}
        for number, (name, way) in enumerate(row.ways.items()):
            own = folder / f"way-{number}"
            own.mkdir()
            stack.callback(shutil.rmtree, own)
            runs[name] = stack.enter_context(way(own))
        for _ in range(rounds):
            for name, run in runs.items():
                taken[name].append(run())
    ours = median(taken[next(iter(row.ways))])
    for name, times in taken.items():
        figures = "".join(f"{shown(time):>13}" for time in (min(times), median(times), max(times)))
        print(f"  {name:32}{figures}{median(times) / ours:>10.2f}")
    for goal in row.goals:
        print(goal.told(taken))


def main() -> int:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument(
        "--folder", type=Path, help="on which disk; otherwise where temporary files are"
    )
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--waves", type=int, default=1_000_000)
    asked.add_argument("--only", default="", help="rows with this text in their names")
    given = asked.parse_args()
    build = ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", "target"]
    subprocess.run([*build, "-p", "aether-journal", "--example", "measure"], check=True, cwd=ROOT)
    folder = Path(tempfile.mkdtemp(prefix="aether-journal-", dir=given.folder))
    print(f"{'':34}{'min':>13}{'median':>13}{'max':>13}{'/ ours':>10}")
    try:
        for row in emitting_rows():
            if given.only in row.name:
                measure(row, folder, given.rounds)
        if given.only in "replay of opening":
            for row in reading_rows(folder, given.waves):
                measure(row, folder, given.rounds)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
