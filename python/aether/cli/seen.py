"""The console of another process, for `top` and `tap`: found, asked, and what is wrong told in one line."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import Answer, Hello, Request

from .errors import MISUSED, CliError

__all__ = ["asked", "end_of"]


@contextmanager
def asked(
    request: Request, path: Path | None, pid: int | None, patience: float | None = None
) -> Generator[tuple[Hello, Iterator[Answer | None]]]:
    """Who answers, and what; `None` each time that nothing has come for `patience` seconds. The connection ends with the block.

    Raises:
        CliError: There is nobody to ask, or more than one, or it refuses.
    """
    if path is not None and pid is not None:
        raise CliError("--socket and --pid: give one of them", status=MISUSED)
    try:
        with Client(find(path, pid)) as client:
            yield client.hello, client.ask(request, patience)
    except ConsoleError as error:
        raise CliError(str(error)) from None


def end_of(hello: Hello, path: Path | None) -> str:
    """Why a process that was asked answers no more.

    Raises:
        CliError: It would answer others.
    """
    with suppress(ConsoleError, OSError), Client(find(path, None if path else hello.pid)) as again:
        if again.hello.pid == hello.pid:
            raise CliError(
                f"process {hello.pid} goes on, and has let go of this command: it read nothing for 10 seconds, or could not "
                "be answered"
            )
    return f"process {hello.pid} has ended, or shows nothing any more"
