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

from aether.physics._operands import (
    call,
    largest,
    narrowed,
    positive,
    real,
    single,
    together,
    unit,
    whole,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from aether.physics._operands import Array

__all__ = ["attenuate", "coherence", "decay", "interfere", "resultant", "superpose"]

# More turns than this, and the last digit of a number is a whole turn or nearly so.
_MOST_TURNS = 1e15

# Channels and moments.
_AXES = 2


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
    1e15; the phase within 4 of its own, also close to 0, where the amplitude is above 1e-12 of the
    larger one. What would round up to 2π is 0.

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


def resultant(
    amplitude: npt.ArrayLike,
    phase: npt.ArrayLike,
    *,
    axis: int = -1,
    groups: npt.ArrayLike | None = None,
    out: tuple[Array | None, Array | None] | None = None,
) -> tuple[Array, Array]:
    """Amplitude and phase of the sum of many waves of one frequency: ``sum(a * exp(1j * p))``.

    The sum is off by at most ``4 * eps * sum(abs(a)) * sqrt(n)``, with ``eps = 2**-52``, for phases
    up to 1e15; the phase accordingly, by that over the resulting amplitude.

    Args:
        amplitude: Amplitudes, without unit. Both arguments are broadcast first.
        phase: Phases in radians.
        axis: Which axis is summed.
        groups: A number of 0 or more for each wave, as for `numpy.bincount`: one result for each
            group, at its number's place. All is one-dimensional then, and `axis` means nothing.
        out: Where to put amplitudes and phases; with `groups` as long as there are groups, or longer.

    Returns:
        Amplitudes, and phases in [0, 2π): arrays without the axis, or of ``max(groups) + 1``
        elements. No waves at all are amplitude 0 and phase 0.

    Raises:
        TypeError: An argument holds no real numbers.
        ValueError: The shapes do not broadcast, there is no such axis, a group is no whole number of
            0 or more, or `out` is too short.

    Example:
        >>> from aether.physics import resultant
        >>> amplitude, phase = resultant([0.3, 0.4, 0.5], [0.0, 1.5707963267948966, 0.0], groups=[0, 0, 2])
        >>> amplitude.round(12), phase.round(4)
        (array([0.5, 0. , 0.5]), array([0.9273, 0.    , 0.    ]))
    """
    import numpy as np

    waves = {"amplitude": real("amplitude", amplitude), "phase": real("phase", phase)}
    narrow = single(*waves.values())
    if groups is not None:
        waves["groups"] = whole("groups", groups)
        together(waves, 1)
        count = int(waves["groups"].max()) + 1 if waves["groups"].size else 0
        out = out or (None, None)
        kept = [np.empty(count) if array is None else array for array in out]
        if any(array.ndim != 1 or array.size < count for array in kept):
            message = f"out must be two arrays of {count} elements or more, one for each group"
            raise ValueError(message)
        results = call("resultants", waves, signature="ddl->dd", out=tuple(kept))
    else:
        together(waves)
        results = call("resultant", waves, signature="dd->dd", axis=axis, out=out)
    given = out or (None, None)
    one, other = (
        narrowed(result, array, narrow=narrow) for result, array in zip(results, given, strict=True)
    )
    return one, other


def superpose(
    amplitude: npt.ArrayLike,
    frequency: npt.ArrayLike,
    phase: npt.ArrayLike,
    times: npt.ArrayLike,
    *,
    out: Array | None = None,
) -> Array:
    """The sum of n waves at m times: ``sum(a * cos(2 * pi * f * t + p))``.

    Off by at most ``4 * eps * sum(abs(a)) * sqrt(n)``, with ``eps = 2**-52``, however many turns the
    waves have made. Evenly spaced times are several times as fast: angles are then added by
    multiplication, from an exact one for every 127th time, and what a time is away from its
    place, as it is rounded, is made good.

    Args:
        amplitude: Amplitudes of shape (n,), without unit. The first three are broadcast first.
        frequency: Turns for each unit of time: hertz, if `times` are seconds.
        phase: Phases in radians at time 0.
        times: Times of shape (m,), in any order and spacing.
        out: Where to put the result, of shape (m,).

    Returns:
        The sums, of shape (m,), or a number if `times` is one. Further axes in front are broadcast.

    Raises:
        TypeError: An argument holds no real numbers.
        ValueError: The shapes do not fit, or frequency times time exceeds 1e15 turns, where
            nothing is left of the angle.

    Example:
        >>> from aether.physics import superpose
        >>> superpose([0.5, 0.5], [1.0, 2.0], 0.0, [0.0, 0.25, 0.5]).round(12)
        array([ 1. , -0.5,  0. ])
    """
    import numpy as np

    waves = {
        "amplitude": real("amplitude", amplitude),
        "frequency": real("frequency", frequency),
        "phase": real("phase", phase),
    }
    moments = real("times", times)
    narrow = single(*waves.values(), moments)
    together(waves)
    turns = largest(waves["frequency"]) * largest(moments)
    if turns > _MOST_TURNS:
        message = (
            f"frequency times time must be at most 1e15 turns, not {turns:.3g}; "
            "count the times from a nearer moment"
        )
        raise ValueError(message)
    at_one = moments.ndim == 0
    result = call(
        "superpose",
        {**waves, "times": np.atleast_1d(moments)},
        signature="dddd->d",
        out=out[..., None] if at_one and out is not None else out,
    )
    sums: Array = narrowed(result[..., 0] if at_one else result, out, narrow=narrow)
    return sums


def coherence(series: npt.ArrayLike, *, out: Array | None = None) -> Array:
    """How firmly the phases of channels are locked: ``abs(mean(exp(1j * (p[j] - p[k]))))``.

    The phase-locking value of each pair (J.-P. Lachaux et al., "Measuring phase synchrony in brain
    signals", Human Brain Mapping 8, 1999): 1 if the difference of their phases never changes, about
    ``1 / sqrt(t)`` if they have nothing to do with each other. Off by at most
    ``4 * eps * sqrt(t)``, for phases up to 1e15.

    Args:
        series: Phases in radians, of shape (n, t): n channels over t moments, any further axes in
            front. Of complex samples, pass `numpy.angle`.
        out: Where to put the result, of shape (n, n).

    Returns:
        Values in 0..1 of shape (n, n), symmetric, with ones on the diagonal.

    Raises:
        TypeError: `series` holds no real numbers.
        ValueError: There are fewer than two axes, or no moments.

    Example:
        >>> from aether.physics import coherence
        >>> coherence([[0.0, 1.0, 2.0], [0.5, 1.5, 2.5], [0.0, 2.0, 4.0]]).round(3)
        array([[1.   , 1.   , 0.694],
               [1.   , 1.   , 0.694],
               [0.694, 0.694, 1.   ]])
    """
    phases = real("series", series)
    if phases.ndim < _AXES or phases.shape[-1] == 0:
        message = f"series must have the shape (channels, moments), not {phases.shape}"
        raise ValueError(message)
    result = call("coherence", {"series": phases}, signature="d->d", out=out)
    locked: Array = narrowed(result, out, narrow=single(phases))
    return locked
