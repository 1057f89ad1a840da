"""A wave as a line of a record, with all of its payload if that can be written.

Beside what `aether journal export` writes, a line has

| | |
|---|---|
| `medium` | the number of the medium, where that is not 1 |
| `request` | true: it was a request; its address is left out, as nobody waits there any more |
| `type` | the class of a payload that is a dataclass, a `Struct` or of attrs, as `module:name`: so it can be made again |
| `shown` | true: the payload cannot be written, or takes more than `LARGEST` bytes; what there is instead is a text for people |

Payloads are written as a journal with msgpack writes them, with keys and sets in an order of their own.
"""

from __future__ import annotations

import dataclasses
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from aether._native import REPLY_HEADER, Wave, reply_address, undone_by
from aether.console.payloads import short
from aether.console.static import field_of, shown_fields
from aether.errors import PayloadError
from aether.journal.codecs import JSON, MSGPACK, NONE, Codecs

__all__ = ["LARGEST", "UNDONE", "fields_of", "line_of"]

LARGEST = 1_048_576
"""Bytes of a payload in a record: what is larger would hold up whoever else wants the interpreter."""

UNDONE = "id", "ts", "amplitude", "phase"
"""What a line says of the wave that is undone."""

_SHOWN = 200
_CODECS: Final = Codecs(max_payload_bytes=LARGEST, sort=True)


def line_of(wave: Wave[Any], medium: int = 1) -> bytes:
    """A wave as a line, without its end.

    Args:
        wave: One that was admitted.
        medium: The number of the medium that has admitted it.
    """
    payload, more = wave.payload, dict[str, Any]()
    written = _written(payload)
    if written is None:
        written = JSON, msgspec.json.encode(_text(short(payload, _SHOWN)))
        more["shown"] = True
    elif (name := _class_of(payload)) is not None:
        more["type"] = name
    if medium != 1:
        more["medium"] = medium
    if reply_address(wave) is not None:
        more["request"] = True
    return msgspec.json.encode(fields_of(wave, *written) | more)


def _written(payload: Any) -> tuple[int, bytes] | None:
    """A payload as it is written; `None`: it cannot be."""
    try:
        return None if _is_surely_larger(payload) else _CODECS.encode(payload)
    except (PayloadError, AttributeError):
        # Of the latter, a dataclass that lacks a field.
        return None


def fields_of(wave: Wave[Any], tag: int, data: bytes) -> dict[str, Any]:
    """All fields of a wave whose payload was written so."""
    shown, is_all = _as_json(tag, data)
    fields: dict[str, Any] = {
        "sequence": wave.sequence,
        "ts": wave.timestamp,
        "channel": _text(str(wave.channel)),
        "payload": shown,
        "amplitude": wave.amplitude,
        "priority": wave.priority,
        "phase": wave.phase,
        "frequency": wave.frequency,
        "ttl": wave.ttl,
        "propagation_count": wave.propagation_count,
        "source": None if wave.source is None else _text(wave.source),
        "id": wave.id,
        "headers": _headers(wave.headers),
        "compensates": _undone(wave),
        "codec": tag,
    }
    if not is_all:
        fields["encoded"] = b64encode(data).decode()
    return fields


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {_text(name): _text(one) for name, one in headers.items() if name != REPLY_HEADER}


def _text(text: str) -> str:
    """A text that can be written: of lone surrogates there is no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _undone(wave: Wave[Any]) -> dict[str, Any] | None:
    undone = undone_by(wave)
    return None if undone is None else dict(zip(UNDONE, undone, strict=True))


def _as_json(tag: int, data: bytes) -> tuple[Any, bool]:
    """A payload as JSON, and whether that is all of it."""
    if tag == NONE:
        return None, True
    if tag not in {MSGPACK, JSON}:
        return None, False
    try:
        payload = _CODECS.decode(tag, data)
        encoded = msgspec.json.encode(payload)
        return msgspec.Raw(encoded), msgspec.json.decode(encoded) == payload
    except (
        PayloadError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
        NotImplementedError,
    ):
        return None, False


def _type_of(payload: object) -> type[Any]:
    return type(payload)


def _class_of(payload: Any) -> str | None:
    """The name of a class whose instances msgspec makes of their fields; `None`: of another one, or a local one."""
    kind = _type_of(payload)
    try:
        if not (
            issubclass(kind, msgspec.Struct)
            or dataclasses.is_dataclass(kind)
            or hasattr(kind, "__attrs_attrs__")
        ):
            return None
        name = f"{kind.__module__}:{kind.__qualname__}"
    except Exception:  # noqa: BLE001 - whatever a class of classes raises
        return None
    return None if "<" in name else _text(name)


def _is_surely_larger(payload: Any) -> bool:
    """Whether a payload is larger than `LARGEST`, as far as its plain data says, without more work than that allows."""
    left: list[Any] = [payload]
    size = 0
    while left:
        one = left.pop()
        kind = _type_of(one)
        if kind is int or kind is float or kind is bool or one is None:
            continue
        if kind is str or kind is bytes or kind is bytearray:
            size += len(one)
        elif kind is list or kind is tuple or kind is set or kind is frozenset or kind is dict:
            size += len(one)
            if size <= LARGEST:
                # Taken in one step, which other threads cannot come between.
                left += list(one)
                left += list(one.values()) if kind is dict else ()
        elif (names := shown_fields(kind)) is not None:
            left += [field_of(one, name) for name in names]
        if size > LARGEST:
            return True
    return False
