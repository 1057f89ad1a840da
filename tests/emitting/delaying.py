"""What tests of delayed emissions share."""

from __future__ import annotations

import contextlib
from typing import Any

from aether import (
    DelayedEmission,
    EndOfStream,
    Vibrator,
    Wave,
    WouldBlock,
)


def rest(reader: Vibrator) -> list[Any]:
    """The payloads that are left, also at the end."""
    got = []
    with contextlib.suppress(EndOfStream, WouldBlock):
        while True:
            got.append(reader.receive_nowait().payload)
    return got


METHODS = ["emit_wave", "emit", "emit_nowait"]


async def delayed(emitter: Any, method: str, payload: Any, seconds: float) -> DelayedEmission:
    """A wave on `a` that goes out in so many seconds."""
    if method == "emit_nowait":
        made = emitter.emit_nowait("a", payload, delay=seconds)
    elif method == "emit":
        made = await emitter.emit(Wave("a", payload), delay=seconds)
    else:
        made = await emitter.emit_wave("a", payload, delay=seconds)
    assert isinstance(made, DelayedEmission)
    return made
