"""What tests of operations share: their media end with them, and some are looked after by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.operations.rig import SETTINGS, Rig
from tests.operations.scraped import end_all

from aether import HealthConfig


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture
def make() -> Iterator[Callable[[HealthConfig], Rig]]:
    """Makes rigs, and ends them."""
    made: list[Rig] = []

    def one(settings: HealthConfig = SETTINGS) -> Rig:
        made.append(Rig(settings))
        return made[-1]

    yield one
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make: Callable[[HealthConfig], Rig]) -> Rig:
    """One as most tests want it."""
    return make(SETTINGS)
