"""A journal whose writer is killed at any moment: what it promised is there, and it goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from tests.probes import PATIENCE

from aether import Aether
from aether.journal import Journal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")

# How often each program is killed; `make torture` asks for more.
KILLS = 1_000 if "AETHER_TORTURE" in os.environ else 40


def killed(program: str, path: Path, argument: int, after: int) -> list[list[str]]:
    """Starts a program and kills it once it has said so many lines: the words of each line that it has said."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, str(path), str(argument)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        # Not `communicate`, which does not see what `readline` has read ahead.
        lines += process.stdout.readlines()
        trouble = process.stderr.read().decode()
    assert not trouble, trouble
    # The last one may be cut off.
    return [line.decode().split() for line in lines if line.endswith(b"\n")]


WRITER = """
import asyncio, sys
from aether import Aether
from aether.journal import Journal, Retain

CHANNELS = "kill.one", "kill.two", "quiet"
RULES = Retain(max_count=200), Retain(pattern="kill.*", keep_last=30)

async def main(path, first):
    journal = Journal(path, segment_bytes={segment_bytes}, snapshot_interval=20, retention={retention},
                      retention_interval=0.001)
    async with Aether(journal=journal) as medium:

        async def emit(number):
            receipt = await medium.emit_wave(CHANNELS[number % 3], number)
            print(receipt.position, number, flush=True)

        while True:
            await asyncio.gather(*(emit(number) for number in range(first, first + 8)))
            first += 8

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
"""Emits without end, and tells of each wave that was acknowledged: its sequence and its number."""


def acknowledge(program: str, path: Path, first: int, after: int, known: dict[int, int]) -> None:
    """Runs the writer until it is killed, and adds the numbers that it was acknowledged, by sequence."""
    for position, number in killed(program, path, first, after):
        assert int(position) not in known
        known[int(position)] = int(number)


def test_what_was_acknowledged_survives_any_kill(tmp_path: Path) -> None:
    chance = random.Random(7)
    writer = WRITER.format(segment_bytes=8192, retention=[])
    acknowledged: dict[int, int] = {}
    for _ in range(KILLS):
        first = max(acknowledged.values(), default=0) + 1000
        acknowledge(writer, tmp_path, first, chance.randrange(1, 60), acknowledged)
    found = {wave.sequence: wave.payload for wave in Journal(tmp_path).replay()}
    assert list(found) == sorted(found)
    assert all(found[position] == number for position, number in acknowledged.items())
    assert len(set(found.values())) == len(found)


def test_what_the_rules_keep_survives_any_kill(tmp_path: Path) -> None:
    chance = random.Random(7)
    writer = WRITER.format(segment_bytes=4096, retention="RULES")
    acknowledged: dict[int, int] = {}
    gone = 0
    for _ in range(KILLS):
        first = max(acknowledged.values(), default=0) + 900
        acknowledge(writer, tmp_path, first, chance.randrange(1, 300), acknowledged)
        replay = Journal(tmp_path).replay()
        there = {wave.sequence or 0: wave.payload for wave in replay}
        assert list(there) == sorted(there)
        assert replay.gaps == []
        assert len(set(there.values())) == len(there)
        assert there.items() >= kept(acknowledged, there).items()
        known = acknowledged.keys() & there.keys()
        assert all(there[position] == acknowledged[position] for position in known)
        gone = len(acknowledged) - len(known)
    # Each start takes out what the one before has left.
    assert gone > len(acknowledged) // 2


def kept(acknowledged: dict[int, int], there: dict[int, int]) -> dict[int, int]:
    """What of the acknowledged waves no rule has taken, at any time: the newest ones."""
    newest = sorted(acknowledged | there, reverse=True)
    safe: dict[int, int] = {}
    of: dict[int, int] = defaultdict(int)
    for place, position in enumerate(newest):
        # One that is neither acknowledged nor there may have been written, and counts then.
        if newest[0] - position >= 200:
            break
        assert place < 200
        number = (acknowledged | there)[position]
        of[number % 3] += 1
        if position in acknowledged and (number % 3 == 2 or of[number % 3] <= 30):
            safe[position] = acknowledged[position]
    return safe


NEXT = {"saga.begun": "saga.paid", "saga.paid": "saga.sent", "saga.sent": None}
"""Each order goes through three steps, each of which emits the next one before it is acknowledged."""

SAGA = (
    f"NEXT = {NEXT!r}"
    """
import asyncio, sys
from aether import Aether
from aether.journal import Journal

async def main(path, first):
    async with Aether(journal=Journal(path, segment_bytes=8192, snapshot_interval=20)) as medium:
        saga = medium.vibrator("saga")
        saga.resonate_on("saga.*", cursor="saga", max_deliveries=1_000_000)
        for order in range(first, first + 5):
            receipt = await medium.emit_wave("saga.begun", order)
            print("emitted", receipt.position, order, flush=True)
        while True:
            wave = await saga.receive()
            print("handled", wave.sequence, wave.payload, wave.channel, flush=True)
            if step := NEXT[wave.channel]:
                await medium.emit_wave(step, wave.payload)
            await saga.ack(wave)
            print("acked", wave.sequence, wave.payload, wave.channel, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
)


def test_a_saga_goes_on_where_the_process_died(tmp_path: Path) -> None:
    chance = random.Random(11)
    begun: set[int] = set()
    ended: set[int] = set()
    acked: set[int] = set()
    for kill in range(KILLS):
        before = set(acked)
        # Not more lines than there are for sure: five orders, which each end in three steps.
        for said, sequence, order, *channel in killed(
            SAGA, tmp_path, 5 * kill, after=chance.randrange(1, 30)
        ):
            if said == "emitted":
                begun.add(int(order))
                continue
            if said == "handled":
                assert int(sequence) not in before, "it was acknowledged before the last start"
            else:
                acked.add(int(sequence))
            # It may be acknowledged without a word of it, if the process was killed just then.
            if channel == ["saga.sent"]:
                ended.add(int(order))
    # One more start, which nobody kills: everything is brought to its end.
    waves = {wave.sequence: wave for wave in Journal(tmp_path).replay("saga.*")}
    rest = set(waves) - acked
    finished = finish(tmp_path)
    came = {sequence for sequence, _ in finished}
    # What came was not acknowledged, but perhaps by an acknowledgement of which nobody heard.
    assert not came & acked
    assert {sequence for sequence in came if sequence in waves} <= rest
    ended |= {order for _, (order, channel) in finished if channel == "saga.sent"}
    assert begun <= ended


def finish(path: Path) -> list[tuple[int, tuple[int, str]]]:
    """Handles what there is, until nothing comes any more."""
    done: list[tuple[int, tuple[int, str]]] = []
    medium = Aether(journal=Journal(path))
    saga = medium.vibrator("saga", order="fifo")
    saga.resonate_on("saga.*", cursor="saga", max_deliveries=1_000_000)
    seen = -1
    medium.emit_sync("saga.end")
    while True:
        wave = saga.receive_sync(PATIENCE)
        assert wave is not None
        assert wave.sequence is not None
        saga.ack(wave)
        if wave.channel != "saga.end":
            if step := NEXT[wave.channel]:
                medium.emit_sync(step, wave.payload)
            done.append((wave.sequence, (wave.payload, str(wave.channel))))
        elif seen == len(done):
            break
        else:
            # Perhaps more was emitted behind it.
            seen = len(done)
            medium.emit_sync("saga.end")
    saga.close()
    assert medium.journal is not None
    medium.journal.close()
    return done
