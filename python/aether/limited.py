"""Emitters with limits: so many waves in a second, so many emissions under way.

Contract:
- An emission waits until there is a place among those under way and it is its turn, takes both at once, and goes out as any
  other: so the rate is that of the waves themselves. They are given first come first served, in all loops and threads, by
  the medium's clock. On trio, those that are let in at one moment go out in any order, as its tasks run.
- Who is cancelled, or gives up, while it waits has emitted nothing and leaves its turn to the next. Once it goes out its
  turn is used, whatever becomes of it.
- `emit_nowait` never waits: without a place or a turn it is `WouldBlock`. It passes nobody by.
- Once the medium is closed, nobody waits: who did gets `Closed`.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from aether._native import Bucket, Wave
from aether.errors import WouldBlock
from aether.handling.line import Line
from aether.handling.numbers import checked_count, checked_seconds
from aether.handling.rate import Rate
from aether.threads import Emitter, Emitting, block, refuse_in_a_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Self

    from aether._native import Receipt
    from aether.timers import Timers

__all__ = ["EmitterStatistics", "LimitedEmitter", "Limiting"]

_T = TypeVar("_T")

_PAIR = 2

_INSTEAD = "await emit_wave(...) or emit_nowait(...)"


@dataclass(frozen=True, slots=True)
class EmitterStatistics:
    """Counters of one emitter with limits.

    Attributes:
        under_way: Emissions under way now; 0 without a bulkhead.
        waiting: Emissions that wait by its limits now.
        waited: How many had to, ever.
        refused: How many did not wait, as `emit_nowait`, and were refused.
        timed_out: How many have given up.
    """

    under_way: int
    waiting: int
    waited: int
    refused: int
    timed_out: int


class _Room:
    """The places of a bulkhead and the turns of a rate: each emission takes one of both."""

    __slots__ = ("_bucket", "_bulkhead", "_lock", "_rate", "under_way")

    def __init__(self, rate: Rate | None, bulkhead: int | None) -> None:
        self._rate = rate
        self._bulkhead = bulkhead
        self._bucket = None if rate is None else Bucket(rate.rate, rate.burst)
        self._lock = threading.Lock()
        self.under_way = 0

    def _is_full(self) -> bool:
        return self._bulkhead is not None and self.under_way >= self._bulkhead

    def take(self, now: float) -> float:
        with self._lock:
            if self._is_full():
                return inf
            wait = 0.0 if self._bucket is None else self._bucket.take(now)
            if self._bulkhead is not None and wait == 0.0:
                self.under_way += 1
            return wait

    def give_back(self) -> None:
        with self._lock:
            if self._bucket is not None:
                self._bucket.give_back()
            self._leave()

    def leave(self) -> None:
        """An emission has ended: its turn is used, and its place is free."""
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        # Who came in when the medium was closed has taken none.
        self.under_way = max(0, self.under_way - 1)

    def lacks(self) -> tuple[str, str]:
        """The limit that keeps the next one out now, and how it is written."""
        if self._rate is None or self._is_full():
            return "bulkhead", f"bulkhead={self._bulkhead}"
        return "rate", f"rate={self._rate.rate:g}, burst={self._rate.burst}"


class Limiting:
    """The emitters with limits of one medium: what they have come to, also those that are gone."""

    __slots__ = ("__weakref__", "_counting", "_entrances", "_incidents", "_is_open", "timers")

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self._entrances: weakref.WeakValueDictionary[int, Entrance] = weakref.WeakValueDictionary()
        self._incidents: Counter[tuple[str, str]] = Counter()
        # May be asked for again in the midst of it, by the end of some object.
        self._counting = threading.RLock()
        self._is_open = False

    def entrance(
        self,
        rate: float | None,
        burst: int | None,
        bulkhead: int | None,
        timeout: float | None,
    ) -> Entrance:
        """What the emissions of a new emitter pass."""
        if rate is None and burst is not None:
            message = f"burst={burst} is how many waves pass at once by a rate; give rate= as well"
            raise ValueError(message)
        if rate is None and bulkhead is None:
            message = f"timeout={timeout} is for how long to wait by a limit; give rate= or bulkhead= as well"
            raise ValueError(message)
        checked = None if rate is None else Rate(rate, 1 if burst is None else burst)
        if bulkhead is not None:
            checked_count("bulkhead", bulkhead)
        if timeout is not None:
            checked_seconds("timeout", timeout)
        entrance = Entrance(self, checked, bulkhead, timeout)
        self._entrances[id(entrance)] = entrance
        if self._is_open:
            entrance.open()
        return entrance

    def _alive(self) -> list[Entrance]:
        # Taken in one step, which an iteration is not.
        return [one for of in self._entrances.valuerefs() if (one := of()) is not None]

    def open(self) -> None:
        """The medium is closed: nobody waits any more."""
        self._is_open = True
        for entrance in self._alive():
            entrance.open()

    def count(self, own: Counter[str], limit: str, incident: str) -> None:
        """Something has happened at a limit of an emitter, which has such counters of its own."""
        with self._counting:
            own[incident] += 1
            self._incidents[limit, incident] += 1

    def incidents(self) -> Counter[tuple[str, str]]:
        """How often emissions have `waited`, were `refused` or have `timed_out`, by the limit."""
        with self._counting:
            return Counter(self._incidents)

    def waiting(self) -> Counter[str]:
        """How many emissions wait now, by the limit."""
        waiting = Counter(bulkhead=0, rate=0)
        for entrance in self._alive():
            name, count = entrance.waiting
            waiting[name] += count
        return waiting


class Entrance:
    """What each emission of one emitter passes."""

    __slots__ = ("__weakref__", "_limiting", "_line", "_room", "_timeout", "incidents")

    def __init__(
        self, limiting: Limiting, rate: Rate | None, bulkhead: int | None, timeout: float | None
    ) -> None:
        self._limiting = limiting
        self._timeout = timeout
        self._room = _Room(rate, bulkhead)
        self._line = Line(self._room, limiting.timers)
        self.incidents: Counter[str] = Counter()

    @property
    def under_way(self) -> int:
        """How many are in."""
        return self._room.under_way

    @property
    def waiting(self) -> tuple[str, int]:
        """How many wait, and by which limit the first of them does."""
        return self._room.lacks()[0], self._line.waiting

    def open(self) -> None:
        """Nobody waits any more."""
        self._line.open()

    def leave(self) -> None:
        """An emission that came in has ended."""
        self._room.leave()
        self._line.look_again()

    def enter_now(self, channel: str) -> None:
        """Comes in without waiting.

        Raises:
            WouldBlock: There is no place, or it is not its turn.
        """
        if not self._line.take_now():
            name, said = self._count("refused")
            message = (
                f"emitting on {channel!r} would block: the limit {name} of this emitter is reached ({said}); nothing was "
                f"emitted; await emit_wave, emit later, or make an emitter with a larger {name}"
            )
            raise WouldBlock(message)

    async def enter(self, channel: str) -> None:
        """Comes in, and waits for it.

        Raises:
            TimeoutError: That took too long; the error names the limit.
        """
        if not self._line.take_now():
            self._count("waited")
            if not await self._line.take(self._timeout):
                raise self._too_late(channel)

    def enter_sync(self, channel: str) -> None:
        """The same in a thread without a loop."""
        if not self._line.take_now():
            self._count("waited")
            if not self._line.take_sync(self._timeout):
                raise self._too_late(channel)

    def _too_late(self, channel: str) -> TimeoutError:
        name, said = self._count("timed_out")
        return TimeoutError(
            f"emitting on {channel!r} has waited {self._timeout:g} s by the limit {name} of its emitter ({said}); nothing was "
            f"emitted; emit less, or make an emitter with a larger {name} or timeout"
        )

    def _count(self, incident: str) -> tuple[str, str]:
        name, said = self._room.lacks()
        self._limiting.count(self.incidents, name, incident)
        return name, said


class _Emission(Coroutine[Any, Any, _T]):
    """An emission that waits by its limits first. Until it is awaited it is the emission as such, with its warning."""

    __slots__ = ("_begin", "_emissions", "_steps")

    def __init__(
        self,
        emissions: Iterable[Coroutine[Any, Any, Any]],
        begin: Callable[[], Coroutine[Any, Any, _T]],
    ) -> None:
        self._emissions = emissions
        self._begin = begin
        self._steps: Coroutine[Any, Any, _T] | None = None

    def _begun(self) -> Coroutine[Any, Any, _T]:
        if self._steps is None:
            self._steps = self._begin()
        return self._steps

    def __await__(self) -> Generator[Any, Any, _T]:
        return self._begun().__await__()

    def send(self, value: Any, /) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        if self._steps is None:
            # As of a coroutine, nothing of it runs.
            for emission in self._emissions:
                emission.close()
        return self._begun().throw(*error)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()
        for emission in self._emissions:
            emission.close()


class LimitedEmitter(Emitter):
    """An emitter with limits: made by `emitter(rate=..., bulkhead=...)` of a medium, a vibrator or an emitter.

    It emits as any emitter does, once it may: `emit_wave`, `emit`, `emit_many` and `emit_sync` wait for a place and their
    turn, first come first served, and raise `TimeoutError` after its `timeout`; the `timeout` of a call is for what comes
    then, the wait for room. `emit_many` does so for each wave, one after the other. `emit_nowait` raises `WouldBlock`.
    Both errors name the limit.

    Example:
        >>> from aether import Aether
        >>> emitter = Aether().emitter(rate=1_000, burst=50, bulkhead=8, timeout=2.0)
        >>> emitter.emit_nowait("orders.created").sequence
        1
        >>> emitter.statistics().under_way
        0
    """

    __slots__ = ("_entrance",)

    def __new__(cls, of: Emitting, entrance: Entrance) -> Self:
        """A handle in the same name."""
        del entrance
        return super().__new__(cls, of)

    def __init__(self, of: Emitting, entrance: Entrance) -> None:
        super().__init__(of)
        self._entrance = entrance

    def statistics(self) -> EmitterStatistics:
        """The counters of this emitter now."""
        incidents = Counter(self._entrance.incidents)
        return EmitterStatistics(
            under_way=self._entrance.under_way,
            waiting=self._entrance.waiting[1],
            waited=incidents["waited"],
            refused=incidents["refused"],
            timed_out=incidents["timed_out"],
        )

    async def _one(self, emission: Coroutine[Any, Any, Receipt], channel: str) -> Receipt:
        try:
            await self._entrance.enter(channel)
        except BaseException:
            emission.close()
            raise
        try:
            return await emission
        finally:
            self._entrance.leave()

    async def _many(
        self, emissions: list[tuple[Coroutine[Any, Any, Receipt], str]]
    ) -> list[Receipt]:
        receipts: list[Receipt] = []
        try:
            for emission, channel in emissions:
                receipts.append(await self._one(emission, channel))
        finally:
            for emission, _ in emissions[len(receipts) :]:
                emission.close()
        return receipts

    # Type checkers see the signatures of every emitter.
    if not TYPE_CHECKING:

        def emit_wave(self, channel: str, payload: Any = None, **options: Any) -> Any:
            """Emits a new wave once it may: see `Emitter.emit_wave`, and `LimitedEmitter`."""
            emission = super().emit_wave(channel, payload, **options)
            return _Emission([emission], lambda: self._one(emission, str(channel)))

        def emit(self, wave: Wave[Any], **options: Any) -> Any:
            """Emits a wave that exists once it may: see `Emitter.emit`, and `LimitedEmitter`."""
            emission = super().emit(wave, **options)
            return _Emission([emission], lambda: self._one(emission, str(wave.channel)))

        def emit_many(self, items: Iterable[Any]) -> Any:
            """Emits waves in order, each once it may: see `Emitter.emit_many`, and `LimitedEmitter`."""
            emissions: list[tuple[Any, str]] = []
            try:
                emissions.extend(map(self._prepared, items))
            except BaseException:
                for emission, _ in emissions:
                    emission.close()
                raise
            return _Emission([one for one, _ in emissions], lambda: self._many(emissions))

        def _prepared(self, item: Any) -> tuple[Any, str]:
            if isinstance(item, Wave):
                return super().emit(item), str(item.channel)
            if not isinstance(item, tuple) or len(item) != _PAIR:
                # What is wrong with it is told as of any emitter.
                super().emit_many([item]).close()
            channel, payload = item
            return super().emit_wave(channel, payload), str(channel)

        def emit_nowait(self, channel: str, payload: Any = None, **options: Any) -> Receipt:
            """Emits a new wave now, or not at all: see `Emitter.emit_nowait`, and `LimitedEmitter`."""
            self._entrance.enter_now(str(channel))
            try:
                return super().emit_nowait(channel, payload, **options)
            finally:
                self._entrance.leave()

        def emit_sync(self, channel: str, payload: Any = None, **options: Any) -> Receipt:
            """Emits a new wave from a thread without a loop, once it may: see `Emitter.emit_sync`, and `LimitedEmitter`."""
            refuse_in_a_loop("emit_sync", _INSTEAD)
            waiting = self.begin_emit_sync(channel, payload, **options)
            try:
                self._entrance.enter_sync(str(channel))
            except BaseException:
                waiting.abandon()
                raise
            try:
                return block(waiting, "emit_sync", _INSTEAD)
            finally:
                self._entrance.leave()
