"""`aether replay FILE --journal FOLDER`: killed and started again, it goes on where it was."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.test_command import aether, failure
from tests.journal.writing import Segment, Written

from aether import Aether
from aether.journal import Journal

LINES = 4_000


def command(file: Path, folder: Path, *options: str) -> list[str]:
    """The replay as a process of its own."""
    run = "from aether.cli import main; raise SystemExit(main())"
    return [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        run,
        "replay",
        str(file),
        "--journal",
        str(folder),
        *options,
    ]


def history(path: Path) -> list[object]:
    """A file of events and some bad lines; returns the payloads of the events."""
    lines, payloads = [], []
    for number in range(LINES):
        if number % 97 == 5:
            lines.append("no event")
            continue
        payloads.append({"number": number})
        lines.append(
            json.dumps({"ts": number, "channel": f"a.{number % 7}", "payload": payloads[-1]})
        )
    path.write_text("\n".join(lines))
    return payloads


def test_a_replay_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    file, folder = tmp_path / "events.jsonl", tmp_path / "journal"
    payloads = history(file)
    chance = random.Random(3)
    for _ in range(6):
        # Slow enough to be met in the midst of it: 4,000 s of history in about a second.
        process = subprocess.Popen(
            command(file, folder, "--speed", "4000"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = written(folder)
        while process.poll() is None and len(written(folder)) < before_more(before, chance):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    ended = subprocess.run(command(file, folder), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "were in the journal already" in ended.stdout
    assert written(folder) == payloads
    again = subprocess.run(command(file, folder), capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert "0 events in" in again.stdout
    assert f"{len(payloads):,} were in the journal already" in again.stdout
    assert written(folder) == payloads


def before_more(before: list[object], chance: random.Random) -> int:
    """How many are to be there before the kill."""
    return len(before) + chance.randrange(1, 400)


def written(folder: Path) -> list[object]:
    """The payloads in the journal, which may not be there yet."""
    return [wave.payload for wave in Journal(folder).replay()] if folder.is_dir() else []


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    file, folder = tmp_path / "events.jsonl", tmp_path / "journal"
    history(file)
    medium = Aether(journal=Journal(folder))
    medium.emit_sync("other.program", 1)
    assert medium.journal is not None
    medium.journal.close()
    ended = subprocess.run(command(file, folder), capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "waves of something else" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_begins_at_the_first_line_of_a_journal_without_waves(tmp_path: Path) -> None:
    file, folder = tmp_path / "events.jsonl", tmp_path / "journal"
    file.write_text('{"ts": 1, "channel": "a", "payload": 7}')
    assert aether("replay", tmp_path / "events.jsonl", "--journal", folder).status == 0
    assert written(folder) == [7]
    empty = Journal(tmp_path / "empty")
    Aether(journal=empty)
    empty.close()
    assert aether("replay", file, "--journal", tmp_path / "empty").status == 0
    assert written(tmp_path / "empty") == [7]


def test_a_journal_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    file, folder = tmp_path / "events.jsonl", tmp_path / "journal"
    file.write_text('{"ts": 1, "channel": "a", "payload": 7}')
    journal = Journal(folder)
    Aether(journal=journal)
    line = failure(aether("replay", file, "--journal", folder))
    assert line.startswith("aether: --journal: ")
    assert f"by the process {os.getpid()}" in line
    journal.close()
    newer = Segment(version=2)
    newer.wave(Written())
    newer.save(tmp_path / "newer")
    line = failure(aether("replay", file, "--journal", tmp_path / "newer"))
    assert line.startswith("aether: --journal: ")
    assert "its format is of version 2" in line
