"""Programs in a process of their own: the exit status, what they print, and that they end at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

import pytest

GUARD = 60.0  # against hangs only: each program takes a fraction of a second
PRELUDE = """
import asyncio, atexit, gc, os, signal, sys, threading, time
import aether

def run(main, backend="asyncio"):
    if backend == "trio":
        import trio
        return trio.run(main)
    if backend == "uvloop":
        import uvloop
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())
    return asyncio.run(main())

def until(condition):
    while not condition():
        time.sleep(0.001)

def say(*words):
    print(*words, flush=True)
"""
CRASHES = ("Fatal Python error", "panicked", "PanicException", "Segmentation", "deadlock")


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int
    out: list[str]
    err: str

    def exited(self, status: int = 0) -> Ended:
        """It ended by itself, with this status and without a crash of the interpreter."""
        assert self.status == status, f"status {self.status}, not {status}\n{self.out}\n{self.err}"
        for word in CRASHES:
            assert word not in self.err, self.err
        return self


@pytest.fixture
def program() -> Callable[..., Ended]:
    """Run a program (dedented, after the prelude) to its end; `first` runs before aether is imported."""

    def start(source: str, *args: str, first: str = "") -> Ended:
        code = textwrap.dedent(first) + PRELUDE + textwrap.dedent(source)
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", code, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=GUARD)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # faulthandler writes where each thread is
            out, err = process.communicate()
            pytest.fail(f"the program hangs\n{out}\n{err}")
        return Ended(process.returncode, out.splitlines(), err)

    return start
