"""What `make counts` says of counts that have changed or grow too fast; the counting itself is not run."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

BENCHES = Path(__file__).parents[2] / "benches"


@pytest.fixture
def instructions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHES)
    import instructions

    return instructions


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHES)
    import scaling

    return scaling


def accepted(instructions: ModuleType) -> dict[str, float]:
    return instructions.json.loads(instructions.ACCEPTED.read_text())[0]["counts"]


def test_a_loss_is_named_with_both_figures(instructions: ModuleType) -> None:
    assert instructions.compared({"fan_out": 103.1}, {"fan_out": 100.0}) == [
        "fan_out takes 103.1 instructions, accepted were 100.0: +3.1%"
    ]


def test_a_gain_is_to_be_accepted(instructions: ModuleType) -> None:
    (said,) = instructions.compared({"fan_out": 96.9}, {"fan_out": 100.0})
    assert said.startswith("fan_out takes 96.9 instructions, accepted were 100.0: -3.1%; accept")


def test_three_percent_are_let_pass(instructions: ModuleType) -> None:
    counts = {"more": 102.9, "less": 97.1}
    assert instructions.compared(counts, {"more": 100.0, "less": 100.0}) == []


def test_jobs_that_came_or_went_are_named(instructions: ModuleType) -> None:
    said = instructions.compared({"new": 5.0}, {"old": 7.0})
    assert [line.split(" is ")[0].split(" was ")[0] for line in said] == ["new", "old"]


def test_counts_are_of_one_toolchain(instructions: ModuleType) -> None:
    here = instructions.Toolchain("1.95.0", "x86_64-unknown-linux-gnu", "glibc 2.36")
    other = instructions.Toolchain("1.96.0", "x86_64-unknown-linux-gnu", "glibc 2.36")
    sections = [
        {"toolchain": instructions.asdict(here), "valgrind": "3.19.0", "counts": {"a": 1.0}}
    ]
    assert instructions.accepted_for(sections, here) == {"a": 1.0}
    assert instructions.accepted_for(sections, other) is None


def test_what_was_accepted_keeps_every_promise(
    instructions: ModuleType, scaling: ModuleType
) -> None:
    broken = [said for said in scaling.relations(accepted(instructions)) if not said.holds]
    assert broken == []


@pytest.mark.parametrize(
    ("job", "factor", "promise"),
    [
        ("fan_out/1000/emit", 2.0, "one more receiver"),
        ("queue/1000000/equal", 1.4, "equal amplitude"),
        ("queue/1000000/mixed", 1.5, "mixed amplitudes"),
        ("overflow/10240/conflate", 1.5, "conflate"),
        ("patterns/1000000/route_by_hint", 1.4, "route_by_hint among"),
        ("patterns/1000000/route_walked", 1.4, "route_walked among"),
        ("patterns/10000/route_under_churn_of_sessions", 2.0, "churn_of_sessions"),
    ],
)
def test_what_grows_too_fast_breaks_its_promise(
    instructions: ModuleType, scaling: ModuleType, job: str, factor: float, promise: str
) -> None:
    counts = accepted(instructions)
    stated = scaling.relations({**counts, job: counts[job] * factor})
    assert any(promise in said.promise for said in stated if not said.holds)
