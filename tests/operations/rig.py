"""A medium that is looked after by hand: its clock, its memory and the answers of its loop are the test's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aether import (
    Aether,
    AetherConfig,
    HealthConfig,
    Vibrator,
)
from aether.monitoring.monitor import Monitor
from aether.monitoring.process import Figures
from aether.monitoring.sampler import Resources, Sampler

__all__ = ["SETTINGS", "Rig"]

SETTINGS = HealthConfig(memory=1000, unread=30.0, leak_window=60.0, leak_bytes=500, leak_waves=10)


class Rig:
    """A medium that is looked after by hand."""

    def __init__(self, settings: HealthConfig = SETTINGS) -> None:
        self.now = 0.0
        self.rss = 100
        self.posted: list[Callable[[], object]] = []
        self.medium = Aether(AetherConfig(health=settings))
        self.settings = settings
        self.sampler = Sampler(lambda: self.now, lambda: Figures(self.rss, 0, 3, 2, None, None))
        self.monitor = Monitor(
            self.medium, self.posted.append, lambda: self.now, sampler=self.sampler
        )
        self.medium._monitor = self.monitor
        self.vibrators: list[Vibrator] = []

    def vibrator(self, name: str, **options: Any) -> Vibrator:
        self.vibrators.append(self.medium.vibrator(name, **options))
        return self.vibrators[-1]

    def close(self) -> None:
        for one in self.vibrators:
            one.close()

    def look(self, *, answers: bool = True) -> Resources:
        self.monitor.look(self.medium, self.settings, sample=True)
        if answers:
            self.answer()
        assert self.monitor.resources is not None
        return self.monitor.resources

    def answer(self) -> None:
        posted, self.posted[:] = list(self.posted), []
        for one in posted:
            one()
