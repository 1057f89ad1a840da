"""The stress program: a short run of it holds, and each fault that is planted is found.

`make stress MINUTES=10 SEED=7` runs it for longer; see `tests/stress/program`.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.stress.program.choices import generator, planned
from tests.stress.program.ledger import Admitted, Ear, Span, Waves, covers

import aether

pytestmark = [pytest.mark.stress, pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]


def stress(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end."""
    command = [sys.executable, "-m", "tests.stress.program", *arguments]
    return subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def test_a_short_run_keeps_every_promise() -> None:
    ended = stress("--seed", "1", "--rounds", "8", "--small")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith("seed 1 ")
    assert "passed: 8 rounds of seed 1" in ended.stdout


def test_a_small_mass_keeps_its_order_and_loses_none() -> None:
    ended = stress("--seed", "1", "--publishers", "8", "--loops", "8", "--waves", "64000")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "passed: 64,000 waves, each in its order, none lost" in ended.stdout


@pytest.mark.parametrize(
    ("plant", "evidence"),
    [
        ("loss", "were noted, but received is"),
        ("double", "were noted, but received is"),
        ("order", " before Taken("),
        ("uninvited", "number=-1"),
        ("stall", "nothing has moved for 2 s"),
    ],
)
def test_a_planted_fault_is_found(plant: str, evidence: str) -> None:
    """Each is done once, by the hundredth wave that a reader notes, or by a publisher that stops."""
    ended = stress("--seed", "1", "--rounds", "2", "--small", "--plant", plant, "--patience", "2")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "FAILED" in ended.stdout
    assert "of seed 1" in ended.stdout
    assert evidence in ended.stdout


def test_the_same_seed_makes_the_same_plan() -> None:
    assert planned("7/3", small=True) == planned("7/3", small=True)
    assert planned("7/3", small=True) != planned("7/4", small=True)
    assert planned("8/3", small=True) != planned("7/3", small=True)
    assert generator("7/3", "p1").random() == generator("7/3", "p1").random()
    assert generator("7/3", "p1").random() != generator("7/3", "p2").random()


def test_what_the_ledger_takes_for_a_match_is_one() -> None:
    rng = random.Random(1)
    for _ in range(2_000):
        channel = ".".join(rng.choices("abc", k=rng.randint(1, 4)))
        pattern = ".".join(rng.choices("abc+*", k=rng.randint(1, 4)))
        assert covers(pattern, channel) == aether.Channel(channel).matches(pattern)


def test_what_the_ledger_expects_of_a_mailbox() -> None:
    """Of waves 1 to 10, it heard those while a pattern was certainly, or possibly, resonated on."""
    waves = Waves(
        Admitted(number, "p", number, "a.b" if number % 2 else "a.c", 1.0, None)
        for number in range(1, 11)
    )
    ear = Ear("ear", "fifo", "block")
    assert ear.expected(waves) == (0, 0)
    ear.spans["a.b"].append(Span((0, 0)))
    assert ear.expected(waves) == (5, 5)
    ear.spans["a.*"].append(Span((2, 4), (6, 8)))
    assert ear.expected(waves) == (6, 8)
    ear.noise_floor = 2.0
    assert ear.expected(waves) == (0, 0)
