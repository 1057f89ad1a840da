"""How long a handler may take.

Contract:
- A handler that is at work when its time is over is cancelled, as `asyncio.timeout` and trio's scopes do it, and has failed
  with `TimeoutError`. One that ends all the same, with an answer or an error of its own, has ended so.
- A plain function cannot be cancelled: its time is not looked at.
- All handlers of one lane have one timer: to begin and to end one costs a look at the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from aether._wait import running_asyncio_loop

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from aether.timers import Timer, Timers

__all__ = ["Deadlines"]


class Deadline(Protocol):
    """A block of code that has to end by a moment: else `TimeoutError` comes out of it."""

    when: float

    def __enter__(self) -> None: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...
    def expire(self) -> None:
        """The moment has come."""


class Deadlines:
    """The deadlines of all handlers of one lane, which all have as much time."""

    __slots__ = ("_running", "_timer", "_timers", "expired", "seconds")

    def __init__(self, seconds: float, timers: Timers) -> None:
        self.seconds = seconds
        self._timers = timers
        # In the order in which they began, which is that of their ends.
        self._running: dict[Deadline, None] = {}
        self._timer: Timer | None = None
        self.expired = 0
        """How many handlers took too long."""

    def begin(self) -> Deadline:
        """A block that begins now, in the running task."""
        when = self._timers.now() + self.seconds
        kind = _TrioDeadline if running_asyncio_loop() is None else _AsyncioDeadline
        deadline = kind(self, when)
        self._running[deadline] = None
        if self._timer is None:
            self._timer = self._timers.after(self.seconds, self._look)
        return deadline

    def end(self, deadline: Deadline) -> None:
        """The block was left."""
        del self._running[deadline]

    def timed_out(self) -> TimeoutError:
        """What has become of one that took too long."""
        self.expired += 1
        return TimeoutError(
            f"the handler was at work for longer than its timeout of {self.seconds} s, and was cancelled"
        )

    def _look(self) -> None:
        self._timer = None
        now = self._timers.now()
        for deadline in list(self._running):
            if deadline.when > now:
                self._timer = self._timers.after(deadline.when - now, self._look)
                return
            deadline.expire()


class _AsyncioDeadline:
    __slots__ = ("_cancelling", "_deadlines", "_expired", "_task", "when")

    def __init__(self, deadlines: Deadlines, when: float) -> None:
        import asyncio

        self._deadlines = deadlines
        self.when = when
        self._expired = False
        # A worker is a task.
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._cancelling = self._task.cancelling()

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.end(self)
        if not self._expired:
            return
        import asyncio

        # Somebody else may want the worker to end as well.
        own = self._task.uncancel() <= self._cancelling
        if own and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._deadlines.timed_out() from error

    def expire(self) -> None:
        if not self._expired:
            self._expired = True
            self._task.cancel()


class _TrioDeadline:
    __slots__ = ("_deadlines", "_scope", "when")

    def __init__(self, deadlines: Deadlines, when: float) -> None:
        import trio

        self._deadlines = deadlines
        self.when = when
        self._scope = trio.CancelScope()

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._deadlines.end(self)
        swallowed = self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise self._deadlines.timed_out() from None
        return swallowed

    def expire(self) -> None:
        self._scope.cancel()
