"""Circuit breakers: nothing is handled for a while once too much has failed, or was too slow.

How one opens and closes, the native side says (`rust/core/src/limits/circuit.rs`). Here is who is told, and what becomes of
waves meanwhile: they wait, are refused, or go to somebody else.

Contract:
- Exactly `probes` waves are handled when it is half open, whoever they are. One whose handler is cancelled leaves its place
  to another: that is no failure, nor an end.
- Each change is logged, counted, and emitted on `aether.circuit.<name>` with a `CircuitChange`, without waiting. One that could
  not be emitted is logged (`circuit.untold`), and harms no wave.
- A breaker that several handlers of one medium are given is one: they need the same thing. On another medium it is another.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from math import inf, isnan
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aether._native import Circuit, emit_derived
from aether._wait import Flag
from aether.channel import Channel
from aether.errors import AetherError, CircuitOpen
from aether.events import said
from aether.handling.kinds import checked_errors
from aether.handling.numbers import checked_count, checked_seconds, checked_share

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether._native import Permit, Wave
    from aether.medium import Aether

__all__ = ["CircuitBreaker", "CircuitChange", "Circuits"]

_log = said()

Failures: TypeAlias = "type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]"
WhenOpen: TypeAlias = "Literal['wait', 'refuse'] | Callable[[Wave[Any]], Any]"

_TARGETS = 1_000
"""So many targets a breaker tells apart: of more, the one that was asked for longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """A circuit breaker went from one state to another; the payload on `aether.circuit.<name>`.

    Attributes:
        name: Which breaker.
        target: Whose; `None`: it does not tell targets apart.
        before: `closed`, `open` or `half_open`.
        after: The same.
        calls: How many calls have decided it.
        failed: How many of them failed.
        slow: How many took too long.
    """

    name: str
    target: str | None
    before: str
    after: str
    calls: int
    failed: int
    slow: int


class CircuitBreaker:
    """Nothing is handled for a while once too much has failed, or was too slow.

    Args:
        name: What it protects: one token of a channel, since each change is emitted on `aether.circuit.<name>`.
        failure_rate: It opens when so large a share of the last calls has failed: above 0, up to 1.
        slow_rate: The same of those that were slow.
        slow_after: Slow is what takes so many seconds; `None`: nothing is.
        calls: How many calls it looks back to.
        seconds: Instead of that: how many seconds.
        minimum: So many calls there have to be before it opens.
        open_for: How many seconds nothing passes then.
        probes: How many calls pass after that, to see.
        on: Which errors are failures: a class, a tuple of classes, or a function of the error.
        by: Tells targets apart: a function of a wave, with text for an answer, such as its host. Each has a circuit of its
            own, for up to 1,000 of them.
        when_open: What becomes of a wave meanwhile: it may `wait` with its worker, so that others wait in the mailbox; be
            refused with `CircuitOpen` (`refuse`), which is a failure of its handling, or go to this function, async or
            plain, whose answer counts as the handler's.

    Raises:
        ChannelError: The name is no token of a channel.
        TypeError: An argument is of the wrong type.
        ValueError: A number is out of its range.

    Example:
        >>> from aether import Aether, CircuitBreaker
        >>> payments = CircuitBreaker("payments", failure_rate=0.5, minimum=20, open_for=10.0)
        >>> shop = Aether().vibrator("shop")
        >>> @shop.on("orders.*", circuit=payments)
        ... async def charge(wave): ...
    """

    __slots__ = ("_by", "_fails", "_of", "_opening", "_rules", "channel", "name", "when_open")

    def __init__(
        self,
        name: str,
        *,
        failure_rate: float = 0.5,
        slow_rate: float = 1.0,
        slow_after: float | None = None,
        calls: int = 100,
        seconds: float | None = None,
        minimum: int = 10,
        open_for: float = 30.0,
        probes: int = 3,
        on: Failures = Exception,
        by: Callable[[Wave[Any]], str] | None = None,
        when_open: WhenOpen = "wait",
    ) -> None:
        self.channel = Channel.of("aether", "circuit", name)
        self.name = name
        for what, share in (("failure_rate", failure_rate), ("slow_rate", slow_rate)):
            if checked_share(what, share) == 0:
                message = f"{what} must be above 0: of 0, it would always be open"
                raise ValueError(message)
        checked_errors("on", on)
        teller: object = by
        if teller is not None and not callable(teller):
            message = f"by must be a function of a wave, not {by!r}"
            raise TypeError(message)
        choice: object = when_open
        if not callable(choice) and choice not in ("wait", "refuse"):
            message = (
                f"when_open must be 'wait', 'refuse' or a function of a wave, not {when_open!r}"
            )
            raise (ValueError if isinstance(when_open, str) else TypeError)(message)
        checked_count("calls", calls)
        checked_count("minimum", minimum)
        self._rules = (
            calls if seconds is None else 1,
            0.0 if seconds is None else checked_seconds("seconds", seconds, zero=False),
            # It looks back to no more.
            min(minimum, calls) if seconds is None else minimum,
            failure_rate,
            slow_rate if slow_after is not None else inf,
            inf if slow_after is None else checked_seconds("slow_after", slow_after, zero=False),
            checked_seconds("open_for", open_for),
            checked_count("probes", probes),
        )
        self._fails = on
        self._by = by
        self.when_open: WhenOpen = when_open
        self._of: weakref.WeakKeyDictionary[Aether, Circuits] = weakref.WeakKeyDictionary()
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.name!r})"

    def is_failure(self, error: Exception) -> bool:
        """Whether an error counts as a failure."""
        if isinstance(self._fails, (type, tuple)):
            return isinstance(error, self._fails)
        return bool(self._fails(error))

    def of(self, medium: Aether) -> Circuits:
        """Its circuits on a medium."""
        with self._opening:
            circuits = self._of.get(medium)
            if circuits is None:
                circuits = self._of[medium] = Circuits(self, medium)
            return circuits

    def target(self, wave: Wave[Any]) -> str | None:
        """Whose circuit a wave needs."""
        if self._by is None:
            return None
        target: object = self._by(wave)
        if not isinstance(target, str):
            message = f"by= of {self!r} must answer with a str, not {type(target).__name__}"
            raise TypeError(message)
        return target

    def circuit(self) -> Circuit:
        """A new circuit, closed."""
        return Circuit(*self._rules)


class _Circuit:
    """One circuit, and those who wait for it."""

    __slots__ = ("changed", "circuit")

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.changed = Flag()
        """Set when it may be asked again."""

    def wake(self) -> None:
        waiting, self.changed = self.changed, Flag()
        waiting.set()


class Circuits:
    """The circuits of a breaker on one medium, by target."""

    __slots__ = (
        "__weakref__",
        "_breaker",
        "_by_target",
        "_finding",
        "_medium",
        "changes",
        "refused",
    )

    def __init__(self, breaker: CircuitBreaker, medium: Aether) -> None:
        self._breaker = breaker
        # The medium has its handlers, and these the breaker.
        self._medium = weakref.ref(medium)
        self._by_target: OrderedDict[str | None, _Circuit] = OrderedDict()
        self._finding = threading.Lock()
        self.changes = 0
        """How often one of them has changed."""

    @property
    def name(self) -> str:
        """What it protects."""
        return self._breaker.name

    @property
    def when_open(self) -> WhenOpen:
        """What becomes of a wave that may not pass."""
        return self._breaker.when_open

    def phases(self) -> dict[str | None, str]:
        """By target: `closed`, `open` or `half_open`."""
        with self._finding:
            return {target: one.circuit.phase for target, one in self._by_target.items()}

    def of(self, wave: Wave[Any]) -> Passage:
        """The way through the circuit that a wave needs."""
        target = self._breaker.target(wave)
        with self._finding:
            found = self._by_target.get(target)
            if found is None:
                found = self._by_target[target] = _Circuit(self._breaker.circuit())
                if len(self._by_target) > _TARGETS:
                    self._by_target.popitem(last=False)
            elif target is not None:
                self._by_target.move_to_end(target)
        return Passage(self, self._breaker, found, target)

    def tell(self, target: str | None, turn: tuple[str, str, int, int, int]) -> None:
        """A circuit has changed."""
        before, after, calls, failed, slow = turn
        change = CircuitChange(self.name, target, before, after, calls, failed, slow)
        self.changes += 1
        whose = "" if target is None else f" to {target!r}"
        say = _log.warning if after == "open" else _log.info
        say(
            "circuit %r%s is %s: of %d calls %d failed and %d were slow",
            self.name,
            whose,
            after.replace("_", " "),
            calls,
            failed,
            slow,
            extra={
                "event": "circuit.changed",
                "circuit": self.name,
                "target": target,
                "state": after,
            },
        )
        medium = self._medium()
        if medium is None:
            return
        try:
            sent = emit_derived(medium, self._breaker.channel, change, headers={})
            why = "somebody is full, or the medium closed"
        except AetherError as refused:
            # The wave that was handled has no part in that.
            sent, why = False, str(refused)
        if not sent:
            _log.warning(
                "that circuit %r is %s was not emitted: %s",
                self.name,
                after.replace("_", " "),
                why,
                extra={"event": "circuit.untold", "circuit": self.name, "state": after},
            )


class Passage:
    """The way of one wave through a circuit."""

    __slots__ = ("_breaker", "_circuit", "_circuits", "_permit", "_target")

    def __init__(
        self, circuits: Circuits, breaker: CircuitBreaker, circuit: _Circuit, target: str | None
    ) -> None:
        self._circuits = circuits
        self._breaker = breaker
        self._circuit = circuit
        self._target = target
        self._permit: Permit | None = None

    def asks(self, now: float) -> float | None:
        """`None`: it may pass. Otherwise, in how many seconds it may ask again; infinite: once a probe has ended."""
        self._permit, wait, turn = self._circuit.circuit.ask(now)
        if turn is not None:
            self._tell(turn)
        if self._permit is not None:
            return None
        return inf if isnan(wait) else wait

    @property
    def changed(self) -> Flag:
        """Set when it may ask again before that: to be had before it asks."""
        return self._circuit.changed

    def wake(self) -> None:
        """Has all who wait for the circuit ask again."""
        self._circuit.wake()

    def refused(self, wait: float) -> CircuitOpen:
        """The error of a wave that may not pass."""
        whose = "" if self._target is None else f" to {self._target!r}"
        when = "once a probe has ended" if wait == inf else f"in {wait:.3g} s"
        return CircuitOpen(
            f"circuit {self._breaker.name!r}{whose} is {self._circuit.circuit.phase.replace('_', ' ')}, so that the wave was "
            f"not handled; it is asked again {when} (when_open='wait' has waves wait, a function takes them)"
        )

    def ended(self, error: Exception | None, took: float, now: float) -> None:
        """The handler has ended."""
        permit, self._permit = self._permit, None
        if permit is None:
            return
        failed = error is not None
        try:
            failed = error is not None and self._breaker.is_failure(error)
        finally:
            # Also where `on` itself fails: a probe that never ends would keep its place for ever.
            turn = self._circuit.circuit.ended(permit, failed, took, now)
            if turn is not None:
                self._circuit.wake()
                self._tell(turn)

    def given_up(self) -> None:
        """The handler was cancelled."""
        permit, self._permit = self._permit, None
        if permit is not None and self._circuit.circuit.given_up(permit):
            self._circuit.wake()

    def _tell(self, turn: tuple[str, str, int, int, int]) -> None:
        self._circuits.tell(self._target, turn)
