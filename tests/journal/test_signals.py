"""Signals, forks and exits while a journal is written: the right end, no hang, and all that was acknowledged is there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aether.journal import Journal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no journals on Windows")

TORTURE = "AETHER_TORTURE" in os.environ
ROUNDS = 200 if TORTURE else 8
ENDS = 50 if TORTURE else 3

BEGIN = """
import asyncio, os, signal, sys, threading, warnings
warnings.simplefilter("ignore")
# Also where whoever runs the tests has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from aether import Aether, ForkedMedium
from aether.journal import Journal

path, first = sys.argv[1], int(sys.argv[2])
journal = Journal(path, segment_bytes=8192, snapshot_interval=20)

def told(receipt, number):
    os.write(1, b"%d %d\\n" % (receipt.position, number))
"""

EMITTERS = {
    "sync": """
medium = Aether(journal=journal)
while True:
    told(medium.emit_sync("orders.created", first), first)
    first += 1
""",
    "tasks": """
async def emit(medium, number):
    while True:
        told(await medium.emit_wave("orders.created", number), number)
        number += 8

async def main():
    async with Aether(journal=journal) as medium:
        await asyncio.gather(*(emit(medium, first + number) for number in range(8)))

asyncio.run(main())
""",
    "cursor": """
async def main():
    async with Aether(journal=journal) as medium:
        billing = medium.vibrator("billing", order="fifo")
        await billing.resonate_on("orders.*", cursor="billing", replay="all", max_deliveries=1_000_000)
        number = first
        while True:
            told(await medium.emit_wave("orders.created", number), number)
            number += 1
            await billing.ack(await billing.receive())

asyncio.run(main())
""",
}


def acknowledged(out: bytes) -> dict[int, int]:
    """By position; the last line may be cut off."""
    lines = (line.split() for line in out.split(b"\n")[:-1])
    return {int(position): int(number) for position, number in lines}


@pytest.mark.parametrize("way", EMITTERS)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_in_the_midst_of_emissions(tmp_path: Path, way: str, sent: signal.Signals) -> None:
    chance = random.Random(5)
    known: dict[int, int] = {}
    first = 0
    for _ in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", BEGIN + EMITTERS[way], str(tmp_path), str(first)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            lines = [process.stdout.readline() for _ in range(chance.randrange(1, 40))]
            process.send_signal(sent)
            out = b"".join(lines) + process.stdout.read()
            err = process.stderr.read()
        # An interrupt that nobody catches ends a program of Python by that very signal.
        assert process.returncode == -sent, err.decode()
        assert b"KeyboardInterrupt" in err if sent == signal.SIGINT else not err
        told = acknowledged(out)
        assert not known.keys() & told.keys()
        known |= told
        first = max(known.values()) + 1_000
    replay = Journal(tmp_path).replay()
    found = {wave.sequence: wave.payload for wave in replay}
    assert found.items() >= known.items()
    assert list(found) == sorted(found)
    assert len(set(found.values())) == len(found)
    assert list(replay.gaps) == []


def test_forks_in_the_midst_of_emissions(tmp_path: Path) -> None:
    source = f"""
medium = Aether(journal=journal)
done = threading.Event()

def emit(number):
    while not done.is_set():
        told(medium.emit_sync("orders.created", number), number)
        number += 4

threads = [threading.Thread(target=emit, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for _ in range({ROUNDS}):
    child = os.fork()
    if not child:
        try:
            medium.emit_sync("orders.created", -1)
        except ForkedMedium:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
done.set()
for thread in threads:
    thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + source, str(tmp_path), "0"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    replay = Journal(tmp_path).replay()
    found = {wave.sequence: wave.payload for wave in replay}
    assert found == acknowledged(done.stdout)
    assert list(replay.gaps) == []


SHAPES = {
    "a daemon thread emits": """
medium = Aether(journal=journal)
begun = journal.last
def emit(number):
    while True:
        told(medium.emit_sync("orders.created", number), number)
        number += 1
threading.Thread(target=emit, args=(first,), daemon=True).start()
while journal.last < begun + 20:
    pass
""",
    "what was not awaited": """
medium = Aether(journal=journal)
for number in range(first, first + 50):
    medium.emit_nowait("orders.created", number)
told(medium.emit_sync("orders.created", first + 50), first + 50)
medium.emit_nowait("orders.created", first + 51)
""",
    "tasks are left": """
async def main():
    global kept
    medium = Aether(journal=journal)
    async def emit(number):
        while True:
            told(await medium.emit_wave("orders.created", number), number)
            number += 8
    kept = [asyncio.create_task(emit(first + number)) for number in range(8)]
    await medium.emit_wave("orders.created", first + 500)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
""",
    "a reader is behind": """
medium = Aether(journal=journal)
reader = medium.vibrator("reader", buffer_size=2, overflow="replay")
reader.resonate_on("orders.*", replay="all")
for number in range(first, first + 50):
    medium.emit_nowait("orders.created", number)
told(medium.emit_sync("orders.created", first + 50), first + 50)
""",
    "a cursor is open": """
medium = Aether(journal=journal)
reader = medium.vibrator("reader")
reader.resonate_on("orders.*", cursor="billing", replay="all", max_deliveries=1_000_000)
for number in range(first, first + 9):
    told(medium.emit_sync("orders.created", number), number)
    reader.ack(reader.receive_sync())
""",
    "history is half read": """
medium = Aether(journal=journal)
for number in range(first, first + 50):
    medium.emit_nowait("orders.created", number)
told(medium.emit_sync("orders.created", first + 50), first + 50)
kept = iter(Journal(path).replay())
next(kept)
""",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_program_ends_in_the_midst(tmp_path: Path, shape: str) -> None:
    known: dict[int, int] = {}
    for turn in range(ENDS):
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + SHAPES[shape], str(tmp_path), str(1_000 * turn)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        known |= acknowledged(done.stdout)
    replay = Journal(tmp_path).replay()
    found = {wave.sequence: wave.payload for wave in replay}
    assert found.items() >= known.items()
    assert len(set(found.values())) == len(found)
    assert list(replay.gaps) == []
