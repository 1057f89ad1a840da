"""What a medium says of itself to whoever runs it: health, resources, and a console for `aether top` and `aether tap`.

Contract:
- Without the sections `health` and `console` of the configuration nothing runs in the background.
- With them, it runs while the medium is entered, does not keep it alive, and ends with it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

from aether.monitoring import process
from aether.running import Running
from aether.statistics import FEW, Health, few

if TYPE_CHECKING:
    from aether.console.server import Serving
    from aether.medium import Aether
    from aether.monitoring.monitor import Monitor
    from aether.monitoring.sampler import Resources, Sampler

__all__ = ["Monitored"]

# Seconds for which what was measured by the way is good.
_FRESH = 1.0


class Monitored(Running):
    """The part of a medium that is looked after."""

    __slots__ = (
        "_console",
        "_following",
        "_is_followed",
        "_measured",
        "_measuring",
        "_monitor",
        "_sampler",
    )

    def _begin_monitored(self) -> None:
        self._monitor: Monitor | None = None
        self._is_followed = False
        # Entered and left in the loop, configured in any thread; again in the same one, if the collector has it so.
        self._following = threading.RLock()
        self._console: Serving | None = None
        self._sampler: Sampler | None = None
        self._measured: tuple[float, Resources] | None = None
        self._measuring = threading.Lock()

    def _start(self) -> None:
        if not self._runs:
            # First: where it cannot be, the medium is not entered.
            if self._is_watched():
                process.require("the section health")
            self._open_console()
        super()._start()
        self._is_followed = True
        self._follow()

    async def _stop(self, *, at_once: bool) -> None:
        self._is_followed = False
        self._follow()
        if self._console is not None:
            self._console.close()
            self._console = None
        await super()._stop(at_once=at_once)

    def _is_watched(self) -> bool:
        return self._config is not None and self._config.health is not None

    def _reconfigured(self) -> None:
        self._follow()

    def _follow(self) -> None:
        """Looks after the medium if the configuration says so now, while it is entered."""
        if self._is_watched():
            # Not under the lock: modules run when they are imported.
            from aether.monitoring import monitor as _  # noqa: F401
        with self._following:
            monitor, home = self._monitor, self._home
            if not self._is_watched() or not self._is_followed or home is None:
                self._monitor = None
                if monitor is not None:
                    monitor.let_go()
            elif monitor is None:
                from aether.monitoring.monitor import Monitor

                self._monitor = Monitor(self, home.run)
                self._monitor.start()

    def _open_console(self) -> None:
        if self._console is None and self._config is not None and self._config.console is not None:
            from aether.console.server import serve

            self._console = serve(self._config.console.path, cast("Aether", self))

    def health(self) -> Health:
        """Whether the medium works, and why not. Cheap, and from any thread.

        With the section `health` of the configuration, this is also about the event loop, the memory, and vibrators that
        do not read; see `HealthConfig`.

        Example:
            >>> from aether import Aether
            >>> Aether().health()
            Health(live=True, ready=True, reasons=(), hints=())
        """
        phase = self.phase
        reasons = [] if phase == "open" else [f"the medium is {phase}"]
        count, stalled = self.first_stalled()
        told = [
            f"an emission on {channel!r} has waited {waited:.1f} s for {', '.join(full)}"
            for channel, full, waited in stalled
        ]
        reasons += few(told, count, "wait for room")
        if self._journal is not None and (trouble := self._journal.trouble):
            reasons.append(f"the journal: {trouble}")
        live, hints = phase != "closed", tuple[str, ...]()
        monitor, settings = self._monitor, None if self._config is None else self._config.health
        if monitor is not None and settings is not None and phase != "closed":
            # Where the loop itself asks, it answers.
            is_here = self._home is not None and self._home.is_here()
            silence = None if is_here else monitor.silence(settings)
            live = silence is None
            reasons += [silence] if silence else []
            reasons += monitor.reasons(settings)
            known = monitor.resources
            leaks = () if known is None else known.leaks
            hints = tuple(few(map(str, leaks[:FEW]), len(leaks), "have only grown"))
        waiting, floor, _, _ = self.pressure() if phase != "closed" else (0, 0.0, 0, 0)
        if floor > 0.0:
            hints += (
                f"{waiting:,} waves wait, and fainter ones than {floor:.2f} are shed (limits.soft)",
            )
        return Health(live=live, ready=not reasons, reasons=tuple(reasons), hints=hints)

    @property
    def measured(self) -> Resources | None:
        """What was measured last in the background; `None` without the section `health`, or before."""
        return None if self._monitor is None else self._monitor.resources

    def resources(self) -> Resources:
        """What the medium and its process use. It needs the extra `ops`.

        With the section `health` of the configuration, that is what was measured last, in the background. Otherwise it is
        measured now, in this thread, at most once a second: some 100 µs, and more with many open files. Where an event
        loop runs, `await anyio.to_thread.run_sync(medium.resources)`.

        Raises:
            ConfigError: psutil is not installed.
            ForkedMedium: The medium was used before this process was forked.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> desk = medium.vibrator("desk")
            >>> _ = desk.resonate_on("orders.*")
            >>> _ = medium.emit_nowait("orders.created", b"1234")
            >>> used = medium.resources()
            >>> used.waiting, used.waiting_bytes
            (1, 4)
        """
        self.check_process()
        monitor = self._monitor
        if monitor is not None and monitor.resources is not None:
            return monitor.resources
        from aether.monitoring.sampler import Limits, Sampler

        with self._measuring:
            now = time.monotonic()
            if self._measured is None or now - self._measured[0] > _FRESH:
                if self._sampler is None:
                    self._sampler = Sampler()
                self._measured = now, self._sampler.sample(self, Limits())
            return self._measured[1]
