"""Patterns that were found in a stream of waves.

`InterferencePattern` names the kinds, `Detection` carries one that was found with its evidence, and
`EngineStatistics` says what an engine has seen, found and forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Detection", "EngineStatistics", "InterferencePattern"]


class InterferencePattern(StrEnum):
    """What can be found in a stream of waves."""

    STANDING_WAVE = "standing_wave"
    """The same content comes back on a channel at a steady interval: a retry storm, a poll loop, a duplicate
    producer, two services bouncing a message."""

    CANCELLATION = "cancellation"
    """Two waves about the same key meet in antiphase, or one says that it undoes the other: conflicting
    messages, a step of a saga and its compensation."""

    RESONANCE = "resonance"
    """Waves in phase pile up: a burst, against the channel's own usual rate."""

    BEAT = "beat"
    """Two steady rates on one channel drift against each other."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A pattern that was found, with its evidence. It is true, as a `Receipt` of a delivered wave is."""

    pattern: InterferencePattern
    """What it is."""

    confidence: float
    """1 less the chance that traffic without the pattern looks like this. For a standing wave and a
    resonance, that is the part of all waves, at most, at which random traffic of any rate does; for a
    cancellation, how likely two waves of this traffic meet so by chance (0 if one says that it undoes the
    other); for a beat, how likely the two rates are one, or no rates."""

    period: float | None
    """Seconds from one wave of a standing wave to the next, of each producer; of a beat, from one coincidence
    of the two rates to the next. `None` for the others."""

    partners: tuple[str, ...]
    """Ids of waves that belong to it, the newest first, without that which completed it: at most 11."""

    explanation: str
    """What happened, in one sentence with the figures."""

    spread: float | None
    """Standard deviation of the intervals of a standing wave; standard error of the period of a beat: in
    seconds. `None` for the others."""

    channel: str
    """Where it was completed."""

    key: str | None
    """What the waves are about: what `key=` gave, if it is a `str` or an `int`, or else the digest of the
    content, in hexadecimal digits. `None` for a resonance, and where there is no key."""

    wave: str
    """The id of the wave that completed it."""

    timestamp: float
    """That wave's timestamp, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """What an engine has seen, found and forgotten."""

    waves: int
    """Waves that it was shown."""

    late: int
    """Waves with an earlier timestamp than one before on their channel, which say nothing of intervals."""

    found: Mapping[InterferencePattern, int]
    """Detections by pattern."""

    key_errors: int
    """Waves for which `key` raised; they count for resonance only."""

    keys: int
    """Keys that are remembered now: for standing waves and beats, and again for cancellations."""

    channels: int
    """Channels that are remembered now."""

    evicted_keys: int
    """Keys that made room for others."""

    evicted_channels: int
    """Channels that made room for others."""
