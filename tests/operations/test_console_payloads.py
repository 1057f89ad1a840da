"""What the console shows of payloads: their beginning, without any code of theirs."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import time
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aether.console.payloads import short

LARGE = 1_000_000
Point = namedtuple("Point", "x y")  # noqa: PYI024 - the plain one


class Many(list[int]):
    """A list of its own type."""


class Text(str):
    """A text of its own type."""

    __slots__ = ()

    def __getitem__(self, _: object) -> str:
        pytest.fail("no code of a payload is run")


class Color(enum.IntEnum):
    RED = 1


@dataclass
class Order:
    id: int
    rows: Any = None
    secret: str = field(default="x", repr=False)


@dataclass(slots=True)
class Slotted:
    id: int


@dataclass
class Hidden:
    secret: str = "x"

    def __repr__(self) -> str:
        return "Hidden()"


class Bad:
    """What fails, whoever asks it."""

    def __repr__(self) -> str:
        raise SystemExit

    @property
    def __class__(self) -> Any:
        raise SystemExit


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"b": 1, "a": [1, 2]}, "{'b': 1, 'a': [1, 2]}"),
        (b"abc", "b'abc'"),
        ("it's", '"it\'s"'),
        (bytearray(b"abc"), "bytearray(b'abc')"),
        (set(), "set()"),
        ({1}, "{1}"),
        (frozenset(), "frozenset()"),
        (frozenset({1}), "frozenset({1})"),
        ((), "()"),
        ((1,), "(1,)"),
        (deque([1, "a"]), "deque([1, 'a'])"),
        (OrderedDict(a=1), "OrderedDict({'a': 1})"),
        (Many([1, 2]), "Many([1, 2])"),
        (Text("abc"), "Text('abc')"),
        (Point(1, 2), "Point((1, 2))"),
        (Color.RED, "Color(1)"),
        ([None, True, 1.5, 2j, ...], "[None, True, 1.5, 2j, Ellipsis]"),
        (dt.date(2026, 1, 2), "datetime.date(2026, 1, 2)"),
        (decimal.Decimal("1.5"), "Decimal('1.5')"),
        (Order(7, [None]), "Order(id=7, rows=[None])"),
        (Hidden(), "<Hidden>"),
        (Order, "<type>"),
        ([[[[[[[1]]]]]]], "[[[[[...]]]]]"),
        ([1 << 100_000], "[<int of 100,001 bits>]"),
    ],
    ids=lambda given: given if type(given) is str else type(given).__name__,
)
def test_a_payload_reads_as_its_repr_would(payload: object, shown: str) -> None:
    assert short(payload, 200) == shown


@pytest.mark.parametrize(
    "payload",
    [
        "x" * LARGE,
        b"x" * LARGE,
        bytearray(LARGE),
        dict.fromkeys(range(LARGE)),
        list(range(LARGE)),
        tuple(range(LARGE)),
        set(range(LARGE)),
        frozenset(range(LARGE)),
        deque(range(LARGE)),
        Many(range(LARGE)),
        Text("x" * LARGE),
        Order(7, list(range(LARGE))),
        {"a": [set(range(LARGE))]},
        [[[["x"] * 50] * 50] * 50] * 50,
    ],
    ids=lambda payload: type(payload).__name__,
)
def test_only_the_beginning_is_looked_at(payload: object) -> None:
    begun = time.thread_time()
    text = short(payload, 200)
    assert time.thread_time() - begun < 0.02
    assert len(text) == 200
    assert text.endswith("...")


def test_no_code_of_a_payload_is_run() -> None:
    assert [short(Bad(), 99), short([1, Bad()], 99)] == ["<Bad>", "[1, <Bad>]"]


ASKED: list[str] = []
"""What a metaclass was asked for, or that it was called."""


class Asked(type):
    """A metaclass that has all there is of its classes, in its own way."""

    def __getattribute__(cls, name: str) -> Any:
        ASKED.append(name)
        return type.__getattribute__(cls, name)

    def __eq__(cls, other: object) -> bool:
        ASKED.append("==")
        return cls is other

    __hash__ = type.__hash__

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        ASKED.append("name")
        return "Other"


def made(base: type, attributes: dict[str, Any] | None = None) -> Any:
    """A class of that metaclass, as a dataclass is made of another one."""
    return type.__new__(Asked, "Made", (base,), attributes or {})


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (made(object)(), "<Made>"),
        (made(int)(7), "Made(7)"),
        (made(list)([1]), "Made([1])"),
        (made(str)("a"), "Made('a')"),
        (made(Order)(7, rows=[1]), "Made(id=7, rows=[1])"),
        (made(Slotted)(7), "Made(id=7)"),
        (
            made(Order, {"rows": property(lambda _: 1, lambda *_: None)})(7),
            "Made(id=7, rows=<property>)",
        ),
        (made(Hidden)(), "<Made>"),
        (dt.time(1, tzinfo=made(dt.tzinfo)()), "datetime.time(1, 0, tzinfo=<Made>)"),
        ([made(object)], "[<Asked>]"),
    ],
    ids=lambda given: given if type(given) is str else "",
)
def test_nor_of_its_metaclass(payload: object, shown: str) -> None:
    ASKED.clear()
    text, asked = short(payload, 99), list(ASKED)
    assert (text, asked) == (shown, [])


def test_nor_to_say_that_it_cannot_be_shown() -> None:
    payload = object.__new__(made(Slotted))
    ASKED.clear()
    text, asked = short(payload, 99), list(ASKED)
    assert (text, asked) == ("<Made, which cannot be shown: AttributeError>", [])


class Zone(dt.tzinfo):
    """A time zone that fails, whoever asks it."""

    def utcoffset(self, _: object) -> dt.timedelta:
        pytest.fail("no code of a payload is run")

    dst = __repr__ = tzname = utcoffset  # type: ignore[assignment]


def test_a_time_zone_is_not_asked() -> None:
    moment = dt.datetime(2026, 1, 2, 3, tzinfo=Zone(), fold=1)
    assert short(moment, 99) == "datetime.datetime(2026, 1, 2, 3, 0, fold=1, tzinfo=<Zone>)"
    assert short(dt.time(1, tzinfo=Zone()), 99) == "datetime.time(1, 0, tzinfo=<Zone>)"
    known = dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)
    assert short(known, 99) == repr(known)


def test_what_stands_in_the_place_of_a_field_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(7)
    asked = property(lambda _: pytest.fail("no code of a payload is run"), lambda *_: None)
    monkeypatch.setattr(Order, "rows", asked)
    assert short(order, 99) == "Order(id=7, rows=<property>)"
    assert short(Slotted(7), 99) == "Slotted(id=7)"


def test_a_number_is_not_written_to_be_thrown_away() -> None:
    number = decimal.Decimal((0, (1,) * 2_000_000, 0))
    begun = time.thread_time()
    text = short([number], 99)
    assert time.thread_time() - begun < 0.02
    assert text.startswith("[<Decimal of ")
    digits = decimal.Decimal("1" * 2000)
    assert short(digits, 3000) == repr(digits)


def test_a_field_that_is_missing_is_told() -> None:
    order = Order(7)
    del order.rows
    # It has the default of its class; without one there is nothing.
    assert short(order, 99) == "Order(id=7, rows=None)"
    del order.id
    assert short(order, 99) == "<Order, which cannot be shown: AttributeError>"


# Without quotes: which ones a text is written in is known by all of it, and by its beginning where only that is shown.
TEXTS = st.text(st.characters(exclude_characters="'"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.binary().map(lambda given: given.replace(b"'", b"")),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, list | tuple | dict):
        return 0
    return 1 + max(map(_depth, inner), default=0)  # type: ignore[call-overload]


@given(VALUES.filter(lambda value: _depth(value) <= 4), st.integers(4, 200))
def test_it_is_the_repr_cut_to_the_length(value: object, length: int) -> None:
    text = repr(value)
    expected = text if len(text) <= length else f"{text[: length - 3]}..."
    assert short(value, length) == expected
