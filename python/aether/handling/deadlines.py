"""How long a handler may take.

Contract:
- A handler that is at work when its time is over is cancelled, as `asyncio.timeout` and trio's scopes do it, and has failed
  with `TimeoutError`. One that ends all the same, with an answer or an error of its own, has ended so.
- A plain function cannot be cancelled: its time is not looked at.
- All workers of a lane share one timer, and each has one deadline that is set anew for each wave: to begin and to end one
  costs a look at the clock. So a worker says when it ends.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from aether._wait import running_asyncio_loop

if TYPE_CHECKING:
    import asyncio

    import trio

    from aether.timers import Timer, Timers

__all__ = ["Deadline", "Deadlines"]


class Deadline(Protocol):
    """That of one worker."""

    when: float
    """Infinite: it has nothing to do."""

    def expire(self) -> None:
        """Its handler takes too long."""

    def ended(self, error: BaseException | None) -> bool:
        """Its handler has ended; whether that was by its time."""
        ...

    def close(self) -> None:
        """Its worker ends."""


class Deadlines:
    """The deadlines of one lane, whose handlers all have as much time."""

    __slots__ = ("_by_worker", "_timer", "_timers", "expired", "seconds")

    def __init__(self, seconds: float, timers: Timers) -> None:
        self.seconds = seconds
        self._timers = timers
        self._by_worker: dict[object, Deadline] = {}
        self._timer: Timer | None = None
        self.expired = 0
        """How many handlers took too long."""

    def begin(self) -> Deadline:
        """A handler begins in the running worker."""
        worker = _worker()
        deadline = self._by_worker.get(worker)
        if deadline is None:
            is_trio = running_asyncio_loop() is None
            deadline = _TrioDeadline() if is_trio else _AsyncioDeadline(worker)
            self._by_worker[worker] = deadline
        deadline.when = self._timers.now() + self.seconds
        if self._timer is None:
            self._timer = self._timers.after(self.seconds, self._look)
        return deadline

    def end(self, deadline: Deadline, error: BaseException | None) -> None:
        """It has ended.

        Raises:
            TimeoutError: It was cancelled, since it took too long.
        """
        deadline.when = inf
        if deadline.ended(error):
            self.expired += 1
            message = f"the handler was at work for longer than its timeout of {self.seconds} s, and was cancelled"
            raise TimeoutError(message) from error

    def leave(self) -> None:
        """The running worker ends."""
        deadline = self._by_worker.pop(_worker(), None)
        if deadline is not None:
            deadline.close()
        if not self._by_worker and self._timer is not None:
            # The next worker may run in another loop, where this one would never ring.
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now, first = self._timers.now(), inf
        for deadline in self._by_worker.values():
            if deadline.when <= now:
                deadline.when = inf
                deadline.expire()
            else:
                first = min(first, deadline.when)
        self._timer = None if first == inf else self._timers.after(first - now, self._look)


def _worker() -> Any:
    """The running task."""
    if running_asyncio_loop() is not None:
        import asyncio

        return asyncio.current_task()
    import trio

    return trio.lowlevel.current_task()


class _AsyncioDeadline:
    __slots__ = ("_cancelling", "_task", "when")

    def __init__(self, task: asyncio.Task[object]) -> None:
        self.when = inf
        self._task = task
        self._cancelling: int | None = None
        """How often it was to be cancelled by others when its time was over."""

    def expire(self) -> None:
        self._cancelling = self._task.cancelling()
        self._task.cancel()

    def ended(self, error: BaseException | None) -> bool:
        if self._cancelling is None:
            return False
        import asyncio

        # Somebody else may want the worker to end as well.
        own = self._task.uncancel() <= self._cancelling
        self._cancelling = None
        return own and isinstance(error, asyncio.CancelledError)

    def close(self) -> None: ...


class _TrioDeadline:
    """A scope around all that a worker does, until it was needed."""

    __slots__ = ("_expired", "_scope", "when")

    def __init__(self) -> None:
        self.when = inf
        self._expired = False
        self._scope = self._entered()

    @staticmethod
    def _entered() -> trio.CancelScope:
        import trio

        scope = trio.CancelScope()
        scope.__enter__()
        return scope

    def expire(self) -> None:
        self._expired = True
        self._scope.cancel()

    def ended(self, error: BaseException | None) -> bool:
        if not self._expired:
            return False
        self._expired = False
        scope = self._scope
        try:
            scope.__exit__(None if error is None else type(error), error, None)
        finally:
            # Of a group it raises what is left without its own cancellation.
            self._scope = self._entered()
        return scope.cancelled_caught

    def close(self) -> None:
        self._scope.__exit__(None, None, None)
