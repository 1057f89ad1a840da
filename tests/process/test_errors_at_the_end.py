"""Errors while the interpreter ends, when nothing can be imported any more: they are the documented ones.

Each call is made by the end of an object that lives until then: in a module that is torn down, in
`sys`, or as the payload of a wave that still waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

SETUP = """
medium, other, ended = aether.Aether(), aether.Aether(), aether.Aether()
v = medium.vibrator("reader")
closed = medium.vibrator("closed")
closed.close()
full = other.vibrator("full", buffer_size=1)
full.resonate_on("a")
other.emit_nowait("a")
ended.shut("closed", at_once=True)

class Last:
    # Does this at its end, and writes what comes of it.
    def __init__(self, word, call, *args, **options):
        self.word, self.call, self.write = word, (call, args, options), os.write

    def __del__(self):
        call, args, options = self.call
        try:
            call(*args, **options)
        except Exception as error:
            said = f"{self.word}: {type(error).__module__}.{type(error).__name__}"
        else:
            said = f"{self.word}: no error"
        self.write(1, f"{said}\\n".encode())

last = [
    Last("empty", v.receive_nowait),
    Last("end", closed.receive_nowait),
    Last("closed medium", ended.emit_nowait, "a", 1),
    Last("closed vibrator", closed.emit_nowait, "a", 1),
    Last("bad name", medium.emit_nowait, "a..b", 1),
    Last("bad pattern", v.resonate_on, "a..b"),
    Last("nobody", medium.emit_nowait, "a", 1, require=1),
    Last("full", other.emit_nowait, "a", 1),
]
"""
SAID = [
    "bad name: aether.errors.ChannelError",
    "bad pattern: aether.errors.ChannelError",
    "closed medium: aether.errors.Closed",
    "closed vibrator: aether.errors.Closed",
    "empty: aether.errors.WouldBlock",
    "end: aether.errors.EndOfStream",
    "full: aether.errors.WouldBlock",
    "nobody: aether.errors.NoReceiver",
]


@pytest.mark.parametrize(
    "place",
    [
        "pass",
        "sys.last = last; del last",
        "sys.modules['kept'] = last; del last",
        "kept = aether.Wave('a', last); del last",
        "w = medium.vibrator('w'); w.resonate_on('b'); medium.emit_nowait('b', last); del last",
    ],
    ids=["main", "sys", "modules", "wave", "mailbox"],
)
def test_errors_at_the_end(program: Callable[..., Any], place: str) -> None:
    ended = program(f"{SETUP}{place}").exited()
    assert (sorted(ended.out), ended.err) == (SAID, "")
