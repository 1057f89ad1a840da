"""A `Journal` as an object: its options, and what it says while it is open and while it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.probes import PATIENCE, assert_says, payloads, tuned, until

from aether import Aether, Closed
from aether.journal import Journal

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (
            {"durability": "disk"},
            ValueError,
            "durability must be one of 'fsync', 'os', 'none', not 'disk'",
        ),
        (
            {"on_failure": None},
            ValueError,
            "on_failure must be one of 'refuse', 'deliver_undurably', not None",
        ),
        ({"segment_bytes": 4095}, ValueError, r"segment_bytes must be in 4096\.\.\d+, not 4095"),
        ({"segment_bytes": 1e6}, TypeError, "segment_bytes must be an int, not float"),
        ({"pending_bytes": 0}, ValueError, r"pending_bytes must be in 4096\.\.\d+, not 0"),
        (
            {"pending_bytes": 10**30},
            ValueError,
            r"pending_bytes must be in 4096\.\.\d+, not 10{30}",
        ),
        ({"snapshot_interval": 0}, ValueError, r"snapshot_interval must be in 1\.\.\d+, not 0"),
        ({"snapshot_interval": True}, TypeError, "snapshot_interval must be an int, not bool"),
    ],
)
def test_an_option_that_is_wrong_is_named(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        Journal(tmp_path / "journal", **options)
    assert list(tmp_path.iterdir()) == []


async def test_while_it_is_not_open_it_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    asks = [lambda: journal.last, lambda: journal.safe, lambda: journal.durable(1), journal.flush]

    def says_so() -> None:
        for ask in asks:
            with pytest.raises(Closed) as caught:
                ask()
            assert_says(caught.value, tmp_path, "is not open", "Aether(journal=...)")
        assert not journal.is_open
        assert journal.trouble is None
        assert repr(journal) == f"<Journal {str(tmp_path)!r}>"
        # There is nothing to end.
        journal.close()
        journal.forget()

    says_so()
    async with Aether(journal=journal):
        assert (journal.last, journal.safe, journal.is_open) == (0, 0, True)
        assert repr(journal) == f"<Journal {str(tmp_path)!r} open>"
    says_so()


@pytest.mark.parametrize("durability", ["fsync", "os", "none"])
async def test_a_flush_awaits_all_that_was_emitted(tmp_path: Path, durability: Any) -> None:
    journal = Journal(tmp_path, durability=durability)
    async with Aether(journal=journal) as medium:
        reader = tuned(medium, "*", order="fifo")
        with anyio.fail_after(PATIENCE):
            await journal.flush()
            for number in range(100):
                medium.emit_nowait("a.b", number)
            receipt = await journal.flush()
            assert (receipt.position, journal.last) == (100, 100)
            # With "none" it does not wait until they are written.
            await until(lambda: journal.safe == 100)
            assert [wave.payload for wave in journal.replay()] == list(range(100))
            await medium.until_delivered()
        assert payloads(reader) == list(range(100))


def test_a_medium_that_cannot_be_made_gives_its_journal_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    clock: Any = 7
    with pytest.raises(TypeError, match="clock"):
        Aether(journal=journal, clock=clock)
    assert not journal.is_open
    Aether(journal=journal).emit_sync("a.b", 1)
    journal.close()
    assert [wave.payload for wave in journal.replay()] == [1]


def test_the_journal_of_a_medium_is_a_journal(tmp_path: Path) -> None:
    path: Any = tmp_path
    with pytest.raises(TypeError) as caught:
        Aether(journal=path)
    assert_says(
        caught.value, "must be a Journal, not PosixPath", "Journal(path) makes one of a folder"
    )
