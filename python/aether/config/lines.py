"""In which line of a TOML file a key stands, so that a mistake can be found where it was made."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

__all__ = ["Key", "key_lines"]

Key = tuple[str | int, ...]
"""A key with those of the tables around it; a number is a place in a list."""

# Whatever decides where a statement ends; the rest of a text has no part in it. A string of many lines may have two more
# quotes before those that end it.
_TOKEN = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'''
    r"""|'{3}(?:[^']|'(?!''))*'{3,5}"""
    r'''|"(?:[^"\\\n]|\\.)*"'''
    r"""|'[^'\n]*'"""
    r"|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)


def key_lines(text: str) -> dict[Key, int]:
    r"""The line of each key and table of a text that is TOML.

    Example:
        >>> key_lines('[journal]\npath = "history"')
        {('journal',): 1, ('journal', 'path'): 2}
    """
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    for begun, statement in _statements(text):
        paths = list(_paths(tomllib.loads(statement)))
        if statement.startswith("["):
            table = paths[-1]
            if table[-1] == 0:  # one more of a list of tables
                counts[table[:-1]] = counts.get(table[:-1], -1) + 1
            table = _counted(table, counts)
            found.setdefault(table, begun)
        else:
            for path in paths:
                found.setdefault(table + path, begun)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with its first line: it ends with a line, but not within a string or brackets."""
    begin, line, depth = 0, 1, 0
    for token in _TOKEN.finditer(text + "\n"):
        kind = token[0]
        if kind in "[{":
            depth += 1
        elif kind in "]}":
            depth -= 1
        elif kind == "\n" and depth == 0:
            statement = text[begin : token.end()]
            if (said := statement.strip()) and not said.startswith("#"):
                yield line, said
            begin, line = token.end(), line + statement.count("\n")


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
