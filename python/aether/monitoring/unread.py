"""Who does not read: since when nobody has taken what waits in a mailbox, or behind a busy key of a handler.

Contract:
- All mailboxes are looked at, however many there are: each costs a few words while something waits in it.
- It is known as of the last look: whether somebody has taken a wave since, only the next one says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aether.monitoring.held import Held

__all__ = ["Unread", "UnreadSince"]


@dataclass(frozen=True, slots=True)
class Unread:
    """Waves that wait, and for how long nobody has taken one of them.

    Attributes:
        vibrator: Whose they are.
        is_handler: Whether they are those of a handler.
        by_key: Whether they stand behind a busy key of it; otherwise they are in a mailbox.
        waiting: How many there are.
        seconds: For how long.
    """

    vibrator: str
    is_handler: bool
    by_key: bool
    waiting: int
    seconds: float

    def __str__(self) -> str:
        who = f"{'a handler of ' if self.is_handler else ''}{self.vibrator!r}"
        if self.by_key:
            return f"{self.waiting:,} waves stand behind a key of {who}, which has been at one for {self.seconds:.0f} s"
        return f"{self.waiting:,} waves wait for {who}, who has taken none for {self.seconds:.0f} s"


class UnreadSince:
    """Looks, and remembers since when nothing was taken."""

    __slots__ = ("_heads", "_taken", "_unread")

    def __init__(self) -> None:
        self._taken: dict[int, tuple[int, float]] = {}
        """By the number of a mailbox: how many were taken, and since when that is so."""
        self._heads: dict[tuple[int, int], float] = {}
        """Since when a wave is the next one behind a key, by the mailbox and its number in the line."""
        self._unread: list[Unread] = []
        """The longest first."""

    def look(self, now: float, found: Iterable[Held]) -> None:
        """One more look, in seconds of any clock that does not go back."""
        taken: dict[int, tuple[int, float]] = {}
        heads: dict[tuple[int, int], float] = {}
        unread: list[Unread] = []
        for one in found:
            if one.in_mailbox:
                known = self._taken.get(one.number)
                if known is None or known[0] != one.received:
                    known = one.received, now
                taken[one.number] = known
                since = known[1]
                if since < now:
                    who = (one.vibrator, one.is_handler)
                    unread.append(Unread(*who, False, one.in_mailbox, now - since))
            oldest: tuple[float, int] | None = None
            for line in one.lines:
                head = (one.number, line.first)
                heads[head] = since = self._heads.get(head, now)
                if since < now and (oldest is None or since < oldest[0]):
                    oldest = since, line.waiting
            # Of the keys of a handler, the one that has been busy for longest.
            if oldest is not None:
                who = (one.vibrator, one.is_handler)
                unread.append(Unread(*who, True, oldest[1], now - oldest[0]))
        unread.sort(key=_by_age)
        self._taken, self._heads, self._unread = taken, heads, unread

    def longer_than(self, limit: float, most: int) -> tuple[int, list[Unread]]:
        """How many have waited for longer than this as of the last look, and those that have for longest, up to a number."""
        unread = self._unread
        count = bisect_left(unread, -limit, key=_by_age)
        return count, unread[: min(count, most)]


def _by_age(one: Unread) -> float:
    return -one.seconds
