"""What a medium admits of vibrators, patterns and handlers: `AetherConfig.limits`.

Contract:
- What is refused is refused whole, and leaves everything as it was. The error names the limit, its value and the remedy.
- The limits hold also where threads ask at once: one is let in at a time. Without a limit nobody waits and nothing is
  counted.
- Waves are the native side's: see `rust/core/src/medium/pressure.rs`.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aether.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from aether.config.limits import LimitsConfig

__all__ = ["Admission", "soft_of"]


def soft_of(limits: LimitsConfig) -> int:
    """From how many waves on faint ones are shed."""
    return 0 if limits.queued is None else int(limits.soft * limits.queued)


class Admission:
    """Lets things in, as far as the limits go."""

    __slots__ = ("_counting", "_refused")

    def __init__(self) -> None:
        # May be asked for again in the midst of it, by the end of some object.
        self._counting = threading.RLock()
        self._refused: Counter[str] = Counter()

    def refused(self) -> Counter[str]:
        """How often something was refused, by the limit."""
        with self._counting:
            return Counter(self._refused)

    @contextmanager
    def of(
        self,
        limit: str,
        most: int | None,
        more: int,
        there: Callable[[], int],
        what: str,
        remedy: str,
    ) -> Generator[None]:
        """So many more come in, in this block.

        Raises:
            LimitExceeded: There would be too many.
        """
        if most is None:
            yield
            return
        with self._counting:
            count = there()
            if more and count + more > most:
                self._refused[limit] += 1
                are = "is" if count == 1 else "are"
                would = f"{count + more - most} more" if more > 1 else "one more"
                message = f"{what} would be {would} than limits.{limit}={most}: there {are} {count}; {remedy}, or raise the limit"
                raise LimitExceeded(message)
            yield
