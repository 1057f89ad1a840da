"""What the batch functions do with their arguments before and after numpy's ufuncs: check, and explain.

Nothing is converted here that numpy converts itself, and nothing copied. numpy is imported with
the first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aether import _native

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.floating[Any]]

__all__ = ["call", "checked", "positive", "real", "single", "unit"]

Operands = Mapping[str, Any]


@cache
def functions() -> dict[str, Any]:
    """The native ufuncs by name."""
    return _native.array_functions()


def single(*operands: object) -> bool:
    """Whether the result is float32, by numpy's rule: arrays decide, Python's numbers follow."""
    kinds = [getattr(operand, "dtype", None) for operand in operands if not _plain(operand)]
    return bool(kinds) and all(kind is not None and kind.char in "fe" for kind in kinds)


def _plain(operand: object) -> bool:
    """Whether it is a number of Python's own."""
    return type(operand) in {int, float, bool}


def call(name: str, operands: Operands, **options: Any) -> Any:
    """The ufunc's answer, or its error in our words. No floating-point warnings: NaN says it all."""
    import numpy as np

    if options.get("out", ...) is None:
        del options["out"]
    try:
        with np.errstate(all="ignore"):
            return functions()[name](*operands.values(), **options)
    except (TypeError, ValueError) as error:
        raise _explained(error, operands, options) from error


def _explained(error: Exception, operands: Operands, options: Mapping[str, Any]) -> Exception:
    """What was wrong, with names and shapes; numpy's own words where it is something else."""
    import numpy as np

    try:
        arrays = {name: real(name, operand) for name, operand in operands.items()}
    except (TypeError, ValueError) as found:
        return found
    out = options.get("out")
    if "axis" not in options and "axes" not in options:
        try:
            np.broadcast_shapes(*(array.shape for array in arrays.values()))
        except ValueError:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            return ValueError(
                f"shapes do not broadcast: {shapes}; make them equal, or of length 1 where they differ"
            )
    if out is not None:
        return type(error)(f"out does not fit: {error}")
    return type(error)(str(error))


def real(name: str, operand: Any) -> Any:
    """The operand as an array of real numbers, uncopied if it is one.

    Raises:
        TypeError: It holds something else.
        ValueError: It is no array at all, but nested lists of several lengths.
    """
    import numpy as np

    try:
        array = np.asarray(operand)
    except ValueError as error:
        message = f"{name} must be an array or nested lists of equal lengths: {error}"
        raise ValueError(message) from None
    if array.dtype.kind not in "biuf":
        message = f"{name} must hold real numbers, not {array.dtype}; pass floats or integers"
        raise TypeError(message)
    return array


def checked(name: str, operand: Any, rule: str, least: float, most: float, *, closed: bool) -> Any:
    """A number or array whose values are all above `least` (or at it, if `closed`) and at most `most`.

    Raises:
        TypeError: It holds something else than real numbers.
        ValueError: A value is out of range, or NaN.
    """
    if type(operand) is float or type(operand) is int:
        lowest = highest = operand
    else:
        operand = real(name, operand)
        if operand.size == 0:
            return operand
        lowest, highest = operand.min(), operand.max()
    above = lowest >= least if closed else lowest > least
    if above and highest <= most:
        return operand
    wrong = lowest if not above else highest
    message = f"{name} must be {rule}, not {float(wrong)!r}"
    raise ValueError(message)


def unit(name: str, operand: Any) -> Any:
    """A factor above 0 and at most 1."""
    return checked(name, operand, "above 0 and at most 1", 0.0, 1.0, closed=False)


def positive(name: str, operand: Any) -> Any:
    """A finite number above 0."""
    rule = "a finite number of seconds above 0"
    return checked(name, operand, rule, 0.0, 1.7976931348623157e308, closed=False)
