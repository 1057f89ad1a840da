"""So many in a second: turns, first come first served.

Contract:
- In any span of `t` seconds no more than `burst + rate * t` turns are given, and each that is due is given to whoever has
  waited longest, by the medium's clock, in whatever loop or thread: see `aether.handling.line`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aether._native import Bucket
from aether.handling.line import Line
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


class Turns(Line):
    """The turns of one handler or emitter."""

    __slots__ = ()

    def __init__(self, rate: Rate, timers: Timers) -> None:
        super().__init__(Bucket(rate.rate, rate.burst), timers)

    async def turn(self) -> None:
        """Returns when it is this one's turn."""
        await self.take()
