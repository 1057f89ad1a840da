"""In which line a key stands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aether.config.lines import Key, _counted, _paths, key_lines

TEXT = '''\
# a comment = 1
size = 10
"a.b" . c = 1
patterns = [
  "orders.*",  # here
  "stock",
]
text = """
[not.a.table]
key = 1
"""

[journal] # the table
path = 'x'
inline = { deep = { er = 1 } }

[[journal.retention]]
pattern = "a"
[[journal.retention]]
pattern = "b"
[journal.retention.more]
last = true
'''


def test_keys_are_found_where_they_stand() -> None:
    lines = key_lines(TEXT)
    expected: dict[Key, int] = {
        ("size",): 2,
        ("a.b", "c"): 3,
        ("patterns",): 4,
        ("patterns", 1): 4,
        ("text",): 8,
        ("journal",): 13,
        ("journal", "path"): 14,
        ("journal", "inline", "deep", "er"): 15,
        ("journal", "retention", 0): 17,
        ("journal", "retention", 0, "pattern"): 18,
        ("journal", "retention", 1): 19,
        ("journal", "retention", 1, "pattern"): 20,
        ("journal", "retention", 1, "more", "last"): 22,
    }
    assert {key: lines.get(key) for key in expected} == expected
    assert ("not", "a", "table") not in lines
    assert ("key",) not in lines


# Statements that may follow each other: what they say, and how many lines they take.
NAMES = st.sampled_from(["a", "b", '"c d"', "e-f", "'g.h'"])
VALUES = st.sampled_from(
    [
        "1",
        "true",
        '"#"',
        "'''\nx = 1\n'''",
        '"""\n[t]\n"""',
        "[\n1,\n[2],\n]",
        "{ x = [1], y = {} }",
    ]
)


@given(st.lists(st.tuples(st.booleans(), NAMES, VALUES, st.integers(0, 2)), max_size=8))
def test_each_statement_is_found_at_its_first_line(
    statements: list[tuple[bool, str, str, int]],
) -> None:
    text, expected = "", {}
    table: tuple[str, ...] = ()
    for number, (begins, name, value, blank) in enumerate(statements):
        text += "\n# [c]\n" * blank
        if begins:
            expected[f"t{number}",] = text.count("\n") + 1
            text += f"[t{number}]\n"
            table = (f"t{number}",)
        key = f"k{number}"
        expected[(*table, key, _read(name))] = text.count("\n") + 1
        text += f"{key}.{name} = {value}\n"
    found: dict[Any, int] = dict(key_lines(text))
    tomllib.loads(text)
    assert {key: found.get(key) for key in expected} == expected


def _read(name: str) -> str:
    return next(iter(tomllib.loads(f"{name} = 0")))


def by_reading(text: str) -> dict[Key, int]:
    """The same without a word about quotes and brackets: a statement is over where it can be read by itself. Slow."""
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    statement, begun = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        if not statement:
            begun = number
        statement += line + "\n"
        try:
            paths = list(_paths(tomllib.loads(statement)))
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = paths[-1]
            if table[-1] == 0:
                counts[table[:-1]] = counts.get(table[:-1], -1) + 1
            table = _counted(table, counts)
            paths = [()]
        for path in paths:
            found.setdefault(table + path, begun)
        statement = ""
    return found


# What may be within strings, comments and lists, and means something elsewhere.
PIECES = st.lists(
    st.sampled_from(
        ["[", "]", "{", "}", "#", "'", '"', "''", '""', "\\", "\n", "=", "x", ",", " "]
    ),
    max_size=6,
).map("".join)
SCALARS = st.one_of(
    st.sampled_from(
        ["1", "1979-05-27", '"\u2028"', "''''''", '""""""', '"\\""', "'\\'", "'''a'''''"]
    ),
    *(
        PIECES.map(lambda inside, quotes=quotes: f"{quotes}{inside}{quotes}")
        for quotes in ('"', "'", '"""', "'''")
    ),
)
VALUES_WITHIN = st.recursive(
    SCALARS,
    lambda one: st.one_of(
        st.tuples(st.lists(one, max_size=3), PIECES).map(
            lambda both: "[" + "".join(f"{each}, # {_flat(both[1])}\n" for each in both[0]) + "]"
        ),
        one.map(lambda each: f"{{ k = {each} }}"),
    ),
    max_leaves=6,
)
HEADS = st.sampled_from(["", "[t{}]", "[[u]]", " [ v{} ]"])


def _flat(text: str) -> str:
    return text.replace("\n", " ")


@given(st.lists(st.tuples(HEADS, VALUES_WITHIN, PIECES), max_size=5))
def test_statements_end_where_they_can_be_read(parts: list[tuple[str, str, str]]) -> None:
    text = ""
    for number, (head, value, comment) in enumerate(parts):
        more = f"{head.format(number)} # {_flat(comment)}\nk{number} = {value} #{_flat(comment)}\n"
        try:
            tomllib.loads(text + more)
        except tomllib.TOMLDecodeError:
            continue
        text += more
    assert list(key_lines(text).items()) == list(by_reading(text).items())
    assert key_lines(text.replace("\n", "\r\n")) == key_lines(text)


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('"""', '"""')])
def test_a_long_statement_is_read_once(
    begin: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"[first]\nretain = {begin}\n" + "  'orders.*',\n" * 20_000 + f"{end}\nlast = 1\n"
    read: list[str] = []
    loads = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda said: read.append(said) or loads(said))
    lines = key_lines(text)
    assert (lines["first", "retain"], lines["first", "last"]) == (2, 20_004)
    assert sum(map(len, read)) <= len(text)
