"""What the tests of tracing share: media that follow waves."""

from __future__ import annotations

from typing import Any

from tests.operations.scraped import vibrator

from aether import Aether, AetherConfig, TracingConfig, Vibrator

__all__ = ["following", "vibrating"]


def following(sample: float = 1.0, **tracing: Any) -> AetherConfig:
    """A configuration that follows waves."""
    tracing.setdefault("traces_per_second", 1e9)
    return AetherConfig(tracing=TracingConfig(sample=sample, **tracing))


def vibrating(medium: Aether, name: str, *patterns: str, **options: Any) -> Vibrator:
    """A vibrator that resonates on these patterns until the test ends."""
    made = vibrator(medium, name, **options)
    made.resonate_on(*patterns)
    return made
