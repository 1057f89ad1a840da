"""Tests of programs that use a medium: a clock that the test moves, what was emitted, and faults on purpose.

`VirtualAether` is an `Aether` whose time passes only when a test says so; `record` keeps what is emitted and compares;
`faults` has handlers fail, wait, miss waves and get them twice, from a seed. `load` reads what was recorded of another run,
`rerun` puts its inputs into the program once more, and `diff` says what has changed. With pytest, the fixtures of
`aether_pytest` are there by themselves.
"""

from __future__ import annotations

from aether.records.entries import Entry
from aether.records.files import Record, load
from aether.testing.diffing import Change, Diff, diff
from aether.testing.faults import Faults, Injected, InjectedError, faults
from aether.testing.recording import Recording, record
from aether.testing.rerunning import Rerun, rerun
from aether.testing.virtual import VirtualAether, VirtualClock

__all__ = [
    "Change",
    "Diff",
    "Entry",
    "Faults",
    "Injected",
    "InjectedError",
    "Record",
    "Recording",
    "Rerun",
    "VirtualAether",
    "VirtualClock",
    "diff",
    "faults",
    "load",
    "record",
    "rerun",
]
