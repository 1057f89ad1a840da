"""Waves taken out of a journal by limits, and a copy of one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aether import ChannelError
from aether.journal import Journal, Pruned, Retain

from ..console import Screen
from ..errors import MISUSED, CliError
from .info import size
from .reading import many, span
from .verify import watched

__all__ = ["Limits", "backup", "prune"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT]?)(i?)B?", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept, in the words of the command line."""

    pattern: str | None = None
    max_age: str | None = None
    max_bytes: str | None = None
    max_count: int | None = None
    keep_last: int | None = None

    def rule(self) -> Retain:
        """The same, checked.

        Raises:
            CliError: an option makes no sense, or there is no limit.
        """
        limits = (self.max_age, self.max_bytes, self.max_count, self.keep_last)
        if all(limit is None for limit in limits):
            raise CliError(
                "give a limit: --max-age, --max-bytes, --max-count or --keep-last", status=MISUSED
            )
        try:
            return Retain(
                pattern=self.pattern,
                max_age=None if self.max_age is None else _age(self.max_age),
                max_bytes=None if self.max_bytes is None else _bytes(self.max_bytes),
                max_count=self.max_count,
                keep_last=self.keep_last,
            )
        except ChannelError as error:
            raise CliError(f"--pattern: {error}", status=MISUSED) from None
        except ValueError as error:
            raise CliError(f"--{error}", status=MISUSED) from None


def prune(screen: Screen, path: str, limits: Limits, *, dry_run: bool, past_cursors: bool) -> None:
    """Takes out what is beyond the limits, and says what that was.

    Raises:
        CliError: an option makes no sense, somebody else writes to the journal, or the disk has failed.
    """
    rule = limits.rule()
    with watched(screen, f"pruning {path}", path) as watch:
        done = Journal(path).prune(rule, dry_run=dry_run, past_cursors=past_cursors, watch=watch)
    screen.print(_line(done))
    if done.damaged:
        screen.complain(
            f"{many(len(done.damaged), 'segment')} left as they are, since they are damaged: "
            f"{', '.join(done.damaged)}"
        )
    if done.held_back is not None:
        name, position = done.held_back
        screen.complain(
            f"held back by the reader {name!r}, which is done with what is up to sequence {position:,}; "
            f"--past-cursors takes the rest too"
        )


def backup(screen: Screen, path: str, into: str) -> None:
    """Copies a journal, and says what the copy has.

    Raises:
        CliError: there is something in the folder of the copy, or the disk has failed.
    """
    with watched(screen, f"copying {path}", path) as watch:
        done = Journal(path).backup(into, watch=watch)
    screen.print(f"{into}: {many(done.segments, 'segment')}, {size(done.bytes)}")


def _line(done: Pruned) -> str:
    files = f"{many(done.dropped, 'segment')} dropped, {done.rewritten:,} written anew"
    less = size(done.bytes) if done.bytes >= 0 else f"-{size(-done.bytes)}"
    verb = "would go" if done.dry_run else "taken out"
    return f"{many(done.waves, 'wave')} {verb}, {less}; {files}"


def _age(text: str) -> float:
    age = span("max-age", text)
    if age is None:
        raise ValueError(f"max-age: {text!r} is no span of time; write 90s, 5m, 2h, 7d or 4w")
    return age.total_seconds()


def _bytes(text: str) -> int:
    """A size: 4096, 10kB, 500MB, 1.5GiB."""
    parts = _SIZE.fullmatch(text)
    if parts is None or (parts[3] and not parts[2]):
        raise ValueError(f"max-bytes: {text!r} is no size; write 4096, 500MB or 1.5GiB")
    base = 1024 if parts[3] else 1000
    return int(float(parts[1]) * base ** _POWERS[parts[2].upper()])
