"""The engine: what happens where waves meet, and what they make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aether import _native
from aether.physics.interference import Interference, InterferenceKind

if TYPE_CHECKING:
    from aether._native import Wave

__all__ = ["PhysicsEngine"]


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
        antiphase: the error is at most 3 units in the last place, that of the phase 4, as for whole
        arrays (`aether.physics.interfere`, which gives the same numbers).

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
