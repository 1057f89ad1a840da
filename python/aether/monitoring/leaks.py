"""Hints at leaks: what has only grown for a whole window.

Contract:
- A hint is given for a window of samples, each of which is at least the one before, the last one greater than the first by
  a threshold. So whatever falls within a window, as what is collected or drained does, is no leak.
- Of what is measured more often than is kept, the least counts: a saw with short teeth does not seem to climb.
- A window is as long as is asked for, or as `LEAST` samples take; a hint says how long it was. After a change of the
  window, it begins anew.
- A series is bounded, however long the window is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["LEAST", "POINTS", "LeakHint", "Series", "growth"]

POINTS = 30
"""Into how many parts a window falls, with a sample at each end of each; fewer, if that is more often than is measured."""

LEAST = 5
"""How many samples a window has at least."""


@dataclass(frozen=True, slots=True)
class LeakHint:
    """Something that has only grown for a window.

    Attributes:
        what: `mailbox`, or the `memory` of the process.
        vibrator: Whose mailbox; for the memory, the one whose waiting payloads have grown by half of that or more, if
            there is one.
        first: Waves or bytes, at the beginning of the window.
        last: At its end.
        seconds: How long the window was.
    """

    what: Literal["mailbox", "memory"]
    vibrator: str | None
    first: int
    last: int
    seconds: float

    def __str__(self) -> str:
        if self.what == "mailbox":
            return (
                f"more and more waves wait for {self.vibrator!r}: {self.first:,}, and {self.last:,} after "
                f"{self.seconds:.0f} s"
            )
        grown = f"the memory has only grown: {self.first:,} bytes, and {self.last:,} after {self.seconds:.0f} s"
        return (
            grown if self.vibrator is None else f"{grown}; much of it waits for {self.vibrator!r}"
        )


def growth(samples: Sequence[int], least: int) -> int | None:
    """By how much samples have grown, if they never fell and that is `least` or more.

    Example:
        >>> growth([1, 1, 2, 5], 3)
        4
        >>> growth([1, 5, 2, 9], 3) is None
        True
    """
    grown = samples[-1] - samples[0] if samples else 0
    if grown < max(least, 1) or any(
        a > b for a, b in zip(samples, list(samples)[1:], strict=False)
    ):
        return None
    return grown


class Series:
    """The samples of one thing over a window."""

    __slots__ = ("_least", "_points", "_window")

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque(maxlen=POINTS + 1)
        self._window = 0.0
        self._least: int | None = None

    def add(self, now: float, value: int, window: float) -> None:
        """One more measurement, in seconds of any clock that does not go back."""
        points = self._points
        if window != self._window:
            points.clear()
            self._window, self._least = window, None
        self._least = value if self._least is None else min(self._least, value)
        if not points or now - points[-1][0] >= window / POINTS:
            points.append((now, self._least))
            self._least = None
            # Those that a window does without, if it is measured less often than it has parts.
            while len(points) > LEAST and now - points[1][0] >= window:
                points.popleft()

    def grown(self, least: int) -> tuple[int, int, float] | None:
        """The first and the last sample and the seconds between, if the window is full and they have grown so."""
        points = list(self._points)
        if len(points) < LEAST:
            return None
        (begun, first), (ended, last) = points[0], points[-1]
        # With all its parts it is full, whatever the last digit of a sum says.
        is_full = len(points) > POINTS or ended - begun >= self._window
        if not is_full or growth([value for _, value in points], least) is None:
            return None
        return first, last, ended - begun
