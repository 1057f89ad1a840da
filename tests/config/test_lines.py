"""In which line a key stands."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, strategies as st

from aether.config.lines import Key, key_lines

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
