"""What a comparison found, as plain data: entries, the machine, versions; to JSON and back."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harness import Row, Target, Way
from turns import Figures

__all__ = [
    "Comparison",
    "Entry",
    "Verdict",
    "entries_of",
    "format_ratio",
    "format_value",
    "machine",
]

Verdict = Literal["", "goal", "floor", "missed"]


@dataclass(frozen=True)
class Entry:
    """One way to do one part of a row: its rounds, and how it stands to ours."""

    scenario: str
    row: str
    unit: str
    measure: str
    way: str
    ours: bool
    loop: str
    rounds: int
    least: float
    median: float
    most: float
    counts: float
    ratio: float
    goal: float | None
    floor: float | None
    limit: bool
    verdict: Verdict
    picture: bool


@dataclass(frozen=True)
class Comparison:
    """All that the table, the document and the picture are made of."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    seconds: float
    options: str
    scenarios: dict[str, str]
    left_out: list[str]
    entries: list[Entry]

    def write(self, file: Path) -> None:
        """As JSON."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Comparison:
        """What `write` wrote."""
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**found, "entries": [Entry(**entry) for entry in found["entries"]]})

    def rows(self) -> dict[str, list[Entry]]:
        """The entries by row, in order."""
        by_row: dict[str, list[Entry]] = {}
        for entry in self.entries:
            by_row.setdefault(entry.row, []).append(entry)
        return by_row

    def targets(self) -> list[Entry]:
        """The entries that have a goal."""
        return [entry for entry in self.entries if entry.goal is not None]


def entries_of(scenario: str, row: Row, figures: Iterable[Figures]) -> list[Entry]:
    """Each figure beside ours of the same part."""
    figures = list(figures)
    ours = {figure.part: figure.counts for figure in figures if figure.way is row.ways[0]}
    found = []
    for figure in figures:
        short = figure.part.removeprefix(f"{row.name}, ")
        ratio = figure.counts / ours[figure.part] if ours[figure.part] else float("inf")
        goal, floor, verdict = judged(row, figure.way, short, ratio, figure.counts)
        picture = short in row.picture if isinstance(row.picture, tuple) else row.picture
        found.append(
            Entry(
                scenario=scenario,
                row=figure.part,
                unit=row.unit,
                measure=row.measure,
                way=figure.way.name,
                ours=figure.way.ours,
                loop=figure.loop,
                rounds=len(figure.rounds),
                least=figure.least,
                median=figure.median,
                most=figure.most,
                counts=figure.counts,
                ratio=ratio,
                goal=goal,
                floor=floor,
                limit=goal is not None and figure.way is row.ways[0],
                verdict=verdict,
                picture=picture,
            )
        )
    return found


def judged(
    row: Row, way: Way, part: str, ratio: float, counts: float
) -> tuple[float | None, float | None, Verdict]:
    """The way's goal and floor, and which of them is met."""
    if way is row.ways[0]:
        if row.limit is None:
            return None, None, ""
        goal, floor = row.limit
        return goal, floor, "goal" if counts <= goal else "floor" if counts <= floor else "missed"
    wanted, least = _of_part(way.goal, part), _of_part(way.floor, part)
    if wanted is None or least is None:
        return None, None, ""
    return wanted, least, "goal" if ratio >= wanted else "floor" if ratio >= least else "missed"


def _of_part(target: Target, part: str) -> float | None:
    return target.get(part) if not isinstance(target, (int, float)) and target else target  # type: ignore[union-attr,return-value]


def machine() -> dict[str, str]:
    """What it ran on, and how busy that was before."""
    found = {"system": f"{platform.system()} {platform.machine()}", "cores": str(os.cpu_count())}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        names = [
            line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line
        ]
        found["processor"] = names[0]
    except (OSError, IndexError):
        found["processor"] = platform.processor() or "unknown"
    if hasattr(os, "getloadavg"):
        found["load before"] = f"{os.getloadavg()[0]:.1f}"
    return found


def versions(modules: Iterable[str]) -> dict[str, str]:
    """The versions of Python, of us, and of the distributions that these modules come from."""
    found = {"Python": f"{platform.python_implementation()} {platform.python_version()}"}
    found["aether-medium"] = importlib.metadata.version("aether-medium")
    distributions = importlib.metadata.packages_distributions()
    for module in sorted({"anyio", *modules}):
        for name in distributions.get(module, [])[:1]:
            found[name] = importlib.metadata.version(name)
    return found


def format_value(value: float, measure: str) -> str:
    """Three digits or more, with the unit that suits them."""
    if measure != "ns":
        return f"{value:,.0f} {measure}"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if value >= 10 * size or (value >= size and unit != "µs"):
            return (
                f"{value / size:,.3g} {unit}"
                if value < 1000 * size
                else f"{value / size:,.0f} {unit}"
            )
    return f"{value:,.0f} ns" if value >= 100 else f"{value:,.1f} ns"


def format_ratio(ratio: float) -> str:
    """x0.43, x3.1, x42, x2,300."""
    digits = 2 if ratio < 2 else 1 if ratio < 20 else 0
    return f"x{ratio:,.{digits}f}"
