"""`Journal`: the durable, append-only history of a medium.

Contract:
- A journal is a folder. It is written by one medium at a time, from `Aether(journal=...)` until that is closed;
  any number of readers, also of other processes, read it meanwhile.
- An emission is first checked and given room, then appended, then made as durable as `durability` says, and then
  delivered, in the order of the journal. Once it is appended it completes, whoever stops waiting for it.
- A wave that the journal refuses reaches nobody (`on_failure="refuse"`), or everybody without being in the
  journal (`"deliver_undurably"`), which `medium.health()` shows.
- What is beyond the rules of `retention` is taken out while it is open; see `aether.journal.retention`. If that
  fails, the medium goes on, and `retention_trouble` says why.
- In the child of a fork the journal is closed and nothing is written: the parent goes on.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aether import _native
from aether.errors import Closed, JournalError
from aether.journal.bounds import Bounds, Moment, checked_predicate
from aether.journal.codecs import AsWritten, Codec, Codecs
from aether.journal.keeping import Kept, folder_of
from aether.journal.replay import Replay
from aether.journal.retention import Retain, checked_rules

if TYPE_CHECKING:
    from aether import Wave
    from aether._native import JournalWriter, Receipt

Durability: TypeAlias = Literal["fsync", "os", "none"]
OnFailure: TypeAlias = Literal["refuse", "deliver_undurably"]

_MEBIBYTE = 1024 * 1024

# The largest payload unless the configuration of the medium says another.
_PAYLOAD_BYTES = _MEBIBYTE

# 31 days.
_LONGEST_INTERVAL = 2_678_400

_open: weakref.WeakSet[Journal] = weakref.WeakSet()


class Journal(Kept):
    """A folder of waves: given to a medium, which writes them there before it delivers them, or read.

    Args:
        path: The folder. It is made when a medium opens the journal.
        codec: How payloads are written: ``"msgpack"``, ``"json"``, ``"pickle"``, or an object of your own (see
            `aether.journal.codecs`). `bytes`, `None` and numpy arrays have ways of their own.
        also: Codecs that only read, for waves that were written with them.
        durability: When a wave counts as written, and is delivered: ``"fsync"``, once the disk has it; ``"os"``,
            once the operating system has it, which survives the process and not the power; ``"none"``, at once.
        on_failure: What becomes of a wave that the journal refuses: ``"refuse"`` raises, and nobody gets it;
            ``"deliver_undurably"`` delivers it without writing it.
        segment_bytes: The size at which a file of the journal is complete, in bytes: 4,096 or more.
        pending_bytes: How many bytes may wait for the disk before emissions wait: 4,096 or more.
        snapshot_interval: After how many waves a snapshot is taken, from which the next start begins: 1 or more.
        retention: Rules of what is kept. What is beyond any of them is taken out in the background while a medium
            has it open; a segment is written anew when a quarter of it would go.
        retention_interval: After how many seconds the rules are applied again, above 0, at most 2,678,400 (31 days);
            earlier if a segment became complete.
        prune_past_cursors: Whether retention takes what durable cursors, and vibrators that are behind, have still to
            come to.

    Raises:
        TypeError: An option is of the wrong type.
        ValueError: An option is out of range.

    Example:
        >>> import asyncio, tempfile
        >>> from aether import Aether
        >>> from aether.journal import Journal
        >>> async def main(folder):
        ...     async with Aether(journal=Journal(folder)) as medium:
        ...         receipt = await medium.emit_wave("orders.created", {"id": 7})
        ...     return receipt.position, [wave.payload for wave in Journal(folder).replay("orders.*")]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(main(folder))
        (1, [{'id': 7}])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        codec: str | Codec = "msgpack",
        also: Iterable[Codec] = (),
        durability: Durability = "fsync",
        on_failure: OnFailure = "refuse",
        segment_bytes: int = 64 * _MEBIBYTE,
        pending_bytes: int = 64 * _MEBIBYTE,
        snapshot_interval: int = 1000,
        retention: Iterable[Retain] = (),
        retention_interval: float = 60.0,
        prune_past_cursors: bool = False,
    ) -> None:
        self._path = Path(folder_of(path))
        self._codecs = Codecs(codec, also=also)
        self._durability = _one_of("durability", durability, ("fsync", "os", "none"))
        self._on_failure = _one_of("on_failure", on_failure, ("refuse", "deliver_undurably"))
        self._segment_bytes = _at_least("segment_bytes", segment_bytes, 4096)
        self._pending_bytes = _at_least("pending_bytes", pending_bytes, 4096)
        self._snapshot_interval = _at_least("snapshot_interval", snapshot_interval, 1)
        self._retention = checked_rules("retention", retention)
        self._retention_interval = _interval(retention_interval)
        self._prune_past_cursors = bool(prune_past_cursors)
        self._writer: JournalWriter | None = None

    @classmethod
    def as_written(cls, path: str | os.PathLike[str]) -> Journal:
        """A journal whose payloads are not decoded, but stay as they are written; for tools."""
        journal = cls(path)
        journal._codecs = AsWritten()
        return journal

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    def __repr__(self) -> str:
        state = "" if self._writer is None else " open"
        return f"<Journal {str(self._path)!r}{state}>"

    # Reading

    def replay(
        self,
        pattern: str = "*",
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        after: int | None = None,
        before: int | None = None,
        where: Callable[[Wave], object] | None = None,
        limit: int | None = None,
        amplitude: float | None = None,
        source: str | None = None,
        headers: Mapping[str, str] | None = None,
        reverse: bool = False,
    ) -> Replay:
        """The waves of the journal that fit everything that is said, in the order of their sequences.

        All but `where` is asked of the records, without decoding a payload. It reads what is on the disk, also while
        another process writes to it. Where, by the indexes of the segments, nothing is of that pattern, time or
        sequence, nothing is read.

        Args:
            pattern: Of which channels: a channel or pattern.
            since: Made then or later: Unix seconds, a `datetime` with a time zone, or a `timedelta` ago.
            until: Made earlier than that.
            after: With sequences above this: 0 or more.
            before: With sequences below this: 0 or more.
            where: A function that is asked last; what it takes for true comes.
            limit: How many at most.
            amplitude: So loud or louder: 0..1.
            source: Emitted by a vibrator of this name.
            headers: With these headers, and others perhaps.
            reverse: From the last one to the first: then `limit` counts from the last, and what comes to the journal
                after the first look does not come.

        Returns:
            What ``for`` and ``async for`` read, or `to_columns()`. `gaps` says what is missing.

        Raises:
            ChannelError: `pattern` is no pattern.
            JournalError: There is no such folder, or it cannot be read.
            TypeError: An argument is of the wrong type.
            ValueError: One is out of its range.
        """
        bounds = Bounds.checked(
            str(self._path),
            pattern,
            since=since,
            until=until,
            after=after,
            before=before,
            limit=limit,
            amplitude=amplitude,
            source=source,
            headers=headers,
            reverse=reverse,
        )
        return Replay(self._reader, bounds, checked_predicate(where))

    def _reader(self, bounds: Bounds) -> _native.JournalReader:
        return _native.JournalReader(
            bounds.path,
            self._codecs.decode,
            pattern=bounds.pattern,
            after=bounds.after,
            before=bounds.before,
            since=bounds.since,
            until=bounds.until,
            amplitude=bounds.amplitude,
            source=bounds.source,
            headers=list(bounds.headers),
            limit=bounds.limit,
            reverse=bounds.reverse,
        )

    # Writing

    def open(self, max_payload_bytes: int = _PAYLOAD_BYTES) -> JournalWriter:
        """Opens it to be written, for a medium.

        Raises:
            JournalError: Somebody writes there already, this process or the one that is named; or the folder
                cannot be read.
        """
        if self._writer is not None:
            message = (
                f"the journal {self._path} is open already: a journal has one medium at a time"
            )
            raise JournalError(message)
        self._writer = _native.JournalWriter(
            self._path,
            self._codecs.limited(max_payload_bytes).encode,
            self._codecs.decode,
            durability=self._durability,
            undurably=self._on_failure == "deliver_undurably",
            segment_bytes=self._segment_bytes,
            pending_bytes=self._pending_bytes,
            snapshot_interval=self._snapshot_interval,
            max_payload_bytes=max_payload_bytes,
            retention=[rule.said for rule in self._retention],
            retention_interval=self._retention_interval,
            past_cursors=self._prune_past_cursors,
        )
        _open.add(self)
        return self._writer

    @property
    def is_open(self) -> bool:
        """Whether a medium writes to it, by way of this object."""
        return self._writer is not None

    @property
    def last(self) -> int:
        """The position that was given last; 0: none yet."""
        return self._opened().last

    @property
    def safe(self) -> int:
        """All waves up to this position are as durable as asked, but for those that were refused."""
        return self._opened().safe

    @property
    def trouble(self) -> str | None:
        """Why it takes no waves now: it has failed, or its disk is full; `None`: it does, or is not open."""
        return None if self._writer is None else self._writer.trouble

    def durable(self, position: int) -> Awaitable[Receipt]:
        """Awaits the final receipt of a wave that was emitted by `emit_nowait`.

        Args:
            position: That of its receipt. Of a bare number, the counts of the final receipt are 0.

        Raises:
            JournalFull: The disk had no room for it, and nobody got it.
            JournalFailed: The journal has failed before it was safe, and nobody got it.
            Closed: The journal is not open.
            ValueError: No such position was given.
        """
        return self._opened().durable(position)

    def flush(self) -> Awaitable[Receipt]:
        """Awaits that all that was emitted so far is as durable as asked.

        Raises:
            JournalFull: The disk had no room for the last of it.
            JournalFailed: The journal has failed.
            Closed: The journal is not open.
        """
        return self._opened().flushed()

    def close(self) -> None:
        """Writes what waits, and closes the files; the medium does so when it is closed.

        Raises:
            JournalFailed: The journal has failed; it is closed all the same.
            RuntimeError: It was called below `prune`, by its `watch`, and nothing is closed.
        """
        writer = self._writer
        if writer is None:
            return
        # Who prunes it stops first, and is waited for.
        writer.end_pruning()
        self._writer = None
        _open.discard(self)
        writer.close()

    def forget(self) -> None:
        """Closes the files and writes nothing: for the child of a fork."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.forget()

    def _opened(self) -> JournalWriter:
        if self._writer is None:
            message = (
                f"the journal {self._path} is not open: give it to a medium, Aether(journal=...)"
            )
            raise Closed(message)
        return self._writer


def _one_of(what: str, given: Any, words: tuple[str, ...]) -> Any:
    if given not in words:
        listed = ", ".join(map(repr, words))
        message = f"{what} must be one of {listed}, not {given!r}"
        raise ValueError(message)
    return given


def _at_least(what: str, given: int, least: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        message = f"{what} must be an int, not {type(given).__name__}"
        raise TypeError(message)
    if not least <= given <= sys.maxsize:
        message = f"{what} must be in {least}..{sys.maxsize}, not {given}"
        raise ValueError(message)
    return given


def _interval(given: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        message = f"retention_interval must be seconds, not {type(given).__name__}"
        raise TypeError(message)
    if not 0 < given <= _LONGEST_INTERVAL:
        message = (
            f"retention_interval must be above 0, at most {_LONGEST_INTERVAL} seconds, not {given}"
        )
        raise ValueError(message)
    return float(given)


def _close_all() -> None:
    """At the end of the program: what was appended is written."""
    for journal in list(_open):
        with contextlib.suppress(JournalError):
            journal.close()


def _forget_all() -> None:
    """In the child of a fork."""
    for journal in list(_open):
        journal.forget()
    _open.clear()


atexit.register(_close_all)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
