"""`aether record FILE` of a real process, however it ends, and `aether replay --diff` of what it has recorded."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_command import Result, failure

from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import Snapshot, Watch
from aether.testing import load

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")

AETHER = [sys.executable, "-W", "error", "-m", "aether.cli"]

SHOP = '''
"""A shop that tells what it does."""

import sys
from dataclasses import dataclass

import anyio

from aether import Aether, AetherConfig, ConsoleConfig

FEE = 2


@dataclass(frozen=True)
class Order:
    number: int
    cents: int


def build(medium):
    desk = medium.vibrator("desk")

    @desk.on("orders.placed")
    async def charge(wave):
        await desk.emit_wave("orders.paid", {"number": wave.payload.number, "cents": wave.payload.cents + FEE}, cause=wave)


async def main(at_once):
    async with Aether(AetherConfig(console=ConsoleConfig())) as medium:
        build(medium)
        number = 0
        while True:
            for _ in range(at_once):
                number += 1
                await medium.emit_wave("orders.placed", Order(number, 100 * number))
            await anyio.sleep(0.005)
'''


@pytest.fixture
def folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder with the program, and one for sockets that is this test's alone."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("r")))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the program, which goes on for as long as the test wants."""
    begun: list[subprocess.Popen[bytes]] = []

    def one(at_once: int = 1, backend: str = "asyncio") -> subprocess.Popen[bytes]:
        code = f"import anyio, shop; anyio.run(shop.main, {at_once}, backend={backend!r})"
        begun.append(subprocess.Popen([sys.executable, "-c", code], cwd=folder))
        deadline = time.monotonic() + 30
        while True:
            with suppress(ConsoleError), Client(find()) as client:
                first = next(client.ask(Watch()))
                if isinstance(first, Snapshot) and first.media:
                    return begun[-1]
            assert time.monotonic() < deadline, "nothing is seen"
            time.sleep(0.05)

    yield one
    for process in begun:
        process.kill()
        process.wait()


def aether(*arguments: str) -> Result:
    """The command as a process of its own, in the folder of the test."""
    done = subprocess.run(
        [*AETHER, *arguments], capture_output=True, text=True, timeout=50, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def recording(*arguments: str) -> subprocess.Popen[str]:
    """One that has begun, and goes on."""
    begun = subprocess.Popen(
        [*AETHER, "record", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert begun.stderr
    assert begun.stderr.readline().startswith("recording ")
    return begun


def until_it_has(path: Path, lines: int) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert time.monotonic() < deadline, "nothing is recorded"
        time.sleep(0.02)


Start = Callable[..., subprocess.Popen[bytes]]


def check_whole(path: Path) -> None:
    """All waves of the process are there since it was begun, each with all that it says."""
    read = load(path)
    sequences = [one.sequence or 0 for one in read]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    for one in read:
        assert set(one.payload) == {"number", "cents"}
        if one.channel == "orders.placed":
            assert (one.type, one.propagation_count) == ("shop:Order", 1)
        else:
            assert (one.channel, one.source, one.is_led_to) == ("orders.paid", "desk", True)


def test_so_many_waves_are_recorded_and_can_be_replayed(start: Start, folder: Path) -> None:
    process = start()
    done = aether("record", "run.jsonl", "--count", "20")
    assert (done.status, done.out) == (0, "run.jsonl: 20 waves\n")
    assert done.err == f"recording -c, process {process.pid}; Ctrl-C ends it\n"
    check_whole(folder / "run.jsonl")
    replayed = aether("replay", "run.jsonl", "--pattern", "orders.paid")
    assert replayed.status == 0
    assert replayed.err == ""
    assert replayed.rows()[1][:2] == ["orders", "20"] or "20" in replayed.out
    chosen = aether("record", "paid.jsonl", "orders.paid", "-n", "3", "--pid", str(process.pid))
    assert chosen.out == "paid.jsonl: 3 waves\n"
    assert {one.channel for one in load(folder / "paid.jsonl")} == {"orders.paid"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_one_line(start: Start, folder: Path, number: signal.Signals) -> None:
    start()
    begun = recording("run.jsonl")
    until_it_has(folder / "run.jsonl", 10)
    begun.send_signal(number)
    out, err = begun.communicate(timeout=20)
    read = load(folder / "run.jsonl")
    assert (begun.returncode, out, err) == (0, f"run.jsonl: {len(read)} waves\n", "")
    assert read.complete
    check_whole(folder / "run.jsonl")


def test_one_that_is_killed_leaves_a_sound_file(start: Start, folder: Path) -> None:
    start(at_once=20)
    begun = recording("run.jsonl")
    until_it_has(folder / "run.jsonl", 100)
    begun.kill()
    begun.communicate(timeout=20)
    read = load(folder / "run.jsonl")
    assert not read.complete
    assert len(read) >= 99
    check_whole(folder / "run.jsonl")


def test_it_ends_with_the_process(start: Start, folder: Path) -> None:
    process = start()
    begun = recording("run.jsonl")
    until_it_has(folder / "run.jsonl", 5)
    process.kill()
    out, err = begun.communicate(timeout=20)
    count = len(load(folder / "run.jsonl"))
    assert (begun.returncode, err) == (0, "")
    assert out == (
        f"run.jsonl: {count} waves; process {process.pid} has ended, or shows nothing any more\n"
    )


def test_what_comes_too_fast_is_counted_and_told(start: Start, folder: Path) -> None:
    process = start(at_once=5_000)
    begun = recording("run.jsonl")
    until_it_has(folder / "run.jsonl", 1_000)
    begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=20)
    process.kill()
    read = load(folder / "run.jsonl")
    assert read.missed > 0
    assert begun.returncode == 1
    assert out == f"run.jsonl: {len(read):,} waves\n"
    assert err.startswith(f"run.jsonl: {read.missed:,} more came too fast and are missing; ")
    sequences = [one.sequence or 0 for one in read]
    assert sequences == sorted(set(sequences))
    within = sequences[-1] - sequences[0] + 1
    assert len(read) <= within <= len(read) + read.missed, "nothing is missing that was not counted"
    compared = aether("replay", "--diff", "run.jsonl", "run.jsonl")
    assert compared.status == 0
    assert f"! run.jsonl: {read.missed:,} waves are missing" in compared.err


def test_a_file_that_is_there_is_left_alone(start: Start, folder: Path) -> None:
    (folder / "run.jsonl").write_text("mine\n")
    start()
    line = failure(aether("record", "run.jsonl"))
    assert line == (
        "aether: run.jsonl: is there already; name another file, or write over it with --force"
    )
    assert (folder / "run.jsonl").read_text() == "mine\n"
    assert aether("record", "run.jsonl", "--force", "-n", "1").status == 0
    assert len(load(folder / "run.jsonl")) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_line(start: Start) -> None:
    start()
    line = failure(aether("record", "/dev/full", "--force"))
    assert line == "aether: /dev/full: cannot be written: No space left on device"


def test_what_is_wrong_is_one_line_and_leaves_no_file(folder: Path) -> None:
    assert failure(aether("record", "run.jsonl")).startswith("aether: no process shows anything: ")
    assert failure(aether("record", "run.jsonl", "a..b"), 2).startswith("aether: channel 'a..b'")
    assert failure(aether("record", ".")) == "aether: .: is a folder, not a file"
    assert not (folder / "run.jsonl").exists()


def test_a_folder_that_is_not_there_is_told(start: Start) -> None:
    start()
    line = failure(aether("record", "none/run.jsonl"))
    assert line == "aether: none/run.jsonl: cannot be written: No such file or directory"


@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
def test_the_program_makes_the_same_of_its_record_until_it_is_changed(
    start: Start, folder: Path, backend: str
) -> None:
    pytest.importorskip(backend)
    process = start(backend="trio" if backend == "trio" else "asyncio")
    begun = recording("run.jsonl")
    until_it_has(folder / "run.jsonl", 30)
    begun.send_signal(signal.SIGINT)
    begun.communicate(timeout=20)
    process.kill()
    whole_orders(folder / "run.jsonl")
    replay = ["replay", "--diff", "run.jsonl", "--app", "shop:build", "--backend", backend]
    same = aether(*replay)
    count = sum(one.is_led_to for one in load(folder / "run.jsonl"))
    assert (same.status, same.err) == (0, "")
    assert same.out == f"no difference in {count} waves\n"
    (folder / "shop.py").write_text(SHOP.replace("FEE = 2", "FEE = 3"))
    other = aether(*replay)
    assert other.status == 1
    lines = other.out.splitlines()
    assert len(lines) == count + 1
    first = next(one for one in load(folder / "run.jsonl") if one.is_led_to).payload["cents"]
    assert lines[0] == (f"changed orders.paid #1: payload['cents'] was {first}, is {first + 1}")
    assert lines[-1] == (
        f"{count} differences in 1 channel ({count} changed); {count} waves before, {count} after"
    )
    ignored = aether(*replay, "--ignore", "cents")
    assert (ignored.status, ignored.out) == (0, same.out)


def whole_orders(path: Path) -> None:
    """Takes out what was begun before the record, or was not done at its end."""
    lines = path.read_text().splitlines()
    numbers: dict[str, set[int]] = {"orders.placed": set(), "orders.paid": set()}
    waves: list[tuple[str, dict[str, Any]]] = [(line, json.loads(line)) for line in lines]
    for _, one in waves:
        if "channel" in one:
            numbers[one["channel"]].add(one["payload"]["number"])
    both = numbers["orders.placed"] & numbers["orders.paid"]
    kept = [line for line, one in waves if "record" in one or one["payload"]["number"] in both]
    path.write_text("\n".join(kept) + os.linesep)
