"""So many in a second: turns, first come first served.

Contract:
- In any span of `t` seconds no more than `burst + rate * t` turns are given, and each that is due is given to whoever has
  waited longest, by the medium's clock, in whatever loop or thread.
- Who is cancelled while it waits, or just when its turn has come, leaves it to the next.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aether._native import Bucket
from aether._wait import Flag, Home
from aether.handling.numbers import checked_count, checked_rate

if TYPE_CHECKING:
    from aether.timers import Timers

__all__ = ["Rate", "Turns"]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a second, and so many at once.

    Args:
        rate: In a second, on average: above 0.
        burst: At once, after a while without any: 1 or more.

    Raises:
        TypeError: One is no number.
        ValueError: One is out of its range.

    Example:
        >>> from aether import Rate
        >>> Rate(100, burst=20)
        Rate(rate=100, burst=20)
    """

    rate: float
    burst: int = 1

    def __post_init__(self) -> None:
        checked_rate("rate", self.rate)
        checked_count("burst", self.burst)

    @classmethod
    def of(cls, given: Rate | float) -> Rate:
        """The rate that was given, as such or as a number in a second."""
        return given if isinstance(given, Rate) else cls(given)


class _Place:
    """One that waits for its turn."""

    __slots__ = ("flag", "home")

    def __init__(self) -> None:
        self.flag = Flag()
        self.home = Home()


class Turns:
    """The turns of one handler or emitter."""

    __slots__ = ("_armed", "_bucket", "_line", "_lock", "_timers", "waited")

    def __init__(self, rate: Rate, timers: Timers) -> None:
        self._bucket = Bucket(rate.rate, rate.burst)
        self._timers = timers
        self._line: deque[_Place] = deque()
        self._lock = threading.Lock()
        self._armed: set[object] = set()
        """The loops that will look at it again."""
        self.waited = 0
        """How many had to wait."""

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._line)

    async def turn(self) -> None:
        """Returns when it is this one's turn."""
        # Without the lock: who comes while others wait is behind them in any case.
        if not self._line and self._bucket.take(self._timers.now()) == 0.0:
            return
        place = _Place()
        with self._lock:
            self._line.append(place)
            self.waited += 1
        self._serve(place.home)
        try:
            await place.flag.wait()
        except BaseException:
            self._leave(place)
            raise

    def _look(self, home: Home) -> None:
        with self._lock:
            self._armed.discard(home.key)
        self._serve(home)

    def _serve(self, home: Home) -> None:
        """Gives all turns that are due, and comes back for the next in this loop."""
        due: list[_Place] = []
        with self._lock:
            wait = 0.0
            while self._line:
                if self._line[0].home.is_over():
                    self._line.popleft()
                    continue
                wait = self._bucket.take(self._timers.now())
                if wait > 0.0:
                    break
                due.append(self._line.popleft())
            fresh = wait > 0.0 and home.key not in self._armed
            if fresh:
                self._armed.add(home.key)
        for place in due:
            place.flag.set()
        if fresh:
            self._timers.after(wait, partial(self._look, home))

    def _leave(self, place: _Place) -> None:
        with self._lock:
            if place in self._line:
                self._line.remove(place)
                return
        # Its turn had come: it is the next one's.
        self._bucket.give_back()
        self._serve(place.home)
