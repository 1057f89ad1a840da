"""Waves that are expected: what `medium.expect` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aether._wait import checked_timeout
from aether.errors import Closed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from aether._native import Mailbox, Wave
    from aether.timers import Timers


class Expectation:
    """A wave that is expected: await it. It listens until then, or until it is closed or dropped."""

    __slots__ = ("_awaited", "_closed", "_mailbox", "_pattern", "_timeout", "_timers", "_where")

    def __init__(
        self,
        mailbox: Mailbox,
        timers: Timers,
        pattern: str,
        where: Callable[[Wave[Any]], object] | None,
        timeout: float | None,
    ) -> None:
        self._mailbox = mailbox
        self._timers = timers
        if where is not None and not callable(where):
            message = f"where must be a function of a wave, not {type(where).__name__}"
            raise TypeError(message)
        self._awaited = False
        self._closed = False
        self._pattern = pattern
        self._where = where
        self._timeout = checked_timeout(timeout)

    def __await__(self) -> Generator[Any, None, Wave[Any]]:
        return self._wait().__await__()

    async def _wait(self) -> Wave[Any]:
        if self._awaited:
            message = "this was awaited already; call expect() again"
            raise RuntimeError(message)
        self._awaited = True
        now = self._timers.waits_now
        deadline = None if self._timeout is None else now() + self._timeout
        try:
            while True:
                left = None if deadline is None else max(0.0, deadline - now())
                wave = await self._mailbox.receive(left)
                if wave is None:
                    message = (
                        f"the expectation of {self._pattern!r} was closed; call expect() again"
                        if self._closed
                        else f"the medium closed before a wave came on {self._pattern!r}"
                    )
                    raise Closed(message)
                if self._where is None or self._where(wave):
                    return wave
        except TimeoutError:
            such = "no wave" if self._where is None else "no such wave"
            message = f"{such} came on {self._pattern!r} within {self._timeout} s"
            raise TimeoutError(message) from None
        finally:
            self._mailbox.close()

    def close(self) -> None:
        """Listens no more; whoever awaits it gets `Closed`."""
        self._closed = True
        self._mailbox.close()
