"""What the physics of the medium finds in the history: the patterns of `PhysicsEngine`, in the history's own time.

The job replays years in a fraction of a second. Here the same events are shown to an engine with the timestamps that
they had. What they are about is who made a commit, and for a file its path, so that a robot that commits at a steady
interval would be a standing wave.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from aether import Detection, InterferencePattern, PhysicsEngine, Wave

from .job import Emission

__all__ = ["lines_of", "patterns"]

_WINDOW = 86_400.0
"""Seconds: what is a day apart may still belong together."""
_SHOWN = 3
_WORDS = {
    InterferencePattern.STANDING_WAVE: "steady rhythms",
    InterferencePattern.CANCELLATION: "conflicts",
    InterferencePattern.RESONANCE: "bursts",
    InterferencePattern.BEAT: "beats",
}


def patterns(history: Sequence[Emission]) -> list[Detection]:
    """Everything that an engine finds, in the order of time."""
    engine = PhysicsEngine(key=_about, window=_WINDOW)
    waves = (
        Wave(event.channel, event.payload, amplitude=event.amplitude, timestamp=event.timestamp)
        for event in history
    )
    return [found for wave in waves if (found := engine.detect(wave.channel, wave)) is not None]


def _about(wave: Wave[Any]) -> object:
    payload = cast("Mapping[str, object]", wave.payload)
    return payload.get("author") or payload.get("path")


def lines_of(found: Sequence[Detection]) -> list[str]:
    """How many of each kind, and the surest with their evidence."""
    counted = Counter(one.pattern for one in found)
    kinds = ", ".join(f"{counted[pattern] or 'no'} {word}" for pattern, word in _WORDS.items())
    surest = sorted(found, key=lambda one: -one.confidence)[:_SHOWN]
    return [
        f"patterns    {kinds}, in the history's own time" + ("; the surest:" if surest else ""),
        *(
            f"            {_day(one.timestamp)}: {one.explanation.partition(';')[0]}"
            for one in surest
        ),
    ]


def _day(timestamp: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(timestamp))
