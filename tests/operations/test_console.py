"""The console: what is told on its socket, and that nobody waits for whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from aether import Aether, AetherConfig, ConfigError, ConsoleConfig, HealthConfig
from aether.console import places, server
from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import (
    VERSION,
    Answer,
    Hello,
    Missed,
    Snapshot,
    Tap,
    Watch,
    WaveView,
    decode_answer,
    decode_request,
    encode,
)
from aether.console.shown import MAILBOXES, snapshot

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")

CONFIG = AetherConfig(console=ConsoleConfig())


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for sockets that is this test's alone, with a short name."""
    folder = tmp_path_factory.mktemp("r")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def answers(request: Watch | Tap, count: int, path: Path | None = None) -> list[Answer]:
    """The first answers to a request."""
    with Client(find(path)) as client:
        told = client.ask(request)
        return [next(told) for _ in range(count)]


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "aether-console"]


async def in_thread(function: Callable[[], Any]) -> Any:
    """Runs something that waits, while the loop goes on."""
    with anyio.fail_after(30):
        return await anyio.to_thread.run_sync(function)


async def _until(test: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not test():
            await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_a_snapshot_has_all_there_is_to_see(tmp_path: Path) -> None:
    config = CONFIG.replace(
        health=HealthConfig(), journal={"path": str(tmp_path / "j"), "durability": "none"}
    )
    async with Aether(config) as medium:
        desk = medium.vibrator("desk", buffer_size=7)
        desk.resonate_on("orders.*")

        @medium.vibrator("clerk").on("orders.*", concurrency=3)
        async def handle(wave: Any) -> None:
            raise ValueError

        await medium.emit_wave("orders.created", {"id": 7})
        await medium.settle(0.5)
        (told,) = await in_thread(lambda: answers(Watch(), 1))
        assert isinstance(told, Snapshot)
        (view,) = told.media
        assert (view.number, view.phase, view.statistics["emitted"]) == (1, "open", 1)
        assert (view.health.live, view.health.ready) == (True, True)
        rows = {(one.vibrator, one.handler): one for one in view.mailboxes}
        assert rows["desk", None].waiting == 1
        assert rows["desk", None].capacity == 7
        assert rows["clerk", "handle"].received == 1
        (handler,) = view.handlers
        assert (handler.vibrator, handler.concurrency, handler.failed) == ("clerk", 3, 1)
        assert handler.mailbox == rows["clerk", "handle"].number
        assert view.resources is not None
        assert view.resources["rss"] > 0
        assert view.journal is not None
        assert view.journal["last"] == 1
        desk.close()


@pytest.mark.anyio
async def test_snapshots_come_one_after_the_other() -> None:
    async with Aether(CONFIG) as medium:
        emitted: list[int] = []

        def listen() -> None:
            with Client(find()) as client:
                for answer in client.ask(Watch(0.1)):
                    assert isinstance(answer, Snapshot)
                    emitted.append(answer.media[0].statistics["emitted"])
                    medium.emit_nowait("a")
                    if len(emitted) == 4:
                        return

        await in_thread(listen)
        assert emitted == [0, 1, 2, 3]


@pytest.mark.anyio
async def test_a_tap_shows_the_waves_of_a_pattern_heard_or_not() -> None:
    async with Aether(CONFIG) as medium:
        shop = medium.vibrator("shop")
        desk = medium.vibrator("desk")
        desk.resonate_on("orders.created")
        told: list[Answer] = []

        def listen() -> None:
            told.extend(answers(Tap("orders.*", 20), 2))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_thread, listen)
            while not told:
                medium.emit_nowait("users.joined")
                shop.emit_nowait("orders.created", {"id": 7, "text": "x" * 100}, amplitude=0.5)
                shop.emit_nowait("orders.unheard", headers={"a": "1", "b": "2"})
                while desk.statistics().current_buffer_used:
                    desk.receive_nowait()
                await anyio.sleep(0.01)
        first, second = told
        assert isinstance(first, WaveView)
        assert isinstance(second, WaveView)
        by_channel = {one.channel: one for one in (first, second)}
        heard, unheard = by_channel["orders.created"], by_channel["orders.unheard"]
        assert (heard.amplitude, heard.source, heard.headers, heard.medium) == (0.5, "shop", 0, 1)
        assert heard.payload == "{'id': 7, 'text':..."
        assert (unheard.payload, unheard.headers) == ("None", 2)
        assert heard.sequence is not None
        assert unheard.sequence is not None
        desk.close()
        shop.close()


@pytest.mark.anyio
async def test_what_there_is_no_room_for_is_counted_and_told() -> None:
    async with Aether(CONFIG) as medium:
        count = 20 * server.WAVES_AT_ONCE
        with Client(find()) as client:
            told = client.ask(Tap("*"))
            # It taps once the first wave comes through.
            first = None

            def one() -> None:
                nonlocal first
                first = next(told)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(in_thread, one)
                while first is None:
                    medium.emit_nowait("warm.up")
                    await anyio.sleep(0.01)
            for number in range(count):
                medium.emit_nowait("orders.created", number)

            def rest() -> tuple[int, int]:
                seen = missed = 0
                for answer in told:
                    if isinstance(answer, Missed):
                        missed += answer.count
                    elif isinstance(answer, WaveView) and answer.channel == "orders.created":
                        seen += 1
                    if seen + missed >= count:
                        break
                return seen, missed

            seen, missed = await in_thread(rest)
        assert 0 < seen <= 3 * server.WAVES_AT_ONCE
        assert count <= seen + missed <= count + 50


@pytest.mark.anyio
async def test_whoever_does_not_read_holds_nobody_up_and_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    async with Aether(CONFIG) as medium:
        deaf = socket.socket(socket.AF_UNIX)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(str(find()))
        deaf.sendall(encode(Tap("*", 10_000)))
        (made,) = server._servers.values()
        await _until(lambda: any(client.rings for client in made._clients))
        payload = "x" * 10_000
        with anyio.fail_after(20):
            while made._clients:
                for _ in range(100):
                    medium.emit_nowait("orders.created", payload)
                await anyio.sleep(0.01)
        # What it was sent before is all there is.
        deaf.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            while deaf.recv(1 << 20):
                pass
        deaf.close()
        assert await in_thread(lambda: answers(Watch(), 1))


@pytest.mark.anyio
async def test_whoever_goes_away_leaves_no_tap() -> None:
    async with Aether(CONFIG) as medium:
        client = Client(find())
        told = client.ask(Tap("*"))
        (made,) = server._servers.values()
        asked = threading.Thread(target=lambda: next(told, None))
        asked.start()
        await _until(lambda: any(one.rings for one in made._clients))
        medium.emit_nowait("a")
        await in_thread(asked.join)
        client.close()
        await _until(lambda: not made._clients)
        gc.collect()
        # A wave that is held by nobody else is gone at once.
        held = type("Payload", (), {})()
        import weakref

        gone = weakref.ref(held)
        medium.emit_nowait("a", held)
        del held
        assert gone() is None


@pytest.mark.anyio
async def test_the_media_of_a_process_share_a_socket_and_have_numbers() -> None:
    async with Aether(CONFIG):
        async with Aether(CONFIG):
            assert len(threads()) == 1
            (told,) = await in_thread(lambda: answers(Watch(), 1))
            assert [one.number for one in told.media] == [1, 2]
        (told,) = await in_thread(lambda: answers(Watch(), 1))
        assert [one.number for one in told.media] == [1]
    await _until(lambda: not threads())
    with pytest.raises(ConsoleError, match="no process shows anything"):
        find()


@pytest.mark.anyio
async def test_a_tap_follows_media_that_come_and_go() -> None:
    holding = server.hold()
    try:
        told: list[Answer] = []
        listening = threading.Thread(target=lambda: told.extend(answers(Tap("a"), 2)))
        listening.start()
        for number in (1, 2):
            async with Aether(CONFIG) as medium:
                await _until(
                    lambda number=number, medium=medium: (
                        (medium.emit_nowait("a") and 0) or len(told) or _shown(number)
                    )
                )
        await in_thread(listening.join)
    finally:
        holding.close()
    assert len(told) == 2


def _shown(number: int) -> bool:
    """Whether somebody taps the medium of this number."""
    (made,) = server._servers.values()
    return any(number in client.rings for client in made._clients)


def test_a_socket_is_its_owners_alone_and_goes_with_the_medium(runtime: Path) -> None:
    async def main() -> None:
        async with Aether(CONFIG):
            (path,) = (runtime / "aether").iterdir()
            assert path.name == f"{os.getpid()}.sock"
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.lstat().st_mode) == 0o700

    asyncio.run(main())
    assert list((runtime / "aether").iterdir()) == []


def test_a_socket_is_its_owners_alone_from_its_first_moment(tmp_path: Path) -> None:
    """Whoever looks into an open folder never sees one that others may use."""
    modes: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for path in tmp_path.iterdir():
                with contextlib.suppress(OSError):
                    modes.add(stat.S_IMODE(path.lstat().st_mode))

    tmp_path.chmod(0o777)
    before = os.umask(0)
    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(50):
            places.bound(tmp_path / "s").close()
    finally:
        os.umask(before)
        done.set()
        looking.join()
    assert modes <= {0o600, 0o700}


def test_a_folder_that_others_may_enter_is_refused(runtime: Path) -> None:
    folder = runtime / "aether"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="belongs to this user alone"):
        server.hold()
    folder.rmdir()
    folder.symlink_to(runtime)
    with pytest.raises(ConfigError, match="belongs to this user alone"):
        server.hold()


def test_a_second_process_with_the_same_path_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s"
    program = "import sys; from aether.console import server; server.hold(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin
        assert other.stdout
        other.stdout.readline()
        config = AetherConfig(console=ConsoleConfig(path=path))

        async def enter() -> None:
            async with Aether(config):
                pytest.fail("it is not entered")

        with pytest.raises(ConfigError, match="another process answers there"):
            asyncio.run(enter())
        assert answers(Watch(), 1, path)
        other.kill()
        other.wait()
    assert path.exists(), "it was killed"
    # What a process that is gone has left is in nobody's way.
    holding = server.hold(path)
    assert answers(Watch(), 1, path)
    holding.close()
    assert not path.exists()


def test_what_is_no_socket_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="and no socket"):
        server.hold(path)
    assert path.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["s"]


def test_a_path_that_cannot_be_one_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too long for a socket"):
        server.hold(tmp_path / ("x" * 100))
    with pytest.raises(ConfigError, match="No such file"):
        server.hold(Path("/none/s"))


def test_sockets_of_dead_processes_are_cleaned_up(runtime: Path) -> None:
    folder = runtime / "aether"
    folder.mkdir(mode=0o700)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folder / f"{dead.pid}.sock"))
    left.close()
    with pytest.raises(ConsoleError):
        find()
    holding = server.hold()
    assert [one.name for one in folder.iterdir()] == [f"{os.getpid()}.sock"]
    holding.close()


def test_a_process_is_found_by_its_number_or_told() -> None:
    with pytest.raises(ConsoleError, match=r"--console"):
        find()
    holding = server.hold()
    try:
        assert find() == find(pid=os.getpid()) == holding.path
        with pytest.raises(
            ConsoleError, match=f"process 1 shows nothing; these are: {os.getpid()}"
        ):
            find(pid=1)
    finally:
        holding.close()


def test_several_processes_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "found", lambda: [(7, Path("a")), (8, Path("b"))])
    with pytest.raises(ConsoleError, match="choose one with --pid: 7, 8"):
        find()


def _raw() -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(10)
    one.connect(str(find()))
    return one


@pytest.fixture
def held() -> Iterator[server.Serving]:
    """A console without a medium."""
    holding = server.hold()
    yield holding
    holding.close()


def _all(one: socket.socket) -> list[dict[str, Any]]:
    """What is said to the end."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := one.recv(65_536):
            data += more
    one.close()
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense\n", "JSON"),
        (b'{"type": "dance"}\n', "dance"),
        (b'{"type": "tap"}\n', "pattern"),
        (b'{"type": "tap", "pattern": "a..b"}\n', "token 2 is empty"),
        (b'{"type": "watch", "interval": "soon"}\n', "interval"),
        (b"x" * 70_000, "65,536 bytes at most"),
    ],
)
def test_a_wrong_request_is_answered_and_ends(line: bytes, why: str) -> None:
    one = _raw()
    with contextlib.suppress(BrokenPipeError):
        one.sendall(line)
    hello, failure = _all(one)
    assert (hello["type"], hello["version"], hello["pid"]) == ("hello", VERSION, os.getpid())
    assert failure["type"] == "error"
    assert why in failure["message"]


@pytest.mark.usefixtures("held")
def test_there_is_a_limit_to_who_may_listen() -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(server._CLIENTS):
            stack.enter_context(Client(find()))
        with pytest.raises(ConsoleError, match="connected already"):
            Client(find())


@pytest.mark.usefixtures("held")
def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aether.console.server.VERSION", VERSION + 1)
    with pytest.raises(ConsoleError, match=f"speaks version {VERSION + 1}"):
        Client(find())


def test_what_is_newer_is_left_out() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_answer(b'{"type": "dance"}')
    assert decode_answer(b'{"type": "missed", "count": 7, "new": 1}') == Missed(7)
    assert decode_request(encode(Tap("a", 5))) == Tap("a", 5)
    assert decode_answer(encode(Hello(1, 2, "a", "b"))) == Hello(1, 2, "a", "b")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.usefixtures("held")
def test_a_child_leaves_the_socket_to_its_parent() -> None:
    with Client(find()) as client:
        pid = os.fork()
        if pid == 0:
            os._exit(len(server._servers) + 10 * len(threads()))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert isinstance(next(client.ask(Watch())), Snapshot)
    assert answers(Watch(), 1)


def test_a_snapshot_is_bounded_and_says_so() -> None:
    medium = Aether()
    held = [medium.vibrator(f"v{number:03}") for number in range(MAILBOXES + 20)]
    held[-1].resonate_on("a")
    medium.emit_nowait("a")
    (view,) = snapshot([(1, medium)]).media
    assert (len(view.mailboxes), view.more) == (MAILBOXES, 20)
    assert view.mailboxes[0].vibrator == held[-1].name
    for one in held:
        one.close()


def test_a_program_that_ends_takes_its_socket_along(runtime: Path) -> None:
    program = (
        "import asyncio; from aether import *\n"
        "medium = Aether(AetherConfig(console=ConsoleConfig(), health=HealthConfig()))\n"
        "loop = asyncio.new_event_loop(); loop.run_until_complete(medium.__aenter__())\n"
        "print('entered')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout) == (0, "entered\n"), done.stderr
    assert list((runtime / "aether").iterdir()) == []


def test_a_ring_keeps_so_many_and_counts_the_rest() -> None:
    medium = Aether()
    ring = medium.ring("orders.*", 3)
    for number in range(5):
        medium.emit_nowait("orders.created", number)
        medium.emit_nowait("physics.orders")
    waves, missed = ring.take()
    assert ([wave.payload for wave in waves], missed) == ([0, 1, 2], 2)
    assert [wave.sequence for wave in waves] == [1, 3, 5]
    assert ring.take() == ([], 0)
    everything = medium.ring("*", 3)
    medium.emit_nowait("physics.beat.orders")
    assert [wave.channel for wave in everything.take()[0]] == ["physics.beat.orders"]
    ring.close()
    ring.close()
    medium.emit_nowait("orders.created")
    assert ring.take() == ([], 0)


def test_a_ring_is_found_by_the_collector() -> None:
    medium = Aether()

    class Payload:
        ring: object

    import weakref

    payload = Payload()
    payload.ring = medium.ring("a", 3)
    gone = weakref.ref(payload)
    medium.emit_nowait("a", payload)
    del payload
    assert gone() is not None
    gc.collect()
    # A ring that only its own waves refer to.
    assert gone() is None
