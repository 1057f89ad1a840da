"""The console of another process, for `top` and `tap`: found, asked, and what is wrong told in one line."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import Answer, Hello, Request

from .errors import MISUSED, CliError

__all__ = ["asked"]


@contextmanager
def asked(
    request: Request, path: Path | None, pid: int | None
) -> Generator[tuple[Hello, Iterator[Answer]]]:
    """Who answers, and what; the connection ends with the block.

    Raises:
        CliError: There is nobody to ask, or more than one, or it refuses.
    """
    if path is not None and pid is not None:
        raise CliError("--socket and --pid: give one of them", status=MISUSED)
    try:
        with Client(find(path, pid)) as client:
            yield client.hello, client.ask(request)
    except ConsoleError as error:
        raise CliError(str(error)) from None
