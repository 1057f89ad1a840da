"""`aether journal prune`, `backup` and `replay --reverse`: what they do, print and exit with."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.cli.test_command import Result, aether, failure
from tests.journal.test_prune import CHANNELS, emitted, found, noted, sizes, small
from tests.journal.writing import Segment, Written, write

from aether import Aether
from aether.journal import Journal


def command(name: str, *arguments: str | Path) -> Result:
    return aether("journal", name, *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def segments(folder: Path) -> list[Segment]:
    """Twelve waves in four segments, the first one eleven days old, the last one made now."""
    now = time.time()
    waves = [
        Written(CHANNELS[number % 3], bytes(100), time=now - (11 - number) * 86_400)
        for number in range(12)
    ]
    return write(folder, waves, every=3)


# -- prune -------------------------------------------------------------------------------------


def test_prune_takes_out_and_says_what(folder: Path, segments: list[Segment]) -> None:
    before = sum(sizes(folder).values())
    done = command("prune", folder, "--max-count", "5")
    less = before - sum(sizes(folder).values())
    assert (done.status, done.err) == (0, "")
    assert done.out == f"6 waves taken out, {_size(less)}; 2 segments dropped, 0 written anew\n"
    assert found(folder) == list(range(7, 13))
    assert segments[0].name not in sizes(folder)


def _size(count: int) -> str:
    return f"{count} B" if count < 1024 else f"{count / 1024:.1f} KiB"


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--max-age", "5.5d"], range(7, 13)),
        (["--max-age", "1w"], range(4, 13)),
        (["--max-age", "36h", "--max-count", "1000"], range(10, 13)),
        (["--max-bytes", "1kB"], range(7, 13)),
        (["--max-bytes", "1GiB"], range(1, 13)),
        (["--max-bytes", "0"], range(10, 13)),
        (["-p", "orders.*", "--max-count", "3"], [3, 6, 8, 9, 10, 11, 12]),
        (["--keep-last", "2"], [7, 8, 9, 10, 11, 12]),
    ],
)
def test_prune_goes_by_its_limits(
    folder: Path, segments: list[Segment], options: list[str], left: list[int]
) -> None:
    assert segments
    assert command("prune", folder, *options).status == 0
    assert found(folder) == list(left)


def test_prune_only_tries_where_it_is_told(folder: Path, segments: list[Segment]) -> None:
    assert segments
    before = sizes(folder)
    done = command("prune", folder, "--keep-last", "1", "--dry-run")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("9 waves would go, ")
    assert sizes(folder) == before


def test_prune_names_the_cursor_that_holds_it_back(folder: Path, segments: list[Segment]) -> None:
    segments[-1].acknowledged("billing", noted(4))
    segments[-1].save(folder)
    done = command("prune", folder, "--max-count", "0")
    assert done.status == 0
    assert done.out.startswith("3 waves taken out")
    assert "held back by the reader 'billing', which is done with what is up to" in done.err
    assert "--past-cursors" in done.err
    done = command("prune", folder, "--max-count", "0", "--past-cursors")
    assert (done.status, done.err) == (0, "")
    assert found(folder) == [10, 11, 12]


def test_prune_names_what_is_damaged(folder: Path, segments: list[Segment]) -> None:
    path = folder / segments[0].name
    data = bytearray(path.read_bytes())
    data[segments[0].places[2].start] ^= 1
    path.write_bytes(data)
    done = command("prune", folder, "--keep-last", "1")
    assert done.status == 0
    assert f"1 segment left as they are, since they are damaged: {path.name}" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give a limit: --max-age, --max-bytes, --max-count or --keep-last"),
        (["--max-age", "7"], "--max-age: '7' is no span of time"),
        (["--max-age", "99999999999d"], "--max-age: '99999999999d' is longer"),
        (["--max-bytes", "much"], "--max-bytes: 'much' is no size"),
        (["--max-bytes", "5iB"], "--max-bytes: '5iB' is no size"),
        (["--max-count", "1", "-p", "a..b"], "--pattern: "),
    ],
)
def test_prune_says_what_makes_no_sense(
    folder: Path, segments: list[Segment], options: list[str], said: str
) -> None:
    assert segments
    assert said in failure(command("prune", folder, *options), 2)
    assert len(found(folder)) == 12


def test_prune_leaves_a_journal_alone_that_is_written(folder: Path) -> None:
    journal = small(folder)
    emitted(Aether(journal=journal), 100)
    done = command("prune", folder, "--max-count", "1")
    assert done.status == 1
    assert f"written by the process {os.getpid()}" in failure(done)
    assert command("prune", folder, "--max-count", "1", "--dry-run").status == 0
    assert len(found(folder)) == 100
    journal.close()


def test_prune_needs_a_journal(tmp_path: Path) -> None:
    done = command("prune", tmp_path / "none", "--max-count", "1")
    assert done.status == 1
    assert "there is no journal" in failure(done)
    assert not (tmp_path / "none").exists()


# -- backup ------------------------------------------------------------------------------------


def test_backup_copies(folder: Path, segments: list[Segment], tmp_path: Path) -> None:
    done = command("backup", folder, tmp_path / "copy")
    assert (done.status, done.err) == (0, "")
    total = sum(len(segment.data) for segment in segments)
    assert done.out == f"{tmp_path / 'copy'}: 4 segments, {_size(total)}\n"
    assert sizes(tmp_path / "copy") == sizes(folder)
    done = command("backup", folder, tmp_path / "copy")
    assert done.status == 1
    assert "name a new or empty folder" in failure(done)


def test_backup_copies_what_is_written(folder: Path, tmp_path: Path) -> None:
    journal = small(folder)
    emitted(Aether(journal=journal), 100)
    assert command("backup", folder, tmp_path / "copy").status == 0
    journal.close()
    assert found(tmp_path / "copy") == found(folder)


# -- replay ------------------------------------------------------------------------------------


def test_replay_prints_the_newest_first(folder: Path, segments: list[Segment]) -> None:
    assert segments
    done = command("replay", folder, "--reverse", "-n", "3", "-p", "orders.*")
    assert (done.status, done.err) == (0, "")
    assert [int(row[0]) for row in done.rows()] == [11, 10, 8]
    assert [wave.sequence for wave in Journal(folder).replay("orders.*")][-3:] == [8, 10, 11]
