"""Faults on purpose, in the handlers of a `VirtualAether`.

Contract:
- A fault happens where a wave comes to a handler, by the pattern of its channel and with a probability. In front of all that
  stands around the handler (`retry`, `circuit`, ...): `drop`, `delay` and `duplicate`, as if the way there was bad. Behind
  that, at each attempt: `slow` and `error`, as if the handler itself was.
- The same seed gives the same faults. What happens to a wave depends on the seed, the fault, the handler, the channel and on
  how many waves of it the handler has had before, and so not on what else goes on, nor on the loop.
- Times are those of the medium's clock.
- They stand around the handlers of one medium, which knows of them: a plain `Aether` has no place for them, and pays nothing.
"""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aether._closing import Closing
from aether.channel import Channel
from aether.handling.guard import called
from aether.handling.numbers import checked_seconds, checked_share
from aether.testing.virtual import VirtualAether

if TYPE_CHECKING:
    from aether._native import Wave
    from aether.lane import Handler, Lane

__all__ = ["Faults", "Injected", "InjectedError", "faults"]

Kind: TypeAlias = Literal["drop", "delay", "duplicate", "slow", "error"]


class InjectedError(Exception):
    """What a handler fails with on purpose, where no other error was named."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that has happened.

    Attributes:
        kind: `drop`, `delay`, `duplicate`, `slow` or `error`.
        vibrator: Whose handler it was.
        wave: At which wave.
        seconds: How long it took: of `delay` and `slow`.
    """

    kind: Kind
    vibrator: str
    wave: Wave[Any]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Rule:
    number: int
    kind: Kind
    pattern: Channel[Any]
    probability: float
    least: float = 0.0
    most: float = 0.0
    error: Exception | type[Exception] = InjectedError


def faults(medium: VirtualAether, seed: int) -> Faults:
    """Faults in the handlers of a medium, those that it has and those to come, until it is closed.

    Args:
        medium: Whose.
        seed: Which of all possible runs this is.

    Example:
        >>> import asyncio
        >>> from aether import Retry
        >>> from aether.testing import VirtualAether, faults
        >>> async def test(seed):
        ...     async with VirtualAether() as medium:
        ...         shop, booked = medium.vibrator("shop"), []
        ...         @shop.on("orders.*", retry=Retry(on=OSError, attempts=9, budget=None))
        ...         async def book(wave):
        ...             booked.append(wave.payload)
        ...         with faults(medium, seed) as injected:
        ...             injected.error("orders.*", OSError("down"), probability=0.5)
        ...             await medium.emit_many([("orders.created", number) for number in range(4)])
        ...             await medium.clock.advance(100)
        ...         return booked, len(injected.injected) > 0
        >>> asyncio.run(test(seed=7))
        ([0, 1, 2, 3], True)
    """
    return Faults(medium, seed)


class Faults(Closing):
    """Faults that are on until it is closed; `faults` makes one."""

    def __init__(self, medium: VirtualAether, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            message = f"seed must be an int, not {type(seed).__name__}"
            raise TypeError(message)
        if not isinstance(medium, VirtualAether):
            message = f"faults are for a VirtualAether, not for {type(medium).__name__}; use it for the tests"
            raise TypeError(message)
        self.seed = seed
        self.injected: list[Injected] = []
        """What has happened, in its order."""
        self._medium = medium
        self._rules: list[_Rule] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._labels: Counter[str] = Counter()
        self._closed = False
        medium.add_faults(self)

    def __repr__(self) -> str:
        return f"<Faults of seed {self.seed}: {len(self.injected)} injected>"

    def close(self) -> None:
        """Nothing more goes wrong on purpose, from the next wave of each handler on. A second time does nothing."""
        self._rules.clear()
        if not self._closed:
            self._closed = True
            self._medium.remove_faults(self)

    def drop(self, pattern: str, *, probability: float = 1.0) -> None:
        """The handler does not get the wave; who has asked for an answer gets `None`.

        Args:
            pattern: Of which channels.
            probability: How often, 0..1.
        """
        self._add("drop", pattern, probability)

    def delay(
        self, pattern: str, seconds: float | tuple[float, float], *, probability: float = 1.0
    ) -> None:
        """The handler gets the wave later; those behind it wait too, unless there is `concurrency` or another `key`.

        Args:
            pattern: Of which channels.
            seconds: How much later, or the least and the most.
            probability: How often, 0..1.
        """
        self._add("delay", pattern, probability, seconds)

    def duplicate(self, pattern: str, *, probability: float = 1.0) -> None:
        """The handler gets the wave once more when it has handled it; the first answer counts.

        Args:
            pattern: Of which channels.
            probability: How often, 0..1.
        """
        self._add("duplicate", pattern, probability)

    def slow(
        self, pattern: str, seconds: float | tuple[float, float], *, probability: float = 1.0
    ) -> None:
        """The handler takes longer: its `timeout` counts that, its circuit too, and its mailbox fills.

        Args:
            pattern: Of which channels.
            seconds: How much longer, or the least and the most.
            probability: How often, 0..1, at each attempt.
        """
        self._add("slow", pattern, probability, seconds)

    def error(
        self,
        pattern: str,
        error: Exception | type[Exception] = InjectedError,
        *,
        probability: float = 1.0,
    ) -> None:
        """The handler fails before it has done anything.

        Args:
            pattern: Of which channels.
            error: With what.
            probability: How often, 0..1, at each attempt.
        """
        kind: object = error if isinstance(error, type) else type(error)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            message = f"error must be an Exception or a class of such, not {error!r}"
            raise TypeError(message)
        self._add("error", pattern, probability, error=error)

    def _add(
        self,
        kind: Kind,
        pattern: str,
        probability: float,
        seconds: float | tuple[float, float] = 0.0,
        error: Exception | type[Exception] = InjectedError,
    ) -> None:
        if self._closed:
            message = "these faults are closed; make new ones with faults(medium, seed)"
            raise ValueError(message)
        least, most = seconds if isinstance(seconds, tuple) else (seconds, seconds)
        checked_seconds("seconds", least)
        if checked_seconds("seconds", most) < least:
            message = f"seconds must be the least and the most, not {seconds}"
            raise ValueError(message)
        self._rules.append(
            _Rule(
                number=len(self._rules),
                kind=kind,
                pattern=Channel(pattern),
                probability=checked_share("probability", probability),
                least=least,
                most=most,
                error=error,
            )
        )

    def enclose(self, lane: Lane) -> None:
        """Stands around the handler of a lane; for the medium."""
        label = f"{lane.name}/{getattr(lane.handler, '__qualname__', type(lane.handler).__name__)}"
        self._labels[label] += 1
        place = _Place(lane.name, f"{label}/{self._labels[label]}")
        (lane if lane.guard is None else lane.guard).enclose(partial(self._inside, place))
        lane.enclose(partial(self._outside, place))

    async def _outside(self, place: _Place, call: Handler, wave: Wave[Any]) -> Any:
        """What a wave meets on its way to a handler."""
        if not self._rules:
            return await called(call, wave)
        key = (place.label, str(wave.channel))
        self._counts[key] += 1
        number = str(self._counts[key])
        token = _number.set(number)
        try:
            if self._happens("drop", place, wave, number):
                return None
            if late := self._happens("delay", place, wave, number):
                await self._medium.clock.sleep(late.seconds)
            answer = await called(call, wave)
            if self._happens("duplicate", place, wave, number):
                _number.set(f"{number} again")
                await called(call, wave)
            return answer
        finally:
            _number.reset(token)

    async def _inside(self, place: _Place, call: Handler, wave: Wave[Any]) -> Any:
        """What a handler meets at each attempt."""
        if self._rules:
            attempt = f"{_number.get()}/{wave.headers.get('aether-attempt', '1')}"
            if slow := self._happens("slow", place, wave, attempt):
                await self._medium.clock.sleep(slow.seconds)
            if failing := self._happens("error", place, wave, attempt):
                raise _fresh(failing.error)
        return await called(call, wave)

    def _happens(
        self, kind: Kind, place: _Place, wave: Wave[Any], number: str
    ) -> _Happening | None:
        """The first fault of a kind that happens here; it is noted."""
        for rule in self._rules:
            if rule.kind != kind or not wave.channel.matches(rule.pattern):
                continue
            # A text is the same seed in each process, and no other draw is disturbed by this one.
            seed = f"{self.seed} {rule.number} {place.label} {wave.channel} {number}"
            random = Random(seed)  # noqa: S311 - it is to be foreseen
            if random.random() < rule.probability:
                seconds = random.uniform(rule.least, rule.most)
                self.injected.append(Injected(kind, place.vibrator, wave, seconds))
                return _Happening(seconds, rule.error)
        return None


@dataclass(frozen=True, slots=True)
class _Place:
    """A handler, by the name of its vibrator and by one that no other has."""

    vibrator: str
    label: str


@dataclass(frozen=True, slots=True)
class _Happening:
    seconds: float
    error: Exception | type[Exception]


_number: ContextVar[str] = ContextVar("aether.testing.faults", default="0")
"""The so many-th wave of its channel it is, to the handler that runs."""


def _fresh(error: Exception | type[Exception]) -> Exception:
    """An error to raise, without the traces of the times before."""
    if isinstance(error, type):
        return error("on purpose, by aether.testing.faults")
    return error.with_traceback(None)
