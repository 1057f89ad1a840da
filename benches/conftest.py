"""Runs the rows of each `bench_*.py` under pytest-benchmark.

Each round is one fresh loop. The shape measures its own operations and its
set-up is left out: pytest-benchmark reads a clock that only the shape's result
moves, so that its table shows the time of one operation. No test asserts a time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# `python benches/report.py` finds harness.py beside itself; so do the modules here.
sys.path.insert(0, str(Path(__file__).parent))

from harness import LOOPS, Measure, Shape, once

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 5


class Clock:
    """The seconds per operation of all rounds so far, added up."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


clock = Clock()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if file_path.match("bench_*.py") and "bench_*.py" not in parent.config.getini("python_files"):
        return pytest.Module.from_parent(parent, path=file_path)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=clock))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = [
        pytest.param(
            f"{row.name} ({loop}), per {row.unit}", shape, loop, id=f"{row.name}-{name}-{loop}"
        )
        for row in metafunc.module.ROWS
        for loop in LOOPS
        for name, shape in row.shapes().items()
    ]
    metafunc.parametrize("group,shape,loop", cases)


@pytest.fixture
def measure(benchmark: BenchmarkFixture, group: str, shape: Shape, loop: str) -> Measure:
    """A function that measures the shape under test."""
    benchmark.group = group

    def one_round() -> None:
        clock.seconds += once(shape, LOOPS[loop]) * 1e-9

    return lambda: benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
