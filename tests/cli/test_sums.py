"""The demo's own accounts: its matcher, and that a wrong sum is noticed and named."""

from __future__ import annotations

import pytest

from aether import Channel
from aether.cli.demo.job import MAILBOXES
from aether.cli.demo.measure import Latency, Measured
from aether.cli.demo.sums import expected, faults, matches

CHANNELS = ["a", "a.b", "a.b.c", "a.x.c", "b.a", "a.b.c.d", "alert.t.large_commit"]
PATTERNS = [
    "*",
    ">",
    "+",
    "a.*",
    "a.>",
    "a.+",
    "*.b",
    "+.b",
    "a.*.c",
    "a.+.c",
    "a.*.*",
    "a.b",
    "+.+",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_matcher_agrees_with_the_rules(pattern: str) -> None:
    patterns = [pattern, *(name for names in MAILBOXES.values() for name in names)]
    for channel in CHANNELS:
        for one in patterns:
            assert matches(one, channel) == Channel(channel).matches(one), (one, channel)


def test_wave_of_several_patterns_counts_once() -> None:
    assert expected(["a.b", "a.b", "c"], {"both": ("a.*", "*"), "one": ("a.+",)}) == {
        "both": 3,
        "one": 2,
    }


def measured(name: str, got: int, **dropped: int) -> Measured:
    one = Measured(name, dropped=dropped)
    for _ in range(got):
        one.note(0.0)
    return one


def test_sums_that_add_up_are_no_fault() -> None:
    assert faults({"v": 5}, [measured("v", 3, faintest=1, expired=1)]) == []


@pytest.mark.parametrize("got", [2, 4])
def test_mismatch_names_the_vibrator(got: int) -> None:
    assert faults({"v": 3, "w": 0}, [measured("v", got), measured("w", 0)]) == [
        f"v: 3 matched, but {got} got + 0 missed"
    ]


def test_statistics_that_differ_are_a_fault() -> None:
    one = measured("v", 3)
    one.received = 4
    assert faults({"v": 3}, [one]) == ["v: 3 got, but its statistics say 4 received"]


def test_vibrator_that_nobody_counted_is_a_fault() -> None:
    assert faults({"v": 3}, []) == ["v: 3 matched, but nobody counted"]


def test_latency_of_samples() -> None:
    assert Latency.of([]) == Latency(0.0, 0.0, 0.0)
    assert Latency.of([2.0]) == Latency(2.0, 2.0, 2.0)
    assert Latency.of(range(100, -1, -1)) == Latency(50, 99, 100)
