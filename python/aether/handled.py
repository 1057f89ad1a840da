"""What became of a wave that was emitted: `await receipt.handled(timeout)`.

Contract:
- It returns when everybody who got the wave has finished with it: a handler has ended, for good; a reader has asked for the
  next wave, or left; the wave was dropped where it waited. It says how each of them has ended, and never that somebody did
  well of whom that is not known.
- A wave costs nothing for it that nobody asks about. Who asks late gets what is remembered: see `Receipt.handled`.
- The wait is by the medium's clock, in any loop. Cancelled, or at its timeout, it leaves nothing behind.
"""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from aether._wait import Flag, checked_timeout, checkpoint, spawn
from aether.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aether._native import Receipt
    from aether._wait import Background
    from aether.running import Running
    from aether.timers import Timer

    Row: TypeAlias = tuple[int, str, bool, str, str | None, float | None]

__all__ = ["Handled", "How", "Outcome", "handled", "introduce"]

How: TypeAlias = Literal[
    "handled",
    "read",
    "failed",
    "left",
    "abandoned",
    "cleared",
    "conflated",
    "expired",
    "faded",
    "faintest",
    "full",
    "oldest",
    "shed",
]

_AT_WORK = {
    "handles": "is at work on it",
    "reads": "has not asked for the next",
    "waits": "has it waiting",
    "behind": "may still read it from the journal",
}
"""The states of those who have not finished."""

_SLACK = 0.001
"""Seconds after the moment at which time removes a wave, since it is gone only then."""

_SAID = 10
"""So many are named in a message."""

_media: weakref.WeakValueDictionary[int, Running] = weakref.WeakValueDictionary()
"""The media of this process, by their numbers."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one receiver has ended with a wave.

    Attributes:
        vibrator: The name of the vibrator; of members of a group that of the group, as `workers (group)`.
        handler: The name of the handler's function; `None` for a reader.
        how: `handled` (its handler has ended well), `read` (it has asked for the next), `failed` (for good, with `error`),
            `left` (it was closed with the wave in hand), or as `statistics()` counts what is dropped: `abandoned` (it was
            closed before, or its handler cancelled), `cleared`, `expired`, `faded`, `full`, `oldest`, `faintest`,
            `conflated`, `shed`.
        error: The class and the message of the error, up to 1,024 characters.
    """

    vibrator: str
    handler: str | None
    how: How
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it has finished with the wave, and well."""
        return self.how in {"handled", "read"}


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a wave, once everybody who got it has finished: what `receipt.handled()` gives.

    Attributes:
        outcomes: Those who are known, in no order: everybody who had not finished when it was asked for, and everybody who
            is remembered to have ended otherwise than well.
        finished: How many others had finished before, and well.
        unknown: How many had finished, or let the wave go, of whom nobody remembers how.
    """

    outcomes: tuple[Outcome, ...]
    finished: int = 0
    unknown: int = 0

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that have not ended well: failed, left, or dropped the wave."""
        return tuple(outcome for outcome in self.outcomes if not outcome.ok)

    @property
    def ok(self) -> bool:
        """Whether everybody has ended well, and that is known; true also of a wave that nobody got."""
        return not self.failed and not self.unknown

    def of(self, vibrator: str) -> tuple[Outcome, ...]:
        """The outcomes of one vibrator: of its reader and of each of its handlers."""
        return tuple(outcome for outcome in self.outcomes if outcome.vibrator == vibrator)


def introduce(medium: Running) -> None:
    """A medium is there, whose receipts may be asked."""
    _media[medium.number] = medium


async def handled(receipt: Receipt, timeout: float | None) -> Handled:
    """What `Receipt.handled` does, which says more."""
    wait = _Wait(receipt, checked_timeout(timeout))
    try:
        return await wait.until_over()
    finally:
        wait.end()


class _Receiver:
    """What is known of one receiver."""

    __slots__ = ("error", "had", "handler", "is_lane", "name", "state")

    def __init__(self, name: str, handler: str | None, *, is_lane: bool) -> None:
        self.name = name
        self.handler = handler
        self.is_lane = is_lane
        self.had = False
        """It was seen with the wave, in its mailbox or in hand."""
        self.state = ""
        self.error: str | None = None

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.name, self.handler, cast("How", self.state), self.error)


class _Wait:
    """One wait for the end of a wave."""

    __slots__ = (
        "_alarm",
        "_changed",
        "_deadline",
        "_expired",
        "_following",
        "_forgotten",
        "_medium",
        "_receipt",
        "_receivers",
        "_task",
        "_timeout",
        "_timers",
    )

    def __init__(self, receipt: Receipt, timeout: float | None) -> None:
        self._changed = Flag()
        self._receipt = receipt
        self._following = receipt.follow(self._wake)
        self._medium = None if self._following is None else _media.get(self._following.medium)
        self._timers = Timers(None) if self._medium is None else self._medium.timers
        self._timeout = timeout
        self._deadline = None if timeout is None else self._timers.now() + timeout
        self._expired = timeout == 0
        self._alarm: Timer | None = None
        """The one for the deadline."""
        self._task: Background | None = None
        self._receivers: dict[int, _Receiver] = {}
        self._forgotten = False
        """Somebody may have ended otherwise than well before it was asked, and nobody remembers who."""

    def _wake(self) -> None:
        self._changed.set()

    def _expire(self) -> None:
        self._expired = True
        self._changed.set()

    def end(self) -> None:
        """It waits no more."""
        if self._following is not None:
            # Whoever has the error has the frames in which it was raised.
            self._following.end()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._task is not None:
            self._task.cancel()

    async def until_over(self) -> Handled:
        """Returns when everybody has finished."""
        following = self._following
        if following is None:
            return Handled((), unknown=self._receipt.matched)
        if following.handles() == self._receipt.sequence and self._is_handling():
            message = "handled() was called by a handler of this very wave, which would wait for its own end; call it outside"
            raise RuntimeError(message)
        if self._receipt.pending:
            await self._until_durable()
        fresh = True
        while True:
            # In this order: what happens after the look wakes it.
            self._changed = Flag()
            again, rows = following.look()
            if again:
                # Somebody is just taking a wave.
                await checkpoint()
                continue
            soonest = self._take_in(rows)
            if soonest is None:
                return self._handled()
            if self._expired:
                raise TimeoutError(self._late())
            if fresh:
                # One turn is enough for most handlers, and costs less than to sleep and be woken.
                fresh = False
                await checkpoint()
            else:
                await self._rest(soonest)

    def _is_handling(self) -> bool:
        return self._medium is not None and any(lane.is_current() for lane in self._medium.lanes)

    async def _until_durable(self) -> None:
        """Goes on with the final receipt of a wave that a journal has to confirm first."""
        journal = None if self._medium is None else self._medium.journal
        position = self._receipt.position
        if journal is None or position is None:
            return
        told: list[Receipt | Exception] = []

        async def ask() -> None:
            try:
                told.append(await journal.durable(position))
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                told.append(error)

        self._task = spawn(ask, "aether handled", lambda _task: self._wake(), lambda _error: None)
        while not told:
            if self._expired:
                raise TimeoutError(self._late())
            self._changed = Flag()
            if not told:
                await self._rest(inf)
        final = told[0]
        if isinstance(final, Exception):
            raise final
        self._receipt = final

    async def _rest(self, seconds: float) -> None:
        """Waits until something has changed, for so many seconds at most, or until the time is over."""
        timers = self._timers
        if self._deadline is not None and self._alarm is None:
            self._alarm = timers.after(max(0.0, self._deadline - timers.now()), self._expire)
        timer = None if seconds == inf else timers.after(seconds, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _take_in(self, rows: Iterable[Row]) -> float | None:
        """Goes by what was seen. In how many seconds to look again in any case; `None`: all have finished."""
        soonest, there = inf, set[int]()
        for number, name, is_lane, state, error, left in rows:
            receiver = self._receivers.get(number)
            if state == "forgotten":
                # Of those who were seen with the wave nothing is forgotten.
                self._forgotten |= receiver is None
                continue
            if receiver is None:
                handler = self._handler(number) if is_lane else None
                receiver = self._receivers[number] = _Receiver(name, handler, is_lane=is_lane)
            # One that has it once more is at work.
            if state in _AT_WORK or number not in there:
                receiver.state, receiver.error = state, error
            receiver.had |= state in {"handles", "reads", "waits"}
            there.add(number)
            if left is not None:
                soonest = min(soonest, max(0.0, left) + _SLACK)
        for number, receiver in list(self._receivers.items()):
            if number not in there and receiver.state in _AT_WORK:
                self._passes(number, receiver)
        pending = any(receiver.state in _AT_WORK for receiver in self._receivers.values())
        return soonest if pending else None

    def _passes(self, number: int, receiver: _Receiver) -> None:
        """One that was at work has nothing to do with the wave any more, and nothing is said against it."""
        if receiver.had:
            receiver.state = "handled" if receiver.is_lane else "read"
        else:
            # It has passed it over in the journal, or had it unseen.
            del self._receivers[number]

    def _handler(self, number: int) -> str | None:
        lanes = () if self._medium is None else self._medium.lanes
        for lane in lanes:
            if lane.mailbox.number == number:
                return lane.handler_name
        return None

    def _handled(self) -> Handled:
        receipt = self._receipt
        outcomes = tuple(receiver.outcome for receiver in self._receivers.values())
        rest = max(0, receipt.matched - len(outcomes))
        if self._forgotten:
            return Handled(outcomes, 0, rest)
        dropped = Counter[str](outcome.how for outcome in outcomes)
        # Let go by who was no more when it came.
        lost = sum(max(0, count - dropped[why]) for why, count in receipt.reasons.items())
        lost = min(rest, lost)
        return Handled(outcomes, rest - lost, lost)

    def _late(self) -> str:
        at_work = [one for one in self._receivers.values() if one.state in _AT_WORK]
        said = [f"{one.name!r} {_AT_WORK[one.state]}" for one in at_work[:_SAID]]
        if len(at_work) > _SAID:
            said.append(f"{len(at_work) - _SAID} more")
        who = ", ".join(said) or "the journal has not confirmed it"
        return f"wave {self._receipt.sequence} was not handled within {self._timeout} s: {who}"
