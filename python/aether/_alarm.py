"""What rings in an event loop at a moment of that loop's clock; with `aether._wait`, all that knows asyncio and trio."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Protocol

from aether._wait import running_asyncio_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    import trio

__all__ = ["Alarm", "alarm"]


class Alarm(Protocol):
    """Rings in the loop that it was made in, and is set only there."""

    def set(self, seconds: float) -> None:
        """Has it ring in so many seconds, and not when it was to ring before."""

    def stop(self) -> None:
        """Has it not ring any more; it can be set again."""


def alarm(ring: Callable[[], object]) -> Alarm:
    """An alarm of the running loop, which calls `ring` from the loop itself and never in the midst of a task.

    What `ring` raises would end trio, so it raises nothing. The alarm ends with its loop, without a word.
    """
    loop = running_asyncio_loop()
    return _TrioAlarm(ring) if loop is None else _AsyncioAlarm(loop, ring)


class _AsyncioAlarm:
    __slots__ = ("_handle", "_loop", "_ring")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], object]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        self.stop()
        self._handle = self._loop.call_later(seconds, self._ring)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class _TrioAlarm:
    """A task that sleeps until its deadline, which can be moved."""

    __slots__ = ("_ring", "_scope")

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._scope: trio.CancelScope | None = None

    def set(self, seconds: float) -> None:
        import trio

        deadline = trio.current_time() + seconds
        if self._scope is not None:
            self._scope.deadline = deadline
            return
        self._scope = scope = trio.CancelScope(deadline=deadline)

        async def sleep() -> None:
            with scope:
                await trio.sleep_forever()
            if self._scope is not scope:
                return
            self._scope = None
            self._ring()

        trio.lowlevel.spawn_system_task(
            sleep, name="aether alarm", context=contextvars.copy_context()
        )

    def stop(self) -> None:
        scope, self._scope = self._scope, None
        if scope is not None:
            scope.cancel()
