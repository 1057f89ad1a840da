"""The sockets of consoles: whose they are, how they are found, and that they go with their process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.operations.consoles import CONFIG, NEEDS_SOCKETS, answers, threads

from aether import Aether, AetherConfig, ConfigError, ConsoleConfig
from aether.console import places, server
from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import (
    Snapshot,
    Watch,
)

pytestmark = [NEEDS_SOCKETS, pytest.mark.usefixtures("runtime")]


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
