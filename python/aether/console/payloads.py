"""What is shown of a payload: a text like its `repr`, which is cut to a length.

Contract:
- Only as much is looked at as is shown, however large the payload is, so the interpreter is never held for long: a `repr`
  in C would hold it for all of a large list. The quotes of a text are those that its beginning asks for.
- No code of a payload's class is run, nor of its metaclass: no `__repr__`, no property, no time zone, see
  `aether.console.static`. Shown are numbers, texts, bytes, dates, the
  usual containers, what is derived from them, and the fields of a dataclass whose `__repr__` shows them too; of everything
  else there is its type.
- What is changed meanwhile by another thread is shown as it was met, or the type alone.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from aether.console.static import field_of, name_of, shown_fields

__all__ = ["short"]

_LEVELS = 4

_PLAIN = (
    *(type(None), type(...), bool, complex),
    *(dt.date, dt.timedelta),
    uuid.UUID,
)
"""Types whose `repr` is short, and made by nobody else."""

_MOST_BITS = 8192
_MOST_BYTES = 1024
"""Of a `Decimal`: some 2,400 digits."""


def short(payload: object, length: int) -> str:
    """A payload in so many characters.

    Example:
        >>> short({"id": 7, "text": "x" * 1_000_000}, 20)
        "{'id': 7, 'text':..."
    """
    writing = _Writing(length + 1)
    try:
        writing.show(payload, _LEVELS)
        text = "".join(writing.parts)
    except BaseException as error:  # noqa: BLE001 - whatever a field raises must not end the thread
        text = f"<{name_of(type(payload))}, which cannot be shown: {name_of(type(error))}>"
    return text if len(text) <= length else f"{text[: length - 3]}..."


class _Writing:
    """A text that is written until it is long enough."""

    def __init__(self, left: int) -> None:
        self.parts: list[str] = []
        self._left = left

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self._left -= len(text)

    def show(self, given: Any, level: int) -> None:
        """Writes one thing, and what is in it."""
        # By its type: what it says of its class itself may be anything.
        kind = _type_of(given)
        name = name_of(kind)
        # Compared by identity: equality may be its metaclass's.
        if any(kind is one for one in _PLAIN):
            self._write(repr(given))
        elif kind is dt.datetime or kind is dt.time:
            self._write(_moment(given))
        elif kind is decimal.Decimal:
            size = decimal.Decimal.__sizeof__(given)
            self._write(repr(given) if size <= _MOST_BYTES else f"<Decimal of {size:,} bytes>")
        elif issubclass(kind, int):
            bits = int.bit_length(given)
            text = int.__repr__(given) if bits <= _MOST_BITS else f"<int of {bits:,} bits>"
            self._write(text if kind is int else f"{name}({text})")
        elif issubclass(kind, float):
            text = float.__repr__(given)
            self._write(text if kind is float else f"{name}({text})")
        elif base := next((one for one in (str, bytes, bytearray) if issubclass(kind, one)), None):
            beginning = base.__getitem__(given, slice(0, max(0, self._left)))
            text = repr(beginning)
            self._write(text if kind is base else f"{name}({text})")
        elif base := next((one for one in _CONTAINERS if issubclass(kind, one)), None):
            self._container(given, kind, base, level)
        elif (fields := shown_fields(kind)) is not None:
            self._fields(given, fields, level)
        else:
            self._write(f"<{name}>")

    def _container(self, given: Any, kind: type[Any], base: type[Any], level: int) -> None:
        opening, closing = _CONTAINERS[base]
        if (base is set or base is frozenset) and not _SIZED[base](given):
            opening, closing = f"{name_of(base)}(", ")"
        elif base is tuple and _SIZED[base](given) == 1:
            closing = ",)"
        if kind is not base:
            opening, closing = f"{name_of(kind)}({opening}", f"{closing})"
        self._write(opening)
        if level <= 0:
            self._write("...")
        else:
            entries: Iterable[Any] = _ITERATED[base](given)
            # Taken in one step, which other threads cannot come between; each of them writes a character at least.
            self._entries(list(islice(entries, max(0, self._left))), level, paired=base is dict)
        self._write(closing)

    def _entries(self, entries: Iterable[Any], level: int, *, paired: bool) -> None:
        for number, entry in enumerate(entries):
            if self._left <= 0:
                return
            if number:
                self._write(", ")
            if paired:
                self.show(entry[0], level - 1)
                self._write(": ")
            self.show(entry[1] if paired else entry, level - 1)

    def _fields(self, given: Any, fields: Iterable[str], level: int) -> None:
        self._write(f"{name_of(_type_of(given))}(")
        if level <= 0:
            self._write("...")
        else:
            for number, name in enumerate(fields):
                if self._left <= 0:
                    break
                self._write(f"{', ' if number else ''}{name}=")
                self.show(field_of(given, name), level - 1)
        self._write(")")


_CONTAINERS: dict[type[Any], tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    dict: ("{", "}"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}


def _pairs(given: dict[object, object]) -> Iterable[tuple[object, object]]:
    return dict[object, object].items(given)


# Their own: what is derived from them may count and iterate in another way.
_SIZED: dict[type[Any], Callable[[Any], int]] = {base: base.__len__ for base in _CONTAINERS}
_ITERATED: dict[type[Any], Callable[[Any], Iterable[Any]]] = {
    base: _pairs if base is dict else base.__iter__ for base in _CONTAINERS
}


def _type_of(given: object) -> type[Any]:
    return type(given)


def _moment(given: Any) -> str:
    """A `datetime` or `time`; its zone may be anybody's."""
    zone = given.tzinfo
    if zone is None or zone is dt.UTC:
        return repr(given)
    return f"{repr(given.replace(tzinfo=None))[:-1]}, tzinfo=<{name_of(_type_of(zone))}>)"
