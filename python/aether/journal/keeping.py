"""Keeping a journal: waves taken out of it, and a copy made of it, whether it is open or not.

Contract:
- Of a journal that is open, its writer does it: what is written and read meanwhile is not disturbed.
- A journal that nobody has open is locked while waves are taken out. Where another process writes, only that one can;
  a copy, and a trial, anybody can make.
- `watch(done, of)` is called with numbers of bytes about once a MiB; what it raises stops the work and is raised.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aether import _native
from aether.errors import JournalError
from aether.journal.retention import HeldBack, Pruned, Retain

if TYPE_CHECKING:
    from aether._native import JournalWriter

__all__ = ["BackedUp", "Watch", "backup", "new_folder", "prune"]

Watch: TypeAlias = Callable[[int, int], object]
"""Is told how many bytes are done, of how many."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A copy that `Journal.backup` has made."""

    path: Path
    """Its folder."""

    segments: int
    """How many segments it has."""

    bytes: int
    """How many bytes they have."""


def prune(
    path: Path,
    writer: JournalWriter | None,
    rules: Sequence[Retain],
    *,
    dry_run: bool,
    past_cursors: bool,
    watch: Watch | None,
) -> Pruned:
    """Takes out what is beyond the rules, by way of the writer if the journal is open; see `Journal.prune`."""
    _check_watch(watch)
    said = [rule.said for rule in rules]
    if writer is not None:
        done = writer.prune(said, bool(past_cursors), bool(dry_run), watch)
    else:
        done = _native.prune_journal(path, said, bool(past_cursors), bool(dry_run), watch)
    (waves, less, dropped, rewritten), (removed, written, damaged), hold = done
    return Pruned(
        waves=waves,
        bytes=less,
        dropped=dropped,
        rewritten=rewritten,
        removed=tuple(removed),
        written=tuple(written),
        damaged=tuple(damaged),
        held_back=None if hold is None else HeldBack(*hold),
        dry_run=bool(dry_run),
    )


def backup(path: Path, writer: JournalWriter | None, folder: Path, watch: Watch | None) -> BackedUp:
    """Copies a journal, by way of the writer if it is open; see `Journal.backup`."""
    _check_watch(watch)
    with new_folder(folder):
        if writer is not None:
            segments, size = writer.backup(folder, watch)
        else:
            segments, size = _native.backup_journal(path, folder, watch)
    return BackedUp(folder, segments, size)


@contextlib.contextmanager
def new_folder(folder: Path) -> Generator[None]:
    """A folder that is new or empty; after an error, it is as it was.

    Raises:
        JournalError: There is something in it.
    """
    is_new = not folder.exists()
    if not is_new and not (folder.is_dir() and not any(folder.iterdir())):
        message = f"{folder}: is there already; name a new or empty folder"
        raise JournalError(message)
    try:
        yield
    except BaseException:
        (folder / "lock").unlink(missing_ok=True)
        if is_new and folder.is_dir():
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _check_watch(watch: object) -> None:
    if watch is not None and not callable(watch):
        message = f"watch must be a function of two numbers, not {type(watch).__name__}"
        raise TypeError(message)
