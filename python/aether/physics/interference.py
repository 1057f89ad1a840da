"""How two waves meet.

Waves add up like arrows in the plane: the amplitude is the length, the phase the angle. Two
waves in phase strengthen each other, two in antiphase cancel.

The formulas are those of two coherent waves of one frequency (R. P. Feynman, "Lectures on
Physics", vol. I, 29-5). Amplitudes are 0..1 for a wave and have no unit; phases are radians.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Interference", "InterferenceKind"]


class InterferenceKind(StrEnum):
    """How two waves meet, by their phase difference.

    For equal amplitudes the gain is ``2 cos(difference / 2)``: at least 1.84 where they are
    constructive, at most 0.77 where they are destructive.
    """

    CONSTRUCTIVE = "constructive"
    """The difference is at most π/4: the waves strengthen each other."""

    DESTRUCTIVE = "destructive"
    """The difference is at least 3π/4: the waves weaken each other."""

    PARTIAL = "partial"
    """Anything between."""


@dataclass(frozen=True, slots=True)
class Interference:
    """What two waves make together."""

    kind: InterferenceKind
    """Whether they strengthen or weaken each other."""

    amplitude: float
    """The amplitude of the sum, 0..2."""

    phase: float
    """The phase of the sum in radians, [0, 2π); 0 if the amplitude is 0."""

    phase_difference: float
    """How far the two phases are apart in radians, 0..π."""

    gain: float
    """The amplitude of the sum over that of the louder wave, 0..2; 0 if both are silent."""
