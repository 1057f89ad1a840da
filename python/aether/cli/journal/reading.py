"""What all commands on a journal share: what was asked for, the files of the folder, and its reader.

Payloads are read as they are written (`Encoded`): the commands know no codec of anybody's own, and have to show and
export waves of them all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from aether import ChannelError, JournalError, _native
from aether.journal.bounds import Bounds, Moment
from aether.journal.codecs import Encoded

from ..errors import MISUSED, CliError

__all__ = [
    "Asked",
    "Encoded",
    "SegmentFile",
    "many",
    "opened",
    "segment_files",
    "span",
    "told",
    "utc",
]

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which waves of which journal, in the words of the command line."""

    path: str
    pattern: str = "*"
    since: str | None = None
    until: str | None = None
    after: int | None = None
    before: int | None = None
    limit: int | None = None
    amplitude: float | None = None
    source: str | None = None
    headers: Sequence[str] = ()
    reverse: bool = False

    def bounds(self) -> Bounds:
        """The same, checked.

        Raises:
            CliError: an option makes no sense.
        """
        try:
            return Bounds.checked(
                self.path,
                self.pattern,
                since=_moment("since", self.since),
                until=_moment("until", self.until),
                after=self.after,
                before=self.before,
                limit=self.limit,
                amplitude=self.amplitude,
                source=self.source,
                headers=dict(map(_header, self.headers)),
                reverse=self.reverse,
            )
        except ValueError as error:
            raise CliError(f"--{error}", status=MISUSED) from None


class SegmentFile(NamedTuple):
    """A file of a journal."""

    name: str
    base: int
    size: int


def segment_files(path: str) -> list[SegmentFile]:
    """The segments of a journal, in the order of their waves.

    Raises:
        CliError: there is no journal.
    """
    try:
        with os.scandir(path) as entries:
            files = [
                SegmentFile(entry.name, int(entry.name[:20]), entry.stat().st_size)
                for entry in entries
                if re.fullmatch(r"[0-9]{20}-[^-]{8}\.segment", entry.name)
            ]
    except OSError as error:
        raise CliError(f"{path}: there is no journal: {error.strerror or error}") from None
    if not files:
        raise CliError(
            f"{path}: there is no journal in it, since no file is a segment; name the folder that waves were written to"
        )
    return sorted(files, key=lambda one: (one.base, one.name))


@contextmanager
def opened(bounds: Bounds) -> Generator[_native.JournalReader]:
    """A reader of the waves that were asked for, with payloads as `Encoded`, `bytes` or None.

    Raises:
        CliError: the pattern is none, or the journal cannot be read.
    """
    try:
        yield _native.JournalReader(
            bounds.path,
            Encoded,
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
    except ChannelError as error:
        raise CliError(f"--pattern: {error}", status=MISUSED) from None
    except JournalError as error:
        raise CliError(str(error)) from None


def told(reader: _native.JournalReader) -> list[str]:
    """What was missing or damaged, a line for each kind; the last says what to do."""
    lines: list[str] = []
    if gaps := reader.gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        lines.append(
            f"{many(missing, 'wave')} missing in {many(len(gaps), 'gap')}, from sequence {gaps[0][0]:,} to"
            f" {gaps[-1][1]:,}"
        )
    if damaged := len(reader.damage) + len(reader.unreadable_segments):
        lines.append(f"damaged in {many(damaged, 'place')}")
    if lines:
        lines.append("'aether journal verify' names each of them")
    return lines


def many(count: int, what: str) -> str:
    """So many of something: `1 wave`, `2,000 waves`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def utc(seconds: float) -> str:
    """A moment as people read it; Unix seconds where that is beyond the calendar."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.3f}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def span(name: str, text: str) -> timedelta | None:
    """A span of time such as 90s, 5m, 2h, 3d, 1w; None: it is none."""
    if (parts := _AGO.fullmatch(text)) is None:
        return None
    try:
        return timedelta(**{_UNITS[parts[2]]: float(parts[1])})
    except OverflowError:
        raise ValueError(f"{name}: {text!r} is longer ago than there is time") from None


def _moment(name: str, text: str | None) -> Moment | None:
    if text is None:
        return None
    if (ago := span(name, text)) is not None:
        return ago
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{name}: {text!r} is no time; write 2026-01-31T12:00, Unix seconds, or 90s, 5m, 2h, 3d for so long ago"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _header(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"header: {text!r} has no '='; write NAME=TEXT")
    return name, value
