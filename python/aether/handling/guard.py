"""What stands around one handler: it waits for its turn, asks its circuit, has a time limit, and is tried again.

Contract:
- In this order: a wave waits for its turn (`rate`), once. Each attempt asks the circuit, which may have it wait, and has its
  own time limit. After an error, `retry` says whether there is another.
- A handler that is cancelled has not failed: it is not tried again, and its circuit counts nothing.
- The last error is what the handler has failed with. `dead_letter` then has the wave go out on `dead.<channel>`.
- All waiting is by the medium's clock, and can be cancelled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from math import inf
from types import CoroutineType
from typing import TYPE_CHECKING, Any, cast

from aether._native import Budget, with_header
from aether._wait import is_failure
from aether.events import said
from aether.handling.circuit import CircuitBreaker
from aether.handling.deadlines import Deadlines
from aether.handling.letters import bury
from aether.handling.numbers import checked_seconds
from aether.handling.rate import Rate, Turns
from aether.handling.retry import Retry
from aether.storms import Storm, and_more

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether._native import Wave
    from aether._wait import Flag
    from aether.handling.circuit import Passage
    from aether.lane import Handler
    from aether.medium import Aether

__all__ = ["Guard", "Guards", "called"]

_log = said()


@dataclass(frozen=True, slots=True)
class Guards:
    """What a handler is given to stand by: the options of `on`."""

    retry: Retry | None = None
    timeout: float | None = None
    circuit: CircuitBreaker | None = None
    rate: Rate | None = None
    dead_letter: bool = False

    @classmethod
    def checked(
        cls,
        retry: object,
        timeout: object,
        circuit: object,
        rate: object,
        dead_letter: object,
    ) -> Guards | None:
        """The options as they were given; `None`: there are none.

        Raises:
            TypeError: One is of the wrong type.
            ValueError: A number is out of its range.
        """
        for what, given, kind in (("retry", retry, Retry), ("circuit", circuit, CircuitBreaker)):
            if given is not None and not isinstance(given, kind):
                hint = f"{what}={kind.__name__}(...)"
                message = f"{what} must be a {kind.__name__}, not {type(given).__name__}: {hint}"
                raise TypeError(message)
        if dead_letter is not None and not isinstance(dead_letter, bool):
            message = f"dead_letter must be a bool, not {type(dead_letter).__name__}"
            raise TypeError(message)
        seconds = None if timeout is None else checked_seconds("timeout", timeout, zero=False)
        if dead_letter is None:
            dead_letter = (retry, timeout, circuit) != (None, None, None)
        guards = cls(
            cast("Retry | None", retry),
            seconds,
            cast("CircuitBreaker | None", circuit),
            None if rate is None else Rate.of(cast("Rate | float", rate)),
            dead_letter,
        )
        return None if guards == cls() else guards


class Guard:
    """One handler with its guards; it is called as the handler is."""

    __slots__ = (
        "_budget",
        "_circuits",
        "_handler",
        "_medium",
        "_name",
        "_retry",
        "_storm",
        "_timers",
        "buried",
        "dead_letter",
        "deadlines",
        "denied",
        "refused",
        "retried",
        "turns",
    )

    def __init__(self, medium: Aether, name: str, handler: Handler, guards: Guards) -> None:
        self._medium = medium
        self._timers = medium.timers
        self._name = name
        self._handler = handler
        self._retry = guards.retry
        self._storm = Storm()
        budget = None if guards.retry is None else guards.retry.budget
        self._budget = None if budget is None else Budget(budget)
        self._circuits = None if guards.circuit is None else guards.circuit.of(medium)
        self.deadlines = None if guards.timeout is None else Deadlines(guards.timeout, self._timers)
        self.turns = None if guards.rate is None else Turns(guards.rate, self._timers)
        self.dead_letter = guards.dead_letter
        self.retried = 0
        """Attempts after a first one."""
        self.denied = 0
        """Retries that were due and over the budget."""
        self.refused = 0
        """Waves that the circuit did not let pass."""
        self.buried = 0
        """Waves that went out as dead letters."""

    @property
    def circuit(self) -> str | None:
        """The name of its circuit breaker."""
        return None if self._circuits is None else self._circuits.name

    def incidents(self) -> Counter[str]:
        """What has happened: `retried`, `over_budget`, `timed_out`, `refused` (by the circuit) and `dead_letter`."""
        return Counter(
            retried=self.retried,
            over_budget=self.denied,
            timed_out=0 if self.deadlines is None else self.deadlines.expired,
            refused=self.refused,
            dead_letter=self.buried,
        )

    @property
    def phases(self) -> dict[str | None, str]:
        """The states of its circuits, by target."""
        return {} if self._circuits is None else self._circuits.phases()

    def enclose(self, around: Callable[[Handler, Wave[Any]], Any]) -> None:
        """Has a function called at each attempt with the handler and the wave, where the handler was called with the wave."""
        self._handler = partial(around, self._handler)

    async def __call__(self, wave: Wave[Any]) -> Any:
        """Has the wave handled, and returns the answer."""
        attempts = 1
        try:
            if self.turns is not None:
                await self.turns.turn()
            retry = self._retry
            waited: list[float] = []
            if retry is None:
                return await self._attempt(wave, waited)
            begun = self._timers.now()
            if self._budget is not None:
                self._budget.begin(begun)
            again = wave
            while True:
                try:
                    return await self._attempt(again, waited)
                except Exception as error:
                    # What it waited for its circuit is no time in which it was tried.
                    spent = self._timers.now() - begun - sum(waited)
                    pause = retry.pause(error, attempts, spent)
                    if pause is None or not self._may(error, attempts, pause, wave):
                        raise
                attempts += 1
                self.retried += 1
                await self._timers.sleep(pause)
                again = with_header(wave, "aether-attempt", str(attempts))
        except BaseException as error:
            # Where this worker is cancelled, it has not failed.
            if self.dead_letter and is_failure(error):
                self.buried += bury(self._medium, wave, error, attempts, self._name)
            raise

    def _may(self, error: Exception, attempt: int, pause: float, wave: Wave[Any]) -> bool:
        """Whether the budget allows another attempt; it is said in any case."""
        allowed = self._budget is None or self._budget.retry(self._timers.now())
        self.denied += not allowed
        event = "handler.retried" if allowed else "handler.over_budget"
        more = self._storm.passes_error(event, error)
        if more is None:
            return allowed
        about = {
            "vibrator": self._name,
            "channel": str(wave.channel),
            "wave_id": wave.id,
            "attempt": attempt,
            "more": more,
        }
        said = f"attempt {attempt} of {self._name!r} at a wave of {str(wave.channel)!r} failed with {type(error).__name__}"
        if allowed:
            _log.info(
                "%s: the next is in %.3g s%s",
                said,
                pause,
                and_more(more),
                extra={"event": "handler.retried", **about},
            )
        else:
            _log.warning(
                "%s: the budget of retries is used up%s",
                said,
                and_more(more),
                extra={"event": "handler.over_budget", **about},
            )
        return allowed

    async def _attempt(self, wave: Wave[Any], waited: list[float]) -> Any:
        """Has it handled once, and notes how long that waited for the circuit."""
        if self._circuits is None:
            return await self._timed(wave)
        passage = self._circuits.of(wave)
        when_open = self._circuits.when_open
        while True:
            changed = passage.changed
            asked = self._timers.now()
            wait = passage.asks(asked)
            if wait is None:
                break
            if when_open == "wait":
                await self._until(changed, wait, passage)
                waited.append(self._timers.now() - asked)
                continue
            self.refused += 1
            if when_open == "refuse":
                raise passage.refused(wait)
            return await called(when_open, wave)
        begun = self._timers.now()
        try:
            answer = await self._timed(wave)
        except Exception as error:
            now = self._timers.now()
            passage.ended(error, now - begun, now)
            raise
        except BaseException:
            passage.given_up()
            raise
        now = self._timers.now()
        passage.ended(None, now - begun, now)
        return answer

    async def _until(self, changed: Flag, seconds: float, passage: Passage) -> None:
        """Returns when a circuit may be asked again."""
        timer = None if seconds == inf else self._timers.after(seconds, passage.wake)
        try:
            await changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _timed(self, wave: Wave[Any]) -> Any:
        deadlines = self.deadlines
        if deadlines is None:
            return await called(self._handler, wave)
        answer: Any = self._handler(wave)
        if type(answer) is CoroutineType or hasattr(answer, "__await__"):
            deadline = deadlines.begin()
            try:
                answer = await answer  # pyright: ignore[reportUnknownVariableType]
            except BaseException as error:
                deadlines.end(deadline, error)
                raise
            deadlines.end(deadline, None)
        return answer  # pyright: ignore[reportUnknownVariableType]

    def leave(self) -> None:
        """The running worker ends."""
        if self.deadlines is not None:
            self.deadlines.leave()


async def called(function: Handler, wave: Wave[Any]) -> Any:
    """What a handler answers, async or plain."""
    answer: Any = function(wave)
    if type(answer) is CoroutineType or hasattr(answer, "__await__"):
        answer = await answer  # pyright: ignore[reportUnknownVariableType]
    return answer  # pyright: ignore[reportUnknownVariableType]
