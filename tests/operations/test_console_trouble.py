"""The console where something is wrong: with requests, files, folders, and media that nobody has left."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.operations.consoles import CONFIG, NEEDS_SOCKETS

from aether import Aether
from aether.console import places, server
from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import Hello, Snapshot, Watch, decode_answer

pytestmark = [NEEDS_SOCKETS, pytest.mark.usefixtures("runtime")]


@pytest.fixture
def held(runtime: Path) -> Iterator[server.Server]:
    """A console without a medium."""
    holding = server.hold()
    yield server._servers[str(holding.path)]
    holding.close()


def _until(test: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not test():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("interval", [1e300, 1e9, -1e300])
def test_whatever_interval_is_asked_for_the_console_goes_on(
    held: server.Server, interval: float
) -> None:
    with Client(find()) as client:
        assert isinstance(next(client.ask(Watch(interval))), Snapshot)
        with Client(find()) as other:
            assert isinstance(next(other.ask(Watch())), Snapshot)
    assert held._thread.is_alive()


def test_it_never_sleeps_longer_than_the_system_can(held: server.Server) -> None:
    with Client(find()):
        _until(lambda: held._clients)
        (client,) = held._clients
        # Only until its thread looks again; it sleeps now.
        client.due = 1e300
        assert held._pause() == server._LONGEST_INTERVAL


class _Deaf:
    """A listener that has no file for whoever connects; what it is otherwise is another's."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.asked = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.asked == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self._listener.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)


def test_without_a_free_file_it_does_not_spin(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "DEAF", 0.5)
    real = places.bound
    monkeypatch.setattr(places, "bound", lambda path: _Deaf(real(path)))
    holding = server.hold()
    (made,) = server._servers.values()
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(20)
    begun = time.monotonic()
    one.connect(str(made.path))
    hello = decode_answer(one.recv(4096).rstrip())
    assert isinstance(hello, Hello), "who has waited is answered once there is a file"
    assert time.monotonic() - begun >= 0.5
    listener: Any = made._listener
    assert listener.asked == 2
    one.close()
    holding.close()
    said = [record for record in caplog.records if getattr(record, "event", "") == "console.failed"]
    assert len(said) == 1


def test_the_real_limit_of_files_costs_no_time(held: server.Server) -> None:
    import resource

    waiting = socket.socket(socket.AF_UNIX)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = os.dup(0)
    os.close(used)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, before[1]))
    try:
        begun = time.process_time()
        waiting.connect(str(held.path))
        time.sleep(0.3)
        spent = time.process_time() - begun
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    waiting.close()
    assert spent < 0.15


def _entered_and_thrown_away() -> None:
    loop = asyncio.new_event_loop()

    async def enter(medium: Aether) -> None:
        await medium.__aenter__()

    loop.run_until_complete(enter(Aether(CONFIG)))
    loop.close()


def test_a_medium_that_is_thrown_away_takes_its_console_along(runtime: Path) -> None:
    _entered_and_thrown_away()
    (made,) = server._servers.values()
    gc.collect()
    _until(lambda: not made._thread.is_alive())
    assert not server._servers
    assert list((runtime / "aether").iterdir()) == []


def test_one_that_is_thrown_away_leaves_the_others_theirs(held: server.Server) -> None:
    _entered_and_thrown_away()
    gc.collect()
    _until(lambda: not held._media)
    assert held.holders == 1
    assert held._thread.is_alive()


def test_the_collector_waits_for_nobody() -> None:
    """Also while another thread holds what opens and closes consoles."""
    _entered_and_thrown_away()
    (made,) = server._servers.values()
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        with server._serving:
            holds.set()
            done.wait(20)

    holding = threading.Thread(target=hold)
    holding.start()
    holds.wait(20)
    collecting = threading.Thread(target=gc.collect)
    collecting.start()
    collecting.join(10)
    waits = collecting.is_alive()
    done.set()
    holding.join()
    assert not waits
    _until(lambda: not made._thread.is_alive())


def test_a_tap_ends_with_its_client_whoever_holds_its_ring() -> None:
    async def main() -> None:
        async with Aether(CONFIG) as medium:
            (made,) = server._servers.values()
            client = Client(find())
            client._socket.sendall(b'{"type": "tap", "pattern": "*"}\n')
            while not any(one.rings for one in made._clients):
                await asyncio.sleep(0.01)
            (one,) = made._clients
            ring = one.rings[1]
            client.close()
            while made._clients:
                await asyncio.sleep(0.01)
            medium.emit_nowait("a")
            assert ring.take() == ([], 0)

    asyncio.run(asyncio.wait_for(main(), 20))


@pytest.mark.usefixtures("held")
def test_a_folder_of_somebody_else_is_asked_nothing(
    monkeypatch: pytest.MonkeyPatch, runtime: Path
) -> None:
    assert find() == runtime / "aether" / f"{os.getpid()}.sock"
    (runtime / "aether").chmod(0o755)
    with pytest.raises(ConsoleError, match="belongs to this user alone"):
        find()
    (runtime / "aether").chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(ConsoleError, match="belongs to this user alone"):
        find(pid=os.getpid())
    assert find(Path("x")) == Path("x"), "who names one knows whose it is"


def test_a_link_in_place_of_the_folder_is_refused(runtime: Path) -> None:
    (runtime / "aether").symlink_to(runtime / "elsewhere")
    with pytest.raises(ConsoleError, match="belongs to this user alone"):
        find()
