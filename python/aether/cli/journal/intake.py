"""Waves from JSON lines into a new journal.

Lines of `aether journal export` keep all of their fields but the sequence, which is given anew, from 1. Of what a line
does not say, the usual is taken, so that any event file will do; but what it says has to be right. Bad lines are
reported with their number, counted and skipped; with `strict` the first one ends it.

The folder takes its name once it is complete and safe on the disk: whatever goes wrong before leaves nothing there.
"""

from __future__ import annotations

import binascii
import os
import shutil
from base64 import b64decode
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aether import JournalError, PayloadError, Wave, _native
from aether.journal.codecs import JSON, MSGPACK, NONE, Codecs
from aether.records.lines import UNDONE

from ..console import Screen
from ..errors import CliError
from ..events import BadLineError, Event, EventReader, Fault
from .reading import many

__all__ = ["import_lines"]

_LARGEST = 1 << 30
_MOST_HOPS = 65_535
_BYTE = 255


@dataclass(frozen=True, slots=True)
class _Line(Event):
    """An event with whatever else its line says."""

    record: dict[str, Any]


class _LineReader(EventReader):
    """Reads events with all that their lines say."""

    def _event(self, number: int, record: dict[str, object]) -> _Line:
        event = super()._event(number, record)
        return _Line(event.line, event.ts, event.channel, event.payload, record)


def import_lines(screen: Screen, target: str, source: str, *, strict: bool) -> None:
    """Makes a journal of the lines of a file.

    Raises:
        CliError: there is something at `target`; no line is a wave; a bad line under `strict`; a full disk.
        SourceError: the file cannot be read.
    """
    waves = faults = 0
    fields = _Fields()
    with (
        _LineReader(source) as reader,
        _folder(target) as folder,
        screen.progress(f"importing {reader.name}", reader.size, counted=False) as tick,
    ):
        journal = _native.JournalImport(folder)

        def skip(fault: Fault) -> None:
            if strict:
                raise CliError(f"{reader.name}: line {fault.line}: {fault.reason}")
            screen.complain(f"line {fault.line}: {fault.reason}")

        while (items := reader.read()) is not None:
            for item in items:
                fault = item if isinstance(item, Fault) else _appended(journal, fields, item)
                waves += fault is None
                if fault is not None:
                    faults += 1
                    skip(fault)
            tick(reader.position)
        if faults and not waves:
            raise CliError(
                f"{reader.name}: none of its lines is a wave ({faults:,} bad); each is an object with ts, channel and"
                f" payload"
            )
        journal.close()
    skipped = f"; {many(faults, 'bad line')} skipped" if faults else ""
    screen.print(f"{target}: {many(waves, 'wave')}{skipped}")


def _appended(journal: _native.JournalImport, fields: _Fields, item: Event) -> Fault | None:
    """Appends the wave of a line; what is wrong with it, if it is none."""
    record: dict[str, Any] = item.record if isinstance(item, _Line) else {}
    try:
        journal.append(*fields.of(item, record))
    except (BadLineError, ValueError) as error:
        return Fault(item.line, str(error))
    return None


class _Fields:
    """What a line says, as the fields of a record."""

    def __init__(self) -> None:
        self._encode: dict[int, Callable[[Any], tuple[int, bytes]]] = {
            MSGPACK: Codecs(max_payload_bytes=_LARGEST).encode,
            JSON: Codecs("json", max_payload_bytes=_LARGEST).encode,
        }

    def of(self, event: Event, record: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments of `JournalImport.append`.

        Raises:
            BadLineError: a field is of the wrong type.
        """
        amplitude = _number(record, "amplitude", 1.0)
        numbers = (
            event.ts,
            amplitude,
            _number(record, "priority", amplitude),
            _number(record, "phase", 0.0),
            _number(record, "frequency", 1.0),
            None if record.get("ttl") is None else _number(record, "ttl", 0.0),
            _whole(record, "propagation_count", 1, _MOST_HOPS),
        )
        source = _text(record, "source")
        identity = _text(record, "id") or Wave(event.channel).id
        headers = _texts(record, "headers")
        tag, data = self._payload(event.payload, record)
        return (event.channel, source, identity), numbers, headers, _undone(record), tag, data

    def _payload(self, payload: object, record: dict[str, Any]) -> tuple[int, bytes]:
        """The payload as it was written, or as it is written by default."""
        tag = _whole(record, "codec", NONE if payload is None else MSGPACK, _BYTE)
        encoded = _text(record, "encoded")
        if encoded is not None:
            try:
                return tag, b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                raise BadLineError("encoded is no base64") from None
        if payload is None and tag == NONE:
            return NONE, b""
        if tag not in self._encode:
            raise BadLineError(f"a payload of codec {tag} has to be there as encoded, in base64")
        if payload is None:
            return tag, b"\xc0" if tag == MSGPACK else b"null"
        try:
            return self._encode[tag](payload)
        except PayloadError as error:
            raise BadLineError(str(error)) from None


def _number(record: dict[str, Any], name: str, usual: float) -> float:
    value = record.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadLineError(f"{name} must be a number, not {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise BadLineError(f"{name} is too large") from None


def _whole(record: dict[str, Any], name: str, usual: int, most: int) -> int:
    value = record.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadLineError(f"{name} must be a whole number in 0..{most}")
    return value


def _text(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise BadLineError(f"{name} must be a text, not {type(value).__name__}")
    return value


def _texts(record: dict[str, Any], name: str) -> list[tuple[str, str]]:
    value: Any = record.get(name)
    if value is None:
        return []
    if isinstance(value, dict):
        texts = cast("dict[str, Any]", value)
        if all(isinstance(text, str) for text in texts.values()):
            return list(texts.items())
    raise BadLineError(f"{name} must be an object of texts")


def _undone(record: dict[str, Any]) -> tuple[str, float, float, float] | None:
    """What is undone; of what a line does not say of it, the usual is taken."""
    value: Any = record.get("compensates")
    if value is None:
        return None
    undone = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    identity = _text(undone, "id")
    if identity is None or set(undone) - set(UNDONE):
        raise BadLineError(f"compensates must be an object of {', '.join(UNDONE)}; an id is needed")
    numbers = (
        _number(undone, "ts", 0.0),
        _number(undone, "amplitude", 1.0),
        _number(undone, "phase", 0.0),
    )
    return identity, *numbers


@contextmanager
def _folder(target: str) -> Generator[str]:
    """A folder that takes its name once it is complete."""
    path = Path(target)
    part = path.with_name(f"{path.name}.part")
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise CliError(f"{target}: is there already; name a new folder")
        try:
            part.mkdir()
        except FileExistsError:
            raise CliError(
                f"{part}: is there already, left by an import that was cut off; remove it first"
            ) from None
    except OSError as error:
        raise CliError(f"{target}: the journal cannot be made: {error.strerror or error}") from None
    try:
        yield str(part)
        (part / "lock").unlink(missing_ok=True)
        part.replace(path)
        _sync(path.absolute().parent)
    except JournalError as error:
        raise CliError(str(error)) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Makes sure that a name is there after a loss of power."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
