"""`docs/benchmarks.md` from a comparison: how to read it, the targets, every table.

Figures come from the comparison alone. What is said about a missed target comes
from `reasons.toml`, by the row's name, and so outlives each new run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from results import Comparison, Entry, format_ratio, format_value
from table import target

__all__ = ["REASONS", "written"]

REASONS = Path(__file__).with_name("reasons.toml")
MARKS = {"goal": "goal met", "floor": "floor met", "missed": "**missed**", "": ""}

INTRODUCTION = """\
# Benchmarks

<!-- Written by `make bench` (benches/compare.py); a change made here by hand is lost. -->

The medium beside its peers, each in its best use: {rows} jobs, {ways} ways to do them. Every message was counted and
checked; one lost, doubled or out of place would have ended the run without this document.

![Time of each way to do a job, on a scale of tens](benchmarks.svg)

## How to read it

- The ways of a row ran in turns, so that whatever else the machine did hit all alike. *min*, *median* and *max* are
  those of the rounds: the minimum is what the code takes when nothing disturbs it, the distance to the maximum is how
  noisy the machine was.
- *to aether* is how many times as long as ours it took, minimum to minimum (for latency, median to median): x3 is
  three times as long, **x0.5 is half: there the peer is faster**. Ours is the first line of each table.
- *goal* is what we are here for, *floor* is what must hold even on a noisy machine with two cores. `<=` limits ours.
- Peers get the bare payload, ours makes a wave with channel, time, priority and source around it. What calls functions
  (a plain list, pyee, blinker, reactivex, pymitter, zenoh) queues nothing and waits for nobody.
- Where all happens in one thread, the clock is that thread's processor time, which stands still while other programs
  have the processor; threads into a loop, and the import, go by the wall. The line `run` below says so if it was otherwise.
- Times are of this machine and this run; another one has others. Nothing in the test suite asserts a time.

"""


def written(comparison: Comparison) -> str:
    """The whole document."""
    return "\n".join(_parts(comparison)).rstrip() + "\n"


def _parts(comparison: Comparison) -> Iterator[str]:
    rows = comparison.rows()
    yield INTRODUCTION.format(
        rows=len(rows),
        ways=len({entry.way for entry in comparison.entries}),
    )
    yield from _setting(comparison)
    yield from _targets(comparison)
    yield from _where_peers_win(comparison)
    for name, text in comparison.scenarios.items():
        yield from _scenario(text, [e for e in comparison.entries if e.scenario == name])
    if comparison.left_out:
        yield "## Left out\n"
        yield from (f"- {line}" for line in comparison.left_out)
        yield ""
    yield "## Not measured\n"
    yield str(_reasons()["not measured"]).strip() + "\n"


def _setting(comparison: Comparison) -> Iterator[str]:
    yield "## Machine and versions\n"
    yield "| | |\n|---|---|"
    for name, value in comparison.machine.items():
        yield f"| {name} | {value} |"
    yield f"| date | {comparison.date} |"
    yield f"| run | {comparison.options}; {comparison.seconds:,.0f} s in all |"
    yield f"| versions | {', '.join(f'{n} {v}' for n, v in comparison.versions.items())} |\n"


def _targets(comparison: Comparison) -> Iterator[str]:
    targets = comparison.targets()
    met, floors, missed = (
        [entry for entry in targets if entry.verdict == verdict]
        for verdict in ("goal", "floor", "missed")
    )
    yield "## Targets\n"
    yield (
        f"Of {len(targets)} targets {len(met)} meet their goal, {len(floors)} only the floor, "
        f"and {len(missed)} are missed.\n"
    )
    yield "| what | against | goal | floor | measured | |\n|---|---|---:|---:|---:|---|"
    for entry in targets:
        got = (
            format_value(entry.counts, entry.measure) if entry.limit else format_ratio(entry.ratio)
        )
        against = "the limit" if entry.limit else entry.way
        goal, floor = target(entry, entry.goal), target(entry, entry.floor)
        yield f"| {entry.row} | {against} | {goal} | {floor} | {got} | {MARKS[entry.verdict]} |"
    yield ""
    short = [*missed, *floors]
    if short:
        yield "### What stands between\n"
        by_row: dict[str, list[Entry]] = {}
        for entry in targets:
            if entry in short:
                by_row.setdefault(entry.row, []).append(entry)
        for row, entries in by_row.items():
            yield f"**{row}.** {'; '.join(map(_shortfall, entries))}. {reason(row)}\n"


def _shortfall(entry: Entry) -> str:
    goal, floor = target(entry, entry.goal), target(entry, entry.floor)
    if entry.limit:
        got, against = format_value(entry.counts, entry.measure), ""
    else:
        got, against = format_ratio(entry.ratio), f" against {entry.way}"
    verdict = "the floor is missed too" if entry.verdict == "missed" else "the floor holds"
    return f"{got}{against}, the goal is {goal} and the floor {floor}: {verdict}"


def reason(row: str) -> str:
    """What is written about a row that falls short."""
    found: str | None = _reasons()["rows"].get(row)  # type: ignore[attr-defined]
    return " ".join(found.split()) if found else "*Why is not known yet.*"


def _reasons() -> dict[str, object]:
    return tomllib.loads(REASONS.read_text(encoding="utf-8"))


def _where_peers_win(comparison: Comparison) -> Iterator[str]:
    yield "## Where a peer is faster or smaller\n"
    found = [e for e in comparison.entries if not e.ours and e.ratio < 1]
    if not found:
        yield "Nowhere in this run.\n"
        return
    yield "| what | who | it takes | ours | to aether |\n|---|---|---:|---:|---:|"
    ours = {e.row: e for e in reversed(comparison.entries) if e.way == "aether"}
    for entry in sorted(found, key=lambda e: e.ratio):
        theirs = format_value(entry.counts, entry.measure)
        mine = format_value(ours[entry.row].counts, entry.measure)
        yield f"| {entry.row} | {entry.way} | {theirs} | {mine} | {format_ratio(entry.ratio)} |"
    yield ""


def _scenario(text: str, entries: list[Entry]) -> Iterator[str]:
    title, _, rest = text.partition("\n")
    yield f"## {title.partition(': ')[0].partition('; per')[0].rstrip('.')}\n"
    yield f"{title}\n"
    if rest.strip():
        yield f"{rest.strip()}\n"
    row = ""
    for entry in entries:
        if entry.row != row:
            if row:
                yield ""
            row = entry.row
            yield f"**{row}**, per {entry.unit}; {entry.rounds} rounds\n"
            yield "| | min | median | max | to aether |\n|---|---:|---:|---:|---:|"
        name = f"**{entry.way}**" if entry.ours else entry.way
        values = " | ".join(
            format_value(value, entry.measure) for value in (entry.least, entry.median, entry.most)
        )
        yield f"| {name} | {values} | {format_ratio(entry.ratio)} |"
    yield ""
