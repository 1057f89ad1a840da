"""A wave as a line of a record, and what comes back of it."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st

from aether import Aether, Wave
from aether.records.entries import Entry
from aether.records.lines import LARGEST, line_of
from aether.testing import record

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
        | st.dictionaries(st.integers(-9, 9), inner, max_size=4)
    ),
    max_leaves=12,
)


@dataclass(frozen=True)
class Order:
    """An order."""

    number: int
    items: tuple[str, ...] = ()


class Bill(msgspec.Struct):
    """A bill."""

    cents: int


def entry(wave: Wave[Any]) -> Entry:
    """It, written and read."""
    return Entry.of_line(line_of(wave))


@given(PLAIN)
def test_a_payload_of_plain_data_comes_back_as_it_was(payload: Any) -> None:
    back = entry(Wave("a", payload))
    assert not back.shown
    assert is_same(back.payload, payload)


def is_same(one: Any, other: Any) -> bool:
    """Whether values are equal, and of the same types."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return all(map(is_same, one, other))
    return True


def test_all_that_a_wave_says_is_in_its_line() -> None:
    wave = Wave(
        "orders.created",
        7,
        amplitude=0.5,
        phase=1.5,
        frequency=2.0,
        source="shop",
        headers={"tenant": "a"},
        timestamp=1.25,
        ttl=9.0,
    )
    assert entry(wave) == Entry(
        "orders.created",
        7,
        1.25,
        None,
        0.5,
        1.5,
        2.0,
        9.0,
        0,
        "shop",
        wave.id,
        {"tenant": "a"},
    )
    again = entry(wave).wave()
    for name in (
        "channel",
        "payload",
        "amplitude",
        "phase",
        "frequency",
        "source",
        "headers",
        "ttl",
    ):
        assert getattr(again, name) == getattr(wave, name), name
    assert again.id != wave.id


def test_what_has_led_to_a_wave_is_known() -> None:
    medium = Aether()
    inbox = medium.vibrator("inbox")
    inbox.resonate_on("a")
    with record(medium) as seen:
        medium.emit_nowait("a")
        first = inbox.receive_nowait()
        medium.emit_nowait("b", cause=first)
        medium.emit_nowait("c", compensates=first)
        medium.emit_nowait("dead.b")
        inbox.close()
    entries = [entry(wave) for wave in seen]
    assert [one.is_led_to for one in entries] == [False, True, True, True]
    assert [one.compensates for one in entries] == [False, False, True, False]


@pytest.mark.parametrize("payload", [Order(7, ("a", "b")), Bill(5)])
def test_an_object_of_data_is_made_again(payload: object) -> None:
    read = entry(Wave("a", payload))
    assert read.type == f"{__name__}:{type(payload).__name__}"
    assert read.is_whole
    assert isinstance(read.payload, dict)
    assert read.wave().payload == payload


def test_nothing_is_imported_for_an_object() -> None:
    one = Entry("a", {"x": 1}, type="antigravity:Flight")
    assert not one.is_whole
    assert one.wave().payload == {"x": 1}
    assert Entry("a", {"x": 1}, type="json:dumps").wave().payload == {"x": 1}, "no class"


def test_no_module_is_asked_for_what_it_would_import(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy, asked = ModuleType("lazy"), list[str]()
    lazy.__getattr__ = asked.append  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    assert Entry("a", {"x": 1}, type="lazy:Made").wave().payload == {"x": 1}
    assert asked == []


def test_an_object_whose_class_has_changed_is_told() -> None:
    one = Entry("a", {"number": "seven"}, type=f"{__name__}:Order")
    with pytest.raises(ValueError, match=r"the payload is no .*:Order any more: .*number"):
        one.wave()


def test_a_local_class_has_no_name() -> None:
    @dataclass
    class Local:
        x: int

    read = entry(Wave("a", Local(1)))
    assert (read.type, read.payload) == (None, {"x": 1})


def endless() -> list[Any]:
    """A list that is in itself."""
    one: list[Any] = []
    one.append(one)
    return one


@dataclass
class Lacking:
    """One that lacks its field."""

    x: int

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (object(), "<object>"),
        ("\ud800", r"'\ud800'"),
        (2**70, str(2**70)),
        ("x" * (LARGEST + 1), "'" + "x" * 196 + "..."),
        ([[1] * 600_000, [2] * 600_000], "[[1, 1, 1"),
        (endless(), "[[[[[...]]]]]"),
        (Lacking(), "<Lacking, which cannot be shown"),
    ],
)
def test_of_what_cannot_be_written_there_is_a_text(payload: object, text: str) -> None:
    read = entry(Wave("a", payload))
    assert read.shown
    assert not read.is_whole
    assert read.payload.startswith(text)
    assert len(read.payload) <= 200


def test_arrays_bytes_and_nan_come_back() -> None:
    array = np.arange(6, dtype="f4").reshape(2, 3)
    back = entry(Wave("a", array)).payload
    assert back.dtype == array.dtype
    assert (back == array).all()
    assert entry(Wave("a", bytearray(b"\xff"))).payload == b"\xff"
    assert math.isnan(entry(Wave("a", {"x": math.nan})).payload["x"])


def test_sets_are_written_in_one_order() -> None:
    names = [f"name {number}" for number in range(50)]
    assert entry(Wave("a", set(names))).payload == sorted(names)


def test_odd_names_are_written_out() -> None:
    wave = Wave("a", None, source="\ud800", headers={"k\udfff": "v\ud800"})
    read = entry(wave)
    assert (read.source, read.headers) == (r"\ud800", {r"k\udfff": r"v\ud800"})


async def test_a_request_is_one_that_nobody_waits_for(anyio_backend: object) -> None:
    async with Aether() as medium:
        desk = medium.vibrator("desk")

        @desk.on("ask")
        async def answer(wave: Wave[int]) -> int:
            return wave.payload + 1

        with record(medium) as seen:
            await medium.request("ask", 1)
        (asked,) = [entry(wave) for wave in seen]
        assert asked.request
        assert asked.headers == {}
        again = asked.wave()
        assert await desk.reply(again, 2) is False, "it can be answered, and comes to nothing"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"no json", "JSON"),
        (b"[]", "object"),
        (b'{"ts": 1, "channel": "a"}', "payload"),
        (b'{"ts": "1", "channel": "a", "payload": 1}', "ts"),
        (b'{"ts": 1, "channel": "a", "payload": 1, "headers": {"a": 1}}', "headers"),
        (b'{"ts": 1, "channel": "a", "payload": 1, "encoded": "%"}', "encoded"),
        (b'{"ts": 1, "channel": "a", "payload": 1, "encoded": "wQ==", "codec": 1}', "encoded"),
        (b'{"ts": 1, "channel": "\xff", "payload": 1}', "utf-8|UTF-8"),
    ],
)
def test_a_line_that_is_no_wave_says_why(line: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Entry.of_line(line)
