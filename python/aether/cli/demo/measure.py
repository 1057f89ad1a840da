"""Measuring: what one reader got and missed, and how long each took from emission to its hands.

The clock is `time.time()` at both ends and for both sides, since that is what a wave's `timestamp` is read from: the
medium stamps the wave as it is emitted, the queues stamp their message likewise, and the reader looks at the clock
first thing. Waiting for room counts, as it does for whoever waits.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .job import Findings

__all__ = ["Latency", "Measured", "Side"]


@dataclass(frozen=True, slots=True)
class Latency:
    """From emission to receipt, in seconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, samples: Iterable[float]) -> Latency:
        """Of these samples; all zero for none."""
        ordered = sorted(samples)
        if not ordered:
            return cls(0.0, 0.0, 0.0)
        last = len(ordered) - 1
        return cls(ordered[last // 2], ordered[last * 99 // 100], ordered[last])


@dataclass(slots=True)
class Measured:
    """One reader's measurements."""

    name: str
    samples: array[float] = field(default_factory=lambda: array("d"))
    """Seconds from emission to receipt, in the order received."""
    last: float = 0.0
    """When the last one was received, Unix seconds."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Missed, by reason; filled in at the end."""

    received: int | None = None
    """What the side itself says that the reader received; None where it keeps no such count."""

    def note(self, emitted: float) -> float:
        """One was received just now that was emitted at `emitted` (Unix seconds); how long it took, in seconds."""
        self.last = now = time.time()
        self.samples.append(now - emitted)
        return now - emitted

    @property
    def got(self) -> int:
        """How many were received."""
        return len(self.samples)

    @property
    def missed(self) -> int:
        """How many never came."""
        return sum(self.dropped.values())

    @property
    def latency(self) -> Latency:
        """Over all received."""
        return Latency.of(self.samples)


@dataclass(slots=True)
class Side:
    """One of the two that did the job: the medium, or the queues."""

    name: str
    started: float
    """When the first event was emitted, Unix seconds."""
    emitted: int
    """Events and derived waves."""
    measured: Sequence[Measured]
    findings: Findings

    @property
    def seconds(self) -> float:
        """From the first emission until the last reader that keeps up had its last; the slow one is not waited for."""
        return max(one.last for one in self.measured if one.name != "digest") - self.started

    @property
    def delivered(self) -> int:
        """Deliveries to all readers."""
        return sum(one.got for one in self.measured)

    @property
    def latency(self) -> Latency:
        """Over all deliveries to readers that keep up."""
        return Latency.of(
            sample for one in self.measured if one.name != "digest" for sample in one.samples
        )
