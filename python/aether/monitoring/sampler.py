"""One look at a medium and its process after another, and what has been the same, or has grown, since."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import nlargest
from operator import attrgetter
from typing import TYPE_CHECKING

from aether import _native
from aether.monitoring import process
from aether.monitoring.held import Held, held
from aether.monitoring.leaks import LeakHint, Series
from aether.monitoring.unread import Unread, UnreadSince

if TYPE_CHECKING:
    from aether.running import Running

__all__ = ["MAILBOXES", "Limits", "Resources", "Sampler"]

MAILBOXES = 1000
"""In how many mailboxes leaks are looked for: those in which most waits."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a medium and its process use, at one moment.

    Attributes:
        taken: When it was measured, in Unix seconds.
        rss: Memory of the process, in bytes.
        vms: Addresses that it has, in bytes.
        open_files: Open files and sockets; on Windows, handles.
        threads: Threads of the process.
        loop_lag: How late the loop was at worst since the last time, in seconds; `None`: it is not measured.
        waiting: Waves that wait in mailboxes, or behind the busy keys of handlers.
        waiting_bytes: Their payloads, as far as their size is known (bytes, str, arrays, numbers): an estimate by 16
            waves of each mailbox or handler and 4,096 of all, with which the others are taken to agree.
        routes_bytes: What the native side holds for patterns and routes.
        allocated: What the C allocator has given out, in bytes: the native side, and others; `None`: not known here.
        allocator_free: What it keeps for later.
        panics: Panics of the native side in this process; see the event `native.panicked`.
        leaks: What has only grown for a window; see `HealthConfig`.
    """

    taken: float
    rss: int
    vms: int
    open_files: int
    threads: int
    loop_lag: float | None
    waiting: int
    waiting_bytes: int
    routes_bytes: int
    allocated: int | None
    allocator_free: int | None
    panics: int
    leaks: tuple[LeakHint, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as a leak; as `HealthConfig` has it."""

    window: float = 300.0
    bytes: int = 33_554_432
    waves: int = 100


@dataclass(slots=True)
class _Growing:
    """What waits for one vibrator, over a window."""

    vibrator: str
    waves: Series = field(default_factory=Series)
    payloads: Series = field(default_factory=Series)


class Sampler:
    """Measures a medium: by one thread at a time.

    Args:
        clock: Seconds that do not go back.
        ask: Asks the system.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        ask: Callable[[], process.Figures] = process.figures,
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._growing: dict[int, _Growing] = {}
        self._unread = UnreadSince()
        self._memory = Series()

    def sample(self, medium: Running, limits: Limits, loop_lag: float | None = None) -> Resources:
        """Measures everything once.

        Raises:
            ConfigError: psutil is not installed.
            ForkedMedium: The medium was used before this process was forked.
        """
        figures, now = self._ask(), self._clock()
        found, routes = held(medium)
        self._unread.look(now, found)
        self._follow(now, found, limits)
        self._memory.add(now, figures.rss, limits.window)
        return Resources(
            taken=time.time(),
            rss=figures.rss,
            vms=figures.vms,
            open_files=figures.open_files,
            threads=figures.threads,
            loop_lag=loop_lag,
            waiting=sum(one.waiting for one in found),
            waiting_bytes=sum(one.bytes for one in found),
            routes_bytes=routes,
            allocated=figures.allocated,
            allocator_free=figures.allocator_free,
            panics=_native.panics(),
            leaks=self._leaks(limits),
        )

    def unread(self, limit: float, most: int) -> tuple[int, list[Unread]]:
        """Of how much nobody has taken a wave for longer than this, and the longest of it; see `UnreadSince`."""
        return self._unread.longer_than(limit, most)

    def _follow(self, now: float, found: list[Held], limits: Limits) -> None:
        most = found
        if len(found) > MAILBOXES:
            # What leaks is among them sooner or later, and stays.
            most = nlargest(MAILBOXES, found, key=attrgetter("waiting"))
        growing: dict[int, _Growing] = {}
        for one in most:
            known = self._growing.get(one.number) or _Growing(one.vibrator)
            known.waves.add(now, one.waiting, limits.window)
            known.payloads.add(now, one.bytes, limits.window)
            growing[one.number] = known
        self._growing = growing

    def _leaks(self, limits: Limits) -> tuple[LeakHint, ...]:
        hints = [
            LeakHint("mailbox", one.vibrator, *grown)
            for one in self._growing.values()
            if (grown := one.waves.grown(limits.waves))
        ]
        if grown := self._memory.grown(limits.bytes):
            first, last, seconds = grown
            half = max(1, (last - first) // 2)
            waits = {
                one.vibrator: more[1] - more[0]
                for one in self._growing.values()
                if (more := one.payloads.grown(half))
            }
            most = max(waits, key=waits.__getitem__, default=None)
            hints.append(LeakHint("memory", most, first, last, seconds))
        return tuple(hints)
