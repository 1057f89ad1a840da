"""Copies of a journal: while it is written, from outside, and of what is damaged."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.journal.test_prune import CHANNELS, emitted, found, large, sizes, small
from tests.journal.writing import Written, write

from aether import Aether, JournalError, _native
from aether.journal import BackedUp, Journal, Retain

pytestmark = pytest.mark.anyio


def contents(folder: Path) -> list[tuple[Any, ...]]:
    return [
        (wave.sequence, wave.id, wave.timestamp, str(wave.channel), wave.payload)
        for wave in Journal(folder).replay()
    ]


def test_a_copy_has_all_that_is_there(tmp_path: Path) -> None:
    folder, copy = tmp_path / "journal", tmp_path / "to" / "copy"
    journal = small(folder)
    emitted(Aether(journal=journal), 300)
    for name in ("open", "closed"):
        done = journal.backup(copy / name)
        assert done == BackedUp(
            copy / name, len(sizes(copy / name)), sum(sizes(copy / name).values())
        )
        assert contents(copy / name) == contents(folder)
        assert _native.verify_journal(copy / name, lambda _done, _of: None)["sound"]
        journal.close()
    # It is the same journal, and goes on.
    medium = Aether(journal=small(copy / "open"))
    assert emitted(medium, 1) == [301]
    assert medium.journal is not None
    medium.journal.close()
    assert len(found(folder)) == 300


async def test_cursors_are_in_it(tmp_path: Path) -> None:
    folder, copy = tmp_path / "journal", tmp_path / "copy"
    async with Aether(journal=small(folder)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await medium.emit_many([("orders.paid", number) for number in range(10)])
        for wave in await billing.receive_many(6):
            await billing.ack(wave)
        assert medium.journal is not None
        medium.journal.backup(copy)
    async with Aether(journal=small(copy)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        waves = [await billing.receive() for _ in range(4)]
        assert [wave.payload for wave in waves if wave] == [6, 7, 8, 9]


def test_it_is_made_while_others_write_and_prune(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = small(
        folder, retention=[Retain(pattern="metrics.*", keep_last=5)], retention_interval=0.001
    )
    medium = Aether(journal=journal)
    written: dict[int, int] = {}
    done = threading.Event()

    def emit() -> None:
        number = 0
        while not done.is_set():
            written[medium.emit_sync(CHANNELS[number % 3], number).position or 0] = number
            number += 1

    emitter = threading.Thread(target=emit)
    emitter.start()
    try:
        for number in range(12):
            # From the program that writes, and from one that only looks.
            source = journal if number % 2 else Journal(folder)
            before = dict(written)
            source.backup(tmp_path / f"copy{number}")
            replay = Journal(tmp_path / f"copy{number}").replay()
            copied = {wave.sequence or 0: wave for wave in replay}
            assert replay.gaps == []
            assert list(copied) == sorted(copied)
            # All that was acknowledged before it began and that the rules keep.
            missing = before.keys() - copied.keys()
            assert all(before[position] % 3 == 2 for position in missing)
    finally:
        done.set()
        emitter.join(60)
        journal.close()
    assert all(
        wave.payload == written[position]
        for position, wave in copied.items()
        if position in written
    )


def test_what_is_damaged_stays_so(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    first, *_ = write(folder, [Written() for _ in range(9)], every=3)
    data = bytearray((folder / first.name).read_bytes())
    data[first.places[2].start] ^= 1
    (folder / first.name).write_bytes(data)
    Journal(folder).backup(tmp_path / "copy")
    for name in sizes(folder):
        assert (folder / name).read_bytes() == (tmp_path / "copy" / name).read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    journal = small(tmp_path / "journal")
    emitted(Aether(journal=journal), 3)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_bytes(b"mine")
    for path in (taken, taken / "file", tmp_path / "journal"):
        with pytest.raises(JournalError, match="name a new or empty folder"):
            journal.backup(path)
    assert [path.name for path in taken.iterdir()] == ["file"]
    wrong: Any = 7
    with pytest.raises(TypeError, match="path must be a str or a path"):
        journal.backup(wrong)
    with pytest.raises(TypeError, match="watch must be a function"):
        journal.backup(tmp_path / "copy", watch=wrong)
    journal.close()
    with pytest.raises(JournalError, match="no journal"):
        Journal(tmp_path / "none").backup(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_it_tells_how_far_it_is_and_leaves_nothing_when_stopped(tmp_path: Path) -> None:
    journal = large(tmp_path / "journal")
    told: list[tuple[int, int]] = []
    journal.backup(tmp_path / "copy", watch=lambda done, of: told.append((done, of)))
    assert len(told) > 4
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]

    def stop(done: int, of: int) -> None:
        if done > of // 2:
            raise KeyboardInterrupt

    (tmp_path / "empty").mkdir()
    for name, is_there in (("new", False), ("empty", True)):
        with pytest.raises(KeyboardInterrupt):
            journal.backup(tmp_path / name, watch=stop)
        assert (tmp_path / name).exists() == is_there
    assert list((tmp_path / "empty").iterdir()) == []
    journal.close()
