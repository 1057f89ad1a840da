"""Which rhythms there are in events that come at uneven times.

The Lomb-Scargle periodogram (N. R. Lomb, "Least-squares frequency analysis of unequally spaced data",
1976; J. D. Scargle, "Studies in astronomical time series analysis II", 1982) of the events as
points, and beside it how firmly they keep to one phase (Rayleigh's statistic), which is what tells a
rhythm from its multiples: a sine fits events of one phase no better than half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aether.physics._operands import call, checked, real, together

if TYPE_CHECKING:
    import numpy.typing as npt

    from aether.physics._operands import Array

__all__ = ["Periodicity", "Spectrum", "spectrum"]

# How many frequencies there are to a peak's width, and at most in all, unless others are given.
_OVERSAMPLING = 5
_MOST_FREQUENCIES = 131_072


@dataclass(frozen=True, slots=True)
class Periodicity:
    """One rhythm."""

    period: float
    """How long a turn takes, in seconds."""

    frequency: float
    """Turns in a second."""

    concentration: float
    """How firmly the events keep to one phase of it: 1 if they all do, about ``n**-0.5`` by chance."""

    false_alarm: float
    """How likely events at random would be as firm at one frequency or another, 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """The power of each frequency."""

    frequencies: Array
    """In turns for each second, shape (m,)."""

    power: Array
    """Lomb-Scargle power of each frequency, shape (m,): about 1 by chance, at most the number of events."""

    concentration: Array
    """``abs(sum(w * exp(2j * pi * f * t))) / sum(abs(w))``, 0..1, shape (m,)."""

    events: int
    """How many events there were."""

    effective_span: float
    """``sqrt(4 * pi * var(timestamps))`` in seconds: how finely frequencies can be told apart."""

    weight: float
    """How many events of one weight would say as much: ``sum(abs(w))**2 / sum(w**2)``."""

    def false_alarm(self, power: float) -> float:
        """How likely events at random would show such a power at one of the frequencies, 0..1.

        R. V. Baluev, "Assessing the statistical significance of periodogram peaks", 2008: a bound
        that is close where it is small.

        Args:
            power: A Lomb-Scargle power, or ``weight * concentration**2``.

        Example:
            >>> from aether.physics import spectrum
            >>> found = spectrum([0.0, 1.0, 2.1, 3.0, 3.9, 5.0, 6.1, 7.0, 8.0, 9.0])
            >>> round(found.false_alarm(1.0), 2), round(found.false_alarm(9.0), 4)
            (1.0, 0.0071)
        """
        if self.frequencies.size == 0 or not power > 0.0:
            return 1.0
        width = float(self.frequencies.max() - self.frequencies.min()) * self.effective_span
        chance = math.exp(-power)
        quiet = math.log1p(-chance) - width * chance * math.sqrt(power)
        # With few frequencies, no more than by each of them alone.
        return min(-math.expm1(quiet), self.frequencies.size * chance, 1.0)

    @property
    def strongest(self) -> Periodicity | None:
        """The rhythm that the events keep to most firmly; `None` if there are no frequencies.

        A strict rhythm shows at its multiples too: of those nearly as firm (nine tenths of the greatest
        square), the lowest frequency is taken. The period is as exact as the frequencies are dense.
        """
        if self.frequencies.size == 0:
            return None
        order = self.frequencies.argsort(kind="stable")
        power = self.concentration[order] ** 2
        strong = power >= 0.9 * power.max()
        first = int(strong.argmax())
        weak_again = (~strong[first:]).argmax() or strong.size - first
        place = order[first + int(power[first : first + weak_again].argmax())]
        frequency, firm = float(self.frequencies[place]), float(self.concentration[place])
        alarm = self.false_alarm(self.weight * firm**2)
        return Periodicity(1.0 / frequency, frequency, firm, alarm)


def spectrum(
    timestamps: npt.ArrayLike,
    frequencies: npt.ArrayLike | None = None,
    *,
    weights: npt.ArrayLike | None = None,
    out: Array | None = None,
) -> Spectrum:
    """The Lomb-Scargle periodogram of events at uneven times.

    The power is that of `scipy.signal.lombscargle` of the weights over the mean of their squares;
    without weights, of ones. Times are counted from the middle of the record, so Unix
    timestamps lose nothing. The work is the number of events times that of frequencies, shared among
    the cores.

    Args:
        timestamps: When the events came, in seconds, shape (n,), in any order.
        frequencies: Turns in a second: finite, above 0, shape (m,). By default evenly spaced, five to
            the width of a peak, from ``sqrt(n)`` turns over the whole record (below, a rhythm cannot be
            told from a rate that changes) to twice the mean rate of events, and no more than 131,072.
        weights: How much each event counts, such as its amplitude: finite, shape (n,).
        out: Where to put the power, of shape (m,).

    Returns:
        Frequencies and their power; `Spectrum.strongest` is the period to look at.

    Raises:
        TypeError: An argument holds no real numbers.
        ValueError: A number is not finite or out of range, the shapes do not fit, or there are too
            few different times to choose frequencies by.

    Example:
        >>> from aether.physics import spectrum
        >>> found = spectrum([0.0, 2.0, 4.1, 6.0, 7.9, 10.0, 12.0, 16.0, 18.1, 20.0]).strongest
        >>> round(found.period, 1), found.false_alarm < 0.01
        (2.0, True)
    """
    import numpy as np

    times = _finite("timestamps", timestamps).astype(np.float64, copy=False)
    if times.ndim != 1:
        message = f"timestamps must have one dimension, not the shape {times.shape}"
        raise ValueError(message)
    lowest, highest = (float(times.min()), float(times.max())) if times.size else (0.0, 0.0)
    times = times - (lowest + 0.5 * (highest - lowest))
    if frequencies is None:
        grid = _frequencies(times.size, highest - lowest)
    else:
        rule = "a finite number above 0"
        grid = checked(
            "frequencies", real("frequencies", frequencies), rule, 0.0, 1.7e308, closed=False
        )
        if grid.ndim != 1:
            message = f"frequencies must have one dimension, not the shape {grid.shape}"
            raise ValueError(message)
        grid = grid.astype(np.float64, copy=False)
    operands = {"timestamps": times, "weights": np.ones(1)}
    if weights is not None:
        operands["weights"] = _finite("weights", weights)
    together(operands, 1)
    times = operands["timestamps"]
    heavy = operands["weights"].astype(np.float64, copy=False)
    along, across = _sums(heavy, times, grid)
    power = _power(along, across, times, heavy, grid)
    sizes = float(np.abs(heavy).sum())
    concentration = np.hypot(along, across) / (sizes or 1.0)
    squares = float(np.square(heavy).sum())
    if out is not None:
        if getattr(out, "shape", None) != power.shape:
            message = f"out does not fit: it must be an array of the shape {power.shape}"
            raise ValueError(message)
        np.copyto(out, power, casting="same_kind")
        power = out
    span = math.sqrt(4.0 * math.pi * float(times.var())) if times.size else 0.0
    weight = sizes * sizes / squares if squares else 0.0
    return Spectrum(grid, power, concentration, times.size, span, weight)


def _finite(name: str, operand: Any) -> Any:
    """An array of finite numbers."""
    most = 1.7976931348623157e308
    array = real(name, operand)
    return checked(name, array, "finite", -most, most, closed=True)


def _frequencies(events: int, span: float) -> Array:
    """Those that so many events in such a time can tell about."""
    import numpy as np

    if not 0.0 < span < math.inf:
        message = f"timestamps must be two different times or more to choose frequencies by, not {events} in {span} s; pass frequencies"
        raise ValueError(message)
    first = max(2.0, math.sqrt(events))
    count = int(max(0.0, 2.0 * events - first) * _OVERSAMPLING) + 1
    turns = first + np.arange(min(count, _MOST_FREQUENCIES)) / _OVERSAMPLING
    return turns / span


def _power(along: Array, across: Array, times: Array, weights: Array, frequencies: Array) -> Array:
    """The periodogram, by sums of sines and cosines at each frequency and at twice that."""
    import numpy as np

    squares = float(np.mean(weights**2)) if weights.size else 0.0
    if squares == 0.0 or frequencies.size == 0:
        return np.zeros(frequencies.shape)
    along_twice, across_twice = _sums(np.ones_like(times), 2.0 * times, frequencies)
    # Turned by half the angle of the doubled sums, sine and cosine are independent.
    length = np.hypot(along_twice, across_twice)
    half = 0.5 * np.arctan2(across_twice, along_twice)
    cos, sin = np.cos(half), np.sin(half)
    cosines, sines = 0.5 * (times.size + length), 0.5 * (times.size - length)
    forward, sideward = along * cos + across * sin, across * cos - along * sin
    # Where all events are at one phase or opposite, there is nothing sideward but rounding.
    flat = sines <= 1e-10 * times.size
    power = 0.5 * (
        forward**2 / cosines + np.where(flat, 0.0, sideward**2) / np.where(flat, 1.0, sines)
    )
    result: Array = power / squares
    return result


def _sums(weights: Array, times: Array, frequencies: Array) -> tuple[Array, Array]:
    """Weighted sums of cosines and sines at each frequency."""
    operands = {
        "weights": weights,
        "times": times,
        "phases": times * 0.0,
        "frequencies": frequencies,
    }
    sums: tuple[Array, Array] = call("superpose_both", operands, signature="dddd->dd")
    return sums
