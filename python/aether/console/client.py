"""The other end of a console's socket: asks, and reads the answers as they come."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from aether.console import places
from aether.console.protocol import (
    VERSION,
    Answer,
    Failure,
    Hello,
    Request,
    decode_answer,
    encode,
)
from aether.errors import ConfigError

__all__ = ["Client", "ConsoleError", "find"]

_HELLO_SECONDS = 5.0

_TURN_ON = (
    "a process is seen once it has entered Aether(AetherConfig(console=ConsoleConfig())); aether demo and "
    "aether replay with --console"
)


class ConsoleError(Exception):
    """There is nobody to ask, or it does not answer; the message says what to do."""


def find(path: Path | None = None, pid: int | None = None) -> Path:
    """The socket to ask: a path as it is, that of a process, or the only one there is.

    Raises:
        ConsoleError: There is none, or more than one, or this system has no such sockets, or somebody else could have put
            them there.
    """
    try:
        places.check_system()
        if path is not None:
            return path
        found = places.found()
    except ConfigError as error:
        raise ConsoleError(str(error)) from None
    if pid is not None:
        for own, where in found:
            if own == pid:
                return where
        known = f"these are: {_listed(found)}" if found else _TURN_ON
        message = f"process {pid} shows nothing; {known}"
        raise ConsoleError(message)
    if not found:
        message = f"no process shows anything: {_TURN_ON}"
        raise ConsoleError(message)
    if len(found) > 1:
        message = f"several processes can be shown, choose one with --pid: {_listed(found)}"
        raise ConsoleError(message)
    return found[0][1]


def _listed(found: list[tuple[int, Path]]) -> str:
    return ", ".join(str(pid) for pid, _ in found)


class Client:
    """A connection to a console; use it in a `with` block.

    Args:
        path: The socket.

    Raises:
        ConsoleError: Nobody answers there, or in another way.
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_HELLO_SECONDS)
        self._left = b""
        try:
            self._socket.connect(str(path))
            hello = next(self._answers(), None)
        except TimeoutError:
            self.close()
            message = f"{path}: the process does not answer"
            raise ConsoleError(message) from None
        except OSError as error:
            self.close()
            message = f"{path}: {error.strerror or error}; {_TURN_ON}"
            raise ConsoleError(message) from None
        if isinstance(hello, Failure):
            self.close()
            message = f"{path}: {hello.message}"
            raise ConsoleError(message)
        if not isinstance(hello, Hello) or hello.version != VERSION:
            self.close()
            spoken = f"version {hello.version}" if isinstance(hello, Hello) else "something else"
            message = f"{path} speaks {spoken}, and this command version {VERSION}; use the one of that program"
            raise ConsoleError(message)
        self.hello = hello
        self._socket.settimeout(None)

    def ask(self, request: Request, patience: float | None = None) -> Iterator[Answer | None]:
        """Asks, and gives what is answered until the process ends.

        Args:
            request: What for.
            patience: `None` is given each time that nothing has come for so many seconds; without it, never.

        Raises:
            ConsoleError: It is refused.
        """
        # Whoever has let go already may have said why.
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(encode(request))
        self._socket.settimeout(patience)
        while True:
            try:
                for answer in self._answers():
                    if isinstance(answer, Failure):
                        raise ConsoleError(answer.message)
                    yield answer
            except TimeoutError:
                yield None
            else:
                return

    def _answers(self) -> Iterator[Answer]:
        while True:
            line, end, left = self._left.partition(b"\n")
            if end:
                self._left = left
                # What is newer than this is left out.
                with contextlib.suppress(ValueError):
                    yield decode_answer(line)
                continue
            try:
                more = self._socket.recv(65_536)
            except ConnectionResetError:
                return
            if not more:
                return
            self._left += more

    def close(self) -> None:
        """Asks no more."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
