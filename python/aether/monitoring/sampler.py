"""One look at a medium and its process after another, and what has been the same, or has grown, since."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aether import _native
from aether.monitoring import process
from aether.monitoring.leaks import LeakHint, Series
from aether.monitoring.payloads import estimate

if TYPE_CHECKING:
    from aether._native import Medium

__all__ = ["MAILBOXES", "SAMPLED", "Limits", "Resources", "Sampler", "Unread"]

SAMPLED = 16
"""Of how many waves of a mailbox the payloads are measured."""

_SAMPLED_IN_ALL = 4096

MAILBOXES = 1000
"""How many mailboxes in which something waits are followed."""


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
        waiting: Waves that wait in mailboxes.
        waiting_bytes: Their payloads, as far as their size is known (bytes, str, arrays, numbers): an estimate by 16
            waves of each mailbox, and 4,096 in all.
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


@dataclass(frozen=True, slots=True)
class Unread:
    """A mailbox in which waves wait, and for how long nobody has taken one."""

    vibrator: str
    is_handler: bool
    waiting: int
    seconds: float


@dataclass(slots=True)
class _Mailbox:
    vibrator: str
    is_handler: bool
    received: int
    since: float
    waiting: int = 0
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
        self._mailboxes: dict[int, _Mailbox] = {}
        self._unread: tuple[Unread, ...] = ()
        self._memory = Series()

    def sample(self, medium: Medium, limits: Limits, loop_lag: float | None = None) -> Resources:
        """Measures everything once.

        Raises:
            ConfigError: psutil is not installed.
            ForkedMedium: The medium was used before this process was forked.
        """
        figures, now = self._ask(), self._clock()
        rows, routes = medium.survey(SAMPLED, _SAMPLED_IN_ALL)
        followed: dict[int, _Mailbox] = {}
        waiting = in_bytes = 0
        for number, name, lane, wait, _, received, _, _, payloads in rows:
            size = estimate(wait, payloads)
            waiting += wait
            in_bytes += size
            if not wait or len(followed) >= MAILBOXES:
                continue
            known = self._mailboxes.get(number)
            if known is None:
                known = _Mailbox(name, lane, received, now)
            if received != known.received:
                known.received, known.since = received, now
            known.waiting = wait
            known.waves.add(now, wait, limits.window)
            known.payloads.add(now, size, limits.window)
            followed[number] = known
        self._mailboxes = followed
        # Kept as it is now: whether somebody has taken one since, only the next look knows.
        self._unread = tuple(
            Unread(one.vibrator, one.is_handler, one.waiting, now - one.since)
            for one in followed.values()
        )
        self._memory.add(now, figures.rss, limits.window)
        return Resources(
            taken=time.time(),
            rss=figures.rss,
            vms=figures.vms,
            open_files=figures.open_files,
            threads=figures.threads,
            loop_lag=loop_lag,
            waiting=waiting,
            waiting_bytes=in_bytes,
            routes_bytes=routes,
            allocated=figures.allocated,
            allocator_free=figures.allocator_free,
            panics=_native.panics(),
            leaks=self._leaks(limits),
        )

    def unread(self, limit: float) -> list[Unread]:
        """Mailboxes of which nobody has taken a wave for longer than this, as of the last look."""
        return [one for one in self._unread if one.seconds > limit]

    def _leaks(self, limits: Limits) -> tuple[LeakHint, ...]:
        hints = [
            LeakHint("mailbox", one.vibrator, *grown)
            for one in self._mailboxes.values()
            if (grown := one.waves.grown(limits.waves))
        ]
        if grown := self._memory.grown(limits.bytes):
            first, last, seconds = grown
            half = max(1, (last - first) // 2)
            waits = {
                one.vibrator: more[1] - more[0]
                for one in self._mailboxes.values()
                if (more := one.payloads.grown(half))
            }
            most = max(waits, key=waits.__getitem__, default=None)
            hints.append(LeakHint("memory", most, first, last, seconds))
        return tuple(hints)
