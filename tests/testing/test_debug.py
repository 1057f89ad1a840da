"""`AetherConfig(debug=True)`: a payload that is changed after its emission is found, and nothing else."""

from __future__ import annotations

import copy
import enum
import functools
from collections import deque
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from aether import Aether, AetherConfig, Retry, Wave
from aether.debugging import changed, noted
from aether.testing import VirtualAether

DEBUG = AetherConfig(debug=True)


def found(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """The records of payloads that were changed, which are forgotten then."""
    records = [one for one in caplog.records if getattr(one, "event", "") == "payload.changed"]
    caplog.clear()
    return records


async def test_a_handler_that_changes_its_payload_is_named(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with VirtualAether(DEBUG) as medium:
        shop, audit = medium.vibrator("shop"), medium.vibrator("audit")
        other = medium.vibrator("other")
        other.resonate_on("users.*")

        @shop.on("orders.*")
        async def book(wave: Wave[Any]) -> None:
            await medium.clock.sleep(1.0)
            wave.payload["state"] = "booked"

        @audit.on("orders.*")
        def look(wave: Wave[Any]) -> None: ...

        await medium.emit_wave("orders.created", {"id": 7})
        await medium.clock.advance(2.0)
        [record] = found(caplog)
        assert (record.channel, record.receivers) == ("orders.created", ("audit", "shop"))
        assert record.place == "payload['state'] is new"
        assert "book of 'shop' had ended with it" in record.getMessage()
        other.close()
    assert found(caplog) == [], "it is said once"


async def test_a_payload_that_is_emitted_again_with_another_content_is_found(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with Aether(DEBUG) as medium:
        reader = medium.vibrator("reader")
        reader.resonate_on("*")
        event = {"n": 0}
        await medium.emit_wave("a", event)
        event["n"] = 1
        await medium.emit_wave("b", event)
        [record] = found(caplog)
        assert (record.channel, record.receivers) == ("a", ("reader",))
        assert "payload['n'] was 0, and is 1" in record.getMessage()
        reader.close()


async def test_what_a_reader_changes_last_is_found_at_the_end(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with Aether(DEBUG) as medium:
        reader = medium.vibrator("reader")
        reader.resonate_on("a")
        await medium.emit_wave("a", [1])
        wave = await reader.receive()
        assert wave is not None
        wave.payload.clear()
        assert found(caplog) == []
        reader.close()
    [record] = found(caplog)
    assert record.place == "payload[0] is gone"


async def test_who_changes_nothing_is_not_named(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with VirtualAether(DEBUG) as medium:
        shop, tried = medium.vibrator("shop"), list[int]()

        @shop.on("orders.*", retry=Retry(on=ValueError, budget=None))
        async def book(wave: Wave[Any]) -> str:
            tried.append(len(tried))
            if len(tried) < 3:
                raise ValueError
            await shop.emit_wave("booked", {**wave.payload, "state": "booked"})
            return "done"

        assert (await medium.emit_wave("orders.created", {"id": [1, 2]})).delivered == 1
        await medium.clock.advance(60)
        assert len(tried) == 3
    assert found(caplog) == []


async def test_without_debug_there_is_none(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with Aether() as medium:
        shop = medium.vibrator("shop")

        @shop.on("a")
        def change(wave: Wave[Any]) -> None:
            wave.payload.clear()

        (lane,) = medium.lanes
        assert lane._call is change, "nothing is in the way"
        await medium.emit_wave("a", [1])
        await medium.settle()
    assert found(caplog) == []


async def test_it_keeps_a_bounded_number_of_payloads(
    anyio_backend: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aether.debugging._KEPT", 3)
    medium = Aether(DEBUG)
    for number in range(10):
        medium.emit_nowait("a", [number])
    payloads = medium._payloads
    assert payloads is not None
    assert [one.wave.payload for one in payloads._noted.values()] == [[7], [8], [9]]


class Colour(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("inner", "unset")

    def __init__(self) -> None:
        self.inner = [1]


@dataclass
class Order:
    number: int = 1
    items: list[Any] = field(default_factory=lambda: ["a"])
    colour: Colour = Colour.RED

    @functools.cached_property
    def total(self) -> int:
        return self.number


def test_each_kind_of_change_has_its_place() -> None:
    array, moments = np.zeros(3), np.zeros(3, "M8[s]")
    order, slotted = Order(), Slotted()
    loop: list[Any] = []
    loop.append(loop)
    payload: dict[str, Any] = {
        "order": order,
        "slots": slotted,
        "array": array,
        "moments": moments,
        "bytes": bytearray(b"x"),
        "set": {1},
        "tuple": ([0],),
        "nan": float("nan"),
        "loop": loop,
        "object": object(),
        "class": int,
    }
    before = noted(payload)
    assert order.total == 1
    assert changed(before, noted(payload)) is None, "a cached property is no change"

    def place(change: Any) -> str | None:
        nonlocal before
        change()
        after = noted(payload)
        said, before = changed(before, after), after
        return said

    assert place(lambda: setattr(order, "number", 2)) == "payload['order'].number was 1, and is 2"
    assert place(lambda: order.items.append("b")) == "payload['order'].items[1] is new"
    assert place(slotted.inner.pop) == "payload['slots'].inner[0] is gone"
    assert place(lambda: array.fill(1)) == "payload['array'] holds something else"
    assert place(lambda: moments.fill(1)) == "payload['moments'] holds something else"
    assert place(lambda: payload["bytes"].extend(b"y")) == "payload['bytes'] holds something else"
    assert place(lambda: payload["set"].add(2)) == "payload['set']{2} is new"
    assert place(lambda: payload["tuple"][0].append(1)) == "payload['tuple'][0][1] is new"
    assert place(lambda: payload.update({"nan": "x"})) == "payload['nan'] was a float, and is a str"
    assert (
        place(lambda: payload.update({"object": object()}))
        == "payload['object'] holds something else"
    )
    assert place(lambda: payload.pop("class")) == "payload['class'] is gone"


class Queue(deque[Any]):
    """A deque that nobody may ask."""

    def __iter__(self) -> Any:
        raise AssertionError


@pytest.mark.parametrize("kind", [deque, Queue])
def test_what_is_in_a_deque_is_noted(kind: type[deque[Any]]) -> None:
    payload = kind([[1], 2], 2)
    before = noted(payload)
    payload[0].append(3)
    assert changed(before, noted(payload)) == "payload[0][1] is new"
    before = noted(payload)
    payload.append("c")
    assert changed(before, noted(payload)) == "payload[0] was a list, and is a int"


class Alike:
    """One looks like another."""


@pytest.mark.parametrize(
    "keys",
    [
        ["k" * 60 + str(number) for number in range(3)],
        [b"k" * 60 + bytes([number]) for number in range(3)],
        ["k" * 20_000 + str(number) for number in range(3)],
        [("k" * 60, number) for number in range(3)],
        [Alike() for _ in range(3)],
    ],
    ids=["texts", "bytes", "longer", "tuples", "objects"],
)
def test_keys_that_look_alike_are_told_apart(keys: list[Any]) -> None:
    for number in range(3):
        payload = dict.fromkeys(keys, 0)
        before = noted(payload)
        assert len(before) == 4
        payload[keys[number]] = 1
        assert (changed(before, noted(payload)) or "").endswith(" was 0, and is 1")
        items = set(keys)
        before = noted(items)
        items.clear()
        items.update(reversed(keys))
        assert changed(before, noted(items)) is None, "a set has no order"
        items.remove(keys[number])
        assert changed(before, noted(items)) is not None


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Memo:
    """An object that keeps what it has worked out."""

    def __init__(self) -> None:
        self._parsed: Any = None
        self._items = [1]
        self.seen: Any = None

    def parse(self) -> None:
        self._parsed = {"a": [1]}


def test_what_an_object_keeps_for_itself_is_no_change() -> None:
    memo, path, access = Memo(), PurePath("a/b"), Access.READ
    payload = {"memo": memo, "path": path, "access": access}
    before = noted(payload)
    memo.parse()
    assert (str(path), hash(path), path.parts) != (~access, 0, 0)
    kept = noted(payload)
    assert changed(before, kept) is None
    memo._parsed["a"].append(2)
    assert changed(kept, noted(payload)) == "payload['memo']._parsed['a'][1] is new"
    memo.parse()
    memo._items.append(2)
    assert changed(kept, noted(payload)) == "payload['memo']._items[1] is new"
    memo._items.pop()
    memo.seen = 1
    assert changed(kept, noted(payload)) == "payload['memo'].seen was a NoneType, and is a int"


def test_no_code_of_a_payload_runs() -> None:
    class Loud(dict[str, Any]):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __iter__(self) -> Any:
            raise AssertionError

        items = __iter__  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    class Equal:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    class Hidden:
        @property
        def __dict__(self) -> Any:
            raise AssertionError

    payload = [Loud(a=1), Equal(), Equal, Hidden()]
    before = noted(payload)
    assert changed(before, noted(payload)) is None
    dict.__setitem__(payload[0], "a", 2)  # type: ignore[arg-type]
    assert changed(before, noted(payload)) == "payload[0]['a'] was 1, and is 2"


def test_large_payloads_are_noted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aether.debugging._MOST_PLACES", 10)
    assert len(noted(list(range(1_000)))) == 10


def test_deep_payloads_are_noted_up_to_a_bound() -> None:
    payload: list[Any] = []
    for _ in range(100_000):
        payload = [payload]
    assert 100 < len(noted(payload)) < 110


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_values_are_the_same_where_their_text_is(first: Any, second: Any) -> None:
    # Of all that may come here the text says all, but for the order of a dict, and for what is -0.0.
    def plain(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{key!r}:{plain(value[key])}" for key in sorted(value)) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(plain, value)) + "]"
        return repr(value + 0.0) if type(value) is float else repr(value)

    assert changed(noted(first), noted(copy.deepcopy(first))) is None
    assert (changed(noted(first), noted(second)) is None) == (plain(first) == plain(second))
