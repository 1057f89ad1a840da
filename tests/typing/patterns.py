"""What type checkers see of detection; run by `make typecheck`, not by pytest."""

from __future__ import annotations

from typing import assert_type

from aether import (
    Aether,
    Detection,
    EngineStatistics,
    InterferencePattern,
    PhysicsEngine,
    Watch,
    WatchStatistics,
    Wave,
)


def an_engine_gives_a_detection_or_nothing(engine: PhysicsEngine) -> None:
    assert_type(engine.detect("orders", Wave("orders")), Detection | None)
    assert_type(engine.detect_patterns("orders", Wave("orders")), InterferencePattern | None)
    assert_type(engine.statistics(), EngineStatistics)
    assert_type(PhysicsEngine(key=lambda wave: wave.payload, window=10.0), PhysicsEngine)


def a_detection_carries_its_evidence(found: Detection) -> None:
    assert_type(found.pattern, InterferencePattern)
    assert_type(found.period, float | None)
    assert_type(found.partners, tuple[str, ...])


def a_watch_is_a_context(medium: Aether, engine: PhysicsEngine) -> None:
    with medium.watch("orders.*", engine) as watch:
        assert_type(watch, Watch)
        assert_type(watch.statistics(), WatchStatistics)


def a_wave_knows_what_it_undoes(wave: Wave) -> None:
    assert_type(wave.compensates, str | None)
