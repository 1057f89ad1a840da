"""Whether a payload is the one that a test wants, and in what it differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        if not callable(wanted):
            return _first(wanted, value, "payload")
    except Exception as error:  # noqa: BLE001 - such as an array, which has no one answer
        if not callable(wanted):
            return (
                f"comparing raised {type(error).__name__}: {error}; give a function of the payload"
            )
    return _refused(cast("Callable[[Any], object]", wanted), value)


def _refused(predicate: Callable[[Any], object], value: object) -> str | None:
    try:
        return None if predicate(value) else "the function says no"
    except Exception as error:  # noqa: BLE001 - a payload of another shape
        return f"the function raised {type(error).__name__}: {error}"


def _first(wanted: Any, value: Any, place: str) -> str:
    """The innermost place in which two values differ, the first if there are several."""
    if _both(wanted, value, Mapping):
        for key in [*wanted, *value]:
            here = f"{place}[{shown(key)}]"
            if key not in value or key not in wanted:
                return f"{here} is {'missing' if key in wanted else 'too much'}"
            if not _same(wanted[key], value[key]):
                return _first(wanted[key], value[key], here)
    theirs, ours = type(value).__name__, type(wanted).__name__
    if type(value) is not type(wanted):
        return f"{place} is {shown(value)} ({theirs}), not {shown(wanted)} ({ours})"
    if _both(wanted, value, (list, tuple)):
        if len(wanted) != len(value):
            return f"{place} has {len(value)} items, not {len(wanted)}"
        at = next((at for at, one in enumerate(wanted) if not _same(one, value[at])), 0)
        return _first(wanted[at], value[at], f"{place}[{at}]")
    return f"{place} is {shown(value)}, not {shown(wanted)}"


def _same(one: Any, other: Any) -> bool:
    """As containers compare what is in them."""
    return one is other or bool(one == other)


def _both(one: object, other: object, kinds: Any) -> bool:
    return isinstance(one, kinds) and isinstance(other, kinds)
