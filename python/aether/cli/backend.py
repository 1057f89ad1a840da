"""Runs async work on the event loop that was asked for: asyncio, asyncio with uvloop, trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TypeVar

import anyio

from .choices import Backend
from .errors import MISUSED, CliError
from .logs import losses_in_the_table

__all__ = ["asyncio_of", "require", "run"]

T = TypeVar("T")


def require(backend: Backend) -> None:
    """Make sure that the library of a loop is there, before anything is done.

    Raises:
        CliError: it is not installed.
    """
    if backend != "asyncio" and find_spec(backend) is None:
        raise CliError(f"--backend {backend}: not installed; pip install {backend}", status=MISUSED)


def run(work: Callable[[], Awaitable[T]], backend: Backend) -> T:
    """Run `work` to its end on a fresh loop."""
    require(backend)
    with losses_in_the_table():
        if backend == "uvloop":
            return anyio.run(work, backend="asyncio", backend_options={"use_uvloop": True})
        return anyio.run(work, backend=backend)


def asyncio_of(backend: Backend) -> Backend:
    """The loop for code that knows asyncio only: `backend`, or plain asyncio where that is trio."""
    return "asyncio" if backend == "trio" else backend
