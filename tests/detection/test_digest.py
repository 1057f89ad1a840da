"""What counts as the same content, beside a plain oracle in Python.

The digest itself is not to be seen: a detection carries it as `key`, and whether two payloads have the same is asked
of an engine that is shown both as one thing in antiphase.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import uuid
from collections import OrderedDict, defaultdict
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, strategies as st
from tests.probes import shown

from aether import Channel, PhysicsEngine, Wave


def same(one: object, other: object) -> bool:
    """Whether an engine takes the two for the same content."""
    engine = PhysicsEngine()
    assert engine.detect("a", Wave("a", one)) is None
    return engine.detect("a", Wave("a", other, phase=math.pi)) is not None


def canonical(content: object) -> object:
    """The oracle: equal for the same content, as far as builtins go."""
    if isinstance(content, bool | int | float):
        if math.isnan(content):
            return ("nan",)
        return ("number", content)
    if isinstance(content, list | tuple):
        return ("sequence", *map(canonical, content))
    if isinstance(content, set | frozenset):
        return ("set", frozenset(map(canonical, content)))
    if isinstance(content, dict):
        items = ((canonical(key), canonical(value)) for key, value in content.items())
        return ("dict", frozenset(items))
    if isinstance(content, bytearray | bytes):
        return ("bytes", bytes(content))
    return (type(content), content)


class Plain:
    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)

    def __eq__(self, other: object) -> bool:
        raise AssertionError("nobody asks")

    def __hash__(self) -> int:
        raise AssertionError("nobody asks")


class Other(Plain):
    pass


class Slotted:
    __slots__ = ("__hidden", "shown")

    def __init__(self, shown: object, hidden: object = 0) -> None:
        self.shown = shown
        self.__hidden = hidden


@dataclasses.dataclass(slots=True)
class Order:
    number: int
    lines: list[str]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: int
    y: int


class Size(NamedTuple):
    x: int
    y: int


SAME: list[tuple[Any, Any]] = [
    (None, None),
    (1, 1.0),
    (True, 1),
    (0.0, -0.0),
    (2**90, 2.0**90),
    (math.nan, -math.nan),
    ([1, 2], (1, 2)),
    ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
    ({1, 2, 3}, frozenset({3, 2, 1})),
    (b"ab", b"ab"),
    ("é" * 5000, "é" * 5000),
    (Plain(a=1, b=2), Plain(b=2, a=1)),
    (Slotted(1, 2), Slotted(1, 2)),
    (Order(1, ["a"]), Order(1, ["a"])),
    (Colour.RED, Colour.RED),
    (Point(1, 2), Point(1, 2)),
    (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    (uuid.UUID(int=5), uuid.UUID(int=5)),
    (Decimal("1.5"), Decimal("1.5")),
    (range(5), range(5)),
    (1 + 2j, 1 + 2j),
    (memoryview(b"abc"), memoryview(b"abc")),
    (bytearray(b"abc"), bytearray(b"abc")),
    (SimpleNamespace(a=1), SimpleNamespace(a=1)),
    (OrderedDict(a=1), OrderedDict(a=1)),
    (Channel("a.b"), Channel("a.b")),
    (len, len),
    (Plain, Plain),
]

DIFFERENT: list[tuple[Any, Any]] = [
    (None, 0),
    (-1, -2),
    (0, 2**61 - 1),
    (1, "1"),
    ("a", b"a"),
    ([], {}),
    ([], set()),
    ([1, 2], [2, 1]),
    ([[1], 2], [1, [2]]),
    ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ({"a": 1}, [("a", 1)]),
    (Plain(a=1), Plain(a=2)),
    (Plain(a=1), Other(a=1)),
    (Slotted(1, 2), Slotted(1, 3)),
    (Order(1, ["a"]), Order(1, ["b"])),
    (Colour.RED, Colour.BLUE),
    (Point(1, 2), Size(1, 2)),
    (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
    (uuid.UUID(int=5), uuid.UUID(int=6)),
    (Decimal("1.5"), Decimal("1.6")),
    (memoryview(b"abc"), memoryview(b"abd")),
    ("x" * 9000, "x" * 9001),
    ([0] * 1000, [0] * 1001),
    (defaultdict(int, a=1), defaultdict(int, a=2)),
    (len, sum),
    (Plain, Other),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=shown)
def test_the_same_content(one: object, other: object) -> None:
    assert same(one, other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=shown)
def test_other_content(one: object, other: object) -> None:
    assert not same(one, other)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
CONTENT = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
        | st.frozensets(SCALARS, max_size=3)
    ),
    max_leaves=12,
)


@given(CONTENT, CONTENT)
def test_the_digest_goes_by_the_oracle(one: object, other: object) -> None:
    assert same(one, one)
    assert same(one, other) == (canonical(one) == canonical(other))


def test_a_cycle_ends() -> None:
    cyclic: list[Any] = [1]
    cyclic.append(cyclic)
    again: list[Any] = [1]
    again.append(again)
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    assert same(cyclic, again)
    assert same(mapping, mapping)
    assert not same(cyclic, mapping)


def test_only_so_much_is_looked_at() -> None:
    """64 objects and 4,096 characters: what comes later does not count."""
    assert same([0] * 100 + [1], [0] * 100 + [2])
    assert not same([0] * 60 + [1], [0] * 60 + [2])
    assert same("x" * 5000 + "a", "x" * 5000 + "b")
    assert not same("x" * 4000 + "a", "x" * 4000 + "b")
    assert same({"deep": [["x" * 4096], "a"]}, {"deep": [["x" * 4096], "b"]}) is True


def test_no_code_of_the_payload_runs() -> None:
    class Touchy:
        def __init__(self) -> None:
            object.__setattr__(self, "value", 1)

        def refuse(self, *_: object) -> Any:
            raise AssertionError("nobody asks")

        __getattr__ = __getattribute__ = __eq__ = __hash__ = __len__ = __iter__ = refuse  # type: ignore[assignment]

    class TouchyDict(dict[str, int]):
        def refuse(self, *_: object) -> Any:
            raise AssertionError("nobody asks")

        __iter__ = __len__ = __getitem__ = keys = items = refuse  # type: ignore[assignment]

    class TouchyText(str):
        __slots__ = ()

        def refuse(self, *_: object) -> Any:
            raise AssertionError("nobody asks")

        __len__ = __getitem__ = __hash__ = __eq__ = __str__ = refuse  # type: ignore[assignment]

    assert same(Touchy(), Touchy())
    assert same(TouchyDict(a=1), TouchyDict(a=1))
    assert not same(TouchyDict(a=1), TouchyDict(a=2))
    assert same(TouchyText("a"), TouchyText("a"))
    assert not same(TouchyText("a"), TouchyText("b"))


def test_arrays_go_by_their_bytes() -> None:
    numpy = pytest.importorskip("numpy")
    assert same(numpy.arange(10), numpy.arange(10))
    assert not same(numpy.arange(10), numpy.arange(1, 11))
