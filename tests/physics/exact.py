"""What the formulas of physics give, to 50 digits, and how far a number is from it."""

from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 50
EPS = 2.0**-52


def number(value: Any) -> mpf:
    return mpf(float(value))


def ulps(got: Any, exact: mpf) -> float:
    """How many units in the last place of the exact value lie between."""
    unit = float(np.spacing(max(abs(float(exact)), 5e-324)))
    return float(abs(number(got) - exact) / unit)


def around(got: Any, exact: mpf) -> float:
    """The same for two phases, seen around the circle."""
    apart = abs(number(got) - exact)
    apart = min(apart, 2 * mp.pi - apart)
    return float(apart / float(np.spacing(max(abs(float(exact)), 5e-324))))


def decayed(amplitude: Any, age: Any, factor: Any, interval: Any = 1.0) -> mpf:
    steps = number(max(age, 0.0)) / number(interval)
    return number(amplitude) * number(factor) ** steps


def arrow(amplitudes: Any, phases: Any) -> mpmath.mpc:
    """The sum of the arrows."""
    pairs = zip(np.ravel(amplitudes), np.ravel(phases), strict=True)
    return mp.fsum(number(a) * mpmath.expj(number(p)) for a, p in pairs)


def polar(sum_: mpmath.mpc) -> tuple[mpf, mpf]:
    """Amplitude, and phase in [0, 2π)."""
    return abs(sum_), mpmath.arg(sum_) % (2 * mp.pi)


def superposed(amplitude: Any, frequency: Any, phase: Any, time: Any) -> mpf:
    waves = zip(amplitude, frequency, phase, strict=True)
    return mp.fsum(
        number(a) * mpmath.cos(2 * mp.pi * number(f) * number(time) + number(p))
        for a, f, p in waves
    )
