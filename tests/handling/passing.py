"""Time that passes for a medium under test, and media that are run for the length of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.probes import turns

from aether import Aether, AetherConfig, ManualClock, Vibrator, Wave

__all__ = ["Heard", "entered", "passes"]


async def passes(clock: ManualClock, seconds: float, step: float | None = None) -> None:
    """So many seconds, in steps, with time for everybody after each of them."""
    step = seconds if step is None else step
    await turns(10)
    for _ in range(round(seconds / step)):
        clock.advance(step)
        await turns(10)


class Heard:
    """What came on some channels."""

    def __init__(self, medium: Aether, *patterns: str) -> None:
        self._vibrator = medium.vibrator("heard", overflow="drop_oldest")
        self._vibrator.resonate_on(*patterns)

    def all(self) -> list[Wave[Any]]:
        """All since the last look."""
        waves = []
        while self._vibrator.statistics().current_buffer_used:
            waves.append(self._vibrator.receive_nowait())
        return waves

    def close(self) -> None:
        self._vibrator.close()


@asynccontextmanager
async def entered(
    config: AetherConfig | None = None,
) -> AsyncIterator[tuple[Aether, ManualClock, Vibrator, Heard]]:
    """A medium with a clock of the test, a vibrator for handlers, and what is heard of dead letters and circuits."""
    clock = ManualClock()
    medium = Aether(config, clock=clock)
    heard = Heard(medium, "dead.*", "aether.*")
    worker = medium.vibrator("worker")
    async with medium:
        yield medium, clock, worker, heard
    heard.close()
    worker.close()
