"""A program that ends while daemon threads read a journal: no crash, no hang, no word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.journal.writing import Written, write

PROGRAM = """
import sys, threading, warnings
warnings.simplefilter("ignore")
from aether.journal import Journal

class Slow:
    name, tag = "slow", 40
    def encode(self, payload): raise NotImplementedError
    def decode(self, data):
        inside.set()
        return sum(range(1000))

inside = threading.Event()
journal = Journal(sys.argv[1], also=[Slow()])

def waves():
    while True:
        for wave in journal.replay():
            pass

def columns():
    while True:
        inside.set()
        journal.replay().to_columns()

def trio_task():
    import trio
    async def main():
        while True:
            async for wave in journal.replay():
                pass
    trio.run(main)

threading.Thread(target=globals()[sys.argv[2]], daemon=True).start()
inside.wait()
"""


@pytest.mark.parametrize("body", ["waves", "columns", "trio_task"])
def test_daemons_that_read(tmp_path: Path, body: str) -> None:
    folder = tmp_path / "journal"
    write(folder, [Written(payload=bytes(100), codec=40) for _ in range(2000)])
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder), body],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
