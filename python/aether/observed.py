"""What of a medium can be looked at: its physics, fields of its last waves, and watches.

Contract:
- Who looks resonates on nothing: no wave waits for it, and it changes no receipt.
- A field records while somebody holds it, a watch works until it is closed; both see each admitted wave once.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, cast

from aether import _native
from aether.errors import Closed

if TYPE_CHECKING:
    from aether.medium import Aether
    from aether.physics import Field, PhysicsEngine
    from aether.physics.watch import Watch


class Observed(_native.Medium):
    """The part of a medium that shows its waves."""

    __slots__ = ("_fields", "_making", "_physics", "_watches")

    def _begin_observed(self) -> None:
        self._physics: list[PhysicsEngine] = []
        self._watches: set[Watch] = set()
        self._fields: weakref.WeakValueDictionary[tuple[str, int], Field] = (
            weakref.WeakValueDictionary()
        )
        # May be asked for again in the midst of it, by the end of some object.
        self._making = threading.RLock()

    @property
    def physics(self) -> PhysicsEngine:
        """The physics of this medium's waves."""
        if not self._physics:
            from aether.physics import PhysicsEngine

            self._physics.append(PhysicsEngine())
        # Of those that threads have made at once, the first serves all.
        return self._physics[0]

    def field(self, pattern: str, size: int = 65_536) -> Field:
        """The last `size` waves of a pattern, as columns for numpy; it records while somebody holds it.

        While it is held, the same pattern and size give the same field. Its columns stay readable when the
        medium is closed or gone.

        Args:
            pattern: A channel or pattern.
            size: How many waves to keep, 1..16,777,216. Each takes 44 bytes, at most twice.

        Raises:
            ChannelError: `pattern` is no pattern.
            Closed: The medium is closed.
            TypeError: An argument is of the wrong type.
            ValueError: `size` is out of range.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> field = medium.field("orders.*")
            >>> _ = medium.emit_nowait("orders.created", amplitude=0.5)
            >>> field.columns().amplitude
            array([0.5])
        """
        from aether.physics.field import Field

        fresh = Field(cast("Aether", self), pattern, size)
        with self._making:
            return self._fields.setdefault((fresh.pattern.canonical, fresh.size), fresh)

    def watch(self, pattern: str, engine: PhysicsEngine | None = None) -> Watch:
        """Shows an engine each wave of a pattern, as it is emitted, and emits what the engine finds.

        A detection goes out on `physics.<kind>.<channel>`, with the `Detection` as payload: resonate on
        `physics.*`, or on `physics.standing_wave.*`. Nobody waits for that, and nothing that goes wrong
        reaches whoever emits. Channels that the library derives are not watched.

        Args:
            pattern: A channel or pattern.
            engine: What looks on; it may serve several watches. Without it: `physics`.

        Returns:
            A handle: `close` ends the watch, and so does leaving its `with` block. Without that it works as
            long as the medium does.

        Raises:
            ChannelError: `pattern` is no pattern.
            Closed: The medium is closed.
            TypeError: An argument is of the wrong type.

        Example:
            >>> from aether import Aether, PhysicsEngine
            >>> medium = Aether()
            >>> with medium.watch("orders.*", PhysicsEngine(window=10.0)) as watch:
            ...     _ = medium.emit_nowait("orders.created", {"id": 7})
            >>> watch.statistics().waves
            1
        """
        from aether.physics import PhysicsEngine
        from aether.physics.watch import Watch

        engine = self.physics if engine is None else engine
        if not isinstance(engine, PhysicsEngine):
            message = f"engine must be a PhysicsEngine, not {type(engine).__name__}"
            raise TypeError(message)
        if self.phase == "closed":
            message = f"watching {pattern!r}: the medium is closed; make a new one"
            raise Closed(message)
        watch = Watch(cast("Aether", self), pattern, engine, self._watches.discard)
        self._watches.add(watch)
        return watch
