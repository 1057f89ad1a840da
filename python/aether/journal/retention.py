"""What a journal keeps: the rules of its retention, and what one pruning has taken.

Contract of the rules:
- Each limit is taken by itself, and what is beyond any of them goes. The oldest waves go first, by sequence; only
  `max_age` goes by their time.
- A limit without a pattern takes whole segments, and each only when everything in it is beyond the limit: so the newest
  so many waves, or bytes, or seconds stay, and up to one segment more. With a pattern, and for `keep_last`, waves are
  taken one by one.
- The segment that is written to is never touched, nor, unless that is asked for, what a durable cursor has still to
  come to, or a vibrator of this program that reads history or is behind.
- What was taken is noted, and is no gap. Whatever happens meanwhile, a wave that stays is there, once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from aether.channel import Channel

__all__ = ["HeldBack", "Pruned", "Retain", "checked_rules"]

_LIMITS = ("max_age", "max_bytes", "max_count", "keep_last")


@dataclass(frozen=True, kw_only=True, slots=True)
class Retain:
    """What a journal keeps, of all channels or of some. A limit of `None` takes nothing.

    Args:
        pattern: Of which channels: a channel or pattern; `None`: of all together, by whole segments.
        max_age: Waves made longer ago go: seconds, 0 or more, or a `timedelta`; kept in seconds.
        max_bytes: So many bytes of waves stay, the newest: 0 or more.
        max_count: So many waves stay, the newest: 0 or more.
        keep_last: So many waves of each channel stay, the newest: 0 or more.

    Raises:
        ChannelError: `pattern` is no pattern.
        TypeError: An argument is of the wrong type.
        ValueError: One is out of its range, or there is no limit.

    Example:
        >>> from datetime import timedelta
        >>> from aether.journal import Retain
        >>> Retain(pattern="metrics.*", max_age=timedelta(days=7)).max_age
        604800.0
    """

    pattern: str | None = None
    max_age: float | timedelta | None = None
    max_bytes: int | None = None
    max_count: int | None = None
    keep_last: int | None = None

    def __post_init__(self) -> None:
        """Checks what was given."""
        if self.pattern is not None:
            Channel(self.pattern)
        if all(getattr(self, limit) is None for limit in _LIMITS):
            message = f"Retain needs a limit, one or more of {', '.join(_LIMITS)}: without one it takes nothing"
            raise ValueError(message)
        object.__setattr__(self, "max_age", _age(self.max_age))
        for limit in _LIMITS[1:]:
            _check_count(limit, getattr(self, limit))

    @property
    def said(self) -> tuple[str | None, float | None, int | None, int | None, int | None]:
        """The same for the native side, ages in seconds."""
        return self.pattern, _age(self.max_age), self.max_bytes, self.max_count, self.keep_last


class HeldBack(NamedTuple):
    """What kept waves that the rules would take."""

    reader: str
    """The name of the durable cursor that has finished least, or of the vibrator that is furthest behind."""

    position: int
    """It is done with all waves up to this one; 0: none."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `Journal.prune` took, or would take."""

    waves: int
    """How many waves."""

    bytes: int
    """By how many bytes the files are smaller; readers that have one open keep it until they are through. Below 0
    where the notes of what was taken need more room than that had."""

    dropped: int
    """How many segments went as a whole."""

    rewritten: int
    """How many segments were written anew, without some of their waves."""

    removed: tuple[str, ...]
    """The files of segments that are no more; none in a trial."""

    written: tuple[str, ...]
    """Those that came in their place; none in a trial."""

    damaged: tuple[str, ...]
    """The files that are not written anew, as they are damaged and can still be looked into."""

    held_back: HeldBack | None
    """Who has kept waves which the rules would take, if somebody has."""

    dry_run: bool
    """Whether it was only tried."""


def checked_rules(what: str, rules: Iterable[Retain]) -> tuple[Retain, ...]:
    """The rules that were given.

    Raises:
        TypeError: There is something else among them.
    """
    if isinstance(rules, Retain):
        message = f"{what} must be a list of Retain, not a single one: write [{rules!r}]"
        raise TypeError(message)
    try:
        given = tuple(rules)
    except TypeError:
        message = f"{what} must be a list of Retain, not {type(rules).__name__}"
        raise TypeError(message) from None
    for rule in given:
        if not isinstance(rule, Retain):
            message = f"{what} must be of Retain, not {type(rule).__name__}"
            raise TypeError(message)
    return given


def _age(age: object) -> float | None:
    if age is None:
        return None
    if isinstance(age, timedelta):
        age = age.total_seconds()
    if isinstance(age, bool) or not isinstance(age, int | float):
        message = f"max_age must be seconds or a timedelta, not {type(age).__name__}"
        raise TypeError(message)
    if not 0 <= age <= sys.float_info.max or not math.isfinite(age):
        message = f"max_age must be a finite number of seconds, 0 or more, not {age}"
        raise ValueError(message)
    return float(age)


def _check_count(limit: str, count: object) -> None:
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, int):
        message = f"{limit} must be an int, not {type(count).__name__}"
        raise TypeError(message)
    if not 0 <= count <= sys.maxsize:
        message = f"{limit} must be in 0..{sys.maxsize}, not {count}"
        raise ValueError(message)
