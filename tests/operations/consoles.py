"""What tests of consoles share: a medium with one, and who asks it. See `conftest` for `runtime` and `held`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from aether import AetherConfig, ConsoleConfig
from aether.console.client import Client, find
from aether.console.protocol import (
    Answer,
    Tap,
    Watch,
)

NEEDS_SOCKETS = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")

CONFIG = AetherConfig(console=ConsoleConfig())


def answers(request: Watch | Tap, count: int, path: Path | None = None) -> list[Answer]:
    """The first answers to a request."""
    with Client(find(path)) as client:
        told = client.ask(request)
        return [next(told) for _ in range(count)]


def threads() -> list[threading.Thread]:
    """The threads of consoles."""
    return [one for one in threading.enumerate() if one.name == "aether-console"]


async def in_thread(function: Callable[[], Any]) -> Any:
    """Runs something that waits, while the loop goes on."""
    with anyio.fail_after(30):
        return await anyio.to_thread.run_sync(function)


async def until(test: Callable[[], object]) -> None:
    """Waits until it holds."""
    with anyio.fail_after(20):
        while not test():
            await anyio.sleep(0.01)
