"""How well patterns are found, on fewer streams than `make detection` takes, with seeds of their own.

The bounds are those of the issue; `docs/physics.md` has the figures of the whole measurement.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from random import Random

import pytest

# The benchmarks find each other beside themselves.
sys.path.insert(0, str(Path(__file__).parents[2] / "benches"))

from detection import KINDS, LOADS, STEADY, Ours, Score, alarms, random_traffic, scored
from streams import PATTERNS

SEED = 2_000_000


def score(names: tuple[str, ...], jitters: tuple[float, ...], streams: int) -> Score:
    total = Score()
    for name, jitter, load, number in product(names, jitters, LOADS, range(streams)):
        stream = PATTERNS[name](Random(f"{SEED + number} {name} {jitter} {load}"), load, jitter)
        total.add(scored(stream, Ours(), KINDS[name]))
    return total


def test_standing_waves_with_little_jitter_are_found() -> None:
    found = score(STEADY, (0.0, 0.05, 0.1), 3)
    assert found.episodes == 144
    assert found.recall >= 0.95
    assert found.precision >= 0.98
    assert sorted(found.delays)[len(found.delays) // 2] <= 14


def test_storms_with_much_jitter_are_found() -> None:
    found = score(("retry storm", "poll loop"), (0.2, 0.3), 4)
    assert found.recall >= 0.8
    assert found.precision >= 0.98


@pytest.mark.parametrize("name", ["conflict", "saga"])
def test_cancellations_are_found(name: str) -> None:
    found = score((name,), (0.0,), 6)
    assert found.episodes > 100
    assert found.recall >= 0.95
    assert found.precision >= 0.98
    assert set(found.delays) == {2}


@pytest.mark.parametrize("name", ["burst", "beat"])
def test_bursts_and_beats_are_found(name: str) -> None:
    found = score((name,), (0.02,), 5)
    assert found.recall >= 0.9
    assert found.precision >= 0.9


def test_random_traffic_gives_no_alarm() -> None:
    """One alarm in a million waves is what is promised; here are 600,000."""
    said = {
        what: alarms(Ours(), events)
        for what, events, _ in random_traffic(SEED, 120_000)
        if what.startswith("Poisson")
    }
    assert len(said) == 5
    assert sum(counted.total() for counted in said.values()) <= 1, said
