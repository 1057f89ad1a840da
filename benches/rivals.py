"""Two detectors that people write by hand, to be measured beside the engine: windows with a threshold.

Both look for what the engine looks for, as far as such a window can, and tell of an episode once. Their thresholds
are those that did best on the tuning seeds.

    FixedCount   a key that comes 6 times in the last 64 waves of its channel is a storm; 16 waves of a channel in a
                 fifth of the time that they take on average are a burst
    ZScore       8 intervals of a key whose standard deviation is below 0.4 of their mean are a rhythm; 16 intervals of
                 a channel whose mean is 3 standard errors below the average of all are a burst
"""

from __future__ import annotations

import math
from collections import defaultdict, deque

from streams import Event

__all__ = ["FixedCount", "ZScore"]


class _Rates:
    """The mean interval of a channel, and its last waves."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean = 0.0
        self.last: deque[float] = deque(maxlen=size)

    def see(self, time: float) -> None:
        if self.last:
            self.count += 1
            self.mean += (time - self.last[-1] - self.mean) / self.count
        self.last.append(time)


class FixedCount:
    """So many in a window."""

    name = "fixed count"
    STORM, WAVES, PILE, SHARE = 6, 64, 16, 0.2

    def __init__(self) -> None:
        self.rates: dict[str, _Rates] = defaultdict(lambda: _Rates(self.PILE + 1))
        self.seen: dict[tuple[str, str], deque[int]] = defaultdict(lambda: deque(maxlen=self.STORM))
        self.told: set[object] = set()

    def detect(self, event: Event) -> str | None:
        """What the event completes."""
        rates = self.rates[event.channel]
        rates.see(event.time)
        name = (event.channel, str(event.payload))
        places = self.seen[name]
        places.append(rates.count)
        storm = len(places) == self.STORM and rates.count - places[0] < self.WAVES
        span = rates.last[-1] - rates.last[0]
        pile = rates.count > 2 * self.PILE and span < self.SHARE * self.PILE * rates.mean
        return self._first(name, storm, "standing_wave") or self._first(
            event.channel, pile, "resonance"
        )

    def _first(self, name: object, holds: bool, kind: str) -> str | None:
        if not holds:
            self.told.discard(name)
        elif name not in self.told:
            self.told.add(name)
            return kind
        return None


class ZScore(FixedCount):
    """The mean and the spread of a window."""

    name = "z-score"
    INTERVALS, SPREAD, ERRORS = 8, 0.4, 3.0

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[tuple[str, str], deque[float]] = defaultdict(
            lambda: deque(maxlen=self.INTERVALS + 1)
        )

    def detect(self, event: Event) -> str | None:
        """What the event completes."""
        rates = self.rates[event.channel]
        rates.see(event.time)
        name = (event.channel, str(event.payload))
        times = self.times[name]
        times.append(event.time)
        steady = False
        if len(times) > self.INTERVALS:
            gaps = [after - before for before, after in zip(times, list(times)[1:], strict=False)]
            mean = sum(gaps) / len(gaps)
            spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
            steady = spread < self.SPREAD * mean
        mean = (rates.last[-1] - rates.last[0]) / self.PILE
        # Random intervals spread as much as they are long.
        pile = rates.count > 2 * self.PILE and mean < rates.mean * (
            1 - self.ERRORS / math.sqrt(self.PILE)
        )
        return self._first(name, steady, "standing_wave") or self._first(
            event.channel, pile, "resonance"
        )
