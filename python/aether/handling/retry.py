"""When a wave whose handler failed is handled again.

The names and defaults are those of stamina. The pauses are `tenacity.wait_exponential_jitter`, on which stamina is built
too; what waits is the medium's clock, which neither of them could be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from aether.handling.kinds import checked_errors
from aether.handling.numbers import checked_count, checked_seconds, checked_share

if TYPE_CHECKING:
    import tenacity

__all__ = ["Retry"]

On: TypeAlias = (
    "type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool | float]"
)


@dataclass(frozen=True)
class Retry:
    """When a wave whose handler failed is handled again, and after which pause.

    Pauses grow: `wait_initial * wait_exp_base ** (attempt - 1)` plus up to `wait_jitter` by chance, and never more than
    `wait_max`, all in seconds of the medium's clock. From the second attempt on, the wave has the header `aether-attempt`.

    Args:
        on: Which errors: a class, a tuple of classes, or a function of the error, which says whether, or after how many
            seconds, such as what a server asks for in `Retry-After`.
        attempts: How many there are at most, the first included: 1 or more; `None`: as many as `timeout` allows.
        timeout: No attempt is begun once attempts and pauses have taken so many seconds; `None`: whenever. What a wave waits
            for its circuit is not counted: a circuit that is open does not use up the attempts.
        wait_initial: The first pause.
        wait_max: The longest.
        wait_jitter: How much chance adds, so that those who have failed together do not come back together.
        wait_exp_base: By how much a pause is longer than the one before: 1 or more.
        budget: Of all attempts of a handler in the last 10 seconds, retries are no larger a share than this, 0..1, but for
            ten of them that may always be; `None`: any. So retries do not hold down what is down.

    Raises:
        TypeError: An argument is of the wrong type, or `on` is no error.
        ValueError: A number is out of its range, or there is no end to it: neither `attempts` nor `timeout`.

    Example:
        >>> from aether import Aether, Retry
        >>> medium = Aether()
        >>> shop = medium.vibrator("shop")
        >>> @shop.on("orders.*", retry=Retry(on=ConnectionError, attempts=3))
        ... async def book(wave): ...
    """

    on: On
    attempts: int | None = 10
    timeout: float | None = 45.0
    wait_initial: float = 0.1
    wait_max: float = 5.0
    wait_jitter: float = 1.0
    wait_exp_base: float = 2.0
    budget: float | None = 0.2

    def __post_init__(self) -> None:
        checked_errors("on", self.on)
        if self.attempts is not None:
            checked_count("attempts", self.attempts)
        if self.timeout is not None:
            checked_seconds("timeout", self.timeout)
        if self.attempts is None and self.timeout is None:
            message = "attempts=None and timeout=None would retry for ever: give one of them"
            raise ValueError(message)
        for name in ("wait_initial", "wait_max", "wait_jitter"):
            checked_seconds(name, getattr(self, name))
        if checked_seconds("wait_exp_base", self.wait_exp_base) < 1:
            message = f"wait_exp_base must be 1 or more, not {self.wait_exp_base}"
            raise ValueError(message)
        if self.budget is not None:
            checked_share("budget", self.budget)

    def pause(self, error: Exception, attempt: int, spent: float) -> float | None:
        """Seconds until the next attempt, after one has failed; `None`: there is none.

        Args:
            error: How it failed.
            attempt: The so many-th it was, from 1.
            spent: Seconds that attempts and pauses have taken so far.
        """
        if self.attempts is not None and attempt >= self.attempts:
            return None
        asked: bool | float
        if isinstance(self.on, (type, tuple)):
            asked = isinstance(error, self.on)
        else:
            answer: object = self.on(error)
            if not isinstance(answer, (bool, int, float)):
                message = (
                    f"the function on= of a Retry must answer with a bool or with seconds, not {answer!r}; it was asked about "
                    f"{type(error).__name__}"
                )
                raise TypeError(message)
            asked = answer
        if asked is False:
            return None
        pause = self._grown(attempt) if asked is True else checked_seconds("on", asked)
        if self.timeout is not None and spent + pause > self.timeout:
            return None
        return pause

    def _grown(self, attempt: int) -> float:
        state, wait = self._waiting
        state.attempt_number = attempt
        return wait(state)

    @cached_property
    def _waiting(self) -> tuple[tenacity.RetryCallState, tenacity.wait_exponential_jitter]:
        # Who never fails does not import it.
        import tenacity

        wait = tenacity.wait_exponential_jitter(
            multiplier=self.wait_initial,
            max=self.wait_max,
            exp_base=self.wait_exp_base,
            jitter=self.wait_jitter,
        )
        return tenacity.RetryCallState(tenacity.Retrying(), None, (), {}), wait
