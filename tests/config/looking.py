"""A reloading that nothing drives by itself, in a time that passes only where it waits; and what is logged by it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aether import AetherConfig
from aether.config.reload import Reloading

__all__ = ["Looking", "Time", "errors"]


class Time:
    """What `time` and an event are to a reloading. What others do is done when its time has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self._plans: deque[tuple[float, Callable[[], object]]] = deque()

    def monotonic(self) -> float:
        """The time, in seconds."""
        return self.now

    def plan(self, after: float, act: Callable[[], object]) -> None:
        """Has something done so many seconds after what was planned last, or after now."""
        last = self._plans[-1][0] if self._plans else self.now
        self._plans.append((last + after, act))

    @property
    def is_over(self) -> bool:
        """Whether all is done that was planned."""
        return not self._plans

    def wait(self, seconds: float) -> bool:
        """Lets time pass."""
        end = self.now + seconds
        while self._plans and self._plans[0][0] <= end:
            self.now, act = self._plans.popleft()
            act()
        self.now = end
        return False

    def is_set(self) -> bool:
        """It is not over."""
        return False


class Looking:
    """What a reloading that nothing drives by itself applies."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = Time()
        monkeypatch.setattr("aether.config.reload.time", self.time)
        self.reloading = Reloading(AetherConfig.files(folder))
        ended: Any = self.time
        self.reloading._ended = ended
        self.applied: list[AetherConfig] = [self.reloading.first()]

    def look(self) -> list[AetherConfig]:
        """What comes of one look."""
        before = len(self.applied)
        self.reloading.look(self.applied.append)
        return self.applied[before:]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as an error so far."""
    said = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    caplog.clear()
    return said
