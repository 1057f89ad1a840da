"""A loop that is closed is let go of: neither its thread nor a medium keeps it, though both live on."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import NO_UVLOOP

from aether import Aether


async def receive(medium: Aether, v: Any) -> None:
    asyncio.get_running_loop().call_later(0.0, medium.emit_nowait, "a")
    await v.receive()


async def emit(medium: Aether, v: Any) -> None:
    await medium.emit_wave("a")
    await v.receive()


async def wait_for_room(medium: Aether, v: Any) -> None:
    medium.emit_nowait("a")
    asyncio.get_running_loop().call_later(0.0, v.receive_nowait)
    await medium.emit_wave("a")
    v.receive_nowait()


async def give_up(medium: Aether, v: Any) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(v.receive_many(3), 0.001)


def new_loop(kind: str) -> Any:
    if kind == "asyncio":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


@pytest.mark.parametrize("act", [receive, emit, wait_for_room, give_up], ids=lambda a: a.__name__)
@pytest.mark.parametrize("kind", ["asyncio", pytest.param("uvloop", marks=NO_UVLOOP)])
def test_a_closed_loop_is_let_go_of(kind: str, act: Callable[[Aether, Any], Any]) -> None:
    """With all that hangs on it, before the next loop runs in this thread."""
    medium = Aether()
    v = medium.vibrator("v", buffer_size=1)
    v.resonate_on("a")

    def run() -> weakref.ref[Any]:
        loop = new_loop(kind)
        loop.run_until_complete(act(medium, v))
        loop.close()
        return weakref.ref(loop)

    for _ in range(2):
        gone = run()
        gc.collect()
        assert gone() is None
    v.close()
