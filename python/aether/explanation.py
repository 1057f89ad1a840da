"""Who would get a wave, and why the others would not: the answer of `medium.explain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aether._printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class ExplanationRow:
    """The answer for one mailbox.

    Attributes:
        vibrator: The label of its vibrator; of a group, `workers (group)`, which is one mailbox.
        patterns: What it resonates on, as spelled.
        reached: Whether a wave would be delivered to it now.
        reason: Why not: `pattern`, `own`, `closed`, or what begins with `limits.soft`, `noise floor`, `min_amplitude` (too
            faint for the whole medium) or `full`. A mailbox that is reached has one only if it is full
            and would let another wave go.
        handler: Whether it feeds a handler.
    """

    vibrator: str
    patterns: tuple[str, ...]
    reached: bool
    reason: str | None
    handler: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """For each vibrator, whether a wave would reach it; prints as a table, iterates over its rows.

    Attributes:
        channel: The channel in question.
        amplitude: The amplitude in question, 0..1.
        rows: The answers, in the order in which the vibrators were made.
    """

    channel: str
    amplitude: float
    rows: tuple[ExplanationRow, ...]

    @classmethod
    def of(
        cls,
        channel: str,
        amplitude: float,
        rows: Iterable[tuple[str, Sequence[str], bool, str | None, bool]],
    ) -> Explanation:
        """Makes one of the native rows (vibrator, patterns, reached, reason, handler)."""
        made = [
            ExplanationRow(name, tuple(patterns), reached, reason, handler)
            for name, patterns, reached, reason, handler in rows
        ]
        handling = {row.vibrator for row in made if row.handler}
        # A vibrator that only handles has a mailbox of its own that nobody resonates for.
        kept = (row for row in made if row.patterns or row.handler or row.vibrator not in handling)
        return cls(channel, amplitude, tuple(kept))

    @property
    def reached(self) -> tuple[str, ...]:
        """The vibrators that would get the wave."""
        return tuple(row.vibrator for row in self.rows if row.reached)

    def __iter__(self) -> Iterator[ExplanationRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        head = f"{printable(self.channel)} at amplitude {self.amplitude:g}"
        if not self.rows:
            return f"{head}: no vibrators"
        cells: list[tuple[str, ...]] = [("vibrator", "resonates on", "wave", "why")]
        for row in self.rows:
            patterns = ", ".join(row.patterns) or "(none)"
            said = (
                row.vibrator,
                patterns,
                "reached" if row.reached else "not reached",
                row.reason or "",
            )
            cells.append(tuple(map(printable, said)))
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
        return "\n".join((f"{head}:", *lines))
