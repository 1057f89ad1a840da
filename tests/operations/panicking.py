"""How a panic in Rust is had, and what a program says of it.

A real one is had where the interpreter has no memory: PyO3 panics when it cannot make an object, such as the `str` of an
id. CPython's own tests let single allocations fail (`_testcapi.set_nomemory`); here each allocation of a call fails in turn,
in a process of its own. In a thread of the library that begins in Python code of the test's that the thread runs: a codec,
a logger, a loop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("_testcapi", reason="CPython's tests are not installed here")

PRELUDE = """
import _testcapi, asyncio, json, logging
from aether import *
from aether import _native

class Told(logging.Handler):
    def emit(self, record):
        told.append(record)

told = []
logging.getLogger("aether").addHandler(Told())

def failing(make, count=60):
    "What comes of a call when its first, second, third ... allocation fails; `make` gives the call."
    outcomes = []
    for start in range(count):
        call = make()
        error = None
        _testcapi.set_nomemory(start, start + 1)
        try:
            call()
        except BaseException as raised:
            error = raised
        finally:
            _testcapi.remove_mem_hooks()
        outcomes.append(error)
        del error
    return outcomes

FIELDS = ("place", "native_thread", "backtrace")

def say(outcomes):
    named = [[type(one).__name__, str(one), isinstance(one, AetherError)] for one in outcomes if one]
    events = [[r.event, r.levelname, r.getMessage(), *(getattr(r, name, None) for name in FIELDS)] for r in told]
    print(json.dumps({"outcomes": named, "events": events, "panics": _native.panics()}))
"""


def run(program: str, **environment: str) -> dict[str, Any]:
    """What a program says at its end, if it has come to it."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "RUST_BACKTRACE": "0", **environment},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told
