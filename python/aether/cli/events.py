r"""Event files: JSON lines of `{"ts", "channel", "payload"}`, plain or gzip, read as events and faults.

Each line of a file is one of three things:

- an `Event`: an object whose `ts` is a finite number of seconds, whose `channel` is a concrete channel, and which has a
  `payload` (any JSON value, null too). Other keys are ignored, so that files may carry more than is read here;
- nothing: a line of white space only is passed over, but counted in the numbers of the lines after it; and so is a notice
  of a record, an object with `record` and no `channel` (see `aether.records`);
- a `Fault`: everything else, with the line's number (from 1) and the reason in one line. A fault never ends the reading.

What ends it is a `SourceError`: the file is missing, a folder, not readable, not the gzip that its name says, or a gzip
that is broken or cut short. What came before the break has been handed out by then. gzip is recognised by its first
byte (no JSON line starts with 0x1f), so standard input may be compressed too.

Nothing here prints, and nothing is read before it is asked for. Memory is bounded: a line of more than `MAX_LINE` bytes
is a fault and its bytes are dropped as they come.

```text
bytes   {"ts":1,"channel":"a.b",   "payload":0}\n {"ts":2,"ch   annel":"a.*","payload":0}\n \n oops\n
chunks  |----------- read() ----------------------------------| |------------ read() ---------------|
items   Event(1, 1.0, "a.b", 0)                                 Fault(2, "a.* is a pattern ..."), Fault(4, "broken JSON ...")
```
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from .errors import SourceError, one_line

__all__ = ["MAX_LINE", "BadLineError", "Event", "EventReader", "Fault"]

MAX_LINE = 16 * 1024 * 1024
"""The longest line in bytes; a file of no lines at all must not fill the memory."""

_CHUNK = 64 * 1024
_KNOWN_CHANNELS = 65_536
_QUOTED = 60


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a file."""

    line: int
    """Number of its line, from 1."""
    ts: float
    """When it happened, in seconds; finite."""
    channel: str
    """The concrete channel it is emitted on."""
    payload: object
    """Whatever the line's `payload` holds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is no event."""

    line: int
    """Number of the line, from 1."""
    reason: str
    """What is wrong with it, in one line."""


class EventReader:
    """Reads one event file from its beginning to its end; a context manager that closes it.

    Args:
        source: a path, or `-` for standard input.
        check: tells what is wrong with a channel's name, or None; by default Aether's own rules.

    Raises:
        SourceError: there is nothing readable at `source`.
    """

    def __init__(
        self, source: str | os.PathLike[str], *, check: Callable[[str], str | None] | None = None
    ) -> None:
        path = os.fspath(source)
        self.name = "standard input" if path == "-" else path
        self._path = path
        self._check = check or _channel_fault
        self._known: set[str] = set()
        self._raw = _open(path, self.name)
        self._stream: io.BufferedReader | gzip.GzipFile | None = None
        self._lines = _Lines()
        self._ended = False
        self._reading = False
        info = os.fstat(self._raw.fileno())
        self.size: int | None = info.st_size if stat.S_ISREG(info.st_mode) else None
        """Bytes of the file as it lies on the disk; None for a pipe or a terminal."""

    @property
    def may_wait(self) -> bool:
        """Whether `read` may wait for somebody else to write: a pipe or a terminal, not a file."""
        return self.size is None

    @property
    def position(self) -> int:
        """Bytes read so far, compressed where the file is; comparable with `size`."""
        return 0 if self.size is None else self._raw.tell()

    def read(self) -> list[Event | Fault] | None:
        """The events and faults of the next piece of the file, perhaps none; None at the end.

        Raises:
            SourceError: the file cannot be read on.
        """
        if self._ended:
            return None
        self._reading = True
        try:
            chunk = self._chunk()
        except EOFError:
            raise self._broken("the gzip is cut short") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self._broken(f"the gzip is broken: {error}") from None
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from None
        finally:
            self._reading = False
        self._ended = not chunk
        return [
            item
            for number, line in self._lines.feed(chunk)
            if (item := self._parse(number, line)) is not None
        ]

    def __iter__(self) -> Iterator[Event | Fault]:
        """Everything that is left, one by one."""
        while (items := self.read()) is not None:
            yield from items

    def close(self) -> None:
        """Close the file; one that a thread still reads from is left to that thread."""
        if not self._reading:
            self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _chunk(self) -> bytes:
        if self._stream is None:
            self._stream = self._decompressed()
        return self._stream.read1(_CHUNK)

    def _decompressed(self) -> io.BufferedReader | gzip.GzipFile:
        head = self._raw.peek(1)[:1]
        if head == b"\x1f":
            return gzip.GzipFile(fileobj=self._raw, mode="rb")
        if self._path.endswith(".gz"):
            what = "does not begin as gzip" if head else "is empty"
            raise SourceError(f"{self.name}: no gzip file: it {what}, though the name ends in .gz")
        return self._raw

    def _broken(self, why: str) -> SourceError:
        return SourceError(f"{self.name}: cannot be read on after line {self._lines.number}: {why}")

    def _parse(self, number: int, line: bytes | None) -> Event | Fault | None:
        if line is None:
            return Fault(number, f"longer than {MAX_LINE:,} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            return None
        try:
            record = _decode(line)
            if "record" in record and "channel" not in record:
                return None
            return self._event(number, record)
        except BadLineError as error:
            return Fault(number, str(error))

    def _event(self, number: int, record: dict[str, object]) -> Event:
        missing = [key for key in ("ts", "channel", "payload") if key not in record]
        if missing:
            raise BadLineError(f"missing: {', '.join(missing)}")
        ts, channel = _seconds(record["ts"]), record["channel"]
        if not isinstance(channel, str):
            raise BadLineError(f"channel must be a string, not {_quote(channel)}")
        # A good name is looked at once, as files repeat their channels.
        if channel not in self._known:
            if wrong := self._check(channel):
                raise BadLineError(one_line(wrong))
            if len(self._known) >= _KNOWN_CHANNELS:
                self._known.clear()
            self._known.add(channel)
        return Event(number, ts, channel, record["payload"])


class BadLineError(ValueError):
    """Why a line is no event."""


class _Lines:
    """Cuts chunks into numbered lines; None stands for a line that was too long to keep."""

    def __init__(self) -> None:
        self.number = 0
        """Lines handed out so far."""
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        """The lines that `chunk` completes; an empty one completes the last."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            yield self._cut(chunk[start:end])
            start = end + 1
        if start < len(chunk):
            self._keep(chunk[start:])
        elif not chunk and self._size:
            yield self._cut(b"")

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= MAX_LINE:
            self._rest.append(piece)
        else:
            self._rest.clear()

    def _cut(self, piece: bytes) -> tuple[int, bytes | None]:
        self._keep(piece)
        line = None if self._size > MAX_LINE else b"".join(self._rest)
        self._rest.clear()
        self._size = 0
        self.number += 1
        return self.number, line


def _open(path: str, name: str) -> io.BufferedReader:
    if path == "-":
        if sys.stdin is None:
            raise SourceError("standard input is closed")
        # A reader of our own: the interpreter takes the lock of sys.stdin's as it ends, and a thread
        # that is left waiting would hold it.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise SourceError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise SourceError(f"{name}: is a folder, not a file") from None
    except OSError as error:
        # Not `Path.is_dir`, which raises for a name that is too long.
        what = "is a folder, not a file" if os.path.isdir(path) else error.strerror or str(error)  # noqa: PTH112
        raise SourceError(f"{name}: {what}") from None


def _decode(line: bytes) -> dict[str, object]:
    try:
        record: object = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = f"0x{line[error.start]:02x}"
        raise BadLineError(f"not UTF-8: byte {byte} at column {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise BadLineError(f"broken JSON: {error.msg} at column {error.pos + 1}") from None
    except RecursionError:
        raise BadLineError("broken JSON: nested too deeply") from None
    except ValueError as error:
        raise BadLineError(f"broken JSON: {one_line(str(error))}") from None
    if not isinstance(record, dict):
        raise BadLineError(f"must be an object with ts, channel and payload, not {_quote(record)}")
    return cast("dict[str, object]", record)


def _seconds(ts: object) -> float:
    if isinstance(ts, bool) or not isinstance(ts, int | float):
        raise BadLineError(f"ts must be a number of seconds, not {_quote(ts)}")
    try:
        seconds = float(ts)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise BadLineError(f"ts must be finite, not {_quote(ts)}")
    return seconds


def _channel_fault(name: str) -> str | None:
    from aether import Channel, ChannelError

    try:
        channel: Channel[object] = Channel(name)
    except ChannelError as error:
        return str(error)
    return (
        f"channel {_quote(name)} is a pattern; an event needs a concrete channel"
        if channel.is_pattern
        else None
    )


def _quote(value: object) -> str:
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= _QUOTED else text[: _QUOTED - 3] + "..."
