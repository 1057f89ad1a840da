"""The handlers of one medium.

Contract:
- A medium keeps a handler, and with it its vibrator, from `@vibrator.on` until the vibrator is closed and the
  handler has ended what it was at: so long it is waited for and can be cancelled.
- What handlers have dropped counts for the medium as it does for their vibrators, also when they are gone.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether.lane import Lane
    from aether.vibrator import Vibrator


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """What all lanes of a medium are at, and have dropped.

    Attributes:
        behind: Waves that stand behind busy keys.
        dropped: Waves that were taken and not handled to the end, by reason.
        working: Waves that are being handled or stand behind busy keys, by the name of the vibrator.
    """

    behind: int
    dropped: Counter[str]
    working: Counter[str]


class Lanes:
    """The lanes of a medium, each with its vibrator. Iterating looks at those of that moment."""

    __slots__ = ("_counting", "_gone", "_owners")

    def __init__(self) -> None:
        self._owners: dict[Lane, Vibrator] = {}
        self._gone: Counter[str] = Counter()
        """What lanes that are forgotten have dropped."""
        # May be asked for again in the midst of it, by the end of some object.
        self._counting = threading.RLock()

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._owners))

    def add(self, lane: Lane, owner: Vibrator) -> None:
        """Keeps a lane, and its vibrator."""
        self._owners[lane] = owner

    def release(self, owner: Vibrator) -> None:
        """Forgets the lanes of a vibrator that is closed: each as soon as it does not run."""
        for lane in [lane for lane, its in list(self._owners.items()) if its is owner]:
            # In this order: its last worker may end meanwhile in another thread.
            lane.on_ended.append(self._forget)
            if not lane.is_running:
                self._forget(lane)

    def _forget(self, lane: Lane) -> None:
        if self._owners.pop(lane, None) is not None:
            with self._counting:
                self._gone.update(lane.dropped)

    def figures(self) -> LaneFigures:
        """What was taken from mailboxes and is not done, or was dropped."""
        dropped = Counter(self._gone)
        working = Counter[str]()
        behind = 0
        for lane in self:
            behind += lane.behind
            working[lane.mailbox.label] += lane.working
            dropped.update(lane.dropped)
        return LaneFigures(behind, dropped, working)
