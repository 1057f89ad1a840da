"""What a journal holds, as tables."""

from __future__ import annotations

from aether.journal.bounds import Bounds

from ..console import Screen, table
from .reading import many, opened, segment_files, told, utc

__all__ = ["info", "size"]

_SHOWN = 20
"""How many segments a table shows."""

_KIB = 1024


def info(screen: Screen, path: str) -> None:
    """Writes segments, waves, times and cursors; damage only as a hint to `verify`."""
    files = segment_files(path)
    total = sum(one.size for one in files)
    waves = 0
    with (
        opened(Bounds(path)) as reader,
        screen.progress(f"reading {path}", total, counted=False) as tick,
    ):
        while (found := reader.skim()) is not None:
            waves += found
            tick(reader.counted[1])
    segments = table(
        ("segment", "first sequence", "size"),
        [(one.name, f"{one.base:,}", size(one.size)) for one in files[-_SHOWN:]],
        text={"segment"},
    )
    screen.print(segments)
    if len(files) > _SHOWN:
        screen.print(f"and {len(files) - _SHOWN:,} before them")
    screen.print("", f"{many(waves, 'wave')}, {many(len(files), 'segment')}, {size(total)}")
    if (ends := reader.ends) is not None:
        for name, (sequence, seconds) in zip(("first", "last"), ends, strict=True):
            screen.print(f"{name:>5}: sequence {sequence:,}, made {utc(seconds)}")
    if cursors := reader.cursors:
        rows = [(name, f"{sequence:,}") for name, sequence in sorted(cursors.items())]
        screen.print("", table(("cursor", "moved after"), rows, text={"cursor"}))
    if torn := reader.torn_tail:
        name, start, end = torn
        screen.print(f"a write of {end - start:,} bytes is under way or was cut off in {name}")
    for line in told(reader):
        screen.complain(line)


def size(count: int) -> str:
    """Bytes in the unit that reads best: `912 B`, `4.0 KiB`, `63.9 MiB`."""
    if count < _KIB:
        return f"{count} B"
    number = count / _KIB
    for unit in ("KiB", "MiB", "GiB"):
        if number < _KIB:
            return f"{number:.1f} {unit}"
        number /= _KIB
    return f"{number:.1f} TiB"
