"""Keeping a journal: waves taken out of it, and a copy made of it, whether it is open or not.

Contract:
- Of a journal that is open, its writer does it: what is written and read meanwhile is not disturbed.
- A journal that nobody has open is locked while waves are taken out. Where another process writes, only that one can;
  a copy, and a trial, anybody can make.
- `watch(done, of)` is called with numbers of bytes about once a MiB; what it raises stops the work and is raised.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aether import _native
from aether.errors import JournalError
from aether.journal.retention import HeldBack, Pruned, Retain, checked_rules

if TYPE_CHECKING:
    from aether._native import JournalWriter

__all__ = ["BackedUp", "Kept", "Watch", "folder_of", "new_folder"]

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


class Kept:
    """The part of a journal that keeps it small, and copies it."""

    _path: Path
    _retention: tuple[Retain, ...]
    _writer: JournalWriter | None

    def prune(
        self,
        *rules: Retain,
        dry_run: bool = False,
        past_cursors: bool = False,
        watch: Watch | None = None,
    ) -> Pruned:
        """Takes out what is beyond the rules, now and to the last wave; without rules, by its own `retention`.

        It works on a journal that is open, which goes on meanwhile, and on one that nobody has open. It waits for the
        disk: in a coroutine, call it in a thread, ``await to_thread.run_sync(journal.prune)``.

        Args:
            rules: What is kept.
            dry_run: Only say what would go. That can also be asked where another process writes.
            past_cursors: Whether what durable cursors, and vibrators that are behind, have still to come to may go.
            watch: Called with how many bytes are done, of how many, first of looking and then of taking out.

        Raises:
            JournalError: There is no such folder; another process writes there, which is named; it is being pruned
                by another call; or the disk has failed, and the steps before that are done.
            JournalFull: There is no room to write a segment anew.
            Closed: The journal was closed meanwhile.
            TypeError: There is something else than rules.
            ValueError: There are no rules.

        Example:
            >>> import tempfile
            >>> from aether import Aether
            >>> from aether.journal import Journal, Retain
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     journal = Journal(folder, segment_bytes=4096)
            ...     medium = Aether(journal=journal)
            ...     for number in range(100):
            ...         _ = medium.emit_sync("metrics.load", number)
            ...     pruned = journal.prune(Retain(pattern="metrics.*", keep_last=70))
            ...     left = len(list(journal.replay()))
            ...     journal.close()
            >>> pruned.waves, left
            (30, 70)
        """
        given = checked_rules("rules", rules) or self._retention
        if not given:
            message = "prune needs rules, as Retain(max_count=1000), or a journal with retention="
            raise ValueError(message)
        _check_watch(watch)
        said, options = [rule.said for rule in given], (bool(past_cursors), bool(dry_run))
        if self._writer is not None:
            done = self._writer.prune(said, *options, watch)
        else:
            done = _native.prune_journal(self._path, said, *options, watch)
        (waves, freed, anew, dropped, rewritten), (removed, written, damaged), hold = done
        return Pruned(
            waves=waves,
            bytes=freed - anew,
            dropped=dropped,
            rewritten=rewritten,
            removed=tuple(removed),
            written=tuple(written),
            damaged=tuple(damaged),
            held_back=None if hold is None else HeldBack(*hold),
            dry_run=bool(dry_run),
        )

    def backup(self, path: str | os.PathLike[str], watch: Watch | None = None) -> BackedUp:
        """Copies all that is committed now, cursors too; the copy is the same journal, and can be opened.

        It works while the journal is written and pruned. From another process than the one that writes, the copy may
        end with waves that were not acknowledged yet. As `prune`, it waits for the disk.

        Args:
            path: The folder of the copy: new or empty. After an error it is as it was.
            watch: Called with how many bytes are done, of how many.

        Raises:
            JournalError: There is no journal, there is something in the folder of the copy, or the disk has failed.
            JournalFull: There is no room for the copy.
            TypeError: An argument is of the wrong type.
        """
        _check_watch(watch)
        copy = Path(folder_of(path))
        with new_folder(copy):
            if self._writer is not None:
                segments, size = self._writer.backup(copy, watch)
            else:
                segments, size = _native.backup_journal(self._path, copy, watch)
        return BackedUp(copy, segments, size)

    @property
    def retention(self) -> tuple[Retain, ...]:
        """Its rules of what is kept."""
        return self._retention

    @property
    def retention_trouble(self) -> str | None:
        """Why its retention could not do last what it is to; `None`: it could, or the journal is not open."""
        return None if self._writer is None else self._writer.retention_trouble


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


def folder_of(path: str | os.PathLike[str]) -> str:
    """The folder that was named, as text; `TypeError` for anything else."""
    try:
        folder = os.fspath(path)
    except TypeError:
        raise TypeError(f"path must be a str or a path, not {type(path).__name__}") from None
    if not isinstance(folder, str):
        raise TypeError("path must be text, not bytes; os.fsdecode makes it so")
    return folder
