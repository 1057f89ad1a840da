"""The table that a comparison prints, row by row as they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from results import Entry, format_ratio, format_value

__all__ = ["VERDICTS", "head", "lines", "target"]

VERDICTS = {"": "", "goal": "goal met", "floor": "floor met", "missed": "MISSED"}


def target(entry: Entry, value: float | None) -> str:
    """A goal or a floor as it is read: a ratio, or for ours alone a limit."""
    if value is None:
        return ""
    return f"<={format_value(value, entry.measure)}" if entry.limit else f"x{value:g}"


def head() -> str:
    """The names of the columns."""
    return f"{'':36}{'min':>11}{'median':>11}{'max':>11}{'/ aether':>10}{'goal':>10}{'floor':>10}"


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """The lines of one row, its parts one below the other."""
    row = ""
    for entry in entries:
        if entry.row != row:
            row = entry.row
            yield f"{row}, per {entry.unit}"
        name = f"{entry.way} [{entry.loop}]" if entry.loop == "uvloop" else entry.way
        figures = "".join(
            f"{format_value(value, entry.measure):>11}"
            for value in (entry.least, entry.median, entry.most)
        )
        goals = "".join(f"{target(entry, value):>10}" for value in (entry.goal, entry.floor))
        verdict = VERDICTS[entry.verdict]
        yield f"  {name:34}{figures}{format_ratio(entry.ratio):>10}{goals}  {verdict}".rstrip()
