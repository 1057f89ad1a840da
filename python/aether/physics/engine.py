"""The engine: what happens where waves meet, and what they make of it.

`detect` is a sequential test: it looks at each wave once, in bounded time and memory, and says what that wave
completes. The model, the formulas and how well it does are in `docs/physics.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aether import _native
from aether.physics.detection import Detection, EngineStatistics, InterferencePattern
from aether.physics.interference import Interference, InterferenceKind

if TYPE_CHECKING:
    from aether._native import Wave

__all__ = ["PhysicsEngine"]


class PhysicsEngine(_native.Engine):
    """Interference of waves, and the patterns in a stream of them.

    It is shown waves by `detect`, or by `Aether.watch`; what it knows then is of those waves alone. Time is that
    of their timestamps, so that a replay may run at any speed. One engine may serve several media, watches
    and threads; without a call of `detect` it costs nothing.

    Args:
        key: What a wave is about: called with the wave, it gives any content, or `None` for a wave that is
            about nothing (which counts for resonance only). One that raises is counted in `statistics()`. Without it: the
            payload. Content is compared by a digest: numbers by value, text and bytes, lists and dicts
            (in any order) by what is in them, other objects by class and attributes; at most 64 objects and
            4,096 characters or bytes of it are looked at.
        window: Seconds between two waves that may cancel, at most; finite, above 0. A wave that is earlier
            than the last of its channel by more begins anew.
        max_keys: Keys that are remembered for standing waves and beats, and again for cancellations, 1 or
            more; what has not come for long makes room. A key that comes back takes up to 1,200 bytes.
        max_channels: Channels that are remembered, 1 or more, of up to 1,300 bytes each.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A number is out of its range.

    Example:
        >>> from aether import PhysicsEngine, Wave
        >>> engine = PhysicsEngine()
        >>> for second in range(0, 60, 5):
        ...     wave = Wave("orders.retry", {"id": 7}, timestamp=1e9 + second)
        ...     if found := engine.detect("orders.retry", wave):
        ...         print(found.pattern, found.period)
        standing_wave 5.0
    """

    __slots__ = ()

    def detect_patterns(self, channel: str, wave: Wave[Any]) -> InterferencePattern | None:
        """As `detect`, of which it gives the pattern alone."""
        found: Detection | None = self.detect(channel, wave)
        return None if found is None else found.pattern

    def statistics(self) -> EngineStatistics:
        """What the engine has seen, found and forgotten."""
        counted = self.counters()
        return EngineStatistics(
            waves=counted["waves"],
            late=counted["late"],
            found={InterferencePattern(name): count for name, count in counted["found"].items()},
            key_errors=counted["key_errors"],
            keys=counted["keys"],
            channels=counted["channels"],
            evicted_keys=counted["evicted_keys"],
            evicted_channels=counted["evicted_channels"],
        )

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
