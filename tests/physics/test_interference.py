"""`PhysicsEngine.calculate_interference`: two waves of one frequency, added as vectors."""

import cmath
import math
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st
from tests.probes import tuned

from aether import Aether, Interference, InterferenceKind, PhysicsEngine, Wave

pytestmark = pytest.mark.anyio

amplitudes = st.floats(0.0, 1.0)
phases = st.floats(0.0, 2 * math.pi, exclude_max=True)


def added(a: float, p: float, b: float, q: float) -> Interference:
    return PhysicsEngine().calculate_interference(
        Wave("a.b", amplitude=a, phase=p), Wave("a.c", amplitude=b, phase=q)
    )


def test_there_are_three_kinds() -> None:
    assert {kind.name for kind in InterferenceKind} == {"CONSTRUCTIVE", "DESTRUCTIVE", "PARTIAL"}


def test_in_phase_is_constructive() -> None:
    result = added(0.4, 1.0, 0.3, 1.0)
    assert result.kind is InterferenceKind.CONSTRUCTIVE
    assert result.amplitude == pytest.approx(0.7)
    assert result.phase == pytest.approx(1.0)
    assert result.phase_difference == pytest.approx(0.0)


def test_antiphase_is_destructive() -> None:
    result = added(0.5, 0.0, 0.3, math.pi)
    assert result.kind is InterferenceKind.DESTRUCTIVE
    assert result.amplitude == pytest.approx(0.2)
    assert abs(result.phase_difference) == pytest.approx(math.pi)


def test_quadrature_is_partial() -> None:
    result = added(0.3, 0.0, 0.4, math.pi / 2)
    assert result.kind is InterferenceKind.PARTIAL
    assert result.amplitude == pytest.approx(0.5)
    assert result.phase == pytest.approx(math.atan2(0.4, 0.3))


@pytest.mark.parametrize("offset", [0.0, 1.0, 3.0, 6.0])
def test_the_kind_depends_on_the_difference_of_phases_alone(offset: float) -> None:
    for difference, kind in [
        (0.0, "CONSTRUCTIVE"),
        (math.pi, "DESTRUCTIVE"),
        (math.pi / 2, "PARTIAL"),
        (-math.pi / 2, "PARTIAL"),
    ]:
        assert added(0.5, offset, 0.5, offset + difference).kind.name == kind


@pytest.mark.parametrize("small", [1e-9, 1e-6])
def test_a_rounding_error_does_not_change_the_kind(small: float) -> None:
    assert added(0.5, small, 0.5, 0.0).kind is InterferenceKind.CONSTRUCTIVE
    assert added(0.5, 0.0, 0.5, -small).kind is InterferenceKind.CONSTRUCTIVE
    assert added(0.5, 0.0, 0.5, math.pi + small).kind is InterferenceKind.DESTRUCTIVE
    assert added(0.5, 0.0, 0.5, math.pi - small).kind is InterferenceKind.DESTRUCTIVE


def test_two_full_waves_add_up_to_two() -> None:
    assert added(1.0, 0.0, 1.0, 0.0).amplitude == 2.0


def test_equal_waves_in_antiphase_cancel() -> None:
    assert added(0.7, 0.0, 0.7, math.pi).amplitude == pytest.approx(0.0, abs=1e-15)


@given(amplitudes, phases, amplitudes, phases)
def test_the_resultant_is_the_sum_of_the_vectors(a: float, p: float, b: float, q: float) -> None:
    result, vector = added(a, p, b, q), cmath.rect(a, p) + cmath.rect(b, q)
    assert result.amplitude == pytest.approx(abs(vector), rel=1e-12, abs=1e-14)


@given(amplitudes, phases, amplitudes, phases)
def test_the_phase_of_the_resultant_is_that_of_the_vector(
    a: float, p: float, b: float, q: float
) -> None:
    vector = cmath.rect(a, p) + cmath.rect(b, q)
    assume(abs(vector) > 1e-6)
    result = added(a, p, b, q)
    assert cmath.rect(1.0, result.phase) == pytest.approx(vector / abs(vector), abs=1e-9)
    assert 0.0 <= result.phase < 2 * math.pi


@given(phases, phases)
def test_the_phase_difference_is_that_of_the_phases(p: float, q: float) -> None:
    difference = added(0.5, p, 0.5, q).phase_difference
    assert math.cos(difference) == pytest.approx(math.cos(p - q), abs=1e-9)
    assert -math.pi <= difference < 2 * math.pi


@given(amplitudes, phases, amplitudes, phases)
def test_is_symmetric(a: float, p: float, b: float, q: float) -> None:
    one, other = added(a, p, b, q), added(b, q, a, p)
    assert one.kind is other.kind
    assert one.amplitude == pytest.approx(other.amplitude, rel=1e-12, abs=1e-15)
    assert one.gain == pytest.approx(other.gain, rel=1e-9, abs=1e-12)


@given(amplitudes, phases, amplitudes, phases)
def test_every_number_is_finite(a: float, p: float, b: float, q: float) -> None:
    result = added(a, p, b, q)
    assert all(
        math.isfinite(value)
        for value in (result.amplitude, result.phase, result.phase_difference, result.gain)
    )
    assert 0.0 <= result.amplitude <= a + b + 1e-15


def test_the_gain_falls_from_in_phase_to_antiphase() -> None:
    gains = [added(0.5, 0.0, 0.5, q).gain for q in (0.0, math.pi / 2, math.pi)]
    assert gains == sorted(gains, reverse=True)
    assert len(set(gains)) == 3


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (5e-324, 5e-324)])
def test_silence_adds_nothing(a: float, b: float) -> None:
    assert added(a, 1.0, b, 2.0).amplitude == pytest.approx(a + b, abs=1e-300)


def test_a_wave_with_itself_is_constructive() -> None:
    wave = Wave("a.b", phase=2.0)
    assert PhysicsEngine().calculate_interference(wave, wave).kind is InterferenceKind.CONSTRUCTIVE


def test_the_result_is_immutable() -> None:
    with pytest.raises((AttributeError, TypeError)):
        added(0.5, 0.0, 0.5, 0.0).amplitude = 9.0  # type: ignore[misc]


def test_the_result_shows_its_kind() -> None:
    result = added(0.5, 0.0, 0.5, 0.0)
    assert isinstance(result, Interference)
    assert "CONSTRUCTIVE" in repr(result).upper()


async def test_an_undo_is_destructive_to_what_it_undoes() -> None:
    async with Aether() as medium:
        v = tuned(medium, "saga.*")
        await medium.emit_wave("saga.reserved", phase=1.0)
        step = v.receive_nowait()
        await medium.emit_wave("saga.released", compensates=step)
        undo = v.receive_nowait()
        result = medium.physics.calculate_interference(step, undo)
        assert result.kind is InterferenceKind.DESTRUCTIVE


def test_the_medium_has_an_engine() -> None:
    assert isinstance(Aether().physics, PhysicsEngine)


@pytest.mark.parametrize("other", [None, 1.0, "a.b", (1.0, 0.0), object()])
def test_what_is_no_wave_is_a_type_error(other: Any) -> None:
    engine, wave = PhysicsEngine(), Wave("a.b")
    with pytest.raises(TypeError):
        engine.calculate_interference(wave, other)
    with pytest.raises(TypeError):
        engine.calculate_interference(other, wave)
    assert engine.calculate_interference(wave, wave).amplitude == 2.0
