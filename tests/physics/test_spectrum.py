"""`spectrum`: which rhythms there are in events that come at uneven times."""

import dataclasses

import numpy as np
import pytest
from scipy.signal import lombscargle

from aether.physics import Periodicity, Spectrum, spectrum


def dice(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("start", [0.0, 1.7e9, -1e6])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_power_is_that_of_scipy(start: float, even: bool, weighted: bool) -> None:
    d = dice()
    times = np.sort(d.uniform(0, 100, 400)) + start
    frequencies = np.linspace(0.02, 6, 2_000) if even else d.uniform(0.02, 6, 2_000)
    weights = d.random(400) if weighted else None
    found = spectrum(times, frequencies, weights=weights)
    heavy = np.ones(400) if weights is None else weights
    wanted = lombscargle(times - times[0], heavy, 2 * np.pi * frequencies) / np.mean(heavy**2)
    np.testing.assert_allclose(found.power, wanted, atol=1e-8)


def test_a_strict_rhythm_is_kept_by_all_its_events() -> None:
    times = 0.25 * np.arange(60)
    strongest = spectrum(times).strongest
    assert strongest is not None
    assert strongest.concentration == pytest.approx(1, rel=0.03)
    assert strongest.period == pytest.approx(0.25, rel=0.01)
    assert strongest.frequency == pytest.approx(1 / strongest.period)
    assert strongest.false_alarm < 1e-20


@pytest.mark.parametrize("seed", range(5))
def test_a_rhythm_is_found_among_others(seed: int) -> None:
    d = dice(seed)
    beats = 3.0 * np.arange(150) + d.normal(0, 0.2, 150)
    times = d.permutation(np.concatenate([beats, d.uniform(0, 450, 200)])) + 1.7e9
    strongest = spectrum(times).strongest
    assert strongest is not None
    assert strongest.period == pytest.approx(3.0, rel=0.005)
    assert strongest.false_alarm < 1e-6


def test_events_at_random_raise_no_alarm_too_often() -> None:
    d = dice(9)
    alarms = [spectrum(np.cumsum(d.exponential(1, 100))).strongest for _ in range(200)]
    often = np.mean([alarm is not None and alarm.false_alarm < 0.1 for alarm in alarms])
    assert 0.04 <= often <= 0.18  # within 3.5 deviations of 0.1, and the bound is close


def test_the_false_alarm_falls_with_the_power() -> None:
    found = spectrum(np.cumsum(dice().exponential(1, 100)))
    chances = [found.false_alarm(power) for power in (-1.0, 0.0, 0.5, 5.0, 10.0, 20.0, 800.0)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == chances[1] == 1.0
    assert chances[-1] == 0.0
    assert found.false_alarm(float("nan")) == 1.0


def test_one_frequency_alone_is_a_plain_chance() -> None:
    found = spectrum(np.cumsum(dice().exponential(1, 100)), [0.3])
    assert found.false_alarm(3.0) == pytest.approx(np.exp(-3))


def test_of_harmonics_the_lowest_is_taken() -> None:
    strongest = spectrum(np.arange(50.0), np.linspace(0.5, 3.2, 5_000)[::-1]).strongest
    assert strongest is not None
    assert strongest.frequency == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize("times", [[3.0], [3.0, 3.0], []])
def test_one_moment_with_frequencies_given(times: list[float]) -> None:
    found = spectrum(times, [0.5, 1.0])
    # A sine through one point fits it with one of its two parts.
    assert found.power.tolist() == pytest.approx([len(times) / 2] * 2)
    assert found.concentration.tolist() == pytest.approx([min(len(times), 1)] * 2)
    assert found.events == len(times)


def test_no_frequencies_have_no_strongest() -> None:
    found = spectrum([0.0, 1.0], [])
    assert found.strongest is None
    assert found.power.shape == (0,)
    assert found.false_alarm(3.0) == 1.0


def test_silent_events_have_no_power() -> None:
    assert spectrum([0.0, 1.0, 2.5], [0.3], weights=np.zeros(3)).power.tolist() == [0.0]


def test_integers_and_lists_are_taken() -> None:
    assert spectrum([0, 2, 4, 6, 9], [1]).power == spectrum([0.0, 2.0, 4.0, 6.0, 9.0], [1.0]).power


def test_the_frequencies_are_bounded_in_number() -> None:
    found = spectrum(np.cumsum(dice().exponential(1, 14_000)))
    assert found.frequencies.size == 131_072


def test_the_results_are_frozen() -> None:
    found = spectrum([0, 1], [1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.events = 9  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.strongest.period = 9.0  # type: ignore[misc, union-attr]
    assert isinstance(found, Spectrum)
    assert isinstance(found.strongest, Periodicity)
