"""Recordings: they have all that was emitted, and say what was emitted instead."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from aether import Aether, ChannelError
from aether.testing import Recording, record
from aether.testing.differing import differing, shown


@pytest.fixture
def medium() -> Aether:
    return Aether()


def failing(seen: Recording, *arguments: Any, **options: Any) -> list[str]:
    """The lines that a failing comparison says."""
    with pytest.raises(AssertionError) as raised:
        seen.assert_emitted(*arguments, **options)
    return str(raised.value).splitlines()


def test_it_has_what_was_emitted_since_it_began_and_until_it_is_closed(medium: Aether) -> None:
    medium.emit_nowait("orders.created", 0)
    with record(medium, "orders.*") as seen:
        medium.emit_nowait("orders.created", 1)
        medium.emit_nowait("users.created", 2)
        medium.emit_nowait("orders.paid", 3)
        assert [wave.payload for wave in seen] == [1, 3]
        assert len(seen) == 2
        medium.emit_nowait("orders.paid", 4)
    medium.emit_nowait("orders.paid", 5)
    assert [wave.payload for wave in seen.waves] == [1, 3, 4]
    assert repr(seen) == "<Recording of 'orders.*': 3 waves>"
    seen.clear()
    assert seen.waves == []


def test_it_changes_no_receipt_and_keeps_more_than_any_mailbox(medium: Aether) -> None:
    with record(medium) as seen:
        receipts = [medium.emit_nowait("a", number) for number in range(5_000)]
        assert {(receipt.matched, receipt.delivered) for receipt in receipts} == {(0, 0)}
        assert [wave.payload for wave in seen] == list(range(5_000))


def test_waves_of_threads_are_in_the_order_of_their_admission(medium: Aether) -> None:
    def emit() -> None:
        for number in range(500):
            medium.emit_nowait("a", number)

    with record(medium) as seen:
        threads = [threading.Thread(target=emit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sequences = [wave.sequence for wave in seen]
        assert sequences == sorted(sequences, key=lambda number: number or 0)
        assert len(set(sequences)) == 2_000


def test_what_came_the_other_way_round_is_put_in_order(medium: Aether) -> None:
    class Ring:
        def take(self) -> tuple[list[Any], int]:
            return [waves.pop() for _ in range(len(waves))], 0

    with record(medium) as other:
        for _ in range(3):
            medium.emit_nowait("a")
        waves = other.waves
    seen = record(medium)
    seen._ring = Ring()  # type: ignore[assignment]
    assert [wave.sequence for wave in seen] == [wave.sequence for wave in other]


async def test_it_has_what_a_medium_emitted_before_it_was_closed(anyio_backend: object) -> None:
    async with Aether() as medium:
        seen = record(medium)
        await medium.emit_wave("a", 1)
    seen.assert_emitted("a", payload=1)
    seen.close()
    seen.close()


def test_waves_are_asked_for_by_channel_payload_and_number(medium: Aether) -> None:
    with record(medium, "orders.*") as seen:
        for number in (7, 8, 7):
            medium.emit_nowait("orders.created", {"id": number})
        medium.emit_nowait("orders.paid", [1])
        assert len(seen.assert_emitted()) == 4
        assert len(seen.assert_emitted("orders.created")) == 3
        assert len(seen.assert_emitted("orders.created", times=3)) == 3
        found = seen.assert_emitted("orders.created", payload={"id": 7}, times=2)
        assert [wave.payload["id"] for wave in found] == [7, 7]
        seen.assert_emitted("orders.+", payload=lambda payload: payload["id"] == 8, times=1)
        seen.assert_not_emitted("orders.created", payload={"id": 9})
        seen.assert_not_emitted("orders.failed")
        seen.assert_emitted("orders.failed", times=0)


def test_none_is_a_payload_to_ask_for(medium: Aether) -> None:
    with record(medium) as seen:
        medium.emit_nowait("a", 1)
        seen.assert_not_emitted("a", payload=None)
        medium.emit_nowait("a")
        seen.assert_emitted("a", payload=None, times=1)


def test_a_function_can_be_a_payload_itself(medium: Aether) -> None:
    with record(medium) as seen:
        medium.emit_nowait("a", len)
        seen.assert_emitted("a", payload=len, times=1)


def test_a_failure_shows_what_came_instead_near_misses_first(medium: Aether) -> None:
    with record(medium, "orders.*") as seen:
        medium.emit_nowait("orders.paid", {"id": 1})
        medium.emit_nowait("orders.paid", {"id": 7})
        medium.emit_nowait("orders.created", {"id": 8, "items": ["a"]})
        medium.emit_nowait("orders.created", {"id": 7, "items": ["b"]})
        wanted = {"id": 7, "items": ["a"]}
        said, *rows = failing(seen, "orders.created", payload=wanted)
        assert said == (
            f"a wave on 'orders.created' with the payload {wanted} was to be emitted, and there were none; 4 waves were emitted"
            " on 'orders.*', near misses first:"
        )
        assert rows == [
            "     3  orders.created  {'id': 8, 'items': ['a']}    # payload['id'] is 8, not 7",
            "     4  orders.created  {'id': 7, 'items': ['b']}    # payload['items'][0] is 'b', not 'a'",
            "     1  orders.paid  {'id': 1}",
            "     2  orders.paid  {'id': 7}",
        ]
        first = failing(seen, "orders.created", payload={"id": 7})[1:]
        assert [line.split()[0] for line in first] == ["3", "4", "2", "1"]
        assert first[2].endswith("# another channel, the payload as wanted")


def test_a_failure_says_how_often(medium: Aether) -> None:
    with record(medium) as seen:
        assert failing(seen, "a") == [
            "a wave on 'a' was to be emitted, and there were none; nothing was emitted on '*'"
        ]
        medium.emit_nowait("a", 1)
        medium.emit_nowait("a", 2)
        assert failing(seen, "a", times=1) == [
            "1 wave on 'a' was to be emitted, and there were 2; 2 waves were emitted on '*', near misses first:",
            "     1  a  1    # as wanted",
            "     2  a  2    # as wanted",
        ]
        assert failing(seen, "a", times=3)[0].startswith("3 waves on 'a' were to be emitted, and")
        with pytest.raises(AssertionError, match=r"no wave on 'a' with the payload 2 was to be"):
            seen.assert_not_emitted("a", payload=2)


def test_a_failure_shows_ten_and_counts_the_rest(medium: Aether) -> None:
    with record(medium) as seen:
        for number in range(25):
            medium.emit_nowait("b", number)
        medium.emit_nowait("a", "x" * 1_000_000)
        lines = failing(seen, "a", payload="y")
        assert len(lines) == 12
        assert lines[1].strip().startswith("26  a  'xxx")
        assert max(map(len, lines)) < 400
        assert lines[-1] == "  and 16 more"


def test_what_is_not_recorded_proves_nothing(medium: Aether) -> None:
    with record(medium, "orders.*") as seen:
        with pytest.raises(ValueError, match=r"'users\.created' has channels that are not rec"):
            seen.assert_not_emitted("users.created")
        with pytest.raises(ValueError, match="not recorded"):
            seen.assert_emitted("*")
        with pytest.raises(ChannelError):
            seen.assert_emitted("orders..created")
    with pytest.raises(ChannelError):
        record(medium, "")


def test_a_recording_that_has_lost_waves_says_so(
    medium: Aether, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aether.testing.recording._UNBOUNDED", 2)
    seen = record(medium)
    for _ in range(3):
        medium.emit_nowait("a")
    with pytest.raises(RuntimeError, match="has lost 1 waves, and proves nothing"):
        seen.assert_not_emitted("b")


NAN = float("nan")


class Odd:
    """A payload that nobody can look at."""

    def __eq__(self, other: object) -> bool:
        raise KeyError("odd")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise OSError


@pytest.mark.parametrize(
    ("wanted", "value", "why"),
    [
        (1, 1, None),
        (1, 1.0, None),
        (1, 2, "payload is 2, not 1"),
        (1, "1", "payload is '1' (str), not 1 (int)"),
        ({"a": 1}, {}, "payload['a'] is missing"),
        ({}, {"a": 1}, "payload['a'] is too much"),
        ([1, 2], [1], "payload has 1 items, not 2"),
        ((1, (2, 3)), (1, (2, 4)), "payload[1][1] is 4, not 3"),
        ("abc", "abd", "payload is 'abd', not 'abc'"),
        (Odd(), 1, "comparing raised KeyError: 'odd'; give a function of the payload"),
        ([NAN, 1], [NAN, 2], "payload[1] is 2, not 1"),
        (str.isdigit, "12", None),
        (str.isdigit, "x", "the function says no"),
        (lambda payload: payload["id"], {}, "the function raised KeyError: 'id'"),
    ],
)
def test_a_difference_is_named(wanted: object, value: object, why: str | None) -> None:
    assert differing(wanted, value) == why


def test_arrays_are_compared_by_a_function() -> None:
    array = np.arange(3)
    assert differing(array, array) is None
    assert "give a function of the payload" in (differing(array, np.arange(3)) or "")
    # Of two dicts of different lengths, Python has not looked at it yet.
    why = differing({"data": array}, {"data": np.arange(3), "more": 1})
    assert "give a function of the payload" in (why or "")
    assert differing(lambda payload: np.array_equal(payload, array), np.arange(3)) is None


def test_what_cannot_be_shown_is_named() -> None:
    assert shown(Odd()) == "<Odd, whose repr raises OSError>"
    assert shown("a\x1b[2J\n") == r"'a\x1b[2J\n'"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_values_differ_where_they_are_unequal(wanted: Any, value: Any) -> None:
    why = differing(wanted, value)
    assert (why is None) == (wanted == value)
    assert why is None or why.startswith("payload")
