"""What has changed between two runs: applied to the one it gives the other, and says no more than it has to."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from aether import Aether, Wave
from aether.testing import Diff, Entry, diff, record

CHANNELS = "a", "b.c"
PAYLOADS: st.SearchStrategy[Any] = st.integers(0, 3) | st.fixed_dictionaries(
    {"id": st.integers(0, 2), "x": st.integers(0, 2)}
)
RUNS = st.lists(st.builds(Entry, st.sampled_from(CHANNELS), PAYLOADS), max_size=9)


def by_channel(run: list[Entry]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in run:
        found.setdefault(one.channel, []).append(one.payload)
    return found


def text(payload: Any) -> str:
    """One for equal payloads."""
    return json.dumps(payload, sort_keys=True)


def applied(found: Diff, before: list[Entry]) -> dict[str, list[Any]]:
    """The other run, channel by channel."""
    made = by_channel(before)
    out = {(one.channel, one.place_before) for one in found if one.place_before is not None}
    for channel, payloads in made.items():
        made[channel] = [one for at, one in enumerate(payloads) if (channel, at) not in out]
    come = [one for one in found if one.place_after is not None]
    for one in sorted(come, key=lambda one: one.place_after or 0):
        assert one.after is not None
        made.setdefault(one.channel, []).insert(one.place_after or 0, one.after.payload)
    return {channel: payloads for channel, payloads in made.items() if payloads}


@given(RUNS)
def test_a_run_does_not_differ_from_itself(run: list[Entry]) -> None:
    found = diff(run, run)
    assert not found
    assert list(found) == []
    assert str(found) == f"no difference in {len(run)} wave{'' if len(run) == 1 else 's'}"


@given(RUNS, RUNS)
def test_applied_to_the_one_it_gives_the_other(before: list[Entry], after: list[Entry]) -> None:
    found = diff(before, after)
    assert applied(found, before) == by_channel(after)
    assert bool(found) == (by_channel(before) != by_channel(after))


def common(before: list[Any], after: list[Any]) -> int:
    table = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, old in enumerate(before):
        for j, new in enumerate(after):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if old == new else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


@given(RUNS, RUNS)
def test_it_says_no_more_than_it_has_to(before: list[Entry], after: list[Entry]) -> None:
    found = diff(before, after)
    olds, news = by_channel(before), by_channel(after)
    for channel in CHANNELS:
        old, new = olds.get(channel, []), news.get(channel, [])
        kinds = Counter(one.kind for one in found if one.channel == channel)
        same = common(old, new)
        assert kinds["missing"] + kinds["changed"] + kinds["moved"] == len(old) - same
        assert kinds["added"] + kinds["changed"] + kinds["moved"] == len(new) - same
        # All that is there in both, in any order, is the same or has moved.
        there = Counter(map(text, old)) & Counter(map(text, new))
        assert kinds["moved"] + same == there.total()


@given(RUNS, RUNS)
def test_without_the_order_only_what_is_in_them_counts(
    before: list[Entry], after: list[Entry]
) -> None:
    def counted(run: list[Entry]) -> Counter[str]:
        return Counter(f"{one.channel} {text(one.payload)}" for one in run)

    assert bool(diff(before, after, order=False)) == (counted(before) != counted(after))


def said(before: list[Any], after: list[Any], **options: Any) -> list[str]:
    """The lines of a difference of payloads on one channel."""
    waves = ([Entry("a", one) for one in run] for run in (before, after))
    return str(diff(*waves, **options)).splitlines()[:-1]


def test_lines_say_where_and_what() -> None:
    assert said([1, 2, 3], [2, 3, 4]) == ["missing a #1: 1", "added   a #3: 4"]
    assert said([1, 2, 3], [2, 3, 1]) == ["moved   a #1 to #3: 1"]
    assert said([{"id": 1}], [{"id": 2}]) == ["changed a #1: payload['id'] was 1, is 2"]
    assert said([1], ["1"]) == ["changed a #1: payload was 1 (int), is '1' (str)"]
    assert said([1], [1.0]) == ["changed a #1: payload was 1 (int), is 1.0 (float)"]
    assert said([1], [True]) == ["changed a #1: payload was 1 (int), is True (bool)"]
    assert said([None], [0]) == ["changed a #1: payload was None, is 0"]
    assert said([{"x": [1, 2]}], [{"x": [1, 2, 3]}]) == [
        "changed a #1: payload['x'] had 2 items, has 3"
    ]
    assert said([{"x": [{"y": 1}], "z": 1}], [{"x": [{"y": 2}], "w": 1}]) == [
        "changed a #1: payload['x'][0]['y'] was 1, is 2, payload['z'] was 1, is gone, payload['w'] is new: 1"
    ]
    assert said(["\x1b[2J"], []) == [r"missing a #1: '\x1b[2J'"]


def test_what_is_alike_is_compared() -> None:
    orders = [{"id": number, "sum": number * 10} for number in range(5)]
    dearer = [one | {"sum": one["sum"] + 1} for one in orders]
    assert said(orders, dearer[1:]) == [
        "missing a #1: {'id': 0, 'sum': 0}",
        *(
            f"changed a #{number + 1}: payload['sum'] was {number * 10}, is {number * 10 + 1}"
            for number in range(1, 5)
        ),
    ]
    assert said(dearer[1:], orders)[0] == "added   a #1: {'id': 0, 'sum': 0}"


def test_fields_of_a_wave_count_and_those_of_a_run_do_not() -> None:
    one = Entry("a", 1, 1.0, 5, id="x", headers={"traceparent": "00-1", "tenant": "a"})
    other = Entry("a", 1, 9.0, 6, id="y", headers={"traceparent": "00-2", "tenant": "a"})
    assert not diff([one], [other])
    third = Entry("a", 1, source="shop", amplitude=0.95, headers={"tenant": "b"})
    (change,) = diff([one], [third])
    assert change.fields == (
        "source was None, is 'shop'",
        "amplitude was 1.0, is 0.95",
        "headers['tenant'] was 'a', is 'b'",
    )
    assert not diff([one], [third], ignore=["source", "amplitude", "tenant"])


def test_keys_can_be_ignored_at_any_depth() -> None:
    before, after = {"at": 1, "of": [{"at": 2, "x": 1}]}, {"of": [{"at": 3, "x": 1}]}
    assert not said([before], [after], ignore=["at"])
    assert said([before], [{"of": [{"x": 2}]}], ignore=["at"]) == [
        "changed a #1: payload['of'][0]['x'] was 1, is 2"
    ]
    with pytest.raises(TypeError, match=r"write \['at'\]"):
        said([before], [after], ignore="at")


def test_waves_are_compared_as_they_are_written() -> None:
    medium = Aether()
    with record(medium) as seen:
        medium.emit_nowait("a", {"x": (1, 2), "y": {"b", "a"}})
        medium.emit_nowait("a", np.arange(3))
        medium.emit_nowait("a", float("nan"))
    assert not diff(seen, [wave.replace() for wave in seen], ignore=["propagation_count"])
    other = [Wave("a", {"x": [1, 2], "y": ["a", "b"]}), Wave("a", np.arange(4)), Wave("a", 1.0)]
    found = diff(seen, other, ignore=["propagation_count"])
    assert [one.place_before for one in found] == [1, 2]


def test_there_is_an_end_to_what_a_line_says() -> None:
    before = {str(number): number for number in range(50)}
    (change,) = diff([Entry("a", before)], [Entry("a", dict.fromkeys(before, -1))])
    assert len(change.fields) == 21
    assert change.fields[-1] == "and 30 more"


def test_a_summary_says_how_much() -> None:
    found = diff([Entry("a", 1), Entry("b", 2)], [Entry("a", 3)])
    assert (
        found.summary()
        == "2 differences in 2 channels (1 changed, 1 missing); 2 waves before, 1 after"
    )
    assert str(found).splitlines()[-1] == found.summary()
    assert len(found) == 2
