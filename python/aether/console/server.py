"""Answers `aether top`, `aether tap` and `aether record`: one thread for each socket, which the media of a process share.

Contract:
- The medium never waits for it: waves are kept in a bounded ring, and what it has no room for is counted and told.
  Texts are made in this thread, for at most `WAVES_AT_ONCE` waves each `DRAINED` seconds, and for `RECORDED_AT_ONCE` where
  they are recorded. To write the payloads of those, the fields of their classes are read, as a journal does.
- A client that does not read is sent nothing more until it does, and is dropped after `PATIENCE` seconds.
- The socket is there from the first medium that is entered to the last one that is left, or is gone without that, and is
  taken away then. In the child of a fork it is closed, and stays the parent's.
- Where the process has no more files to open, whoever connects waits, and is looked for once in `DEAF` seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import selectors
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aether._native import __version__, check_pattern
from aether.console import places
from aether.console.protocol import (
    VERSION,
    Begun,
    Failure,
    Hello,
    Missed,
    Record,
    Tap,
    Watch,
    decode_request,
    encode,
    recorded,
)
from aether.console.shown import snapshot, wave_view
from aether.errors import AetherError
from aether.events import said

if TYPE_CHECKING:
    from os import PathLike

    from aether._native import Ring, Wave
    from aether.medium import Aether

__all__ = ["Server", "Serving", "hold", "serve"]

_log = said()

WAVES_AT_ONCE = 250
RECORDED_AT_ONCE = 500
DRAINED = 0.1
PATIENCE = 10.0
DEAF = 1.0
_CLIENTS = 16
_LONGEST_REQUEST = 65_536
_LEAST_INTERVAL = 0.1
_LONGEST_INTERVAL = 3600.0
_LONGEST_TEXT = 10_000


class _Client:
    """Somebody who is connected."""

    __slots__ = ("asked", "closing", "due", "given", "rings", "said", "socket", "stuck")

    def __init__(self, connected: socket.socket, now: float) -> None:
        self.socket = connected
        self.asked: Watch | Tap | Record | None = None
        self.due = now
        """When it gets something again."""
        self.given = b""
        """What it has sent of its request."""
        self.said = b""
        """What is to be sent."""
        self.stuck = now
        """When it has read something, or all, last."""
        self.closing = False
        self.rings: dict[int, Ring] = {}
        """By the number of the medium."""


class Server:
    """One socket, and who is connected to it. Other threads `add` and `remove` media."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = places.bound(path)
        self._file = path.lstat().st_ino
        self._pid = os.getpid()
        self._media: dict[int, weakref.ref[Aether]] = {}
        self._last = 0
        self._clients: set[_Client] = set()
        self._ended = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._wakes, self._waker = socket.socketpair()
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._left: queue.SimpleQueue[Serving] = queue.SimpleQueue()
        self._deaf_until: float | None = None
        for one in (self._listener, self._wakes):
            self._selector.register(one, selectors.EVENT_READ)
        self._told = False
        self.holders = 0
        self._thread = threading.Thread(target=self._run, name="aether-console", daemon=True)
        self._thread.start()

    def add(self, medium: Aether) -> int:
        """One more medium to be shown; its number."""
        self._last += 1
        self._media[self._last] = weakref.ref(medium)
        return self._last

    def remove(self, number: int) -> None:
        """It is shown no more."""
        self._media.pop(number, None)

    def end(self) -> None:
        """Takes the socket away, and has the thread end."""
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self._file:
                self.path.unlink()
        self._ended.set()
        self._wake()

    def leave(self, serving: Serving) -> None:
        """Has its thread close it: waits for nothing, and takes no lock, so that the collector may call it anywhere."""
        self._left.put(serving)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def join(self) -> None:
        """Waits for the thread, which has been told to end."""
        if self._thread is not threading.current_thread():
            self._thread.join()

    def forget(self) -> None:
        """In the child of a fork: the socket stays the parent's."""
        for one in (self._listener, self._wakes, self._waker, self._selector):
            one.close()
        for client in self._clients:
            client.socket.close()

    def _alive(self) -> list[tuple[int, Aether]]:
        references = list(self._media.items())
        return [(number, one) for number, ref in references if (one := ref()) is not None]

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                for key, _ in self._selector.select(self._pause()):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj is self._wakes:
                        self._close_left()
                    else:
                        self._safely(key.data, self._read)
                self._listen_again()
                now = time.monotonic()
                for client in list(self._clients):
                    self._safely(client, partial(self._serve, now=now))
        finally:
            for client in list(self._clients):
                self._drop(client)
            self._selector.close()
            for one in (self._listener, self._wakes, self._waker):
                one.close()

    def _pause(self) -> float | None:
        """How long nothing is due."""
        now = time.monotonic()
        due = [client.due for client in self._clients]
        if self._deaf_until is not None:
            due.append(self._deaf_until)
        return min(max(0.0, min(due) - now), _LONGEST_INTERVAL) if due else None

    def _close_left(self) -> None:
        with contextlib.suppress(OSError):
            self._wakes.recv(4096)
        with contextlib.suppress(queue.Empty):
            while True:
                self._left.get_nowait().close()

    def _safely(self, client: _Client, act: Callable[[_Client], None]) -> None:
        """Does something for one client, whose errors are no other's."""
        try:
            act(client)
        except OSError:
            self._drop(client)
        except Exception:  # noqa: BLE001 - whatever a payload raises
            self._tell()
            self._drop(client)

    def _tell(self) -> None:
        """Of what is handled, once."""
        if not self._told:
            self._told = True
            _log.exception(
                "the console could not answer somebody", extra={"event": "console.failed"}
            )

    def _listen_again(self) -> None:
        if self._deaf_until is not None and time.monotonic() >= self._deaf_until:
            self._deaf_until = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self) -> None:
        try:
            connected, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError:
            # No file is left to be opened, and who waits would be seen again at once, and again.
            self._selector.unregister(self._listener)
            self._deaf_until = time.monotonic() + DEAF
            self._tell()
            return
        connected.setblocking(False)
        client = _Client(connected, time.monotonic())
        self._clients.add(client)
        self._selector.register(connected, selectors.EVENT_READ, client)
        if len(self._clients) > _CLIENTS:
            self._refuse(client, f"{_CLIENTS} are connected already, which is all there may be")
        else:
            client.said = encode(Hello(VERSION, self._pid, _program(), __version__))

    def _refuse(self, client: _Client, why: str) -> None:
        client.said += encode(Failure(why))
        client.asked, client.closing = None, True

    def _read(self, client: _Client) -> None:
        more = client.socket.recv(4096)
        if not more:
            self._drop(client)
        elif client.asked is None and not client.closing:
            client.given += more
            line, end, _ = client.given.partition(b"\n")
            if end:
                self._take(client, line)
            elif len(client.given) > _LONGEST_REQUEST:
                self._refuse(client, f"a request has {_LONGEST_REQUEST:,} bytes at most")

    def _take(self, client: _Client, line: bytes) -> None:
        try:
            asked = decode_request(line)
            if isinstance(asked, Tap | Record):
                check_pattern(asked.pattern)
            else:
                asked = Watch(min(max(asked.interval, _LEAST_INTERVAL), _LONGEST_INTERVAL))
            client.asked = asked
            self._open_rings(client)
            if isinstance(asked, Record):
                client.said += encode(Begun(time.time()))
        except (ValueError, AetherError) as error:
            self._refuse(client, str(error))
        client.due = time.monotonic()

    def _open_rings(self, client: _Client) -> None:
        """Taps the media that have come, and lets go of those that are gone."""
        asked = client.asked
        if isinstance(asked, Tap | Record):
            media = dict(self._alive())
            size = WAVES_AT_ONCE if isinstance(asked, Tap) else RECORDED_AT_ONCE
            for number in media.keys() - client.rings.keys():
                client.rings[number] = media[number].ring(asked.pattern, size)

    def _serve(self, client: _Client, now: float) -> None:
        """Sends what is due, unless it has still to read what was sent before."""
        if client not in self._clients:
            return
        if not client.said and client.asked is not None and now >= client.due:
            if isinstance(client.asked, Tap | Record):
                self._open_rings(client)
                client.said = self._waves(client, client.asked)
                client.due = now + DRAINED
            else:
                client.said = encode(snapshot(self._alive()))
                client.due = now + client.asked.interval
        if not client.said:
            if client.asked is not None:
                client.stuck = now
            elif now - client.stuck > PATIENCE:
                self._drop(client)
            else:
                client.due = client.stuck + PATIENCE + DRAINED
            return
        with contextlib.suppress(BlockingIOError):
            sent = client.socket.send(client.said)
            client.said = client.said[sent:]
            client.stuck = now
        if client.said:
            client.due = now + DRAINED
        elif client.closing:
            self._drop(client)
            return
        if now - client.stuck > PATIENCE:
            self._drop(client)

    def _waves(self, client: _Client, asked: Tap | Record) -> bytes:
        lines: list[bytes] = []
        missed = 0
        for number, ring in list(client.rings.items()):
            gone = number not in self._media
            try:
                waves, more = ring.take()
            except AetherError:
                waves, more, gone = [], 0, True
            missed += more
            lines += [_said_of(wave, number, asked) for wave in waves]
            if gone:
                _end(client.rings.pop(number))
        if missed:
            lines.append(encode(Missed(missed)))
        return b"".join(lines)

    def _drop(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._selector.unregister(client.socket)
            client.socket.close()
            while client.rings:
                _end(client.rings.popitem()[1])


def _said_of(wave: Wave[Any], medium: int, asked: Tap | Record) -> bytes:
    """A wave as it was asked for."""
    if isinstance(asked, Tap):
        return encode(wave_view(medium, wave, max(4, min(asked.length, _LONGEST_TEXT))))
    # Whoever only looks needs no codecs.
    from aether.records.lines import line_of

    return recorded(line_of(wave, medium))


def _end(ring: Ring) -> None:
    """Taps no more: now, and not when the last reference is gone."""
    with contextlib.suppress(AetherError):
        ring.close()


def _program() -> str:
    """What this process is called, without its arguments, which may be secret."""
    path = Path(sys.argv[0]) if sys.argv else Path()
    return path.parent.name if path.name == "__main__.py" else path.name


class Serving:
    """A medium, or somebody else, for whom a socket is there, until it is closed."""

    def __init__(self, server: Server, medium: Aether | None) -> None:
        self.path = server.path
        self._server: Server | None = server
        self._number: int | None = None
        self._finalizer: weakref.finalize[[Serving], Aether] | None = None
        if medium is not None:
            self._number = server.add(medium)
            # One that is thrown away without being left shows nothing any more.
            self._finalizer = weakref.finalize(medium, server.leave, self)
            self._finalizer.atexit = False

    def close(self) -> None:
        """The last one has the socket taken away; a second time does nothing."""
        if self._finalizer is not None:
            self._finalizer.detach()
        with _serving:
            server, self._server = self._server, None
            if server is None or _servers.get(str(server.path)) is not server:
                return
            if self._number is not None:
                server.remove(self._number)
            server.holders -= 1
            if not server.holders:
                del _servers[str(server.path)]
                server.end()


_servers: dict[str, Server] = {}
_serving = threading.RLock()


def serve(path: str | PathLike[str] | None, medium: Aether) -> Serving:
    """Shows a medium at a socket, which the media of a process share.

    Args:
        path: Where; `None`: at the socket of this process.
        medium: What is shown.

    Raises:
        ConfigError: Somebody else has the socket, or it cannot be made.
    """
    return _hold(path, medium)


def hold(path: str | PathLike[str] | None = None) -> Serving:
    """Has the socket there also while no medium is entered.

    Raises:
        ConfigError: Somebody else has the socket, or it cannot be made.
    """
    return _hold(path, None)


def _hold(path: str | PathLike[str] | None, medium: Aether | None) -> Serving:
    where = places.own_path() if path is None else Path(path).absolute()
    with _serving:
        server = _servers.get(str(where))
        if server is None:
            server = _servers[str(where)] = Server(where)
        server.holders += 1
        return Serving(server, medium)


def _end_all() -> None:
    """A thread must not outlive the interpreter, nor a socket its process."""
    with _serving:
        servers = list(_servers.values())
        _servers.clear()
    for server in servers:
        server.end()
        server.join()


def _forget_after_fork() -> None:
    global _serving  # noqa: PLW0603 - another thread may have held it
    _serving = threading.RLock()
    for server in _servers.values():
        server.forget()
    _servers.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
