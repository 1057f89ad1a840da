"""The handlers of one medium.

Contract:
- A medium keeps a handler, and with it its vibrator, from `@vibrator.on` until the vibrator is closed and the
  handler has ended what it was at: so long it is waited for and can be cancelled.
- A lane has a place from the moment that it is asked for: what counts lanes for a limit never sees one too few.
- What handlers have dropped counts for the medium as it does for their vibrators, also when they are gone.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether._native import Mailbox
    from aether.lane import Lane
    from aether.vibrator import Vibrator


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """What all lanes of a medium are at, and have dropped.

    Attributes:
        behind: Waves that stand behind busy keys.
        dropped: Waves that were taken and not handled to the end, by reason.
        working: Waves that are being handled or stand behind busy keys, by the name of the vibrator.
        incidents: What has happened around handlers, by the name of the vibrator and the kind.
        circuits: How many circuits there are, by the name of the breaker and the state.
    """

    behind: int
    dropped: Counter[str]
    working: Counter[str]
    incidents: Counter[tuple[str, str]]
    circuits: Counter[tuple[str, str]]


class Place:
    """That of a lane which is about to come, with its mailbox: it counts for the limits as the lane will."""

    __slots__ = ("__weakref__", "concurrency", "mailbox", "owner")

    def __init__(self, owner: object, mailbox: Mailbox, concurrency: int) -> None:
        self.owner = owner
        self.mailbox = mailbox
        self.concurrency = concurrency


class Lanes:
    """The lanes of a medium, each with its vibrator. Iterating looks at those of that moment."""

    __slots__ = ("_counting", "_gone", "_incidents", "_owners", "_places")

    def __init__(self) -> None:
        self._owners: dict[Lane, Vibrator] = {}
        self._gone: Counter[str] = Counter()
        """What lanes that are forgotten have dropped."""
        self._incidents: Counter[tuple[str, str]] = Counter()
        """What had happened around them."""
        self._places: weakref.WeakValueDictionary[int, Place] = weakref.WeakValueDictionary()
        # May be asked for again in the midst of it, by the end of some object.
        self._counting = threading.RLock()

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._owners))

    def expect(self, owner: object, mailbox: Mailbox, concurrency: int) -> Place:
        """A place for a lane that is about to come, for as long as somebody holds it."""
        place = Place(owner, mailbox, concurrency)
        self._places[id(place)] = place
        return place

    def leave(self, place: Place) -> None:
        """Nothing comes to this place."""
        self._places.pop(id(place), None)

    def add(self, lane: Lane, owner: Vibrator, place: Place) -> None:
        """Keeps a lane in its place, and its vibrator."""
        with self._counting:
            self._owners[lane] = owner
            self.leave(place)

    def tasks(self) -> int:
        """How many handlers can run at once, of those that are about to come as well."""
        with self._counting:
            coming = sum(place.concurrency for place in self._expected())
            return coming + sum(lane.concurrency for lane in self)

    def mailboxes_of(self, owner: object) -> list[Mailbox]:
        """Those of a vibrator's lanes, and of those that are about to come."""
        with self._counting:
            coming = [place.mailbox for place in self._expected() if place.owner is owner]
            return coming + [
                lane.mailbox for lane, its in list(self._owners.items()) if its is owner
            ]

    def _expected(self) -> list[Place]:
        # Taken in one step, which an iteration is not.
        return [place for of in self._places.valuerefs() if (place := of()) is not None]

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
                self._incidents.update(_incidents(lane))

    def figures(self) -> LaneFigures:
        """What was taken from mailboxes and is not done, or was dropped."""
        dropped = Counter(self._gone)
        working = Counter[str]()
        incidents = Counter(self._incidents)
        circuits: dict[str, Counter[str]] = {}
        behind = 0
        for lane in self:
            behind += lane.behind
            working[lane.mailbox.label] += lane.working
            dropped.update(lane.dropped)
            incidents.update(_incidents(lane))
            if lane.guard is not None and lane.guard.circuit is not None:
                # Several handlers may share one.
                circuits[lane.guard.circuit] = Counter(lane.guard.phases.values())
        by_state = Counter(
            {
                (name, state): count
                for name, states in circuits.items()
                for state, count in states.items()
            }
        )
        return LaneFigures(behind, dropped, working, incidents, by_state)


def _incidents(lane: Lane) -> Counter[tuple[str, str]]:
    return Counter({(lane.mailbox.label, kind): count for kind, count in lane.incidents().items()})
