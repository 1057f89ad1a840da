"""What the batch functions refuse, and in which words."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aether.physics import attenuate, coherence, decay, interfere, resultant, spectrum, superpose


def read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


ONE = np.ones(3)
TWO = np.ones(2)
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a factor above 1": (lambda: decay(1, 1, attenuation_factor=1.5), ValueError, "attenuation_factor must be above 0 and at most 1, not 1.5"),
    "a factor of 0": (lambda: attenuate(1, 1, attenuation_factor=0), ValueError, "not 0"),
    "a factor that is no number": (lambda: decay(1, 1, attenuation_factor=float("nan")), ValueError, "not nan"),
    "one factor of many": (lambda: decay(ONE, 1, attenuation_factor=[0.5, -0.5, 0.5]), ValueError, "not -0.5"),
    "one factor NaN": (lambda: decay(ONE, 1, attenuation_factor=[0.5, np.nan, 0.5]), ValueError, "not nan"),
    "an interval of 0": (lambda: decay(1, 1, decay_interval=0.0), ValueError, "decay_interval must be a finite number of seconds above 0, not 0.0"),
    "an endless interval": (lambda: decay(1, 1, decay_interval=[np.inf]), ValueError, "not inf"),
    "an interval NaN": (lambda: decay(1, 1, decay_interval=np.float64("nan")), ValueError, "not nan"),
    "a factor as text": (lambda: decay(1, 1, attenuation_factor="0.5"), TypeError, "attenuation_factor must hold real numbers"),
    "text": (lambda: decay("loud", 1), TypeError, "amplitude must hold real numbers"),
    "None": (lambda: decay(1, None), TypeError, "age must hold real numbers"),
    "complex numbers": (lambda: interfere(1j, 0, 1, 0), TypeError, "a1 must hold real numbers, not complex128"),
    "a date": (lambda: attenuate(1, np.datetime64("2026-01-01")), TypeError, "hops must hold real numbers"),
    "objects": (lambda: resultant([object()], 1.0), TypeError, "amplitude must hold real numbers"),
    "complex series": (lambda: coherence([[1j]]), TypeError, "series must hold real numbers"),
    "times as text": (lambda: superpose(1, 1, 1, ["a"]), TypeError, "times must hold real numbers"),
    "ragged lists": (lambda: decay([[1], [1, 2]], 1), ValueError, "amplitude must be an array or nested lists of equal lengths"),
    "shapes": (lambda: decay(ONE, TWO), ValueError, r"shapes do not broadcast: amplitude \(3,\), age \(2,\)"),
    "shapes of factors": (lambda: decay(ONE, 1, attenuation_factor=[0.5, 0.5]), ValueError, r"attenuation_factor \(2,\)"),
    "shapes of waves": (lambda: interfere(ONE, TWO, 1, 1), ValueError, r"a1 \(3,\), p1 \(2,\)"),
    "shapes of sums": (lambda: resultant(ONE, TWO), ValueError, r"amplitude \(3,\), phase \(2,\)"),
    "shapes of superposed waves": (lambda: superpose(ONE, TWO, 1, 1), ValueError, r"frequency \(2,\)"),
    "out of another shape": (lambda: decay(ONE, 1, out=np.empty(2)), ValueError, "out does not fit"),
    "out of integers": (lambda: decay(ONE, 1, out=np.empty(3, int)), TypeError, "out does not fit"),
    "out that cannot be written": (lambda: decay(ONE, 1, out=read_only(ONE)), ValueError, "read-only"),
    "out that is a list": (lambda: decay(ONE, 1, out=[0.0] * 3), TypeError, "out does not fit"),
    "out of sums": (lambda: superpose(1, 1, 1, ONE, out=np.empty(2)), ValueError, "out does not fit"),
    "an axis that is not there": (lambda: resultant(ONE, ONE, axis=1), ValueError, "axis 1 is out of bounds"),
    "groups below 0": (lambda: resultant(TWO, TWO, groups=[0, -1]), ValueError, "groups must be 0 or more, not -1"),
    "groups between": (lambda: resultant(TWO, TWO, groups=[0.5, 1.0]), ValueError, "groups must be integers, not float64"),
    "groups as text": (lambda: resultant(TWO, TWO, groups=["a", "b"]), TypeError, "groups must hold real numbers"),
    "groups of another shape": (lambda: resultant(TWO, TWO, groups=[0, 1, 2]), ValueError, r"groups \(3,\)"),
    "groups in two dimensions": (lambda: resultant(np.ones((2, 2)), 1, groups=[0, 1]), ValueError, "one dimension"),
    "no room for the groups": (lambda: resultant(TWO, TWO, groups=[0, 5], out=(np.empty(3), None)), ValueError, "out must be two arrays of 6 elements"),
    "too many turns": (lambda: superpose(1, 1e12, 0, 1e9), ValueError, "at most 1e15 turns, not 1e[+]21"),
    "one channel alone": (lambda: coherence(ONE), ValueError, r"shape \(channels, moments\), not \(3,\)"),
    "no moments": (lambda: coherence(np.ones((3, 0))), ValueError, "channels, moments"),
    "times NaN": (lambda: spectrum([0.0, np.nan]), ValueError, "timestamps must be finite, not nan"),
    "times without end": (lambda: spectrum([0.0, np.inf]), ValueError, "timestamps must be finite, not inf"),
    "times as a table": (lambda: spectrum(np.ones((2, 2)), [1.0]), ValueError, "timestamps must have one dimension"),
    "one time": (lambda: spectrum([1.0]), ValueError, "two different times"),
    "one moment": (lambda: spectrum([1.0, 1.0]), ValueError, "two different times"),
    "no time": (lambda: spectrum([]), ValueError, "two different times"),
    "a frequency of 0": (lambda: spectrum(ONE, [0.0, 1.0]), ValueError, "frequencies must be a finite number above 0, not 0.0"),
    "a frequency NaN": (lambda: spectrum(ONE, [np.nan]), ValueError, "frequencies must be .*, not nan"),
    "frequencies as a table": (lambda: spectrum(ONE, np.ones((1, 1))), ValueError, "frequencies must have one dimension"),
    "weights of another shape": (lambda: spectrum(ONE, [1.0], weights=TWO), ValueError, r"weights \(2,\)"),
    "a weight NaN": (lambda: spectrum(ONE, [1.0], weights=[1, 1, np.nan]), ValueError, "weights must be finite"),
    "times as words": (lambda: spectrum(["a"]), TypeError, "timestamps must hold real numbers"),
    "a spectrum of another shape": (lambda: spectrum(ONE, [1.0], out=np.empty(2)), ValueError, "out does not fit"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_in_our_words(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()
