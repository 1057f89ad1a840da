"""Checks of the numbers that options are given."""

from __future__ import annotations

from math import inf, isfinite

__all__ = ["checked_count", "checked_seconds", "checked_share"]


def _checked_number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        message = f"{what} must be a number, not {type(value).__name__}"
        raise TypeError(message)
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def checked_seconds(what: str, value: object, *, zero: bool = True) -> float:
    """Seconds, 0 or more, or above 0."""
    number = _checked_number(what, value)
    if not (isfinite(number) and (number > 0 or (zero and number == 0))):
        rule = "0 or more" if zero else "above 0"
        message = f"{what} must be a finite number of seconds, {rule}, not {value}"
        raise ValueError(message)
    return number


def checked_share(what: str, value: object) -> float:
    """A share, 0..1."""
    number = _checked_number(what, value)
    if not 0 <= number <= 1:
        message = f"{what} must be a share, 0..1, not {value}"
        raise ValueError(message)
    return number


def checked_count(what: str, value: object) -> int:
    """A count, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"{what} must be an int, not {type(value).__name__}"
        raise TypeError(message)
    if not 1 <= value <= 2**31 - 1:
        message = f"{what} must be 1 or more, at most {2**31 - 1}, not {value}"
        raise ValueError(message)
    return value


def checked_rate(what: str, value: object) -> float:
    """So many in a second: above 0."""
    number = _checked_number(what, value)
    if not 0 < number < inf:
        message = f"{what} must be a finite number in a second, above 0, not {value}"
        raise ValueError(message)
    return number
