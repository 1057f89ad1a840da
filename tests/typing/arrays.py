"""What type checkers make of the batch functions."""

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

from aether.physics import (
    Periodicity,
    Spectrum,
    attenuate,
    coherence,
    decay,
    interfere,
    resultant,
    spectrum,
    superpose,
)

Array = npt.NDArray[np.floating[Any]]


def arrays_and_whatever_becomes_one(a: npt.NDArray[np.float64], b: npt.NDArray[np.float32]) -> None:
    assert_type(decay(a, b, attenuation_factor=b, out=a), Array)
    assert_type(attenuate([0.5, 1.0], 3), Array)
    assert_type(interfere(a, 0.0, [1], b, out=(a, None)), tuple[Array, Array])
    assert_type(resultant(a, b, axis=0), tuple[Array, Array])
    assert_type(resultant(a, b, groups=[0, 1]), tuple[Array, Array])
    assert_type(superpose(a, 1.0, 0.0, b), Array)
    assert_type(coherence([[0.0, 1.0]]), Array)


def the_spectrum_of_events(times: list[float]) -> None:
    found = spectrum(times, weights=[1.0])
    assert_type(found, Spectrum)
    assert_type(found.power, Array)
    assert_type(found.strongest, Periodicity | None)
    assert_type(found.false_alarm(1.0), float)
