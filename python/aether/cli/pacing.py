"""When the next event of a history is due: at once, or in a multiple of real time.

A `Pacer` maps the time between events to the time between emissions. The first event is due at once; an event `s`
seconds after it is due `s / speed` seconds after that. An event out of order (earlier than one before it) is due at
once, and the schedule stands: the pacer never drifts, since it counts from the first event, not from the last.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import anyio

from .errors import MISUSED, CliError

__all__ = ["Pacer", "parse_speed"]

_LONGEST_SLEEP = 3600.0
"""Seconds; loops differ in how long a timer they take, and histories have gaps of years."""


def parse_speed(text: str) -> float | None:
    """A `--speed` as a multiple of real time, above 0; None for `max`.

    Raises:
        CliError: it is neither.
    """
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise CliError(
            f"--speed {text!r}: must be max, or a number above 0 such as 2.5", status=MISUSED
        )
    return speed


class Pacer:
    """Waits until events are due.

    Args:
        speed: multiple of real time, above 0; None waits for nothing.
        now: the clock, in seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        speed: float | None,
        *,
        now: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._speed = speed
        self._now = now
        self._sleep = sleep
        self._start: tuple[float, float] | None = None

    async def wait(self, ts: float) -> None:
        """Return when an event of time `ts` (seconds, finite) is due."""
        if self._speed is None:
            return
        if self._start is None:
            self._start = (ts, self._now())
        first, started = self._start
        due = started + (ts - first) / self._speed
        while (left := due - self._now()) > 0:
            await self._sleep(min(left, _LONGEST_SLEEP))
