"""A journal and processes: forked, ended without a word; one writer at a time. For kills see `test_kills.py`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aether import Aether, JournalError
from aether.journal import Journal


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_writes_nothing_and_holds_nothing(tmp_path: Path) -> None:
    source = """
import os, sys, signal, warnings
warnings.filterwarnings("ignore", ".*is multi-threaded, use of fork", DeprecationWarning)
from aether import Aether, ForkedMedium
from aether.journal import Journal
medium = Aether(journal=Journal(sys.argv[1]))
medium.emit_sync("a.b", "parent")
ready, write = os.pipe()
pid = os.fork()
if pid == 0:
    try:
        medium.emit_sync("a.b", "child")
    except ForkedMedium:
        os.write(write, b"F")
    except BaseException as error:
        os.write(write, repr(error).encode())
    del medium
    os.close(write)
    signal.pause()
os.close(write)
print(os.read(ready, 100).decode(), flush=True)
medium.emit_sync("a.b", "parent again")
print(pid, flush=True)
os._exit(0)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "F\n"
        child = int(process.stdout.readline())
    try:
        # The parent is gone without closing, the child lives: the journal is free.
        medium = Aether(journal=Journal(tmp_path))
        medium.emit_sync("a.b", "another")
        assert medium.journal is not None
        medium.journal.close()
        assert [wave.payload for wave in Journal(tmp_path).replay()] == [
            "parent",
            "parent again",
            "another",
        ]
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    "end", ["pass", "sys.exit(3)", "raise SystemExit", "os.kill(os.getpid(), 15)"]
)
def test_a_program_that_ends_unclosed_loses_nothing_that_was_acknowledged(
    tmp_path: Path, end: str
) -> None:
    source = f"""
import os, sys
from aether import Aether
from aether.journal import Journal
medium = Aether(journal=Journal(sys.argv[1]))
for number in range(100):
    medium.emit_nowait("a.b", number)
medium.emit_sync("a.b", "last")
{end}
"""
    subprocess.run([sys.executable, "-c", source, str(tmp_path)], timeout=60, check=False)
    found = [wave.payload for wave in Journal(tmp_path).replay()]
    assert found == [*range(100), "last"]


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    source = """
import sys
from aether import Aether
from aether.journal import Journal
medium = Aether(journal=Journal(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    with pytest.raises(JournalError, match=f"by the process {process.pid}"):
        Aether(journal=Journal(tmp_path))
    process.kill()
    process.communicate()
    # The right to write goes with the process.
    journal = Journal(tmp_path)
    Aether(journal=journal)
    journal.close()
