"""Whether a payload is the one that a test wants, and in what it differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from aether._printable import printable

__all__ = ["ANYTHING", "differing", "shown"]


class _Anything:
    def __repr__(self) -> str:
        return "any payload"


ANYTHING: Final[object] = _Anything()
"""Every payload is this one."""

_LONGEST = 120


def shown(value: object) -> str:
    """A value in a line; a function by its name.

    Example:
        >>> shown([1, 2])
        '[1, 2]'
    """
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__qualname__}(...)"
    try:
        text = printable(repr(value))
    except Exception as error:  # noqa: BLE001 - whatever a payload raises
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def differing(wanted: object, value: object) -> str | None:
    """In what a payload is not the one that is wanted, a value or a function that says so; `None`: it is.

    Example:
        >>> differing({"id": 7, "items": [1, 2]}, {"id": 7, "items": [1, 3]})
        "payload['items'][1] is 3, not 2"
        >>> differing(lambda payload: payload["id"] == 7, {"id": 7})
    """
    if wanted is ANYTHING or wanted is value:
        return None
    try:
        if bool(wanted == value):
            return None
    except Exception as error:  # noqa: BLE001 - such as an array, which has no one answer
        if not callable(wanted):
            return f"comparing raised {type(error).__name__}: {error}; give a function of the payload"
    if callable(wanted):
        return _refused(cast("Callable[[Any], object]", wanted), value)
    return _first(wanted, value, "payload")


def _refused(predicate: Callable[[Any], object], value: object) -> str | None:
    try:
        return None if predicate(value) else "the function says no"
    except Exception as error:  # noqa: BLE001 - a payload of another shape
        return f"the function raised {type(error).__name__}: {error}"


def _first(wanted: object, value: object, place: str) -> str:
    """The innermost place in which two values differ, the first if there are several."""
    if isinstance(wanted, Mapping) and isinstance(value, Mapping):
        mine, theirs = cast("Mapping[Any, Any]", wanted), cast("Mapping[Any, Any]", value)
        for key in mine:
            if key not in theirs:
                return f"{place}[{shown(key)}] is missing"
            if mine[key] != theirs[key]:
                return _first(mine[key], theirs[key], f"{place}[{shown(key)}]")
        for key in theirs:
            if key not in mine:
                return f"{place}[{shown(key)}] is too much"
    texts = (str, bytes, bytearray)
    if isinstance(wanted, Sequence) and type(wanted) is type(value) and not isinstance(wanted, texts):
        ours, others = cast("Sequence[Any]", wanted), cast("Sequence[Any]", value)
        if len(ours) != len(others):
            return f"{place} has {len(others)} items, not {len(ours)}"
        for number, (one, other) in enumerate(zip(ours, others, strict=True)):
            if one != other:
                return _first(one, other, f"{place}[{number}]")
    if type(wanted) is not type(value):
        return f"{place} is {shown(value)} ({type(value).__name__}), not {shown(wanted)} ({type(wanted).__name__})"
    return f"{place} is {shown(value)}, not {shown(wanted)}"
