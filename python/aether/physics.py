"""What happens where waves meet.

Waves add up like arrows in the plane: the amplitude is the length, the phase the angle. Two
waves in phase strengthen each other, two in antiphase cancel.

The formulas are those of two coherent waves of one frequency (R. P. Feynman, "Lectures on
Physics", vol. I, 29-5). Amplitudes are 0..1 for a wave and have no unit; phases are radians.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from aether import _native

if TYPE_CHECKING:
    from aether._native import Wave

__all__ = ["Interference", "InterferenceKind", "PhysicsEngine"]


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


class PhysicsEngine:
    """Interference of waves. Without state: one engine serves any number of threads.

    Example:
        >>> from aether import PhysicsEngine, Wave
        >>> engine = PhysicsEngine()
        >>> placed, cancelled = Wave("orders.placed"), Wave("orders.cancelled", phase=3.141593)
        >>> result = engine.calculate_interference(placed, cancelled)
        >>> str(result.kind), round(result.gain, 3)
        ('destructive', 0.0)
    """

    __slots__ = ()

    def calculate_interference(self, w1: Wave[Any], w2: Wave[Any]) -> Interference:
        """The sum of two waves, as they are now: neither hops nor time are taken into account.

        With the amplitudes ``a`` and ``b`` and the phase difference ``d``, the amplitude of the
        sum is ``sqrt(a**2 + b**2 + 2*a*b*cos(d))``. It is computed from half the difference, as
        ``hypot((a + b) * cos(d/2), (a - b) * sin(d/2))``, which keeps its digits close to
        antiphase: the error is at most 3 units in the last place, that of the phase 1e-15 radians.

        Args:
            w1: A wave.
            w2: Another one. The frequencies are not compared.

        Returns:
            Amplitude, phase, phase difference, gain and kind.

        Raises:
            TypeError: An argument is no wave.

        Example:
            >>> from aether import PhysicsEngine, Wave
            >>> wave = Wave("orders.placed", amplitude=0.5)
            >>> PhysicsEngine().calculate_interference(wave, wave).amplitude
            1.0
        """
        amplitude, phase, difference, gain, kind = _native.interfere(*_arrow(w1), *_arrow(w2))
        return Interference(InterferenceKind(kind), amplitude, phase, difference, gain)


def _arrow(wave: object) -> tuple[float, float]:
    """Amplitude and phase of a wave."""
    if not isinstance(wave, _native.Wave):
        kind = type(wave).__name__
        message = f"interference is between two waves, not with {kind}; pass Wave objects"
        raise TypeError(message)
    return wave.amplitude, wave.phase
