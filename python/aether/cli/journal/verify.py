"""Every byte of a journal checked, and what is wrong with it as a table."""

from __future__ import annotations

from aether.journal.bounds import Bounds

from ..console import Screen, table
from .reading import many, opened, segment_files

__all__ = ["verify"]


def verify(screen: Screen, path: str) -> bool:
    """Names each damaged range of bytes and each gap in the sequences; whether there is none."""
    files = segment_files(path)
    total = sum(one.size for one in files)
    waves = 0
    with (
        opened(Bounds(path)) as reader,
        screen.progress(f"checking {path}", total, counted=False) as tick,
    ):
        while (found := reader.skim()) is not None:
            waves += found
            tick(reader.counted[1])
    sizes = {one.name: one.size for one in files}
    broken = [(name, start, end, "no record") for name, start, end in reader.damage]
    broken += [(name, 0, sizes.get(name, 0), why) for name, why in reader.unreadable_segments]
    gaps = reader.gaps
    if broken:
        rows = [
            (name, f"{start:,}", f"{end:,}", f"{end - start:,}", why)
            for name, start, end, why in sorted(broken)
        ]
        head = ("segment", "from byte", "to", "bytes", "what")
        screen.print(table(head, rows, text={"segment", "what"}), "")
    if gaps:
        missed = [(f"{first:,}", f"{last:,}", f"{last - first + 1:,}") for first, last in gaps]
        screen.print(table(("missing from", "to", "waves"), missed, text=()), "")
    if torn := reader.torn_tail:
        name, start, end = torn
        screen.print(
            f"{name}: bytes {start:,} to {end:,} are a write that was cut off or is under way; nothing of it was"
            f" acknowledged"
        )
    missing = sum(last - first + 1 for first, last in gaps)
    sound = f"{many(waves, 'wave')} in {many(len(files), 'segment')} sound"
    if not broken and not gaps:
        screen.print(sound)
        return True
    screen.print(f"{sound}; {many(len(broken), 'damaged range')}, {many(missing, 'wave')} missing")
    return False
