"""A watch: an engine that looks on at the waves of a pattern, and a medium that is told what it finds.

Contract:
- The engine sees each wave that the pattern takes and the medium admits, once, whether somebody hears it or
  not, in the thread that emits it. It works until the watch is closed; the medium holds it until then.
- What it finds is emitted on `physics.<kind>.<channel>` with the `Detection` as payload, and reaches whoever
  resonates there, or on `*`. Nobody waits for that: what a full mailbox does not take is dropped and counted.
- Nothing that goes wrong reaches whoever emits. Channels that the library derives are never watched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aether import _native
from aether._closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether._native import Medium
    from aether.physics.engine import PhysicsEngine

__all__ = ["Watch", "WatchStatistics"]


@dataclass(frozen=True, slots=True)
class WatchStatistics:
    """What a watch has seen and told."""

    waves: int
    """Waves that it showed to its engine."""

    skipped: int
    """Waves that the engine's `key` emitted while it was asked about another one: they are not shown."""

    found: int
    """Detections."""

    dropped: int
    """Of these, those that somebody who resonates did not get, as a mailbox was full or the medium closed."""


class Watch(Closing):
    """A running watch: `Aether.watch` makes it, `close` or leaving its `with` block ends it.

    Example:
        >>> from aether import Aether, ManualClock, PhysicsEngine
        >>> clock = ManualClock(1e9)
        >>> medium = Aether(clock=clock)
        >>> desk = medium.vibrator("desk")
        >>> _ = desk.resonate_on("physics.*")
        >>> with medium.watch("orders.*", PhysicsEngine()) as watch:
        ...     for _ in range(12):
        ...         _ = medium.emit_nowait("orders.retry", {"id": 7})
        ...         _ = clock.advance(2.5)
        >>> found = desk.receive_nowait()
        >>> found.channel, found.payload.period
        ('physics.standing_wave.orders.retry', 2.5)
        >>> watch.statistics().waves, watch.statistics().found
        (12, 1)
    """

    __slots__ = ("_forget", "_tap", "_watcher", "engine", "pattern")

    def __init__(
        self, medium: Medium, pattern: str, engine: PhysicsEngine, forget: Callable[[Watch], None]
    ) -> None:
        self.pattern = pattern
        """Which channels it watches."""
        self.engine = engine
        """What looks on."""
        self._forget = forget
        self._watcher = _native.Watcher(medium, engine)
        self._tap = medium.tap(pattern, self._watcher)

    def close(self) -> None:
        """End it; a second time does nothing.

        Raises:
            ForkedMedium: The medium was used before this process was forked.
        """
        self._tap.close()
        self._forget(self)

    def statistics(self) -> WatchStatistics:
        """What it has seen and told."""
        return WatchStatistics(*self._watcher.counters())
