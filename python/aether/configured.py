"""The settings of a medium, and how they change while it runs.

Contract:
- A change is applied in one step: an emission goes by the old rules or by the new ones.
- What is marked as live counts from the next emission, or the next vibrator, on; a vibrator keeps the size, the policy and
  the fading that it was made with. Everything else stays as it was, and a line in the log says so.
- Who wants to know is told after that, of all changes in their order: in the thread that has made the change, or in one
  that is telling of another at that moment. What it raises is logged.
- In the child of a fork, a medium that was not used before follows its files; nothing of this waits for a thread that the
  child does not have.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, cast

from aether.errors import Closed, ForkedMedium
from aether.events import said
from aether.limits import Admission, soft_of
from aether.observed import Observed

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether.config import AetherConfig, Overflow
    from aether.config.files import ConfigFiles
    from aether.config.limits import LimitsConfig
    from aether.config.reload import Reloading
    from aether.tracing import Tracing

__all__ = ["Configured", "of_files"]

_log = said()


def of_files(
    given: AetherConfig | ConfigFiles[AetherConfig] | None,
) -> tuple[AetherConfig | None, Reloading | None]:
    """A configuration as it is, or what its files say, with what reads them again.

    Raises:
        ConfigError: The files, variables or arguments have mistakes.
    """
    # Who has some has imported it.
    module = sys.modules.get("aether.config.files")
    if module is None or not isinstance(given, module.ConfigFiles):
        return cast("AetherConfig | None", given), None
    from aether.config.reload import Reloading

    reloading = Reloading(cast("ConfigFiles[AetherConfig]", given))
    return reloading.first(), reloading


class _Changes:
    """Changes as they are made in one process."""

    __slots__ = ("is_telling", "lock", "untold")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.untold: deque[tuple[AetherConfig, AetherConfig, dict[str, object]]] = deque()
        """What changes were made of which nobody was told: before, now, and by field."""
        self.is_telling = False


class Configured(Observed):
    """The part of a medium that has its settings."""

    __slots__ = (
        "_admission",
        "_applied",
        "_changes",
        "_config",
        "_on_change",
        "_reloading",
        "_tracing",
    )

    _config: AetherConfig | None
    _tracing: Tracing | None

    def _begin_configured(self, config: AetherConfig | None, reloading: Reloading | None) -> None:
        self._config = config
        self._admission = Admission()
        if config is not None and config.limits is not None:
            self._limit_queued(config.limits)
        self._applied = 0
        # By process: after a fork, a thread of the parent may have been in the midst of one for good.
        self._changes: dict[int, _Changes] = {}
        self._on_change: list[Callable[[AetherConfig, AetherConfig], object]] = []
        self._reloading = reloading
        if reloading is not None:
            medium = weakref.ref(self)

            def apply(changed: AetherConfig) -> None:
                alive = medium()
                try:
                    if alive is not None and alive.phase == "open":
                        alive.reconfigure(changed)
                except Closed:  # at this moment
                    pass
                except ForkedMedium:  # it is the parent's
                    reloading.let_go()

            weakref.finalize(self, reloading.forget).atexit = False
            reloading.start(apply)

    @property
    def config(self) -> AetherConfig:
        """How this medium treats waves and mailboxes, as it is now."""
        if self._config is None:
            from aether.config import AetherConfig

            self._config = AetherConfig()
        return self._config

    @property
    def _default_overflow(self) -> Overflow:
        return "block" if self._config is None else self._config.overflow

    @property
    def _default_buffer_size(self) -> int:
        return 1000 if self._config is None else self._config.channel_buffer_size

    @property
    def shutdown_timeout(self) -> float:
        """How long draining and closing may take at the end of a program, in seconds."""
        return 30.0 if self._config is None else self._config.shutdown_timeout

    @property
    def _drain_timeout(self) -> float:
        return 5.0 if self._config is None else self._config.drain_timeout

    def reconfigure(self, config: AetherConfig) -> AetherConfig:
        """Goes on by another configuration, as far as that can be done without a new medium.

        A medium that was made of `AetherConfig.files(...)` does this by itself when they change.

        Args:
            config: How it is to be. Fields that are not marked as live stay as they are, and are logged.

        Returns:
            The configuration as it is now.

        Raises:
            TypeError: It is no `AetherConfig`.
            Closed: The medium is closed.

        Example:
            >>> from aether import Aether, AetherConfig
            >>> medium = Aether()
            >>> medium.reconfigure(medium.config.replace(min_amplitude=0.2)).min_amplitude
            0.2
            >>> medium.emit_nowait("orders.created", amplitude=0.1).reason
            'min_amplitude'
        """
        from aether.config import AetherConfig
        from aether.config.reload import split

        if not isinstance(config, AetherConfig):
            message = f"config must be an AetherConfig, not {type(config).__name__}"
            raise TypeError(message)
        if self.phase == "closed":
            message = "the medium is closed and goes by no configuration any more; make a new one"
            raise Closed(message)
        changes = self._changes.setdefault(os.getpid(), _Changes())
        with changes.lock:
            before = self.config
            now, live, later = split(before, config)
            if live:
                self.tune(
                    attenuation_factor=now.attenuation_factor,
                    decay_interval=now.decay_interval,
                    max_propagation=now.max_propagation,
                    min_amplitude=now.min_amplitude,
                    stall_warning=now.stall_warning,
                )
                if self._tracing is not None and now.tracing is not None:
                    self._tracing.tune(now.tracing)
                if now.limits != before.limits:
                    self._limit_queued(now.limits)
                self._config = now
                self._applied += 1
                changes.untold.append((before, now, live))
        if later:
            _log.warning(
                "of the new configuration, %s will count from the next start on",
                ", ".join(sorted(later)),
                extra={"event": "config.needs_restart", "fields": sorted(later)},
            )
        if live:
            self._tell(changes)
            self._reconfigured()
        return now

    def _limit_queued(self, limits: LimitsConfig | None) -> None:
        if limits is None:
            self.limit_queued(None, 0)
        else:
            self.limit_queued(limits.queued, soft_of(limits))

    @property
    def _limits(self) -> LimitsConfig | None:
        return None if self._config is None else self._config.limits

    @property
    def admission(self) -> Admission:
        """What lets in vibrators, patterns and handlers."""
        return self._admission

    def refused(self) -> dict[str, int]:
        """How often a limit of `AetherConfig.limits` has refused something, by its name."""
        others = self._admission.refused()
        named = {name: others[name] for name in ("vibrators", "patterns", "tasks")}
        return {"queued": self.pressure()[3], **named}

    def _tell(self, changes: _Changes) -> None:
        """Tells of what was changed and not told yet, unless another thread is at it, which goes on with this."""
        while True:
            with changes.lock:
                if changes.is_telling or not changes.untold:
                    return
                changes.is_telling = True
                before, now, live = changes.untold.popleft()
            try:
                self._tell_of(before, now, live)
            finally:
                changes.is_telling = False

    def _tell_of(self, before: AetherConfig, now: AetherConfig, live: dict[str, object]) -> None:
        from aether.config.settings import masked

        said = ", ".join(f"{name}={masked(repr(value))}" for name, value in sorted(live.items()))
        _log.info(
            "the configuration has changed: %s",
            said,
            extra={"event": "config.changed", "fields": sorted(live)},
        )
        for callback in list(self._on_change):
            try:
                callback(before, now)
            except KeyboardInterrupt:  # that of the program, at any moment
                raise
            except BaseException:  # noqa: BLE001 - one that fails, or exits, keeps the others from nothing
                _log.exception(
                    "%r has failed, told of a new configuration",
                    callback,
                    extra={"event": "config.callback_failed"},
                )

    def _reconfigured(self) -> None:
        """The configuration has changed."""

    def on_config_change(
        self, callback: Callable[[AetherConfig, AetherConfig], object]
    ) -> Callable[[], None]:
        """Has `callback(before, now)` called after each change of the configuration, in the order of the changes.

        It is called in a thread that makes changes, which is one of its own when files have changed: an event loop is
        reached by its `call_soon_threadsafe`. `sys.exit()` ends no program there, and is logged as any error; a signal
        does: `os.kill(os.getpid(), signal.SIGTERM)`.

        Args:
            callback: What is called; what it raises is logged.

        Returns:
            A function that ends it.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> end = medium.on_config_change(lambda before, now: print(before.overflow, "->", now.overflow))
            >>> _ = medium.reconfigure(medium.config.replace(overflow="drop_oldest"))
            block -> drop_oldest
            >>> end()
        """
        if not callable(callback):
            message = f"callback must be callable, not {type(callback).__name__}"
            raise TypeError(message)
        self._on_change.append(callback)

        def end() -> None:
            if callback in self._on_change:
                self._on_change.remove(callback)

        return end

    def config_changes(self) -> dict[str, int]:
        """How often the configuration was changed while it ran, and how often its files had mistakes."""
        refused = 0 if self._reloading is None else self._reloading.refused
        return {"applied": self._applied, "refused": refused}

    def _end_configured(self) -> None:
        """The files are not looked at any more."""
        if self._reloading is not None:
            self._reloading.let_go()
