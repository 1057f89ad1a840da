"""Physics of many waves at once, beside numpy, numexpr and numba; per element, in wall time.

Everybody writes into arrays that are there already where it can, and uses all cores that it
can. The result of each run is held against numpy's formula at 10,000 places: within 1e-9, as
that formula is no more exact near antiphase. Decay has one factor for all, or one for each;
interference is amplitude and phase; superposition is 256 waves at 100,000 times, per wave and
time, where numpy adds angles in blocks at even times (a product of two matrices); coherence is 512
channels over 1,000 moments, per pair and moment, where numpy's is one complex product of matrices.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import lru_cache, partial
from time import perf_counter_ns as now
from typing import Any

import numpy as np

from aether import physics
from harness import Lost, Measure, Row, Run, Shape, Way, shape

TAU = 2 * np.pi
FACTOR = 0.95
WAVES, TIMES = 256, 100_000
CHANNELS, MOMENTS = 512, 1_000
# What numpy's pow, sine and cosine, and so the ratios, depend on.
FOUND = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
HAS = [name for name in ("AVX2", "FMA3", "AVX512_SKX", "NEON") if FOUND.get(name)]
__doc__ += f"This processor has {', '.join(HAS) or 'none of the wide instructions'}.\n"

Arrays = tuple[Any, ...]
Make = Callable[[Arrays], Callable[[], Any]]


@lru_cache(maxsize=1)
def arrays(n: int) -> Arrays:
    """Amplitudes, ages, factors; second amplitudes and both phases; two to write into."""
    dice = np.random.default_rng(n)
    a, b, f = dice.random((3, n))
    return a, 10 * dice.random(n), 0.5 + 0.5 * f, b, TAU * f, TAU * dice.random(n), a * 0, a * 0


@lru_cache(maxsize=2)
def waves(even: bool) -> Arrays:
    dice = np.random.default_rng(1)
    times = np.linspace(0, 100, TIMES) if even else 100 * dice.random(TIMES)
    return (*dice.random((2, WAVES)), TAU * dice.random(WAVES), times)


@lru_cache(maxsize=1)
def channels(_: int) -> Arrays:
    return (TAU * np.random.default_rng(1).random((CHANNELS, MOMENTS)),)


def agree(got: Any, wanted: Any) -> None:
    """Raise `Lost` unless the two are the same at ten thousand places."""
    for one, other in zip(got, wanted, strict=True):
        step = max(1, other.size // 10_000)
        off = np.abs(one.ravel()[::step] - other.ravel()[::step])
        off = np.minimum(off, np.abs(off - TAU))  # a phase of 0 is one of 2π
        if not off.max() < 1e-9:
            raise Lost(f"{off.max():.3g} away from numpy's result")


@shape
async def computed(
    make: Make, reference: Make, data: Callable[[Any], Arrays], of: Any, elements: int
) -> AsyncIterator[Run]:
    given = data(of)
    once, wanted = make(given), [np.array(x) for x in reference(given)()]
    times = max(1, 200_000 // elements)

    async def run() -> float:
        start = now()
        for _ in range(times):
            got = once()
        took = now() - start
        agree(got, wanted)
        return took / times / elements

    yield run


# Each of these prepares a computation, and returns a function that does it once.


def decay_ours(given: Arrays) -> Callable[[], Any]:
    a, t, *_, out, _other = given
    return lambda: (physics.decay(a, t, attenuation_factor=FACTOR, out=out),)


def decay_numpy(given: Arrays) -> Callable[[], Any]:
    a, t, *_, out, _other = given
    return lambda: (np.multiply(a, np.power(FACTOR, t, out=out), out=out),)


def decay_numexpr(given: Arrays) -> Callable[[], Any]:
    import numexpr

    a, t, *_, out, _other = given
    names = {"a": a, "t": t, "f": FACTOR}
    return lambda: (numexpr.evaluate("a * f ** t", names, out=out),)


def decay_numba(given: Arrays) -> Callable[[], Any]:
    from numba import njit, prange

    @njit(parallel=True, fastmath=True, cache=True)
    def decay(a, t, f, out) -> None:
        for i in prange(a.size):
            out[i] = a[i] * f ** t[i]

    a, t, *_, out, _other = given
    decay(a, t, FACTOR, out)
    return lambda: (decay(a, t, FACTOR, out), out)[1:]


def each_ours(given: Arrays) -> Callable[[], Any]:
    a, t, f, *_, out, _other = given
    return lambda: (physics.decay(a, t, attenuation_factor=f, out=out),)


def each_numpy(given: Arrays) -> Callable[[], Any]:
    a, t, f, *_, out, _other = given
    return lambda: (np.multiply(a, np.power(f, t, out=out), out=out),)


def each_numexpr(given: Arrays) -> Callable[[], Any]:
    import numexpr

    a, t, f, *_, out, _other = given
    names = {"a": a, "t": t, "f": f}
    return lambda: (numexpr.evaluate("a * f ** t", names, out=out),)


def each_numba(given: Arrays) -> Callable[[], Any]:
    from numba import njit, prange

    @njit(parallel=True, fastmath=True, cache=True)
    def decay(a, t, f, out) -> None:
        for i in prange(a.size):
            out[i] = a[i] * f[i] ** t[i]

    a, t, f, *_, out, _other = given
    decay(a, t, f, out)
    return lambda: (decay(a, t, f, out), out)[1:]


def interfere_ours(given: Arrays) -> Callable[[], Any]:
    a, _, _, b, p, q, *out = given
    return lambda: physics.interfere(a, p, b, q, out=tuple(out))


def interfere_numpy(given: Arrays) -> Callable[[], Any]:
    a, _, _, b, p, q, amplitude, phase = given

    def interfere() -> Any:
        x = a * np.cos(p) + b * np.cos(q)
        y = a * np.sin(p) + b * np.sin(q)
        np.arctan2(y, x, out=phase)
        return np.hypot(x, y, out=amplitude), np.mod(phase, TAU, out=phase)

    return interfere


def interfere_numexpr(given: Arrays) -> Callable[[], Any]:
    import numexpr

    a, _, _, b, p, q, amplitude, phase = given
    x, y = np.empty_like(a), np.empty_like(a)
    names = {"a": a, "b": b, "p": p, "q": q, "x": x, "y": y, "tau": TAU}
    run = partial(numexpr.evaluate, local_dict=names)

    def interfere() -> Any:
        run("a * cos(p) + b * cos(q)", out=x)
        run("a * sin(p) + b * sin(q)", out=y)
        run("sqrt(x * x + y * y)", out=amplitude)
        run("arctan2(y, x) + where(arctan2(y, x) < 0, tau, 0)", out=phase)
        return amplitude, phase

    return interfere


def interfere_numba(given: Arrays) -> Callable[[], Any]:
    from math import atan2, cos, sin, sqrt

    from numba import njit, prange

    @njit(parallel=True, fastmath=True, cache=True)
    def interfere(a, p, b, q, amplitude, phase) -> None:
        for i in prange(a.size):
            x = a[i] * cos(p[i]) + b[i] * cos(q[i])
            y = a[i] * sin(p[i]) + b[i] * sin(q[i])
            amplitude[i] = sqrt(x * x + y * y)
            angle = atan2(y, x)
            phase[i] = angle + TAU if angle < 0 else angle

    a, _, _, b, p, q, amplitude, phase = given
    interfere(a, p, b, q, amplitude, phase)
    return lambda: (interfere(a, p, b, q, amplitude, phase), amplitude, phase)[1:]


def superpose_ours(given: Arrays) -> Callable[[], Any]:
    out = np.empty(TIMES)
    return lambda: (physics.superpose(*given, out=out),)


def superpose_numpy(given: Arrays) -> Callable[[], Any]:
    """Angle addition: an anchor for every so many times, and the offsets from it, as matrices."""
    a, f, p, t = given
    block = 320
    step = (t[-1] - t[0]) / (t.size - 1)

    def superpose() -> Any:
        anchors = TAU * np.outer(t[::block], f) + p
        offsets = TAU * np.outer(f, step * np.arange(block))
        sums = (a * np.cos(anchors)) @ np.cos(offsets)
        sums -= (a * np.sin(anchors)) @ np.sin(offsets)
        return (sums.ravel()[: t.size],)

    return superpose


def superpose_plain(given: Arrays) -> Callable[[], Any]:
    """A wave after the other, in two buffers."""
    a, f, p, t = given

    def superpose() -> Any:
        out, angle = np.zeros(TIMES), np.empty(TIMES)
        for wave in range(WAVES):
            np.multiply(t, TAU * f[wave], out=angle)
            angle += p[wave]
            np.cos(angle, out=angle)
            angle *= a[wave]
            out += angle
        return (out,)

    return superpose


def superpose_numba(given: Arrays) -> Callable[[], Any]:
    from math import cos

    from numba import njit, prange

    @njit(parallel=True, fastmath=True, cache=True)
    def superpose(a, f, p, t, out) -> None:
        for i in prange(t.size):
            total = 0.0
            for wave in range(a.size):
                total += a[wave] * cos(TAU * f[wave] * t[i] + p[wave])
            out[i] = total

    out = np.empty(TIMES)
    superpose(*given, out)
    return lambda: (superpose(*given, out), out)[1:]


def coherence_ours(given: Arrays) -> Callable[[], Any]:
    out = np.empty((CHANNELS, CHANNELS))
    return lambda: (physics.coherence(*given, out=out),)


def coherence_numpy(given: Arrays) -> Callable[[], Any]:
    (phases,) = given

    def coherence() -> Any:
        arrows = np.exp(1j * phases)
        return (np.abs(arrows @ arrows.conj().T) / MOMENTS,)

    return coherence


def of(make: Make, reference: Make, data: Callable[[Any], Arrays], what: Any, n: int) -> Shape:
    return partial(computed, make, reference, data, what, n)  # type: ignore[return-value]


def elementwise(
    name: str, makes: tuple[Make, Make, Make, Make], n: int, goals: Any, floors: Any
) -> Row:
    ours, numpy_, numexpr_, numba_ = (of(make, makes[1], arrays, n, n) for make in makes)
    # The targets were set at a million elements.
    goal, floor = (goals, floors) if n == 1_000_000 else ((None, None), (None, None))
    return Row(
        f"{name}, {n:,}",
        "element",
        (
            Way("aether", ours),
            Way("numpy", numpy_, goal[0], floor[0], needs="numpy"),
            Way("numexpr", numexpr_, needs="numexpr"),
            Way("numba", numba_, goal[1], floor[1], needs="numba"),
        ),
        picture=n == 1_000_000,
    )


DECAY = (decay_ours, decay_numpy, decay_numexpr, decay_numba)
EACH = (each_ours, each_numpy, each_numexpr, each_numba)
INTERFERE = (interfere_ours, interfere_numpy, interfere_numexpr, interfere_numba)
KINDS: tuple[tuple[str, tuple[Make, Make, Make, Make], Any, Any], ...] = (
    ("decay, one factor", DECAY, (4, None), (1.5, None)),
    ("decay, a factor each", EACH, (1.2, None), (0.7, None)),
    ("interference", INTERFERE, (25, 8), (5, 2)),
)

ROWS = (
    *(
        elementwise(name, makes, n, goals, floors)
        for name, makes, goals, floors in KINDS
        for n in (1_000, 100_000, 1_000_000, 10_000_000)
    ),
    Row(
        "superposition, even times",
        "wave and time",
        (
            Way("aether", of(superpose_ours, superpose_plain, waves, True, WAVES * TIMES)),
            Way("numpy", of(superpose_numpy, superpose_plain, waves, True, WAVES * TIMES), 2, 1),
            Way(
                "numba",
                of(superpose_numba, superpose_plain, waves, True, WAVES * TIMES),
                needs="numba",
            ),
        ),
        picture=True,
    ),
    Row(
        "superposition, any times",
        "wave and time",
        (
            Way("aether", of(superpose_ours, superpose_plain, waves, False, WAVES * TIMES)),
            Way("numpy", of(superpose_plain, superpose_plain, waves, False, WAVES * TIMES)),
            Way(
                "numba",
                of(superpose_numba, superpose_plain, waves, False, WAVES * TIMES),
                needs="numba",
            ),
        ),
    ),
    Row(
        "coherence, 512 channels",
        "pair and moment",
        (
            Way("aether", of(coherence_ours, coherence_numpy, channels, 0, CHANNELS**2 * MOMENTS)),
            Way(
                "numpy",
                of(coherence_numpy, coherence_numpy, channels, 0, CHANNELS**2 * MOMENTS),
                1,
                0.8,
            ),
        ),
        picture=True,
    ),
)


def test_arrays(measure: Measure) -> None:
    measure()
