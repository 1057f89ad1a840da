"""Records in files: written line by line, and read.

Contract:
- A file that is there already is left alone unless `replace` is given.
- What is written is written whole lines at a time, and each call of `write` has reached the system when it returns: a process
  that is killed leaves a file that is sound up to its last full line. A disk that is full is the `OSError` it is.
- Reading takes plain files and gzip. A last line that is cut in two is left out, and the record is not complete, nor is one of
  a gzip that is cut off; any other line that is no wave is an error that names it, as is a whole file that is but one such.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import msgspec

from aether._closing import Closing
from aether._native import __version__
from aether.records.entries import Entry

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Record", "RecordFile", "load"]

_VERSION = 1
_HEAD = b'{"record"'


class _Notice(msgspec.Struct):
    """A line that is no wave; all that the notices may have, and what tells a wave from them."""

    record: str
    channel: Any = None
    version: int = _VERSION
    pattern: str = "*"
    ts: float | None = None
    count: Annotated[int, msgspec.Meta(ge=0)] = 0


_decode_notice = msgspec.json.Decoder(_Notice).decode


class RecordFile(Closing):
    """A record that is being written.

    Args:
        path: Where to.
        pattern: Which waves it has.
        ts: When it begins, in Unix seconds.
        program: Whose waves.
        replace: Whether a file that is there already is written over.

    Raises:
        FileExistsError: There is one.
        OSError: It cannot be written.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        pattern: str,
        ts: float,
        *,
        program: str | None = None,
        replace: bool = False,
    ) -> None:
        self.waves = 0
        """How many it has."""
        self.missed = 0
        """How many it has not."""
        self._pattern, self._ts, self._program = pattern, ts, program
        self._file: BinaryIO = Path(path).open("wb" if replace else "xb", buffering=0)  # noqa: SIM115 - open until it is closed
        try:
            self._notice(
                "begin",
                version=_VERSION,
                aether=__version__,
                program=program,
                pattern=pattern,
                ts=ts,
            )
        except OSError:
            self._file.close()
            raise

    def write(self, lines: Iterable[bytes]) -> None:
        """Writes waves, each of them a line without its end.

        Raises:
            OSError: The disk is full, or gone. What was written before is sound.
        """
        many = list(lines)
        if many:
            self._write(b"".join(line + b"\n" for line in many))
            self.waves += len(many)

    def miss(self, count: int) -> None:
        """Says that so many waves are missing here.

        Raises:
            OSError: As for `write`.
        """
        self._notice("missed", count=count)
        self.missed += count

    def end(self, ts: float) -> None:
        """Says that this was all, and closes.

        Raises:
            OSError: As for `write`.
        """
        self._notice("end", ts=ts, waves=self.waves, missed=self.missed)
        self.close()

    def close(self) -> None:
        """Closes it as it is; a second time does nothing."""
        self._file.close()

    def _notice(self, record: str, **fields: object) -> None:
        self._write(msgspec.json.encode({"record": record, **fields}) + b"\n")

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read; iterates over its waves.

    Attributes:
        entries: The waves, in the order of the file.
        pattern: Which waves it has.
        missed: How many of them are missing, as they came too fast.
        complete: Whether it was ended, and not cut off.
        end: When it was ended, in Unix seconds; `None`: it does not say.
    """

    entries: tuple[Entry, ...]
    pattern: str = "*"
    missed: int = 0
    complete: bool = True
    end: float | None = None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<Record of {self.pattern!r}: {len(self)} waves>"


def load(path: str | PathLike[str]) -> Record:
    """Reads a record, or any file of `ts`, `channel` and `payload` in lines of JSON; also one that was packed with gzip.

    Raises:
        OSError: It cannot be read.
        ValueError: A line is no wave; the message says which, and why.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from aether import Aether
        >>> from aether.testing import load, record
        >>> medium = Aether()
        >>> with TemporaryDirectory() as folder, record(medium) as seen:
        ...     _ = medium.emit_nowait("orders.created", {"id": 7})
        ...     seen.save(f"{folder}/run.jsonl")
        ...     [(entry.channel, entry.payload) for entry in load(f"{folder}/run.jsonl")]
        [('orders.created', {'id': 7})]
    """
    entries: list[Entry] = []
    pattern, missed, end = "*", 0, None
    begun = complete = cut = False
    for number, line in _lines(Path(path)):
        notice = None if line is None else _notice_of(line)
        if notice is None:
            may_be_cut = begun or bool(entries)
            entry = None if line is None else _entry_of(line, f"{path}: line {number}", may_be_cut)
            if entry is None:
                cut = True
                break
            entries.append(entry)
        elif notice.version > _VERSION:
            message = f"{path} is a record of version {notice.version}, and this library reads up to {_VERSION}; use a newer one"
            raise ValueError(message)
        elif notice.record == "begin":
            begun, pattern = True, notice.pattern
        elif notice.record == "missed":
            missed += notice.count
        elif notice.record == "end":
            complete, end = True, notice.ts
    return Record(tuple(entries), pattern, missed, (complete or not begun) and not cut, end)


def _notice_of(line: bytes) -> _Notice | None:
    if b'"record"' not in line:
        return None
    try:
        notice = _decode_notice(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return notice if notice.channel is None else None


def _entry_of(line: bytes, place: str, may_be_cut: bool) -> Entry | None:  # noqa: FBT001 - of this module
    """The wave of a line; `None`: it is cut in two."""
    try:
        return Entry.of_line(line)
    except ValueError as error:
        # What is cut in two has waves before it, or began a record itself.
        if not line.endswith(b"\n") and (may_be_cut or _HEAD.startswith(line[: len(_HEAD)])):
            return None
        message = f"{place} is no wave: {error}"
        raise ValueError(message) from None


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not blank, with their numbers; `None`: the gzip is cut off here."""
    with path.open("rb") as file:
        packed = file.peek(1)[:1] == b"\x1f"
        opened: Callable[[], Iterable[bytes]] = (
            (lambda: gzip.GzipFile(fileobj=file)) if packed else (lambda: file)
        )
        number = 0
        try:
            for number, line in enumerate(opened(), 1):
                if line.strip():
                    yield number, line
        except EOFError:
            yield number + 1, None
        except zlib.error as error:
            message = f"{path}: the gzip is broken: {error}"
            raise ValueError(message) from None
