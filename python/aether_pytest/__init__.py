"""The fixtures of `aether.testing` for pytest, which finds them by itself.

A package of its own, so that a run of pytest that needs none of them does not import `aether`.

None of them needs a loop, so they work with any plugin that runs async tests, and with none. The medium is not entered:
the test does that, or the program that it hands the medium to.

| fixture | |
|---|---|
| `aether_config` | the configuration of `aether_medium`, for a test to override; `None`: the defaults |
| `aether_medium` | a `VirtualAether` |
| `aether_clock` | its clock: `await aether_clock.advance(60)` |
| `aether_recorder` | a `Recording` of all that it emits |
| `aether_faults` | faults in its handlers, from the seed of `--aether-seed`, or 0 |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether import AetherConfig
    from aether.testing import Faults, Recording, VirtualAether, VirtualClock

__all__ = ["aether_clock", "aether_config", "aether_faults", "aether_medium", "aether_recorder"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--aether-seed`."""
    group = parser.getgroup("aether")
    group.addoption(
        "--aether-seed",
        type=int,
        default=0,
        metavar="NUMBER",
        help="the seed of the faults that aether_faults injects (0)",
    )


@pytest.fixture
def aether_config() -> AetherConfig | None:
    """The configuration of `aether_medium`; override it for another one than the defaults."""
    return None


@pytest.fixture
def aether_medium(aether_config: AetherConfig | None) -> Iterator[VirtualAether]:
    """A medium on a virtual clock; `async with aether_medium` runs its handlers."""
    from aether.testing import VirtualAether

    medium = VirtualAether(aether_config)
    yield medium
    # One that was never entered is closed here; one that was has been.
    medium.shut("closed", at_once=True)


@pytest.fixture
def aether_clock(aether_medium: VirtualAether) -> VirtualClock:
    """The clock of `aether_medium`."""
    return aether_medium.clock


@pytest.fixture
def aether_recorder(aether_medium: VirtualAether) -> Iterator[Recording]:
    """All that `aether_medium` emits."""
    from aether.testing import record

    with record(aether_medium) as recording:
        yield recording


@pytest.fixture
def aether_faults(aether_medium: VirtualAether, request: pytest.FixtureRequest) -> Iterator[Faults]:
    """Faults in the handlers of `aether_medium`, from the seed of `--aether-seed`."""
    from aether.testing import faults

    seed: Any = request.config.getoption("--aether-seed")
    with faults(aether_medium, seed) as injected:
        yield injected
