"""Looks after a medium in the background, while it is entered.

Contract:
- One thread, a daemon, which keeps no medium alive: it asks the loop some times an interval how late it is, and
  measures everything else once. It runs none of anybody's code, and takes nothing from a mailbox.
- It ends when it is let go, when the medium is gone, or closed in another way. In the child of a fork there is none.
  Nobody waits for that but the interpreter when it ends, and that for `PATIENCE` seconds at most.
- What fails is logged once an episode, and tried again. That psutil is missing is a reason not to be ready.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from aether.errors import AetherError, ConfigError
from aether.events import said
from aether.monitoring.lag import LoopLag
from aether.monitoring.sampler import Limits, Resources, Sampler
from aether.statistics import FEW, few

if TYPE_CHECKING:
    from aether.config.health import HealthConfig
    from aether.monitored import Monitored

__all__ = ["PATIENCE", "Monitor"]

_log = said()

# How often an interval the loop is asked.
_PINGS = 4

_OFF = 1.0

PATIENCE = 2.0
"""Seconds for which the end of the interpreter waits for all such threads."""


class Monitor:
    """What is known of a medium that is looked after.

    Args:
        medium: Which one.
        post: Has a function called in its loop.
        clock: Seconds that do not go back.
        sampler: What measures everything but the loop.
    """

    def __init__(
        self,
        medium: Monitored,
        post: Callable[[Callable[[], object]], object],
        clock: Callable[[], float] = time.monotonic,
        sampler: Sampler | None = None,
    ) -> None:
        self._medium = weakref.ref(medium)
        # A queue: told by the collector too, in whatever thread and whatever it holds, which no event can be.
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._finalizer: weakref.finalize[[None], Monitored] | None = None
        self._sampler = Sampler(clock) if sampler is None else sampler
        self._lag = LoopLag(post, clock)
        self._told = False
        self._missing: str | None = None
        self.resources: Resources | None = None
        """As measured last."""

    def start(self) -> None:
        """Begins to look, in a thread."""
        medium = self._medium()
        if medium is None:
            return
        self._finalizer = weakref.finalize(medium, self._ended.put, None)
        self._finalizer.atexit = False
        self._thread = threading.Thread(target=self._run, name="aether-monitor", daemon=True)
        _running.add(self)
        self._thread.start()

    def let_go(self) -> None:
        """Looks no more, a moment from now."""
        self._ended.put(None)
        if self._finalizer is not None:
            self._finalizer.detach()

    def join(self, timeout: float) -> None:
        """Waits for the thread, which has been told to end."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(timeout)

    def _is_over(self, pause: float) -> bool:
        """Waits, and whether it is told to end meanwhile."""
        try:
            self._ended.get(timeout=pause)
        except queue.Empty:
            return False
        return True

    def _run(self) -> None:
        turns, pause = 0, 0.0
        while not self._is_over(pause):
            medium = self._medium()
            if medium is None or medium.phase == "closed":
                return
            settings = medium.config.health
            if settings is None:
                # Turned off a moment ago, and perhaps on again: it is let go of, or goes on.
                pause = _OFF
                del medium
                continue
            try:
                sample = turns % _PINGS == 0
                self.look(medium, settings, sample=sample)
                if sample:
                    self._told, self._missing = False, None
            except ConfigError as error:
                self._missing = str(error)
                self._fail()
            except AetherError:
                # It is another process's, or is gone.
                return
            except Exception:  # noqa: BLE001 - whatever the system says
                self._fail()
            turns, pause = turns + 1, settings.interval / _PINGS
            del medium

    def look(self, medium: Monitored, settings: HealthConfig, *, sample: bool) -> None:
        """Asks the loop, and measures everything else if that is its turn."""
        self._lag.ping()
        if sample:
            limits = Limits(settings.leak_window, settings.leak_bytes, settings.leak_waves)
            self.resources = self._sampler.sample(medium, limits, self._lag.take())

    def _fail(self) -> None:
        if not self._told:
            self._told = True
            _log.exception("looking after a medium has failed", extra={"event": "health.failed"})

    def silence(self, settings: HealthConfig) -> str | None:
        """Why the medium is not live."""
        silence = self._lag.silence
        if silence <= settings.loop_silence:
            return None
        return f"the event loop has not answered for {silence:.1f} s (loop_silence={settings.loop_silence:g})"

    def reasons(self, settings: HealthConfig) -> list[str]:
        """Why it is not ready, as far as that was measured."""
        known = self.resources
        lag = max(self._lag.silence, 0.0 if known is None else known.loop_lag or 0.0)
        reasons = [] if self._missing is None else [f"health: {self._missing}"]
        if lag > settings.loop_lag:
            reasons.append(f"the event loop is {lag:.2f} s late (loop_lag={settings.loop_lag:g})")
        if known is not None and settings.memory is not None and known.rss > settings.memory:
            reasons.append(f"the process uses {known.rss:,} bytes (memory={settings.memory:,})")
        if settings.unread is not None:
            count, longest = self._sampler.unread(settings.unread, FEW)
            told = [f"{one} (unread={settings.unread:g})" for one in longest]
            reasons += few(told, count, "do not read either")
        return reasons


_running: weakref.WeakSet[Monitor] = weakref.WeakSet()


def _end_all() -> None:
    """A thread must not outlive the interpreter."""
    monitors = list(_running)
    for one in monitors:
        one.let_go()
    deadline = time.monotonic() + PATIENCE
    for one in monitors:
        one.join(max(0.0, deadline - time.monotonic()))


atexit.register(_end_all)
