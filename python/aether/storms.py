"""What is said of each time, and still does not flood a log when it happens often.

Contract:
- Of one kind, `BURST` are let through in a second; of the others it is known how many there were, which is said with the
  next one that is let through. A burst that is the last one ends without that: counters are what is exact.
- So many kinds are told apart, `KINDS`; what comes beyond them counts as one.
- By one thread at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

__all__ = ["BURST", "KINDS", "Storm", "and_more"]

BURST = 10
KINDS = 100


def and_more(more: int) -> str:
    """What is said at the end of a line of those that were held back."""
    return f", and {more:,} more such since the last line" if more else ""


@dataclass(slots=True)
class _Kind:
    since: float
    said: int = 0
    more: int = 0


class Storm:
    """Lets through what is to be said.

    Args:
        clock: Seconds that do not go back.

    Example:
        >>> storm = Storm(clock=lambda: 0.0)
        >>> [storm.passes("timeout") for _ in range(12)][8:]
        [0, 0, None, None]
        >>> storm.passes("other")
        0
    """

    __slots__ = ("_clock", "_kinds")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}

    def passes_error(self, event: str, error: BaseException) -> int | None:
        """The same for an event that an error is said with: of one kind are those of one class."""
        kind = type(error)
        # Not the class itself, which would be kept for that.
        return self.passes((event, f"{kind.__module__}.{kind.__qualname__}"))

    def passes(self, kind: Hashable) -> int | None:
        """How many of this kind were held back since one was let through; `None`: this one is held back."""
        now = self._clock()
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= KINDS:
                kind = None
            known = self._kinds.setdefault(kind, _Kind(now))
        if now - known.since >= 1.0:
            known.since, known.said = now, 0
        if known.said >= BURST:
            known.more += 1
            return None
        known.said += 1
        more, known.more = known.more, 0
        return more
