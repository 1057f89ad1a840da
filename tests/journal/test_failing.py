"""A disk that is full, or fails: the documented error, nothing acknowledged lost, and the medium still answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from aether.journal import Journal

PRELUDE = """
import asyncio, os, resource, signal, sys
from aether import Aether, JournalFailed, JournalFull
from aether.journal import Journal

def say(*words):
    print(*words, flush=True)

path = sys.argv[1]
"""


def run(source: str, path: Path, *before: str) -> list[str]:
    """What a program of its own prints."""
    ended = subprocess.run(
        [
            *before,
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PRELUDE + textwrap.dedent(source),
            str(path),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout.splitlines()


FILL = """
async def main():
    # A file may not grow beyond this: as a disk that is full, the next write says so.
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    async with Aether(journal=Journal(path, on_failure=policy)) as medium:
        reader = medium.vibrator("reader", order="fifo")
        reader.resonate_on("*")
        kept = []
        for number in range(100):
            try:
                receipt = await medium.emit_wave("a.b", bytes([number]) * 40_000)
            except JournalFull as error:
                say("full", "no room" in str(error))
                break
            kept.append(number)
            if receipt.position is None:
                say("undurable", medium.health().ready, medium.health().reasons[0].split(":")[0])
                break
        # What needs no journal goes on.
        say("answers", medium.phase, medium.explain("a.b").reached == ("reader",))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await medium.emit_wave("a.b", b"again")
        say("ready", medium.health().ready)
        heard = [wave.payload[0] for wave in await reader.receive_many(1000)]
        say("heard", heard == [*kept, ord("a")], len(kept))

limit = 1_500_000
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
"""


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    out = run(FILL + "policy = 'refuse'\nasyncio.run(main())", tmp_path)
    assert out[:3] == ["full True", "answers open True", "ready True"]
    said, heard, count = out[3].split()
    assert (said, heard) == ("heard", "True")
    payloads = [wave.payload for wave in Journal(tmp_path).replay()]
    assert [payload[:1] for payload in payloads] == [*(bytes([n]) for n in range(int(count))), b"a"]


def test_a_full_disk_may_be_asked_to_deliver_all_the_same(tmp_path: Path) -> None:
    out = run(FILL + "policy = 'deliver_undurably'\nasyncio.run(main())", tmp_path)
    assert out[0] == "undurable False the journal"
    assert out[1:3] == ["answers open True", "ready True"]
    assert out[3].startswith("heard True")
    payloads = [wave.payload for wave in Journal(tmp_path).replay()]
    # The one that was delivered undurably is not there.
    assert len(payloads) == int(out[3].split()[2])


LATER = """
async def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
    async with Aether(journal=Journal(path)) as medium:
        reader = medium.vibrator("reader", order="fifo")
        reader.resonate_on("*")
        made = [
            await medium.emit_wave("a.b", bytes([number]) * 40_000, delay=0.0)
            for number in range(60)
        ]
        while any(one.state in ("waiting", "under_way") for one in made):
            await asyncio.sleep(0)
        kept = [one for one in made if one.state == "emitted"]
        failed = [one for one in made if one.state == "failed"]
        say("failed", len(kept) + len(failed) == 60, *{type(one.error).__name__ for one in failed})
        say("kept", len(kept) > 0, not any(one.receipt.pending for one in kept))
        heard = [wave.payload[0] for wave in await reader.receive_many(1000)]
        say("heard", heard == [made.index(one) for one in kept])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
asyncio.run(main())
"""


def test_a_full_disk_refuses_what_was_to_go_out_later(tmp_path: Path) -> None:
    assert run(LATER, tmp_path) == ["failed True JournalFull", "kept True True", "heard True"]


SYNC = """
async def main():
    async with Aether(journal=Journal(path, on_failure=policy)) as medium:
        reader = medium.vibrator("reader", order="fifo")
        reader.resonate_on("*")
        safe = 0
        for number in range(100):
            try:
                receipt = await medium.emit_wave("a.b", number)
            except JournalFailed as error:
                say("failed", f"up to position {safe} are safe" in str(error))
                break
            if receipt.position is None:
                say("undurable")
                break
            safe = receipt.position
        say("health", medium.health().ready, "failed" in medium.health().reasons[0])
        for _ in range(3):
            try:
                receipt = await medium.emit_wave("a.b", number)
                say("delivered", receipt.delivered, receipt.position, receipt.sequence)
            except JournalFailed:
                say("refused")
        waves = await reader.receive_many(1000)
        say("heard", len(waves), safe)
asyncio.run(main())
"""
STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(
    STRACE is None, reason="strace makes a sync fail, and is not installed here"
)


def failing(call: str) -> tuple[str, ...]:
    """Before a program: some such calls of it succeed, all later ones fail."""
    assert STRACE is not None
    inject = f"inject={call}:error=EIO:when=10+"
    return (STRACE, "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", inject)


@needs_strace
def test_a_sync_that_fails_is_final_for_the_journal(tmp_path: Path) -> None:
    out = run("policy = 'refuse'\n" + SYNC, tmp_path, *failing("fdatasync"))
    assert out[0] == "failed True"
    assert out[1] == "health False True"
    assert out[2:5] == ["refused"] * 3
    said, heard, safe = out[5].split()
    assert (said, heard) == ("heard", safe)
    assert int(safe) > 0
    # Readers go on, and so does the next writer; what was not acknowledged may be there or not.
    found = [wave.payload for wave in Journal(tmp_path).replay()]
    assert found[: int(safe)] == list(range(int(safe)))
    assert len(found) <= int(safe) + 1


@needs_strace
def test_waves_may_be_delivered_without_a_journal_that_has_failed(tmp_path: Path) -> None:
    out = run("policy = 'deliver_undurably'\n" + SYNC, tmp_path, *failing("fdatasync"))
    assert out[0] == "undurable"
    assert out[1] == "health False True"
    assert out[2:5] == ["delivered 1 None None"] * 3
    said, heard, safe = out[5].split()
    assert (said, int(heard)) == ("heard", int(safe) + 4)


def test_a_folder_that_cannot_be_written_says_so_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        out = run(
            """
            try:
                Aether(journal=Journal(path))
            except Exception as error:
                say(type(error).__name__, path in str(error))
            """,
            path,
        )
        assert out == ["JournalError True"]
