"""The job that the demo does twice, once with a medium and once with hand-written queues.

Here is what both share: the history and how loud its events are, the rules of what is derived from them, and the work
that is done on each. Neither waves nor queues are known here, so that nobody can do less than the other.

```text
replayer --> repo.tokio.commit.created --> audit, activity, urgent, sentry, digest
         --> file.tokio.src.lib_rs.added --> audit, hot files
sentry, of a large commit --> alert.tokio.large_commit --> audit, escalation, desk, digest
escalation, of a wide one --> alert.tokio.wide_commit  --> audit, desk, digest
```
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict, cast, get_type_hints
from zlib import crc32

from ..errors import SourceError
from ..events import Event, EventReader, Fault

__all__ = [
    "ACTIVITY_LANES",
    "AT_ONCE",
    "LARGE_COMMIT",
    "LOUD",
    "MAILBOXES",
    "ROOM",
    "SLOW_MAILBOX",
    "SLOW_PAUSE",
    "URGENT_AT_ONCE",
    "Activity",
    "Audit",
    "Change",
    "Commit",
    "Desk",
    "Emission",
    "FileChange",
    "Findings",
    "HotFiles",
    "Loudest",
    "Urgent",
    "derived",
    "escalate",
    "load",
    "loudness",
    "raise_alert",
]

MAILBOXES: dict[str, tuple[str, ...]] = {
    "audit": ("*",),
    "hot files": ("file.*",),
    "activity": ("repo.+.commit.*",),
    "urgent": ("repo.+.commit.*",),
    "sentry": ("repo.+.commit.*",),
    "escalation": ("alert.+.large_commit",),
    "desk": ("alert.*",),
    "digest": ("repo.*", "alert.*"),
}
"""Who listens to what: the medium is told these patterns, and the sums are checked against them."""

LARGE_COMMIT = 500
"""Lines from which a commit is large."""
WIDE_COMMIT = 30
"""Files from which a large commit is wide."""
ROOM = 1000
"""Waves that a mailbox holds, and a queue."""
SLOW_MAILBOX = 64
"""Room of the slow reader."""
SLOW_PAUSE = 0.001
"""Seconds that the slow reader takes for each."""
AT_ONCE = 64
"""Waves that a reader with nothing else to do takes in one go."""
URGENT_AT_ONCE = 8
"""Commits that the urgent reader takes before it lets others run."""


_COMMIT_TOKENS = 3
"""Tokens behind `repo` in the channel of a commit: repository, `commit`, what happened."""
ACTIVITY_LANES = 8
"""Authors whose commits are handled at the same time; those of one author are handled in order."""


class Change(TypedDict):
    """What the history says of every change."""

    commit: str
    added: int
    removed: int


class FileChange(Change):
    """Of the change of one file."""

    path: str


class Commit(Change):
    """Of a commit; an alert carries the commit that it is about."""

    author: str
    files: int


_COMMIT = get_type_hints(Commit)
_FILE_CHANGE = get_type_hints(FileChange)
_WORDS = {str: "string", int: "whole number from 0"}


@dataclass(frozen=True, slots=True)
class Emission:
    """One event of the history, ready to be emitted."""

    channel: str
    payload: Any
    """A `Commit` or a `FileChange`, as its channel says."""
    amplitude: float
    timestamp: float
    """When it happened, in Unix seconds."""


def load(reader: EventReader) -> list[Emission]:
    """The whole history.

    Raises:
        SourceError: it cannot be read, or a line of it is no commit and no file.
    """
    emissions: list[Emission] = []
    for item in reader:
        if isinstance(item, Fault):
            raise SourceError(f"{reader.name}: line {item.line}: {item.reason}")
        emissions.append(_emission(item, reader.name))
    if not emissions:
        raise SourceError(f"{reader.name}: no event in it")
    return emissions


def _emission(event: Event, name: str) -> Emission:
    kind, *more = event.channel.split(".")
    if kind == "repo" and len(more) >= _COMMIT_TOKENS and more[1] == "commit":
        shape = _COMMIT
    elif kind == "file" and more:
        shape = _FILE_CHANGE
    else:
        raise SourceError(f"{name}: line {event.line}: {event.channel}: no commit and no file")
    if not isinstance(event.payload, dict):
        raise SourceError(f"{name}: line {event.line}: the payload must be an object")
    payload = cast("dict[str, object]", event.payload)
    for key, wanted in shape.items():
        value = payload.get(key)
        # A bool is an int to Python, but no number of lines.
        if type(value) is not wanted or (isinstance(value, int) and value < 0):
            raise SourceError(
                f"{name}: line {event.line}: the payload needs {key}, a {_WORDS[wanted]}"
            )
    loud = loudness(cast("Change", cast("object", payload)))
    return Emission(event.channel, payload, loud, event.ts)


def lines(payload: Change) -> int:
    """Lines that a commit or a change of a file touched."""
    return payload["added"] + payload["removed"]


def loudness(payload: Change) -> float:
    """Amplitude of a change: 0.1 for an empty one, and 0.2 more for each tenfold of lines, at most 1."""
    return min(1.0, 0.1 + 0.2 * math.log10(1 + lines(payload)))


LOUD = 0.1 + 0.2 * math.log10(1 + LARGE_COMMIT)
"""The amplitude of the smallest large commit."""


def raise_alert(channel: str, payload: Commit) -> str | None:
    """Where the sentry's alert of a commit goes; None for a commit that is not large."""
    return f"alert.{channel.split('.')[1]}.large_commit" if lines(payload) >= LARGE_COMMIT else None


def escalate(channel: str, payload: Commit) -> str | None:
    """Where the alert of a large commit is handed on to; None unless it is wide as well."""
    return f"alert.{channel.split('.')[1]}.wide_commit" if payload["files"] >= WIDE_COMMIT else None


def derived(history: list[Emission]) -> Iterator[str]:
    """The channels of everything that the chain must emit for this history, told from the history alone."""
    for event in history:
        if event.channel.startswith("repo.") and (
            alert := raise_alert(event.channel, event.payload)
        ):
            yield alert
            if wide := escalate(alert, event.payload):
                yield wide


@dataclass(slots=True)
class Audit:
    """Accounts for everything: how many of each domain, and a checksum that does not depend on the order."""

    domains: Counter[str] = field(default_factory=Counter)
    checksum: int = 0

    def take(self, channel: str, payload: Change) -> None:
        """Enter one into the books."""
        self.domains[channel.partition(".")[0]] += 1
        entry = f"{channel} {payload['commit']} +{payload['added']} -{payload['removed']}"
        self.checksum = (self.checksum + crc32(entry.encode())) % (1 << 64)


@dataclass(slots=True)
class HotFiles:
    """Which files change most often."""

    changes: Counter[str] = field(default_factory=Counter)

    def take(self, payload: FileChange) -> None:
        """Count one change of a file."""
        self.changes[payload["path"]] += 1


@dataclass(slots=True)
class Activity:
    """What each author did: commits, and lines touched."""

    commits: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)

    def take(self, payload: Commit) -> None:
        """Count one commit."""
        author = payload["author"]
        self.commits[author] += 1
        self.lines[author] += lines(payload)


@dataclass(slots=True)
class Desk:
    """Alerts by what they are about, and how far they came."""

    alerts: Counter[str] = field(default_factory=Counter)
    hops: int = 0

    def take(self, channel: str, hops: int) -> None:
        """File one alert."""
        self.alerts[channel.rpartition(".")[2]] += 1
        self.hops = max(self.hops, hops)


@dataclass(slots=True)
class Loudest:
    """What a slow reader saw: how many at all, and how many of the loud ones."""

    seen: int = 0
    loud: int = 0

    def take(self, amplitude: float) -> None:
        """Note one."""
        self.seen += 1
        self.loud += amplitude >= LOUD


@dataclass(slots=True)
class Urgent:
    """How long commits waited for review: the large ones, and the others."""

    large: array[float] = field(default_factory=lambda: array("d"))
    others: array[float] = field(default_factory=lambda: array("d"))

    def take(self, priority: float, waited: float) -> None:
        """Review one commit that waited so many seconds."""
        (self.large if priority >= LOUD else self.others).append(waited)


@dataclass(slots=True)
class Findings:
    """The work of all of them."""

    audit: Audit = field(default_factory=Audit)
    hot_files: HotFiles = field(default_factory=HotFiles)
    activity: Activity = field(default_factory=Activity)
    urgent: Urgent = field(default_factory=Urgent)
    desk: Desk = field(default_factory=Desk)
    digest: Loudest = field(default_factory=Loudest)

    def differences(self, other: Findings) -> list[str]:
        """A line for each part whose work must be the same in both and is not."""
        pairs = (
            ("audit", self.audit, other.audit),
            ("hot files", self.hot_files, other.hot_files),
            ("activity", self.activity, other.activity),
            ("desk", self.desk, other.desk),
        )
        return [
            f"{name}: the medium and the queues found different things"
            for name, a, b in pairs
            if a != b
        ]
