"""What is said on the socket of a console: a JSON object in each line.

```text
server: {"type": "hello", "version": 1, "pid": 4711, ...}
client: {"type": "watch", "interval": 1.0}           or {"type": "tap", "pattern": "orders.*"}
server: {"type": "snapshot", ...}, again and again      {"type": "wave", ...}, {"type": "missed", "count": 120}
client: {"type": "record", "pattern": "orders.*"}
server: {"type": "begun", ...}, then {"type": "recorded", "line": {...}}, {"type": "missed", "count": 120}
```

Contract:
- The server speaks first. A client asks for one thing, and is answered until it closes the connection; what it asks for
  wrongly is answered by `error`, and the end.
- `version` grows when something is changed or taken away; fields and types of messages may be added without that, so whoever
  reads leaves out what it does not know.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

__all__ = [
    "VERSION",
    "Answer",
    "Begun",
    "Failure",
    "HandlerView",
    "HealthView",
    "Hello",
    "MailboxView",
    "MediumView",
    "Missed",
    "Record",
    "Recorded",
    "Request",
    "Snapshot",
    "Tap",
    "Watch",
    "WaveView",
    "decode_answer",
    "decode_request",
    "encode",
    "recorded",
]

VERSION = 1


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """Who answers."""

    version: int
    pid: int
    program: str
    aether: str


class Watch(msgspec.Struct, tag="watch", frozen=True):
    """Asks for snapshots, one after so many seconds: 0.1 at least, and an hour at most."""

    interval: float = 1.0


class Tap(msgspec.Struct, tag="tap", frozen=True):
    """Asks for the waves of a pattern, with so many characters of each payload."""

    pattern: str
    length: int = 200


class Record(msgspec.Struct, tag="record", frozen=True):
    """Asks for the waves of a pattern with all that they carry."""

    pattern: str


class MailboxView(msgspec.Struct, frozen=True):
    """A mailbox: a vibrator's own, or that of a handler, with what stands behind the busy keys of that."""

    number: int
    vibrator: str
    handler: str | None
    waiting: int
    capacity: int
    received: int
    lost: int
    readers: int


class HandlerView(msgspec.Struct, frozen=True):
    """A handler and its workers; `working` are the waves that they are at."""

    mailbox: int
    vibrator: str
    handler: str
    concurrency: int
    working: int
    failed: int


class HealthView(msgspec.Struct, frozen=True):
    """See `aether.Health`."""

    live: bool
    ready: bool
    reasons: tuple[str, ...]
    hints: tuple[str, ...]


class MediumView(msgspec.Struct, frozen=True):
    """A medium. `more` mailboxes are left out, those in which the least waits; `statistics` are `MediumStatistics`."""

    number: int
    phase: str
    statistics: dict[str, Any]
    mailboxes: list[MailboxView]
    more: int
    handlers: list[HandlerView]
    health: HealthView
    resources: dict[str, Any] | None = None
    journal: dict[str, Any] | None = None


class Snapshot(msgspec.Struct, tag="snapshot", frozen=True):
    """All media of a process, at `time` in Unix seconds; `clock` are seconds that do not go back."""

    time: float
    clock: float
    media: list[MediumView]


class WaveView(msgspec.Struct, tag="wave", frozen=True):
    """A wave that has passed; `payload` is what `aether.console.payloads` shows of it."""

    medium: int
    sequence: int | None
    time: float
    channel: str
    amplitude: float
    source: str | None
    headers: int
    payload: str


class Missed(msgspec.Struct, tag="missed", frozen=True):
    """So many waves have passed that there was no room for."""

    count: int


class Begun(msgspec.Struct, tag="begun", frozen=True):
    """From now on, `time` in Unix seconds, waves are recorded."""

    time: float


class Recorded(msgspec.Struct, tag="recorded", frozen=True):
    """A wave that has passed, as a line of a record: see `aether.records`."""

    line: msgspec.Raw


class Failure(msgspec.Struct, tag="error", frozen=True):
    """Why the client is not answered."""

    message: str


Request: TypeAlias = Watch | Tap | Record
Answer: TypeAlias = Hello | Snapshot | WaveView | Begun | Recorded | Missed | Failure

_encoder = msgspec.json.Encoder(enc_hook=str)
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def encode(message: Request | Answer) -> bytes:
    """A line."""
    return _encoder.encode(message) + b"\n"


def recorded(line: bytes) -> bytes:
    """The line of a `Recorded`, without reading what was written already."""
    return b'{"type":"recorded","line":' + line + b"}\n"


def decode_request(line: bytes) -> Request:
    """What a client asks for.

    Raises:
        ValueError: It is no request.
    """
    return _requests.decode(line)


def decode_answer(line: bytes) -> Answer:
    """What a server says.

    Raises:
        ValueError: It is no answer, or one that is not known here.
    """
    return _answers.decode(line)
