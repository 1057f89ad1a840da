"""Files that change: a medium goes on by what they say, or by what they said, with a thread that watches them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.config.looking import errors
from tests.config.writing import linked, replaced, written
from watchfiles._rust_notify import RustNotify

from aether import Aether, AetherConfig, Closed
from aether.config.reload import Reloading

Write = Callable[[Path, str], object]

PATIENCE = 30.0
"""Seconds in which a change is seen even on a machine that has much to do."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


def changes(medium: Aether) -> queue.SimpleQueue[AetherConfig]:
    """The configurations that a medium goes on by, as they come."""
    came: queue.SimpleQueue[AetherConfig] = queue.SimpleQueue()
    medium.on_config_change(lambda _, now: came.put(now))
    return came


def watcher(medium: Aether) -> threading.Thread:
    """The thread that watches its files."""
    assert medium._reloading is not None
    thread = medium._reloading._thread
    assert thread is not None
    assert thread.is_alive()
    return thread


@pytest.mark.parametrize("write", [written, replaced])
def test_a_medium_goes_on_by_what_its_files_say(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "min_amplitude = 0.0")
    medium = Aether(AetherConfig.files(tmp_path))
    came = changes(medium)
    assert medium.emit_nowait("a", amplitude=0.1).reason is None
    write(tmp_path, "min_amplitude = 0.25\noverflow = 'drop_oldest'\nchannel_buffer_size = 1")
    assert came.get(timeout=PATIENCE).min_amplitude == 0.25
    assert medium.emit_nowait("a", amplitude=0.1).reason == "min_amplitude"
    with contextlib.closing(medium.vibrator("reader")) as reader:
        reader.resonate_on("a")
        for number in (1, 2):
            assert medium.emit_nowait("a", number)
        assert reader.receive_nowait().payload == 2


def test_links_as_kubernetes_turns_them_are_followed(tmp_path: Path) -> None:
    linked(tmp_path, "max_propagation = 1", 1)
    medium = Aether(AetherConfig.files(tmp_path))
    came = changes(medium)
    for number in range(2, 5):
        linked(tmp_path, f"max_propagation = {number}", number)
        assert came.get(timeout=PATIENCE).max_propagation == number


def test_a_folder_that_comes_later_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    medium = Aether(AetherConfig.files(folder))
    came = changes(medium)
    folder.mkdir()
    written(folder, "max_propagation = 7")
    assert came.get(timeout=PATIENCE).max_propagation == 7


def turned(folder: Path) -> None:
    """Turns a link to another folder."""
    (folder.parent / "other").mkdir()
    (folder.parent / "next").symlink_to("other")
    (folder.parent / "next").replace(folder)


def made_again(folder: Path) -> None:
    """Removes a folder, and makes it again, as a rule with the inode that it had."""
    (folder.parent / "first").rmdir()
    (folder.parent / "first").mkdir()


@pytest.mark.parametrize("change", [turned, made_again])
def test_another_folder_of_the_name_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    """Not only looked at, once a second."""
    begun: queue.SimpleQueue[str] = queue.SimpleQueue()

    def noted(paths: list[str], *how: Any) -> RustNotify:
        watching = RustNotify(paths, *how)
        begun.put(*paths)
        return watching

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", noted)
    (tmp_path / "first").mkdir()
    folder = tmp_path / "current"
    folder.symlink_to("first")
    medium = Aether(AetherConfig.files(folder))
    came = changes(medium)
    begun.get(timeout=PATIENCE)
    change(folder)
    begun.get(timeout=PATIENCE)
    replaced(folder, "max_propagation = 7")
    assert came.get(timeout=PATIENCE).max_propagation == 7
    assert begun.qsize() <= 1, "it stays with this one"


def test_a_medium_that_is_gone_is_watched_no_more(tmp_path: Path) -> None:
    medium = Aether(AetherConfig.files(tmp_path))
    thread = watcher(medium)
    gone = weakref.ref(medium)
    del medium
    gc.collect()
    assert gone() is None
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def test_a_medium_that_is_closed_is_watched_no_more(
    tmp_path: Path, anyio_backend: object
) -> None:
    async with Aether(AetherConfig.files(tmp_path)) as medium:
        thread = watcher(medium)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert medium.phase == "closed"


def test_what_cannot_be_applied_is_told_and_the_next_change_is_applied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "max_propagation = 1")
    medium = Aether(AetherConfig.files(tmp_path))
    came = changes(medium)
    failed = threading.Event()
    reconfigure = Aether.reconfigure

    def failing(self: Aether, config: AetherConfig) -> AetherConfig:
        if config.max_propagation == 2:
            failed.set()
            raise OSError("no")
        return reconfigure(self, config)

    monkeypatch.setattr(Aether, "reconfigure", failing)
    written(tmp_path, "max_propagation = 2")
    assert failed.wait(PATIENCE)
    written(tmp_path, "max_propagation = 33")
    assert came.get(timeout=PATIENCE).max_propagation == 33
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert vars(record)["event"] == "config.refused"
    assert record.getMessage() == "the configuration stays as it is: OSError: no"
    assert medium.config_changes() == {"applied": 1, "refused": 1}


def test_a_medium_that_is_closed_just_now_is_no_mistake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "max_propagation = 1")
    medium = Aether(AetherConfig.files(tmp_path))
    thread = watcher(medium)
    asked = threading.Event()

    def closing(_: Aether, __: AetherConfig) -> AetherConfig:
        asked.set()
        raise Closed("closed")

    monkeypatch.setattr(Aether, "reconfigure", closing)
    written(tmp_path, "max_propagation = 2")
    assert asked.wait(PATIENCE)
    medium._end_configured()
    thread.join(PATIENCE)
    assert errors(caplog) == []
    assert medium.config_changes()["refused"] == 0


def test_files_are_looked_at_where_the_system_cannot_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object, **__: object) -> object:
        raise RuntimeError("no more watches")

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", no_more)
    written(tmp_path, "max_propagation = 1")
    medium = Aether(AetherConfig.files(tmp_path))
    came = changes(medium)
    for number in (22, 333):
        written(tmp_path, f"max_propagation = {number}")
        assert came.get(timeout=PATIENCE).max_propagation == number


def test_whoever_collects_a_medium_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not for the lock of an event, as the thread that collects may be the one that has it."""
    looking, go_on = threading.Event(), threading.Event()

    def slow(_: Reloading, __: object) -> None:
        looking.set()
        go_on.wait()

    monkeypatch.setattr(Reloading, "look", slow)
    media = [Aether(AetherConfig.files(tmp_path))]
    thread, reloading = watcher(media[0]), media[0]._reloading
    assert reloading is not None
    assert looking.wait(PATIENCE)

    def collect() -> None:
        media.clear()
        gc.collect()

    collecting = threading.Thread(target=collect, daemon=True)
    with reloading._ended._cond:  # type: ignore[attr-defined]
        collecting.start()
        collecting.join(PATIENCE)
        waits = collecting.is_alive()
    go_on.set()
    assert not waits
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize(("look", "least"), [(1000, 0.2), (0, 0.0)])
def test_the_end_of_a_program_waits_a_moment_for_the_thread(
    tmp_path: Path, look: int, least: float
) -> None:
    code = f"""
import atexit, sys, threading, time
from aether import Aether, AetherConfig, Closed
from aether.config import reload
reload._EXIT = 0.2
looking = threading.Event()
def slow(self, apply):
    looking.set()
    time.sleep({look})
reload.Reloading.look = slow
atexit.unregister(reload._end_all)
def timed():
    begun = time.monotonic()
    reload._end_all()
    print(time.monotonic() - begun, medium._reloading._thread.is_alive())
atexit.register(timed)
medium = Aether(AetherConfig.files(sys.argv[1]))
assert looking.wait(30)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    waited, alive = done.stdout.split()
    assert float(waited) >= least
    assert alive == str(look > 0)


@pytest.mark.parametrize("leaving", [SystemExit, asyncio.CancelledError])
def test_who_is_told_cannot_end_the_thread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, leaving: type[BaseException]
) -> None:
    written(tmp_path, "max_propagation = 1")
    medium = Aether(AetherConfig.files(tmp_path))

    def leaves(*_: object) -> None:
        raise leaving

    medium.on_config_change(leaves)
    came = changes(medium)
    for number in (22, 333):
        written(tmp_path, f"max_propagation = {number}")
        assert came.get(timeout=PATIENCE).max_propagation == number
    assert len(errors(caplog)) == 2
    assert medium.config_changes() == {"applied": 2, "refused": 0}


def test_a_log_in_the_folder_tells_nothing_of_itself(tmp_path: Path) -> None:
    """Nor of other files: what is logged of a change would be one."""
    medium = Aether(AetherConfig.files(tmp_path))
    came = changes(medium)
    log = tmp_path / "app.log"
    handler = logging.FileHandler(log)
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        root.info("one line")
        written(tmp_path, "max_propagation = 22")
        came.get(timeout=PATIENCE)
        written(tmp_path, "max_propagation = 333")
        came.get(timeout=PATIENCE)
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()
    lines = log.read_text().splitlines()
    assert lines[0] == "one line"
    assert [line for line in lines[1:] if "the configuration has changed" not in line] == []


def test_the_folder_is_where_it_was_wherever_the_program_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    for folder in (ours, other):
        folder.mkdir()
        written(folder, f"drain_timeout = {len(folder.name)}.0")
    monkeypatch.chdir(ours)
    medium = Aether(AetherConfig.files())
    came = changes(medium)
    monkeypatch.chdir(other)
    written(other, "max_propagation = 1")
    written(ours, "max_propagation = 22")
    assert came.get(timeout=PATIENCE).max_propagation == 22
