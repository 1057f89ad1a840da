"""A writer of journals in plain Python, from `docs/journal-format.md` alone.

It is what the tests read, and the proof that the document says enough. Slow and small: no locks, no fsync.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEAD_OF_SEGMENT = 128
HEAD_OF_RECORD = 48
WAVE, REMOVED, ACKNOWLEDGED, SEAL = 1, 2, 3, 4


def _table() -> list[int]:
    """One byte's worth of CRC32C: polynomial 0x1EDC6F41, reflected."""
    reflected = 0x82F63B78
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (reflected if crc & 1 else 0)
        table.append(crc)
    return table


TABLE = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass(frozen=True)
class Written:
    """A wave as it is written."""

    channel: str = "a"
    payload: bytes = b""
    codec: int = 5
    time: float = 0.0
    amplitude: float = 1.0
    priority: float | None = None
    phase: float = 0.0
    frequency: float = 1.0
    ttl: float | None = None
    hops: int = 1
    source: str | None = None
    id: str = "0badcafe-1"
    headers: Mapping[str, str] = field(default_factory=dict)
    undoes: tuple[str, float, float, float] | None = None

    def body(self) -> tuple[int, bytes]:
        """The parts and the body."""
        parts = 0 if self.source is None else 1
        body = b"".join(text.encode() for text in (self.channel, self.source or "", self.id))
        for bit, number, usual in (
            (2, self.priority, None),
            (4, self.phase, 0.0),
            (8, self.frequency, 1.0),
            (16, self.ttl, None),
        ):
            if number != usual and number is not None:
                parts |= bit
                body += struct.pack("<d", number)
        if self.headers:
            parts |= 32
            body += struct.pack("<I", len(self.headers))
            for name, text in self.headers.items():
                name_bytes, text_bytes = name.encode(), text.encode()
                body += struct.pack("<II", len(name_bytes), len(text_bytes))
                body += name_bytes + text_bytes
        if self.undoes is not None:
            parts |= 64
            name, *numbers = self.undoes
            body += struct.pack("<dddI", *numbers, len(name.encode())) + name.encode()
        return parts, body + self.payload


class Segment:
    """A segment that grows in memory; `save` writes its file."""

    def __init__(
        self,
        base: int = 1,
        *,
        identity: bytes = b"0123456789abcdef",
        journal: int = 7,
        rewritten: int = 0,
        created: float = 1.5e9,
        version: int = 1,
    ) -> None:
        self.base = base
        self.next = base
        self.identity = identity
        self.places: dict[int, range] = {}
        """The bytes of each wave's record, by its sequence."""
        self.data = bytearray()
        for copy in (0, 1):
            head = b"aetherJ1" + struct.pack("<II", version, rewritten) + identity
            head += struct.pack("<QQdI", journal, base, created, copy)
            self.data += head + struct.pack("<I", crc32c(head))
        assert len(self.data) == HEAD_OF_SEGMENT

    @property
    def name(self) -> str:
        return f"{self.base:020}-{self.identity[:4].hex()}.segment"

    def wave(self, wave: Written, *, sequence: int | None = None) -> int:
        """Appends a wave; its sequence."""
        number = self.next if sequence is None else sequence
        parts, body = wave.body()
        lengths = [len((text or "").encode()) for text in (wave.channel, wave.source, wave.id)]
        start = len(self.data)
        self._record(
            WAVE, number, body, wave.codec, parts, wave.time, wave.amplitude, [*lengths, wave.hops]
        )
        self.places[number] = range(start, len(self.data))
        self.next = number + 1
        return number

    def removed(self, first: int, last: int) -> None:
        self._record(REMOVED, self.next - 1, struct.pack("<QQ", first, last))

    def acknowledged(self, cursor: str, state: bytes = b"") -> None:
        name = cursor.encode()
        self._record(ACKNOWLEDGED, self.next - 1, name + state, lengths=[len(name), 0, 0, 0])

    def seal(self) -> None:
        self._record(SEAL, self.next - 1, b"")

    def _record(
        self,
        kind: int,
        sequence: int,
        body: bytes,
        codec: int = 0,
        parts: int = 0,
        time: float = 0.0,
        amplitude: float = 0.0,
        lengths: list[int] | None = None,
    ) -> None:
        padded = body + bytes(-len(body) % 8)
        head = struct.pack("<IIBBH", crc32c(padded), len(body), kind, codec, parts)
        head += struct.pack("<Qdd4H", sequence, time, amplitude, *(lengths or [0, 0, 0, 0]))
        seed = self.identity + struct.pack("<Q", len(self.data))
        self.data += struct.pack("<I", crc32c(seed + head)) + head + padded

    def save(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        path = folder / self.name
        path.write_bytes(self.data)
        return path


def write(folder: Path, waves: list[Written], *, every: int | None = None) -> list[Segment]:
    """A journal of these waves, sequences from 1, a new segment after every so many."""
    segments = [Segment()]
    for number, wave in enumerate(waves):
        if every and number and number % every == 0:
            segments[-1].seal()
            identity = number.to_bytes(16, "little")
            segments.append(Segment(segments[-1].next, identity=identity))
        segments[-1].wave(wave)
    for segment in segments:
        segment.save(folder)
    return segments
