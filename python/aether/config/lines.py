"""In which line of a TOML file a key stands, so that a mistake can be found where it was made."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

__all__ = ["Key", "key_lines"]

Key = tuple[str | int, ...]
"""A key with those of the tables around it; a number is a place in a list."""


def key_lines(text: str) -> dict[Key, int]:
    r"""The line of each key and table of a text that is TOML.

    Example:
        >>> key_lines('[journal]\npath = "history"')
        {('journal',): 1, ('journal', 'path'): 2}
    """
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    statement, begun = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if not statement:
            begun = number
        statement += line + "\n"
        # A statement is over where it can be read by itself: so nothing has to be known of quotes and brackets.
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        paths = list(_paths(parsed))
        if statement.lstrip().startswith("["):
            table = paths[-1]
            if table[-1] == 0:  # one more of a list of tables
                counts[table[:-1]] = counts.get(table[:-1], -1) + 1
            table = _counted(table, counts)
            found.setdefault(table, begun)
        else:
            for path in paths:
                found.setdefault(table + path, begun)
        statement = ""
    return found


def _paths(value: object, path: Key = ()) -> Iterator[Key]:
    """Of all keys and places in it, the outer ones first."""
    if path:
        yield path
    for key, one in _parts(value):
        yield from _paths(one, (*path, key))


def _parts(value: Any) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).items()
    return enumerate(cast("list[object]", value)) if isinstance(value, list) else ()


def _counted(table: Key, counts: Mapping[Key, int]) -> Key:
    """The path of a table whose parts before the last may be lists: their last tables are meant."""
    path: Key = ()
    for part in table:
        if part == 0:
            continue
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path])
    return path
