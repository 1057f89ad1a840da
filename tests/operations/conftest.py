"""What tests of operations share: their media end with them, some are looked after by hand, and some have a console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.operations.rig import SETTINGS, Rig
from tests.operations.scraped import end_all

from aether import HealthConfig
from aether.console import server


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


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for sockets that is this test's alone, with a short name."""
    folder = tmp_path_factory.mktemp("r")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def held(runtime: Path) -> Iterator[server.Serving]:
    """A console without a medium."""
    holding = server.hold()
    yield holding
    holding.close()
