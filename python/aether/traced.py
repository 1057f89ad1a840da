"""What of a medium is followed: its tracing.

Contract:
- Without `AetherConfig.tracing` there is none, and nothing of OpenTelemetry is imported.
- The medium ends before its tracing does, which sends what there is for as long as `TracingConfig.shutdown_timeout` says.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from aether._native import Wave, handling
from aether.configured import Configured
from aether.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether._native import Handling
    from aether.config.tracing import TracingConfig
    from aether.tracing import Trace, Tracing

__all__ = ["Traced", "traced"]


def traced(config: TracingConfig | None) -> Tracing | None:
    """What follows waves, by a configuration."""
    if config is None:
        return None
    from aether.tracing import Tracing

    return Tracing(config)


class Traced(Configured):
    """The part of a medium that follows its waves."""

    __slots__ = ("enter_handler", "leave_handler")

    enter_handler: Callable[[Handling], Any]
    """What is called when a handler begins; what it gives goes to `leave_handler`."""
    leave_handler: Callable[[Any], object]

    def _begin_traced(self, tracing: Tracing | None) -> None:
        self._tracing = tracing
        self.enter_handler, self.leave_handler = handling.set, handling.reset
        if tracing is None:
            return
        # Whoever lets go of it waits for nobody; the end of the program does, see `aether.tracing.exporting`.
        weakref.finalize(self, tracing.stop).atexit = False
        if tracing.follows_others:
            from aether.tracing.current import enter, leave

            self.enter_handler, self.leave_handler = enter, leave
        tracing.begin()

    @property
    def tracing(self) -> Tracing | None:
        """What follows waves; `None`: nothing."""
        return self._tracing

    def trace(self, wave: Wave[Any] | str) -> Trace:
        """What is known of a wave that is followed, and of all that led to it and came of it: who emitted it, who got it.

        Args:
            wave: The wave, or its id.

        Returns:
            A tree that prints; false if nothing is known of the wave.

        Raises:
            ConfigError: The medium follows no waves.
            TypeError: It is neither a wave nor an id.

        Example:
            >>> import asyncio
            >>> from aether import Aether, AetherConfig, TracingConfig
            >>> async def main():
            ...     async with Aether(AetherConfig(tracing=TracingConfig(sample=1.0))) as medium:
            ...         audit = medium.vibrator("audit")
            ...         audit.resonate_on("orders.*")
            ...         await medium.emit_wave("orders.created")
            ...         return medium.trace(await audit.receive())
            >>> [(span.work, span.by) for span in asyncio.run(main())]
            [('send', None), ('receive', 'audit')]
        """
        if self._tracing is None:
            message = "this medium follows no waves: make it with AetherConfig(tracing=TracingConfig(sample=1.0))"
            raise ConfigError(message)
        if not isinstance(wave, (str, Wave)):
            message = f"trace() takes a Wave or its id, not {type(wave).__name__}"
            raise TypeError(message)
        return self._tracing.trace(wave if isinstance(wave, str) else wave.id)

    async def _close_tracing(self) -> None:
        if self._tracing is None:
            return
        self._tracing.stop()
        if self._tracing.is_exporting:
            from anyio import to_thread

            await to_thread.run_sync(self._tracing.close)
