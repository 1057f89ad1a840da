"""The module imported again: what its classes share is made once.

Sub-interpreters have a file of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

USE = """
def use(aether):
    class Payload:
        pass

    medium = aether.Aether()
    v = medium.vibrator("reader")
    v.resonate_on("a")
    for _ in range(3):
        medium.emit_nowait("a", Payload())
        say(type(v.receive_nowait().payload).__name__, aether.Wave("a", Payload()).channel)
    v.close()
"""


def test_imported_again(program: Callable[..., Any]) -> None:
    """As tests of other people do, which take modules out of `sys.modules`."""
    source = """
def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] == "aether"]:
        del sys.modules[name]

first = aether
for _ in range(2):
    forget()
    import aether
    use(aether)
assert aether is not first
use(first)
"""
    assert program(USE + source).exited().out == ["Payload a"] * 9


def test_native_half_alone_imported_again(program: Callable[..., Any]) -> None:
    source = """
del sys.modules["aether._native"], sys.modules["aether"]
import aether
use(aether)
"""
    assert program(USE + source).exited().out == ["Payload a"] * 3
