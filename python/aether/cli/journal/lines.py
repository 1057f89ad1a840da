"""Waves as lines: for people to read, and as JSON with all of their fields.

A JSON line is an object with `sequence`, `ts` (Unix seconds), `channel`, `payload`, `amplitude`, `priority`, `phase`,
`frequency`, `ttl`, `propagation_count`, `source`, `id`, `headers`, `compensates` (`id`, `ts`, `amplitude` and `phase` of
the wave that it undoes, or null) and `codec`. Where `payload` is not all there is to
it, because JSON has no such thing (bytes, NaN, keys that are no text, an array, a codec of somebody's own), `encoded`
has the bytes as they were written, in base64; `codec` says how, as docs/journal-format.md numbers them.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from aether import PayloadError, Wave, _native
from aether.journal.codecs import NONE, RAW, Codecs
from aether.records.lines import fields_of

from ..console import Screen
from ..errors import CliError, one_line
from .reading import Asked, Encoded, many, opened, segment_files, told, utc

__all__ = ["export", "json_line", "show"]

_AT_ONCE = 512
_SHOWN = 200
"""So many characters of a payload are shown to people."""

_CODECS = Codecs()

_Write: TypeAlias = Callable[[bytes], object]


def show(screen: Screen, asked: Asked, *, json: bool) -> bool:
    """Writes the waves to standard output; whether none is missing."""
    segment_files(asked.path)
    out = sys.stdout
    with opened(asked.bounds()) as reader:
        for wave in _waves(reader):
            line = json_line(wave).decode() if json else _readable(wave)
            out.write(f"{line}\n")
    return _complete(screen, reader)


def export(screen: Screen, asked: Asked, target: str) -> bool:
    """Writes the waves as JSON lines to a file; whether none is missing."""
    bounds = asked.bounds()
    total = sum(one.size for one in segment_files(asked.path))
    with opened(bounds) as reader:
        if target == "-":
            return _export_to(screen, reader, sys.stdout.buffer.write, total, asked.path)
        with _file(target) as write:
            complete = _export_to(screen, reader, write, total, asked.path)
    screen.complain(f"{target}: {many(reader.counted[0], 'wave')}")
    return complete


def json_line(wave: Wave) -> bytes:
    """All fields of a wave whose payload is as it is written."""
    tag, data = _as_written(wave)
    return msgspec.json.encode(fields_of(wave, tag, data))


def _as_written(wave: Wave) -> Encoded:
    payload: Any = wave.payload
    if isinstance(payload, Encoded):
        return payload
    return Encoded(NONE, b"") if payload is None else Encoded(RAW, payload)


def _readable(wave: Wave) -> str:
    """A wave in a line for people."""
    tag, data = _as_written(wave)
    try:
        shown = "" if tag == NONE else one_line(repr(_CODECS.decode(tag, data)))
    except PayloadError:
        shown = f"<{many(len(data), 'byte')} of codec {tag}>"
    if len(shown) > _SHOWN:
        shown = f"{shown[: _SHOWN - 3]}..."
    moment = utc(wave.timestamp)
    line = f"{wave.sequence:>8}  {moment}  {wave.amplitude:.2f}  {wave.channel}  {shown}"
    return line.rstrip()


def _waves(
    reader: _native.JournalReader, tick: Callable[[int], None] | None = None
) -> Iterator[Wave]:
    while (batch := reader.next_batch(_AT_ONCE)) is not None:
        yield from batch
        if tick is not None:
            tick(reader.counted[1])


def _export_to(
    screen: Screen, reader: _native.JournalReader, write: _Write, total: int, name: str
) -> bool:
    with screen.progress(f"exporting {name}", total, counted=False) as tick:
        for wave in _waves(reader, tick):
            write(json_line(wave) + b"\n")
    return _complete(screen, reader)


def _complete(screen: Screen, reader: _native.JournalReader) -> bool:
    for line in told(reader):
        screen.complain(line)
    return not reader.gaps


@contextmanager
def _file(target: str) -> Generator[_Write]:
    """Writes to a file that takes its name once it is complete; to a pipe or a device at once."""
    path = Path(target)
    is_plain = path.is_file() or not path.exists()
    part = path.with_name(f"{path.name}.part") if is_plain else path
    try:
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(path.stem, "wb", fileobj=raw) as packed:
                    yield packed.write
            else:
                yield raw.write
        if is_plain:
            part.replace(path)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        if is_plain:
            part.unlink(missing_ok=True)


def _unwritable(target: str, error: OSError) -> CliError:
    return CliError(f"--out: {target!r} cannot be written: {error.strerror or error}")
