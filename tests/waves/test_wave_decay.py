"""`propagate`, `apply_time_decay` and `age`: the numbers of a wave on its way."""

import math
import time

import pytest
from hypothesis import given, strategies as st

from aether import Wave

amplitudes = st.floats(0.0, 1.0)
factors = st.floats(0.01, 1.0)


def test_propagate_multiplies_the_amplitude_and_counts() -> None:
    hop = Wave("a.b", 1, amplitude=0.8).propagate(0.5)
    assert hop.amplitude == 0.4
    assert hop.propagation_count == 1


def test_propagate_takes_0_95_by_default() -> None:
    assert Wave("a.b").propagate().amplitude == 0.95


def test_propagate_takes_its_factor_by_name() -> None:
    assert Wave("a.b").propagate(attenuation_factor=0.5).amplitude == 0.5


def test_propagate_keeps_everything_else() -> None:
    wave = Wave(
        "a.b",
        7,
        amplitude=0.5,
        phase=1.0,
        frequency=2.0,
        source="s",
        headers={"k": "v"},
        timestamp=3.0,
        ttl=4.0,
    )
    hop = wave.propagate()
    for field in [
        "id",
        "channel",
        "payload",
        "priority",
        "phase",
        "frequency",
        "source",
        "timestamp",
        "ttl",
    ]:
        assert getattr(hop, field) == getattr(wave, field), field
    assert dict(hop.headers) == {"k": "v"}


def test_propagate_leaves_the_wave_as_it_was() -> None:
    wave = Wave("a.b", amplitude=0.5)
    wave.propagate()
    assert (wave.amplitude, wave.propagation_count) == (0.5, 0)


@given(amplitudes, factors, st.integers(1, 12))
def test_hops_hand_the_priority_on_unchanged(amplitude: float, factor: float, hops: int) -> None:
    wave = Wave("a.b", amplitude=amplitude)
    for _ in range(hops):
        wave = wave.propagate(factor)
    assert wave.priority == amplitude
    assert wave.propagation_count == hops
    assert wave.amplitude == pytest.approx(amplitude * factor**hops, rel=1e-9, abs=1e-300)


@given(amplitudes, factors, st.floats(0.0, 1e4), st.floats(1e-3, 1e4))
def test_time_decay_is_the_formula(
    amplitude: float, factor: float, age: float, interval: float
) -> None:
    wave = Wave("a.b", amplitude=amplitude, timestamp=0.0)
    decayed = wave.apply_time_decay(age, attenuation_factor=factor, decay_interval=interval)
    assert decayed.amplitude == pytest.approx(
        amplitude * factor ** (age / interval), rel=1e-9, abs=1e-300
    )


def test_time_decay_takes_0_95_a_second_by_default() -> None:
    wave = Wave("a.b", timestamp=100.0)
    assert wave.apply_time_decay(102.0).amplitude == pytest.approx(0.95**2)


def test_time_decay_keeps_count_priority_and_the_rest() -> None:
    wave = Wave(
        "a.b", 7, amplitude=0.5, phase=1.0, timestamp=0.0, headers={"k": "v"}, source="s", ttl=9.0
    ).propagate()
    decayed = wave.apply_time_decay(10.0)
    for field in [
        "id",
        "channel",
        "payload",
        "priority",
        "phase",
        "frequency",
        "source",
        "timestamp",
        "ttl",
        "propagation_count",
    ]:
        assert getattr(decayed, field) == getattr(wave, field), field
    assert dict(decayed.headers) == {"k": "v"}


def test_time_decay_without_now_takes_the_time_of_the_call() -> None:
    old = Wave("a.b", timestamp=time.time() - 100)
    assert old.apply_time_decay().amplitude == pytest.approx(0.95**100, rel=0.5)


def test_time_decay_at_no_age_changes_nothing() -> None:
    wave = Wave("a.b", amplitude=0.7, timestamp=5.0)
    assert wave.apply_time_decay(5.0).amplitude == 0.7


def test_time_decay_never_makes_a_wave_louder() -> None:
    wave = Wave("a.b", amplitude=0.7, timestamp=5.0)
    assert wave.apply_time_decay(1.0).amplitude <= 0.7


def test_time_decay_takes_factor_and_interval_by_name_only() -> None:
    with pytest.raises(TypeError):
        Wave("a.b").apply_time_decay(1.0, 0.5)  # type: ignore[misc]


def test_age_is_seconds_since_the_timestamp() -> None:
    wave = Wave("a.b", timestamp=100.0)
    assert wave.age(103.5) == 3.5
    assert wave.age(now=100.0) == 0.0


def test_age_without_now_takes_the_time_of_the_call() -> None:
    assert 0.0 <= Wave("a.b").age() < 60.0
    assert Wave("a.b", timestamp=time.time() - 50).age() == pytest.approx(50, abs=30)


@pytest.mark.parametrize("factor", [math.nan, math.inf, -0.5, -math.inf])
def test_propagate_refuses_a_factor_that_is_none(factor: float) -> None:
    with pytest.raises(ValueError, match="attenuation_factor"):
        Wave("a.b").propagate(factor)


@pytest.mark.parametrize("factor", [math.nan, math.inf, -0.5, -math.inf])
def test_time_decay_refuses_a_factor_that_is_none(factor: float) -> None:
    with pytest.raises(ValueError, match="attenuation_factor"):
        Wave("a.b").apply_time_decay(attenuation_factor=factor)


@pytest.mark.parametrize("interval", [0.0, -1.0, math.nan])
def test_time_decay_refuses_an_interval_that_is_none(interval: float) -> None:
    with pytest.raises(ValueError, match="decay_interval"):
        Wave("a.b").apply_time_decay(decay_interval=interval)


@pytest.mark.parametrize("now", [math.nan, math.inf])
def test_a_now_that_is_no_time_is_a_value_error(now: float) -> None:
    with pytest.raises(ValueError, match="now"):
        Wave("a.b").age(now)
    with pytest.raises(ValueError, match="now"):
        Wave("a.b").apply_time_decay(now)


@pytest.mark.parametrize("value", ["1", [1], object()])
def test_a_number_of_another_type_is_a_type_error(value: object) -> None:
    wave = Wave("a.b")
    for call in (
        lambda: wave.propagate(value),  # type: ignore[arg-type]
        lambda: wave.age(value),  # type: ignore[arg-type]
        lambda: wave.apply_time_decay(value),  # type: ignore[arg-type]
        lambda: wave.apply_time_decay(decay_interval=value),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            call()
