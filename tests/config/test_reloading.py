"""Files that change: a medium goes on by what they say, or by what they said."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import queue
import random
import subprocess
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.config.writing import linked, replaced, written

from aether import Aether, AetherConfig, Closed
from aether.config.reload import Reloading

Write = Callable[[Path, str], object]

PATIENCE = 30.0
"""Seconds in which a change is seen even on a machine that has much to do."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


class Looking:
    """What a reloading that nothing drives by itself applies."""

    def __init__(self, folder: Path) -> None:
        self.reloading = Reloading(AetherConfig.files(folder))
        self.applied: list[AetherConfig] = [self.reloading.first()]

    def look(self) -> list[AetherConfig]:
        """What comes of one look."""
        before = len(self.applied)
        self.reloading.look(self.applied.append)
        return self.applied[before:]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as an error so far."""
    said = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    caplog.clear()
    return said


@pytest.mark.parametrize("write", [written, replaced])
def test_a_change_is_applied_once(tmp_path: Path, write: Write) -> None:
    write(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path)
    assert looking.look() == []
    write(tmp_path, "max_propagation = 22")
    (config,) = looking.look()
    assert config.max_propagation == 22
    assert looking.look() == []


def test_a_second_file_may_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AETHER_ENV", "prod")
    written(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path)
    written(tmp_path, "max_propagation = 2", "aether.prod.toml")
    assert [config.max_propagation for config in looking.look()] == [2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("max_propagation = 0", "aether.toml:1: max_propagation=0 should be greater than"),
        ("max_propagatoin = 5", "did you mean 'max_propagation'?"),
        ("max_propagation = ", "is no TOML"),
        ("[journal", "is no TOML"),
        ("x = " + "[" * 3_000, "nested too deep"),
        (None, "was there, and is gone"),
    ],
)
def test_what_has_mistakes_is_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, why: str
) -> None:
    file = written(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path)
    if text is None:
        file.unlink()
    else:
        written(tmp_path, text)
    assert looking.look() == looking.look() == []
    (said,) = errors(caplog)
    assert said.startswith("the configuration stays as it is: ")
    assert why in said
    assert "\n" not in said
    written(tmp_path, "max_propagation = 333")
    assert [config.max_propagation for config in looking.look()] == [333]
    assert errors(caplog) == []


def test_a_file_that_is_half_written_is_read_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(tmp_path, "max_propagation = 1\noverflow = 'error'\n")
    looking = Looking(tmp_path)
    whole = "max_propagation = 22\noverflow = 'drop_oldest'\n"
    # Who looks sees it grow by a byte each time, also while it could be read.
    parts = iter(range(1, len(whole) + 1))
    stamps = Reloading._signature

    def growing(self: Reloading) -> Any:
        if (length := next(parts, None)) is not None:
            file.write_text(whole[:length])
        return stamps(self)

    monkeypatch.setattr(Reloading, "_signature", growing)
    monkeypatch.setattr("aether.config.reload._RESTS", 1_000)
    monkeypatch.setattr("aether.config.reload._REST", 0.0)
    (config,) = looking.look()
    assert (config.max_propagation, config.overflow) == (22, "drop_oldest")
    assert errors(caplog) == []


def test_files_that_change_while_they_are_read_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AETHER_ENV", "prod")
    written(tmp_path, "max_propagation = 1")
    written(tmp_path, "decay_interval = 1.0", "aether.prod.toml")
    looking = Looking(tmp_path)
    files = looking.reloading._files
    read = type(files).read

    def late(self: Any) -> Any:
        config = read(self)
        monkeypatch.setattr(type(files), "read", read)
        written(tmp_path, "decay_interval = 22.0", "aether.prod.toml")
        return config

    monkeypatch.setattr(type(files), "read", late)
    written(tmp_path, "max_propagation = 22")
    (config,) = looking.look()
    assert (config.max_propagation, config.decay_interval) == (22, 22.0)


def test_a_link_that_is_turned_is_followed(tmp_path: Path) -> None:
    linked(tmp_path, "max_propagation = 1", 1)
    looking = Looking(tmp_path)
    for number in range(2, 5):
        linked(tmp_path, f"max_propagation = {number}", number)
        assert [config.max_propagation for config in looking.look()] == [number]


# With the thread that watches.


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


def test_whatever_goes_wrong_while_files_are_read_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path)
    files = type(looking.reloading._files)
    read = files.read
    monkeypatch.setattr(files, "read", lambda _: 1 / 0)
    written(tmp_path, "max_propagation = 22")
    assert looking.look() == looking.look() == []
    (said,) = errors(caplog)
    assert said == "the configuration stays as it is: ZeroDivisionError: division by zero"
    assert looking.reloading.refused == 1
    monkeypatch.setattr(files, "read", read)
    written(tmp_path, "max_propagation = 333")
    assert [config.max_propagation for config in looking.look()] == [333]


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

    monkeypatch.setattr("watchfiles.watch", no_more)
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


EDITS = 1_000


def test_a_storm_of_edits_is_never_read_torn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: valid, invalid, partial and deleted files in turn, in place and by renames and links; the two numbers of a
    sound one are always equal, and whoever looks sees both of one file."""
    # Nobody writes while it looks: what it waits for, until the files are at rest, would take a minute here.
    monkeypatch.setattr("aether.config.reload._REST", 0.0)
    dice, looking, file = random.Random(7), Looking(tmp_path), tmp_path / "aether.toml"

    def text(number: int) -> str:
        return f"max_propagation = {number}\n# {'x' * dice.randrange(400)}\nchannel_buffer_size = {number}\n"

    def write(kind: int, whole: str, number: int) -> None:
        if kind < 5:
            (written if kind == 3 else replaced)(tmp_path, whole)
            return
        if not file.is_symlink():
            file.unlink(missing_ok=True)
        linked(tmp_path, whole, number)

    sound = 0
    kinds = Counter[int]()
    for number in range(1, EDITS + 1):
        whole = text(number)
        kind = dice.randrange(6)
        kinds[kind] += 1
        if kind == 0:
            written(tmp_path, whole[: dice.randrange(1, len("max_propagation = "))])
        elif kind == 1:
            replaced(tmp_path, whole.replace("channel_buffer_size", "chanel_buffer_size"))
        elif kind == 2:
            file.unlink(missing_ok=True)
        else:
            write(kind, whole, number)
            sound = number
        if kind != 2:
            # As far apart as those of edits by hand: the times of a disk may be steps of milliseconds.
            os.utime(file, ns=(number, number))
        looking.look()
        now = looking.applied[-1]
        assert now.max_propagation == now.channel_buffer_size or now == AetherConfig()
        if sound:
            assert now.max_propagation == sound, (number, kind)
    assert min(kinds[kind] for kind in range(6)) > EDITS // 12
    assert "chanel_buffer_size" in caplog.text
