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

__all__ = [
    "call",
    "checked",
    "largest",
    "narrowed",
    "positive",
    "real",
    "single",
    "together",
    "unit",
    "whole",
]

Operands = Mapping[str, Any]

# These ufuncs take whole rows: their shapes are checked before.
_WHOLE_ROWS = {"resultant", "resultants", "superpose", "superpose_both", "coherence"}


@cache
def functions() -> dict[str, Any]:
    """The native ufuncs by name."""
    return _native.array_functions()


def single(*operands: object) -> bool:
    """Whether the result is float32, by numpy's rule: arrays decide, Python's numbers follow."""
    arrays = 0
    for operand in operands:
        dtype = getattr(operand, "dtype", None)
        if dtype is not None:
            if dtype.char not in "fe":
                return False
            arrays += 1
        elif type(operand) not in {int, float, bool}:
            return False
    return arrays > 0


def call(name: str, operands: Operands, **options: Any) -> Any:
    """The ufunc's answer, or its error in our words."""
    if options.get("out", ...) is None:
        del options["out"]
    try:
        return functions()[name](*operands.values(), **options)
    except (TypeError, ValueError) as error:
        explained = _explained(name, error, operands, options)
        if explained is error:
            raise
        raise explained from error


def _explained(
    name: str, error: Exception, operands: Operands, options: Mapping[str, Any]
) -> Exception:
    """What was wrong, with names and shapes; numpy's own words where it is something else."""
    try:
        arrays = {each: real(each, operand) for each, operand in operands.items()}
    except (TypeError, ValueError) as found:
        return found
    out = options.get("out")
    if name not in _WHOLE_ROWS:
        try:
            _broadcast(arrays)
        except ValueError as found:
            return found
    if out is not None:
        return _builtin(error)(f"out does not fit: {error}")
    return error


def _builtin(error: Exception) -> type[Exception]:
    """The builtin kind: errors of numpy's own take other arguments than a message."""
    return TypeError if isinstance(error, TypeError) else ValueError


def _broadcast(arrays: Operands) -> tuple[int, ...]:
    """The common shape, or a `ValueError` with all of them."""
    import numpy as np

    try:
        return np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        message = f"shapes do not broadcast: {shapes}; make them equal, or 1 where they differ"
        raise ValueError(message) from None


def together(arrays: dict[str, Any], dimensions: int | None = None) -> None:
    """Broadcast arrays in place, to one dimension at least, or to exactly so many."""
    import numpy as np

    shape = _broadcast(arrays) or (1,)
    if dimensions is not None and len(shape) != dimensions:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        message = f"shapes must have one dimension: {shapes}"
        raise ValueError(message)
    for name, array in arrays.items():
        if array.shape != shape:
            arrays[name] = np.broadcast_to(array, shape)


def largest(array: Any) -> float:
    """The largest absolute value; NaN if there is one, 0 if there is nothing."""
    return max(float(array.max()), -float(array.min())) if array.size else 0.0


def narrowed(result: Any, out: object, *, narrow: bool) -> Any:
    """A result as float32, if that is what it is to be, and nobody said where to put it."""
    import numpy as np

    return result.astype(np.float32, copy=False) if narrow and out is None else result


def whole(name: str, operand: Any) -> Any:
    """An array of whole numbers of 0 or more."""
    array = real(name, operand)
    if array.size and array.dtype.kind not in "iu":
        message = f"{name} must be integers, not {array.dtype}"
        raise ValueError(message)
    if array.size and array.min() < 0:
        message = f"{name} must be 0 or more, not {array.min()}"
        raise ValueError(message)
    return array


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
