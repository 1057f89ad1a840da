"""Physics of many waves at once: numpy arrays go in, numpy arrays come out.

Every function takes what numpy makes an array of, of any shapes that broadcast; contiguous arrays of
float64 are read where they lie. Where all arrays are float32 (or float16), so is the result, computed
in float64 and rounded once; everything else, integers and lists too, gives float64. With ``out=``
the result goes into an array of yours, and nothing is allocated. From some 65,000 elements on, the
processor's cores share the work, and other Python threads run meanwhile.

NaN in the data gives NaN; a setting (factor, interval, group, frequency) that makes no sense is a
`ValueError`, what is no real number a `TypeError`, and there are no floating-point warnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aether.physics._operands import call, positive, single, unit

if TYPE_CHECKING:
    import numpy.typing as npt

    from aether.physics._operands import Array

__all__ = ["attenuate", "decay", "interfere"]


def decay(
    amplitude: npt.ArrayLike,
    age: npt.ArrayLike,
    *,
    attenuation_factor: npt.ArrayLike = 0.95,
    decay_interval: npt.ArrayLike = 1.0,
    out: Array | None = None,
    where: npt.ArrayLike = True,
) -> Array:
    """What time leaves of amplitudes: ``amplitude * attenuation_factor ** (age / decay_interval)``.

    Exponential decay with the time constant ``decay_interval / -ln(attenuation_factor)``, as in
    `Wave.apply_time_decay`. Within 2 units in the last place, however great the age.

    Args:
        amplitude: Amplitudes of any shape, without unit.
        age: Ages in seconds. A negative one (from a clock that is ahead) is none.
        attenuation_factor: What is left after `decay_interval`: above 0, at most 1.
        decay_interval: In seconds: finite, above 0.
        out: Where to put the result; may be `amplitude` or `age`.
        where: Where to compute; elsewhere `out` stays as it is.

    Returns:
        An array of the common shape, or `out`; a number if all arguments are numbers.

    Raises:
        TypeError: An argument holds no real numbers.
        ValueError: A factor or interval is out of range, or the shapes do not broadcast.

    Example:
        >>> from aether.physics import decay
        >>> decay([1.0, 0.5], [0.0, 2.0], attenuation_factor=0.5)
        array([1.   , 0.125])
    """
    factor = unit("attenuation_factor", attenuation_factor)
    interval = positive("decay_interval", decay_interval)
    operands = {
        "amplitude": amplitude,
        "age": age,
        "attenuation_factor": factor,
        "decay_interval": interval,
    }
    signature = "ffdd->f" if single(amplitude, age) else "dddd->d"
    result: Array = call("decay", operands, signature=signature, out=out, where=where)
    return result


def attenuate(
    amplitude: npt.ArrayLike,
    hops: npt.ArrayLike,
    *,
    attenuation_factor: npt.ArrayLike = 0.95,
    out: Array | None = None,
    where: npt.ArrayLike = True,
) -> Array:
    """What hops leave of amplitudes: ``amplitude * attenuation_factor ** hops``.

    As `Wave.propagate`, many hops at once. Within 2 units in the last place.

    Args:
        amplitude: Amplitudes of any shape, without unit.
        hops: How often each was handed on; fewer than 0 is none.
        attenuation_factor: What a hop leaves: above 0, at most 1.
        out: Where to put the result; may be `amplitude` or `hops`.
        where: Where to compute; elsewhere `out` stays as it is.

    Returns:
        An array of the common shape, or `out`; a number if all arguments are numbers.

    Raises:
        TypeError: An argument holds no real numbers.
        ValueError: A factor is out of range, or the shapes do not broadcast.

    Example:
        >>> from aether.physics import attenuate
        >>> attenuate(0.8, [0, 1, 2], attenuation_factor=0.5)
        array([0.8, 0.4, 0.2])
    """
    operands = {
        "amplitude": amplitude,
        "hops": hops,
        "attenuation_factor": unit("attenuation_factor", attenuation_factor),
        "decay_interval": 1.0,
    }
    hops_are_single = single(amplitude, hops) or (single(amplitude) and _whole(hops))
    signature = "ffdd->f" if hops_are_single else "dddd->d"
    result: Array = call("decay", operands, signature=signature, out=out, where=where)
    return result


def _whole(hops: object) -> bool:
    """Whether they are integers: counts, which do not make a result float64."""
    dtype: Any = getattr(hops, "dtype", None)
    return dtype is not None and dtype.kind in "iu"


def interfere(
    a1: npt.ArrayLike,
    p1: npt.ArrayLike,
    a2: npt.ArrayLike,
    p2: npt.ArrayLike,
    *,
    out: tuple[Array | None, Array | None] | None = None,
    where: npt.ArrayLike = True,
) -> tuple[Array, Array]:
    """Amplitude and phase of the sums of two waves each, as `PhysicsEngine.calculate_interference`.

    With half the phase difference ``d = (p1 - p2) / 2``, seen from the phase halfway between the
    two, the sum is ``(a1 + a2) * cos(d) + 1j * (a1 - a2) * sin(d)``: nothing cancels, however
    close to antiphase they are. The amplitude is within 3 units in the last place, for phases up to
    1e15.

    Args:
        a1: Amplitudes of the first waves, of any shape, without unit.
        p1: Their phases in radians.
        a2: Amplitudes of the second waves.
        p2: Their phases in radians.
        out: Where to put amplitudes and phases; each may be an argument, or `None` for a new array.
        where: Where to compute; elsewhere `out` stays as it is.

    Returns:
        Amplitudes, and phases in [0, 2π): 0 where the amplitude is 0.

    Raises:
        TypeError: An argument holds no real numbers.
        ValueError: The shapes do not broadcast.

    Example:
        >>> from aether.physics import interfere
        >>> amplitude, phase = interfere([0.3, 0.5], 0.0, [0.4, 0.5], [1.5707963267948966, 0.0])
        >>> amplitude.round(12), phase.round(4)
        (array([0.5, 1. ]), array([0.9273, 0.    ]))
    """
    operands = {"a1": a1, "p1": p1, "a2": a2, "p2": p2}
    signature = "ffff->ff" if single(a1, p1, a2, p2) else "dddd->dd"
    result: tuple[Array, Array] = call(
        "interfere", operands, signature=signature, out=out, where=where
    )
    return result
