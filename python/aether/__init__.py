"""Aether: an in-process medium for asynchronous messages.

Vibrators resonate on channels; waves spread through the medium to everyone in resonance. See `Aether` and
`Vibrator` for a first example.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from aether import _interpreter as _interpreter  # first: it refuses sub-interpreters
from aether._native import (
    DEBUG_BUILD,
    ManualClock,
    Receipt,
    Wave,
    __version__,
    import_ahead,
)
from aether.channel import Channel
from aether.errors import (
    AetherError,
    ChannelError,
    CircuitOpen,
    Closed,
    ConfigError,
    Deadlock,
    EndOfStream,
    ForkedMedium,
    JournalError,
    JournalFailed,
    JournalFull,
    LimitExceeded,
    NoReceiver,
    NotAllowed,
    PayloadError,
    RequestFailed,
    WouldBlock,
    WrongLoop,
)
from aether.expectation import Expectation
from aether.explanation import Explanation, ExplanationRow
from aether.handling import CircuitBreaker, CircuitChange, Rate, Retry
from aether.lifespan import Lifespan, run
from aether.limited import EmitterStatistics, LimitedEmitter
from aether.medium import Aether
from aether.statistics import (
    HandlerStatistics,
    Health,
    MediumStatistics,
    VibratorStatistics,
)
from aether.threads import Emitter
from aether.ticking import Ticker
from aether.vibrator import Vibrator

if TYPE_CHECKING:
    from aether._builder import WaveBuilder
    from aether.config import (
        AetherConfig,
        ConsoleConfig,
        HealthConfig,
        JournalConfig,
        LimitsConfig,
        MetricsConfig,
        TracingConfig,
    )
    from aether.monitoring.leaks import LeakHint
    from aether.monitoring.sampler import Resources
    from aether.physics import (
        Detection,
        EngineStatistics,
        Interference,
        InterferenceKind,
        InterferencePattern,
        PhysicsEngine,
        Watch,
        WatchStatistics,
    )

__all__ = [
    "Aether",
    "AetherConfig",
    "AetherError",
    "Channel",
    "ChannelError",
    "CircuitBreaker",
    "CircuitChange",
    "CircuitOpen",
    "Closed",
    "ConfigError",
    "ConsoleConfig",
    "Deadlock",
    "Detection",
    "Emitter",
    "EmitterStatistics",
    "EndOfStream",
    "EngineStatistics",
    "Expectation",
    "Explanation",
    "ExplanationRow",
    "ForkedMedium",
    "HandlerStatistics",
    "Health",
    "HealthConfig",
    "Interference",
    "InterferenceKind",
    "InterferencePattern",
    "JournalConfig",
    "JournalError",
    "JournalFailed",
    "JournalFull",
    "LeakHint",
    "Lifespan",
    "LimitExceeded",
    "LimitedEmitter",
    "LimitsConfig",
    "ManualClock",
    "MediumStatistics",
    "MetricsConfig",
    "NoReceiver",
    "NotAllowed",
    "PayloadError",
    "PhysicsEngine",
    "Rate",
    "Receipt",
    "RequestFailed",
    "Resources",
    "Retry",
    "Ticker",
    "TracingConfig",
    "Vibrator",
    "VibratorStatistics",
    "Watch",
    "WatchStatistics",
    "Wave",
    "WaveBuilder",
    "WouldBlock",
    "WrongLoop",
    "__version__",
    "run",
]

# What brings a heavy library in is imported when it is first used.
_LAZY = {
    "AetherConfig": "aether.config",
    "ConsoleConfig": "aether.config",
    "Detection": "aether.physics",
    "EngineStatistics": "aether.physics",
    "HealthConfig": "aether.config",
    "Interference": "aether.physics",
    "InterferenceKind": "aether.physics",
    "InterferencePattern": "aether.physics",
    "JournalConfig": "aether.config",
    "LeakHint": "aether.monitoring.leaks",
    "LimitsConfig": "aether.config",
    "MetricsConfig": "aether.config",
    "PhysicsEngine": "aether.physics",
    "Resources": "aether.monitoring.sampler",
    "TracingConfig": "aether.config",
    "Watch": "aether.physics",
    "WatchStatistics": "aether.physics",
    "WaveBuilder": "aether._builder",
}

import_ahead()

if DEBUG_BUILD:
    warnings.warn(
        "aether was built without optimisation; measure nothing with it: maturin develop --release",
        RuntimeWarning,
        stacklevel=2,
    )


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        message = f"module 'aether' has no attribute {name!r}"
        raise AttributeError(message)
    import importlib

    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
