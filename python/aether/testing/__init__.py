"""Tests of programs that use a medium: a clock that the test moves, what was emitted, and faults on purpose.

`VirtualAether` is an `Aether` whose time passes only when a test says so; `record` keeps what is emitted and compares;
`faults` has handlers fail, wait, miss waves and get them twice, from a seed. With pytest, the fixtures of
`aether.testing.plugin` are there by themselves.
"""

from __future__ import annotations

from aether.testing.faults import Faults, Injected, InjectedError, faults
from aether.testing.recording import Recording, record
from aether.testing.virtual import VirtualAether, VirtualClock

__all__ = [
    "Faults",
    "Injected",
    "InjectedError",
    "Recording",
    "VirtualAether",
    "VirtualClock",
    "faults",
    "record",
]
