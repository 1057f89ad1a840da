"""Retention: what a journal takes out by itself while it is open, in one process and in several."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import anyio
import pytest
from tests.journal.test_prune import CHANNELS, found, small
from tests.probes import assert_says, until

from aether import Aether
from aether.journal import HeldBack, Journal, Retain

pytestmark = pytest.mark.anyio

# -- Retention ---------------------------------------------------------------------------------


async def test_retention_keeps_it_small(tmp_path: Path) -> None:
    journal = small(tmp_path, retention=[Retain(max_count=100)], retention_interval=0.01)
    async with Aether(journal=journal) as medium:
        for number in range(20):
            await medium.emit_many([(CHANNELS[number % 3], number) for _ in range(100)])
        await until(lambda: len(found(tmp_path)) < 300)
        assert journal.retention_trouble is None
    left = found(tmp_path)
    assert left == list(range(2001 - len(left), 2001))
    assert len(left) >= 100
    async with Aether(journal=journal) as medium:
        assert (await medium.emit_wave("orders.paid")).position == 2001


async def test_retention_looks_when_a_segment_is_complete(tmp_path: Path) -> None:
    journal = small(tmp_path, retention=[Retain(max_count=10)], retention_interval=86_400)
    async with Aether(journal=journal) as medium:
        await medium.emit_many([("a.b", bytes(1000)) for _ in range(100)])
        await until(lambda: len(found(tmp_path)) < 30)


@pytest.mark.parametrize("past", [False, True])
async def test_retention_and_cursors(tmp_path: Path, past: bool) -> None:
    journal = small(
        tmp_path,
        retention=[Retain(max_count=10)],
        retention_interval=0.01,
        prune_past_cursors=past,
    )
    async with Aether(journal=journal) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await medium.emit_many([("orders.paid", number) for number in range(300)])
        if past:
            await until(lambda: len(found(tmp_path)) < 100)
        else:
            assert journal.prune().held_back == HeldBack("billing", 0)
            assert len(found(tmp_path)) == 300
            for wave in await billing.receive_many(300):
                await billing.ack(wave)
            await until(lambda: len(found(tmp_path)) < 100)


@pytest.mark.parametrize("history", [False, True])
async def test_a_vibrator_that_is_behind_loses_nothing(tmp_path: Path, history: bool) -> None:
    rules = [Retain(max_count=10), Retain(pattern="a.*", keep_last=1)]
    journal = small(tmp_path, retention=rules, retention_interval=0.001)
    async with Aether(journal=journal) as medium:
        slow = medium.vibrator("slow", buffer_size=3, overflow="replay", order="fifo")
        if not history:
            await slow.resonate_on("a.*")
        await medium.emit_wave("a.b", 0)
        if history:
            await slow.resonate_on("a.*", replay="all")
        await medium.emit_many([("a.b", number) for number in range(1, 400)])
        held = await anyio.to_thread.run_sync(journal.prune)
        assert held.held_back is not None
        assert held.held_back.reader == "slow"
        assert held.held_back.position < 10
        waves = [await slow.receive() for _ in range(400)]
        assert [wave.payload for wave in waves if wave is not None] == list(range(400))
        await until(lambda: len(found(tmp_path)) < 100)


async def test_retention_that_fails_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # It would clear away a file of that name, and cannot: it is a folder.
    in_the_way = tmp_path / "00000000000000000001-00000000.segment.new"
    in_the_way.mkdir()
    journal = small(tmp_path, retention=[Retain(max_count=10)], retention_interval=0.001)
    async with Aether(journal=journal) as medium:
        with caplog.at_level(logging.ERROR, logger="aether"):
            await medium.emit_many([("a.b", number) for number in range(200)])
            await until(lambda: journal.retention_trouble is not None)
            assert in_the_way.name in str(journal.retention_trouble)
            for number in range(20):
                assert (await medium.emit_wave("a.b", number)).position == 201 + number
            assert medium.health().ready
        (record,) = caplog.records
        assert_says(record.getMessage(), str(tmp_path), in_the_way.name, "tried again")
        assert vars(record)["journal"] == str(tmp_path)
        in_the_way.rmdir()
        await until(lambda: journal.retention_trouble is None and len(found(tmp_path)) < 100)
    assert journal.retention_trouble is None


def test_emitters_pruners_and_restarts_lose_nothing_that_stays(tmp_path: Path) -> None:
    written: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rules = [Retain(pattern="orders.*", keep_last=20), Retain(pattern="metrics.*", max_count=50)]
    for _ in range(3):
        journal = small(tmp_path, retention=rules, retention_interval=0.001)
        medium = Aether(journal=journal)
        done = threading.Event()

        def emit(channel: str, medium: Aether = medium) -> None:
            for number in range(400):
                position = medium.emit_sync(channel, number).position
                written[channel].append((position or 0, number))

        def prune(journal: Journal = journal, done: threading.Event = done) -> None:
            while not done.is_set():
                journal.prune()

        emitters = [threading.Thread(target=emit, args=(channel,)) for channel in CHANNELS]
        pruner = threading.Thread(target=prune)
        for thread in (*emitters, pruner):
            thread.start()
        for thread in emitters:
            thread.join(60)
        done.set()
        pruner.join(60)
        journal.close()
        assert not any(thread.is_alive() for thread in (*emitters, pruner))
        left: dict[str, list[tuple[int, int]]] = defaultdict(list)
        replay = Journal(tmp_path).replay()
        for wave in replay:
            left[wave.channel].append((wave.sequence or 0, wave.payload))
        assert replay.gaps == []
        for channel, waves in written.items():
            kept = 50 if channel == "metrics.load" else 20
            # What is left is in order and right, and of the newest none is missing.
            assert set(left[channel]) <= set(waves)
            assert left[channel] == sorted(set(left[channel]))
            assert left[channel][-kept:] == waves[-kept:]
            assert len(left[channel]) < 400


# -- Processes ---------------------------------------------------------------------------------

PRELUDE = """
import os, sys, warnings
warnings.filterwarnings("ignore", ".*is multi-threaded, use of fork", DeprecationWarning)
from aether import Aether, JournalError
from aether.journal import Journal, Retain
journal = Journal(sys.argv[1], segment_bytes=4096, durability="os", retention=[Retain(max_count=50)],
                  retention_interval=0.001)
medium = Aether(journal=journal)
def emit(count):
    for number in range(count):
        medium.emit_sync("a.b", number)
emit(300)
"""


def run(source: str, path: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + source, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_takes_nothing_out(tmp_path: Path) -> None:
    out = run(
        """
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        try:
            journal.prune(Retain(max_count=0))
        except JournalError as error:
            os._exit(0 if f"by the process {os.getppid()}" in str(error) else 3)
        os._exit(2)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    emit(100)
while len(list(journal.replay())) > 200:
    pass
print(journal.retention_trouble)
""",
        tmp_path,
    )
    assert out.split() == ["0"] * 10 + ["None"]
    assert found(tmp_path)[-50:] == list(range(1251, 1301))


@pytest.mark.parametrize("end", ["", "journal.close()", "del medium, journal", "sys.exit()"])
def test_a_program_ends_with_its_retention(tmp_path: Path, end: str) -> None:
    run(end, tmp_path)
    assert found(tmp_path)[-50:] == list(range(251, 301))
