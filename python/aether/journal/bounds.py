"""Which waves of a journal are wanted, as a person says it: checked, and in the numbers that records have."""

from __future__ import annotations

import dataclasses
import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeAlias

if TYPE_CHECKING:
    from aether import Wave

__all__ = ["Bounds", "Moment", "checked_predicate"]

Moment: TypeAlias = float | datetime | timedelta
"""A moment: Unix seconds, a `datetime` with a time zone, or how long ago as a `timedelta`."""

_MOST = 2**63 - 1
"""Beyond every sequence."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What `Journal.replay` was asked for, but for its predicate."""

    path: str
    pattern: str = "*"
    since: float | None = None
    until: float | None = None
    after: int | None = None
    before: int | None = None
    limit: int | None = None
    amplitude: float | None = None
    source: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    reverse: bool = False

    @classmethod
    def checked(
        cls,
        path: str,
        pattern: str,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
        amplitude: float | None = None,
        source: str | None = None,
        headers: Mapping[str, str] | None = None,
        reverse: bool = False,
    ) -> Self:
        """The bounds that were given. What is said in time ago counts from now.

        Raises:
            TypeError: One is of the wrong type.
            ValueError: One is out of its range.
        """
        now = time.time()
        if source is not None and not isinstance(source, str):
            raise TypeError(f"source must be a str, not {type(source).__name__}")
        if not isinstance(reverse, bool):
            raise TypeError(f"reverse must be True or False, not {type(reverse).__name__}")
        return cls(
            path,
            pattern,
            since=_seconds("since", since, now),
            until=_seconds("until", until, now),
            after=_count("after", after),
            before=_count("before", before),
            limit=_count("limit", limit),
            amplitude=_loudness(amplitude),
            source=source,
            headers=_pairs(headers),
            reverse=reverse,
        )

    def without_limit(self) -> Self:
        """The same, as many as there are."""
        return dataclasses.replace(self, limit=None)

    def __str__(self) -> str:
        given = [
            f"{field.name}={value!r}"
            for field in dataclasses.fields(self)[2:]
            if (value := getattr(self, field.name)) is not False and value not in {None, ()}
        ]
        return ", ".join([repr(self.path), repr(str(self.pattern)), *given])


def checked_predicate(
    where: Callable[[Wave], object] | None,
) -> Callable[[Wave], object] | None:
    """A predicate that can be called in place; `TypeError` for anything else."""
    if where is None:
        return None
    if not callable(where):
        raise TypeError(f"where must be a function of a wave, not {type(where).__name__}")
    if inspect.iscoroutinefunction(where):
        raise TypeError("where must be a plain function, not an async one: it is asked in place")
    return where


def _seconds(name: str, moment: object, now: float) -> float | None:
    """A moment in Unix seconds."""
    if moment is None:
        return None
    if isinstance(moment, datetime):
        if moment.utcoffset() is None:
            raise ValueError(
                f"{name} must be a datetime with a time zone, not {moment!r}; write tzinfo=datetime.UTC, or call"
                f" astimezone() if it is local time"
            )
        return moment.timestamp()
    if isinstance(moment, timedelta):
        return now - moment.total_seconds()
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        kind = type(moment).__name__
        raise TypeError(
            f"{name} must be Unix seconds, a datetime with a time zone or a timedelta (ago), not {kind}"
        )
    try:
        seconds = float(moment)
    except OverflowError:
        seconds = math.inf if moment > 0 else -math.inf
    if math.isnan(seconds):
        raise ValueError(f"{name} must be a number of Unix seconds, not nan")
    return seconds


def _count(name: str, count: object) -> int | None:
    """A sequence, or how many."""
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"{name} must be an int, not {type(count).__name__}")
    if count < 0:
        raise ValueError(f"{name} must be 0 or more, not {count}")
    return min(count, _MOST)


def _loudness(amplitude: object) -> float | None:
    if amplitude is None:
        return None
    if isinstance(amplitude, bool) or not isinstance(amplitude, int | float):
        raise TypeError(f"amplitude must be a number, not {type(amplitude).__name__}")
    if not 0.0 <= amplitude <= 1.0:
        raise ValueError(f"amplitude must be a number in 0..1, not {amplitude}")
    return float(amplitude)


def _pairs(headers: Mapping[Any, Any] | None) -> tuple[tuple[str, str], ...]:
    if headers is None:
        return ()
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must be a mapping of str to str, not {type(headers).__name__}")
    pairs: list[tuple[str, str]] = []
    for name, text in headers.items():
        for part in (name, text):
            if not isinstance(part, str):
                kind = type(part).__name__
                raise TypeError(f"headers[{name!r}] must be a str to a str, not {kind}")
        pairs.append((name, text))
    return tuple(pairs)
