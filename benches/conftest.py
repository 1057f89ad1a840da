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

# `python benches/compare.py` finds harness.py beside itself; so do the modules here.
sys.path.insert(0, str(Path(__file__).parent))

from harness import Measure, Row, Shape, Way, installed
from turns import once

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
            f"{row.name} ({loop}), per {row.unit}",
            way.shape,
            loop,
            id=f"{row.name}-{way.name}-{loop}",
        )
        for row in metafunc.module.ROWS
        if timed(row)
        for way in row.ways
        if way.installed
        for loop in loops(way)
    ]
    metafunc.parametrize("group,shape,loop", cases)


def timed(row: Row) -> bool:
    """Whether a run gives one time: tables of quantiles and bytes are compare.py's."""
    return row.measure == "ns" and not row.parts


def loops(way: Way) -> list[str]:
    """Where a way runs: what runs on asyncio runs on uvloop too."""
    if way.loop != "asyncio":
        return [way.loop]
    return [loop for loop in ("asyncio", "uvloop") if loop == "asyncio" or installed(loop)]


@pytest.fixture
def measure(benchmark: BenchmarkFixture, group: str, shape: Shape, loop: str) -> Measure:
    """A function that measures the shape under test."""
    benchmark.group = group

    def one_round() -> None:
        took = once(shape, loop)
        assert isinstance(took, float)
        clock.seconds += took * 1e-9

    return lambda: benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
