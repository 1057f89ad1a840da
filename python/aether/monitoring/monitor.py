"""Looks after a medium in the background, while it is entered.

Contract:
- One thread, a daemon, which keeps no medium alive: it asks the loop some times an interval how late it is, and
  measures everything else once. It runs none of anybody's code, and takes nothing from a mailbox.
- It ends when it is stopped, when the medium is gone, or closed in another way. In the child of a fork there is none.
- What fails is logged once an episode, and tried again.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from aether.errors import AetherError
from aether.events import said
from aether.monitoring.lag import LoopLag
from aether.monitoring.sampler import Limits, Resources, Sampler

if TYPE_CHECKING:
    from aether.config.health import HealthConfig
    from aether.monitored import Monitored

__all__ = ["Monitor"]

_log = said()

# How often an interval the loop is asked.
_PINGS = 4


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
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._sampler = Sampler(clock) if sampler is None else sampler
        self._lag = LoopLag(post, clock)
        self._told = False
        self.resources: Resources | None = None
        """As measured last."""

    def start(self) -> None:
        """Begins to look, in a thread."""
        self._thread = threading.Thread(target=self._run, name="aether-monitor", daemon=True)
        self._thread.start()

    def let_go(self) -> None:
        """Looks no more, a moment from now."""
        self._ended.set()

    def stop(self) -> None:
        """Looks no more; when it returns, the thread has ended."""
        self._ended.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join()

    def _run(self) -> None:
        turns, pause = 0, 0.0
        while not self._ended.wait(pause):
            medium = self._medium()
            settings = None if medium is None else medium.config.health
            if medium is None or settings is None:
                return
            try:
                self.look(medium, settings, sample=turns % _PINGS == 0)
                self._told = False
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
        reasons: list[str] = []
        if lag > settings.loop_lag:
            reasons.append(f"the event loop is {lag:.2f} s late (loop_lag={settings.loop_lag:g})")
        if known is not None and settings.memory is not None and known.rss > settings.memory:
            reasons.append(f"the process uses {known.rss:,} bytes (memory={settings.memory:,})")
        if settings.unread is not None:
            reasons += [
                f"{one.waiting:,} waves wait for {'a handler of ' if one.is_handler else ''}{one.vibrator!r}, who has "
                f"taken none for {one.seconds:.0f} s (unread={settings.unread:g})"
                for one in self._sampler.unread(settings.unread)
            ]
        return reasons
