"""The medium beside its peers: one run, one table, one document, one picture.

    python benches/compare.py [--quick] [--only TEXT] [--loop uvloop] [--json FILE] ...

Every file `bench_<name>.py` is a scenario, found by its name. The ways of each
row run in turns, so that noise hits all alike; minimum, median and maximum of
the rounds are shown. Where all happens in one thread, the clock is that thread's
processor time, which stands still while other programs have the processor; on a
quiet machine it is the wall's (`--clock wall`). A ratio is a peer's time over
ours: x3 is three times as long. `goal` is what we are here for, `floor` must
hold on a noisy machine.

A full run writes `benchmarks.md` and `benchmarks.svg` into `docs/`; a part of
it, or a quick one, does so only into a folder that is named with `--docs`.
Status 0: all was measured; no time is asserted. Status 1: a message was lost,
doubled or out of place; the scenario is named, and nothing is written.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the scenarios import harness.py and its neighbours

import document
import harness
import picture
import table
from harness import Lost, Row, ThreadClock
from results import Comparison, Entry, entries_of, machine, versions
from turns import measure

# The order of the table; what is not named here follows by its name.
ORDER = (
    "burst", "receive", "wake", "fanout", "routing", "threads",
    "priority", "bytes", "latency", "handlers", "idle", "arrays",
)  # fmt: skip
CLOCKS = {
    "thread": "processor time of the thread; wall time where threads work together",
    "wall": "wall time",
}
ROUNDS, SECONDS = 25, 6.0


clock = ThreadClock()


def scenarios(folder: Path) -> dict[str, ModuleType]:
    """Every scenario of the folder by its name."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    names = [file.stem.removeprefix("bench_") for file in folder.glob("bench_*.py")]
    places = {name: place for place, name in enumerate(ORDER)}
    names.sort(key=lambda name: (places.get(name, len(places)), name))
    return {name: importlib.import_module(f"bench_{name}") for name in names}


def chosen(modules: dict[str, ModuleType], only: list[str]) -> list[tuple[str, Row]]:
    """The rows whose name, or whose scenario's name, contains one of the texts."""
    return [
        (name, row)
        for name, module in modules.items()
        for row in module.ROWS
        if not only or any(text in row.name or text == name for text in only)
    ]


def run(rows: list[tuple[str, Row]], options: argparse.Namespace) -> list[Entry]:
    """Measure and print the rows, one after the other."""
    entries: list[Entry] = []
    rounds = 1 if options.quick else options.rounds
    print(table.head(), flush=True)
    for name, row in rows:
        clock.calibrate()
        try:
            figures = measure(row, rounds=rounds, seconds=options.seconds, loop=options.loop)
        except Lost as lost:
            raise Lost(f"{name}: {lost}") from lost
        found = entries_of(name, row, figures)
        entries += found
        print(*table.lines(found), sep="\n", flush=True)
    return entries


def left_out(rows: list[tuple[str, Row]]) -> list[str]:
    """Who cannot run here, and where it would have."""
    return [
        f"{row.name}: {way.name} ({way.needs} is not installed)"
        for _, row in rows
        for way in row.ways
        if not way.installed
    ]


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--list", action="store_true", help="the names of the rows; measure nothing")
    add("--quick", action="store_true", help="everything once: does it run, and is nothing lost?")
    add(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="rows whose name contains TEXT, or a scenario's name",
    )
    add("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="in asyncio's place")
    add(
        "--clock",
        choices=tuple(CLOCKS),
        default="thread",
        help="the thread's processor time, which other programs do not disturb (%(default)s)",
    )
    add("--rounds", type=int, default=ROUNDS, metavar="N", help="at most (%(default)s)")
    add(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="S",
        help="for the rounds of a row; three are done anyway (%(default)s)",
    )
    add("--no-gc", action="store_true", help="without the garbage collector")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    add("--docs", type=Path, metavar="FOLDER", help="write benchmarks.md and .svg there")
    add(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="measure nothing: write the document and the picture from these figures (--json)",
    )
    add(
        "--scenarios",
        type=Path,
        default=HERE,
        metavar="FOLDER",
        help="where the files bench_*.py are (beside this one)",
    )
    return parser.parse_args(arguments)


def compared(options: argparse.Namespace) -> Comparison:
    if options.clock == "thread":
        harness.now = clock  # the scenarios, imported below, take it from there
    modules = scenarios(options.scenarios.resolve())
    rows = chosen(modules, options.only)
    if not rows:
        raise SystemExit(f"no row contains {' or '.join(options.only)!r}")
    if options.no_gc:
        gc.disable()
    host = machine()
    start = time.monotonic()
    entries = run(rows, options)
    names = dict.fromkeys(name for name, _ in rows)
    said = [f"at most {options.rounds} rounds and {options.seconds:g} s a row, on {options.loop}"]
    said.append(CLOCKS[options.clock])
    said += ["--quick: one round"] * options.quick + [
        "without the garbage collector"
    ] * options.no_gc
    return Comparison(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=host,
        versions=versions(way.needs for _, row in rows for way in row.ways if way.needs),
        seconds=time.monotonic() - start,
        options="; ".join(said),
        scenarios={name: (modules[name].__doc__ or name).strip() for name in names},
        left_out=left_out(rows),
        entries=entries,
    )


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    if options.list:
        rows = chosen(scenarios(options.scenarios.resolve()), options.only)
        print(*(name for _, row in rows for name in row.part_names()), sep="\n")
        return 0
    if options.source:
        comparison = Comparison.read(options.source)
    else:
        try:
            comparison = compared(options)
        except Lost as lost:
            print(f"\nLOST: {lost}", file=sys.stderr, flush=True)
            return 1
    targets = comparison.targets()
    met = [entry for entry in targets if entry.verdict == "goal"]
    held = [entry for entry in targets if entry.verdict == "floor"]
    print(
        f"\n{len(comparison.rows())} rows in {comparison.seconds:.0f} s. Of {len(targets)} targets, "
        f"{len(met)} are met, {len(held)} hold the floor, {len(targets) - len(met) - len(held)} are missed."
    )
    for line in comparison.left_out:
        print(f"left out: {line}")
    if options.json:
        comparison.write(options.json)
    whole = not (options.quick or options.only or options.scenarios != HERE)
    docs = options.docs or (HERE.parent / "docs" if whole or options.source else None)
    if docs is not None:
        docs.mkdir(parents=True, exist_ok=True)
        (docs / "benchmarks.md").write_text(document.written(comparison), encoding="utf-8")
        (docs / "benchmarks.svg").write_text(picture.drawn(comparison), encoding="utf-8")
        print(f"written: {docs / 'benchmarks.md'} and benchmarks.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
