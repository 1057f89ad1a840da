"""One wave of a record, as it is read and compared."""

from __future__ import annotations

import binascii
import sys
from base64 import b64decode
from dataclasses import dataclass
from inspect import getattr_static
from typing import Any, Final

import msgspec

from aether._native import Wave
from aether.errors import PayloadError
from aether.journal.codecs import Codecs

__all__ = ["Entry"]

_DERIVED = "dead", "physics", "aether"
"""First tokens of channels that the library itself emits on."""
_NOBODY = "replayed"
"""The address of a request that nobody waits for."""

_CODECS: Final = Codecs()


@dataclass(frozen=True, slots=True)
class Entry:
    """A wave that was recorded.

    Attributes:
        channel: Where it went.
        payload: What it carried, as plain data; of what cannot be written, a text for people.
        ts: When it was made, in Unix seconds.
        sequence: Its number in the medium that admitted it; `None`: the line does not say.
        amplitude: How loud it was.
        phase: In radians.
        frequency: In hertz.
        ttl: In seconds.
        propagation_count: How many hops it had behind it: 1 for one that came from outside.
        source: Who has emitted it.
        id: Its id in the run that was recorded.
        headers: Text by name.
        compensates: Whether it undoes another one.
        request: Whether it was a request.
        type: The class of its payload, as `module:name`, where it can be made again of plain data.
        shown: Whether `payload` is but a text for people.
    """

    channel: str
    payload: Any = None
    ts: float = 0.0
    sequence: int | None = None
    amplitude: float = 1.0
    phase: float = 0.0
    frequency: float = 1.0
    ttl: float | None = None
    propagation_count: int = 1
    source: str | None = None
    id: str | None = None
    headers: dict[str, str] | None = None
    compensates: bool = False
    request: bool = False
    type: str | None = None
    shown: bool = False

    @property
    def is_led_to(self) -> bool:
        """Whether another wave has led to it, or the library emits it itself: it did not come from outside."""
        return (
            self.propagation_count > 1
            or self.compensates
            or self.channel.partition(".")[0] in _DERIVED
        )

    @classmethod
    def of_line(cls, line: bytes) -> Entry:
        """The wave of a line.

        Raises:
            ValueError: It has no wave, or one whose fields are of other types.
        """
        try:
            said = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(str(error)) from None
        payload = said.payload
        if said.encoded is not None:
            try:
                payload = _CODECS.decode(said.codec or 0, b64decode(said.encoded, validate=True))
            except (binascii.Error, PayloadError) as error:
                message = f"encoded: {error}"
                raise ValueError(message) from None
        return cls(
            channel=said.channel,
            payload=payload,
            ts=said.ts,
            sequence=said.sequence,
            amplitude=said.amplitude,
            phase=said.phase,
            frequency=said.frequency,
            ttl=said.ttl,
            propagation_count=said.propagation_count,
            source=said.source,
            id=said.id,
            headers=said.headers,
            compensates=said.compensates is not None,
            request=said.request,
            type=said.type,
            shown=said.shown,
        )

    def wave(self) -> Wave[Any]:
        """A new wave like it, to be emitted.

        A payload of a class that this process has imported is made an object of it; otherwise it stays plain data.

        Raises:
            ValueError: The channel breaks a rule, or a number is out of its range.
        """
        headers = dict(self.headers or {})
        if self.request:
            headers["aether-reply"] = _NOBODY
        return Wave(
            self.channel,
            self._object(),
            amplitude=self.amplitude,
            phase=self.phase,
            frequency=self.frequency,
            source=self.source,
            headers=headers or None,
            ttl=self.ttl,
        )

    @property
    def is_whole(self) -> bool:
        """Whether `wave()` has a payload like the one that was recorded."""
        return not self.shown and (self.type is None or _found(self.type) is not None)

    def _object(self) -> Any:
        kind = None if self.type is None else _found(self.type)
        if kind is None:
            return self.payload
        try:
            return msgspec.convert(self.payload, kind)
        except (msgspec.ValidationError, TypeError) as error:
            message = f"the payload is no {self.type} any more: {error}"
            raise ValueError(message) from None


def _found(name: str) -> type[Any] | None:
    """A class of a module that is imported: nothing is, nor does anything run, as a file may name anything."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        # Not a module's own `__getattr__`, which may import more.
        found = getattr_static(found, part, None)
    return found if isinstance(found, type) else None


class _Line(msgspec.Struct):
    ts: float
    channel: str
    payload: Any
    sequence: int | None = None
    amplitude: float = 1.0
    phase: float = 0.0
    frequency: float = 1.0
    ttl: float | None = None
    propagation_count: int = 1
    source: str | None = None
    id: str | None = None
    headers: dict[str, str] | None = None
    compensates: Any = None
    codec: int | None = None
    encoded: str | None = None
    request: bool = False
    type: str | None = None
    shown: bool = False


_decode = msgspec.json.Decoder(_Line).decode
