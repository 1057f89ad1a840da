"""The batch functions beside 50 digits, on random and on hard arguments."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp
from tests.physics.exact import EPS, around, arrow, decayed, number, polar, superposed, ulps

from aether import PhysicsEngine, Wave
from aether.physics import attenuate, coherence, decay, interfere, resultant, superpose

N = 400
TAU = 2 * np.pi
Arrays = tuple[Any, ...]
Dice = np.random.Generator


def dice(seed: int = 1) -> Dice:
    return np.random.default_rng(seed)


def log_uniform(d: Dice, low: float, high: float) -> Any:
    return 10.0 ** d.uniform(low, high, N)


DECAYS: dict[str, Callable[[Dice], Arrays]] = {
    "plain": lambda d: (d.random(N), 10 * d.random(N), 0.95, 1.0),
    "to the last subnormal number": lambda d: (d.random(N), d.uniform(0, 15_000, N), 0.95, 1.0),
    "an interval that is no binary fraction": lambda d: (1.0, d.uniform(0, 5_000, N), 0.95, 0.7),
    "a very long interval": lambda d: (d.random(N), 1e252 * d.random(N), 0.5, 1e250),
    "a very short interval": lambda d: (d.random(N), 1e-248 * d.random(N), 0.5, 1e-250),
    "factors close to 1": lambda d: (
        d.random(N), log_uniform(d, 0, 17), 1 - log_uniform(d, -16, -1), 1.0,
    ),
    "factors close to 0": lambda d: (
        log_uniform(d, -300, 308), 3 * d.random(N), log_uniform(d, -323, 0), 1.0,
    ),
    "all different": lambda d: (
        d.random(N), d.uniform(0, 900, N), d.uniform(0.01, 1, N), log_uniform(d, -1, 2),
    ),
    "faint": lambda d: (log_uniform(d, -323, -300), d.random(N), d.uniform(0.5, 1, N), 0.3),
    "no time": lambda d: (d.random(N), np.zeros(N), d.uniform(0.5, 1, N), 1.0),
}  # fmt: skip


@pytest.mark.parametrize("arguments", DECAYS.values(), ids=DECAYS)
def test_decay_is_exact_to_two_units(arguments: Callable[[Dice], Arrays]) -> None:
    amplitude, age, factor, interval = np.broadcast_arrays(*arguments(dice()))
    got = decay(amplitude, age, attenuation_factor=factor, decay_interval=interval)
    rows = zip(got, amplitude, age, factor, interval, strict=True)
    assert max(ulps(g, decayed(a, t, f, i)) for g, a, t, f, i in rows) <= 2.0


def test_decay_by_one_factor_is_exact_to_two_units() -> None:
    amplitude, age = dice().random(N), dice(2).uniform(0, 14_000, N)
    for factor, interval in [(0.95, 1.0), (0.95, 0.7), (1e-300, 3e4), (1 - 2**-53, 1e-12)]:
        got = decay(amplitude, age, attenuation_factor=factor, decay_interval=interval)
        rows = zip(got, amplitude, age, strict=True)
        assert max(ulps(g, decayed(a, t, factor, interval)) for g, a, t in rows) <= 2.0


def test_attenuate_is_exact_to_two_units() -> None:
    amplitude, hops = dice().random(N), dice(2).integers(0, 10_000, N)
    got = attenuate(amplitude, hops, attenuation_factor=0.95)
    rows = zip(got, amplitude, hops, strict=True)
    assert max(ulps(g, decayed(a, h, 0.95)) for g, a, h in rows) <= 2.0


def test_decay_agrees_with_the_decay_of_a_wave() -> None:
    wave = Wave("a.b", amplitude=0.7, timestamp=0.0)
    faded = wave.apply_time_decay(123.0, attenuation_factor=0.9, decay_interval=3.0).amplitude
    got = decay(0.7, 123.0, attenuation_factor=0.9, decay_interval=3.0)
    assert float(got) == pytest.approx(faded, rel=4 * EPS)
    assert float(attenuate(0.7, 1, attenuation_factor=0.9)) == pytest.approx(
        wave.propagate(0.9).amplitude, rel=4 * EPS
    )


@pytest.mark.parametrize("factor", [1.0, np.ones(4)])
def test_a_factor_of_one_leaves_everything(factor: Any) -> None:
    ages = np.array([0.0, 1.0, 1e308, np.inf])
    assert (decay(0.3, ages, attenuation_factor=factor) == 0.3).all()


@pytest.mark.parametrize("factor", [0.5, np.full(4, 0.5)])
def test_ages_without_end_and_before_the_beginning(factor: Any) -> None:
    ages = np.array([np.inf, 1e308, -5.0, np.nan])
    assert str(decay(0.25, ages, attenuation_factor=factor)) == "[0.   0.   0.25  nan]"


def near_antiphase(d: Dice, spread: float) -> Arrays:
    phase = TAU * d.random(N)
    return d.random(N), phase, d.random(N), phase + np.pi + spread * log_uniform(d, -16, 0)


def nearly_cancelling(d: Dice) -> Arrays:
    a1, p1, _, p2 = near_antiphase(d, 1e-3)
    return a1, p1, a1 * (1 + log_uniform(d, -16, -2)), p2


def near_zero(d: Dice) -> Arrays:
    phase = log_uniform(d, -10, 0)
    return 1.0, phase, 1.0, -phase * (1 + 1e-3 * d.random(N))


INTERFERENCES: dict[str, Callable[[Dice], Arrays]] = {
    "plain": lambda d: (d.random(N), TAU * d.random(N), d.random(N), TAU * d.random(N)),
    "near antiphase": lambda d: near_antiphase(d, 1.0),
    "nearly cancelling": nearly_cancelling,
    "far phases": lambda d: (
        d.random(N), d.uniform(-1e9, 1e9, N), d.random(N), d.uniform(-1e9, 1e9, N),
    ),
    "amplitudes far apart": lambda d: (
        log_uniform(d, -300, 0), TAU * d.random(N), log_uniform(d, -300, 0), TAU * d.random(N),
    ),
    "very faint": lambda d: (
        log_uniform(d, -323, -300), TAU * d.random(N), log_uniform(d, -323, -300), TAU * d.random(N),
    ),
    "very loud": lambda d: (
        log_uniform(d, 200, 290), TAU * d.random(N), log_uniform(d, 200, 290), TAU * d.random(N),
    ),
    "a resulting phase near 0": near_zero,
    "small phases": lambda d: (
        d.random(N), log_uniform(d, -12, -1), d.random(N), -log_uniform(d, -12, -1),
    ),
    "one phase 0": lambda d: (d.random(N), 1e3 * d.random(N), d.random(N), 0.0),
}  # fmt: skip


@pytest.mark.parametrize("arguments", INTERFERENCES.values(), ids=INTERFERENCES)
def test_interfere_is_exact_to_three_units(arguments: Callable[[Dice], Arrays]) -> None:
    columns = np.broadcast_arrays(*arguments(dice(3)))
    rows = zip(*interfere(*columns), *columns, strict=True)
    for amplitude, phase, a1, p1, a2, p2 in rows:
        exact_amplitude, exact_phase = polar(arrow([a1, a2], [p1, p2]))
        assert ulps(amplitude, exact_amplitude) <= 3.0, (a1, p1, a2, p2)
        if exact_amplitude > 1e-12 * max(a1, a2):
            assert around(phase, exact_phase) <= 4.0, (a1, p1, a2, p2)
        assert 0.0 <= phase < TAU


def test_interfere_is_the_interference_of_two_waves() -> None:
    d = dice(4)
    a1, a2, p1, p2 = d.random(50), d.random(50), TAU * d.random(50), TAU * d.random(50)
    amplitude, phase = interfere(a1, p1, a2, p2)
    engine = PhysicsEngine()
    for i in range(50):
        one, other = (
            Wave("a", amplitude=a1[i], phase=p1[i]),
            Wave("a", amplitude=a2[i], phase=p2[i]),
        )
        met = engine.calculate_interference(one, other)
        assert (met.amplitude, met.phase) == (amplitude[i], phase[i])


def test_silence_adds_nothing_to_a_wave() -> None:
    amplitude, phase = interfere([0.5, 0.0, 0.0], [2.0, 1.0, 1.0], [0.0, 0.5, 0.0], [9.0, 3.0, 2.0])
    assert amplitude.tolist() == [0.5, 0.5, 0.0]
    assert phase.tolist() == [2.0, 3.0, 0.0]


def test_phases_beyond_all_turns_are_phases() -> None:
    amplitude, phase = interfere(0.5, [1e300, -1e200, 1e16], 0.5, 1.0)
    assert np.isfinite(amplitude).all()
    assert ((phase >= 0) & (phase < TAU)).all()


def bound(amplitudes: Any) -> float:
    return float(4 * EPS * np.abs(amplitudes).sum() * np.sqrt(np.size(amplitudes)))


@pytest.mark.parametrize("reach", [7.0, 1e9, 1e15])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 300, 2_000])
def test_resultant_is_exact_to_its_bound(n: int, reach: float) -> None:
    d = dice(n)
    amplitudes, phases = d.random(n), d.uniform(-reach, reach, n)
    amplitude, phase = resultant(amplitudes, phases)
    exact = arrow(amplitudes, phases)
    off = number(amplitude) * mp.expj(number(phase)) - exact
    assert abs(off) <= bound(amplitudes)
    assert abs(number(amplitude) - abs(exact)) <= bound(amplitudes)


def test_resultant_of_opposites_is_next_to_nothing() -> None:
    amplitudes, phases = dice().random(500), TAU * dice(2).random(500)
    both = np.concatenate([amplitudes, -amplitudes]), np.concatenate([phases, phases])
    assert resultant(*both)[0] <= bound(both[0])


def test_resultant_by_group_is_exact_to_its_bound() -> None:
    d = dice()
    amplitudes, phases, groups = d.random(900), d.uniform(-50, 50, 900), d.integers(0, 7, 900)
    results = resultant(amplitudes, phases, groups=groups)
    for group, (amplitude, phase) in enumerate(zip(*results, strict=True)):
        here = groups == group
        off = number(amplitude) * mp.expj(number(phase)) - arrow(amplitudes[here], phases[here])
        assert abs(off) <= bound(amplitudes[here])


TIMES: dict[str, Callable[[], Any]] = {
    "uneven": lambda: dice(7).uniform(-1e5, 1e5, 700),
    "even": lambda: np.arange(700) / 64,
    "even, as rounded": lambda: np.linspace(0, 10, 700),
    "even, from Unix times": lambda: 1.7e9 + 0.1 * np.arange(700),
    "even, far out": lambda: 1e4 + np.linspace(0, 7, 700),
    "backwards": lambda: np.linspace(9, -3, 700),
    "even but for one": lambda: np.where(np.arange(700) == 500, 3.21, np.linspace(0, 10, 700)),
    "all the same": lambda: np.full(700, 3.3),
    "few": lambda: np.linspace(0, 1, 5),
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("n", [1, 5, 150])
def test_superpose_is_exact_to_its_bound(n: int, times: Callable[[], Any]) -> None:
    d, moments = dice(n), times()
    waves = d.random(n), d.uniform(-60, 60, n), d.uniform(-1e9, 1e9, n)
    got = superpose(*waves, moments)
    for i in [*range(min(3, moments.size)), *d.integers(0, moments.size, 12)]:
        assert abs(number(got[i]) - superposed(*waves, moments[i])) <= bound(waves[0])


def test_superpose_of_fast_waves_is_exact_to_its_bound() -> None:
    d, times = dice(), np.linspace(0, 1, 600)
    waves = d.random(6), d.uniform(1e6, 1e8, 6), d.random(6)
    got = superpose(*waves, times)
    for i in (0, 1, 130, 257, 599):
        assert abs(number(got[i]) - superposed(*waves, times[i])) <= bound(waves[0])


@pytest.mark.parametrize("moments", [1, 2, 127, 129, 300])
def test_coherence_is_exact_to_its_bound(moments: int) -> None:
    series = dice(moments).uniform(-1e9, 1e9, (10, moments))
    got = coherence(series)
    for j in range(10):
        for k in range(j):
            exact = abs(mp.fsum(
                mp.expj(number(p) - number(q)) for p, q in zip(series[j], series[k], strict=True)
            )) / moments  # fmt: skip
            assert abs(number(got[j, k]) - exact) <= 4 * EPS * np.sqrt(moments)
    assert (got == got.T).all()
    assert (got.diagonal() == 1.0).all()
    assert ((got >= 0.0) & (got <= 1.0)).all()


def test_coherence_of_locked_channels_is_one() -> None:
    steady = np.cumsum(dice().random(1_000))
    got = coherence([steady, steady + 1.0, 2.0 * steady])
    assert got[0, 1] == pytest.approx(1.0, abs=1e-14)
    assert got[0, 2] < 0.1


def test_single_precision_is_rounded_once() -> None:
    d = dice()
    a, p, b, q = (d.random(N).astype(np.float32) for _ in range(4))
    wide = [x.astype(np.float64) for x in (a, p, b, q)]
    assert (decay(a, p) == decay(*wide[:2]).astype(np.float32)).all()
    for got, exact in zip(interfere(a, p, b, q), interfere(*wide), strict=True):
        assert got.dtype == np.float32
        assert (got == exact.astype(np.float32)).all()
