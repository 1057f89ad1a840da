"""What tells that files have changed, and for how long they have to be silent until they count as whole.

Contract:
- A stamp changes with the text of its file, as far as the system's times tell.
- Nobody can see whether whoever writes a file is done, and what is written so far may be valid. So the files have to be
  silent: not at all where a link was turned, as what it leads to was there before; a moment where there is another
  file of the name, as after a rename; longer where the file itself was written to, or is new or gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = ["RESTS", "Rests", "Stamp", "rest_after", "stamp_of"]


class Rests(NamedTuple):
    """How long files have to be silent until they are read, in seconds."""

    replaced: float
    """After another one took the place of a file."""
    written: float
    """After one was written to, came or went."""
    wrong: float
    """Before a mistake is told: it is as a rule one who writes slowly."""


RESTS = Rests(replaced=0.1, written=0.3, wrong=1.0)


class Stamp(NamedTuple):
    """What a file is told by."""

    place: str
    """Where it is once all links are followed."""
    device: int
    inode: int
    changed: int
    """When it was written to, in nanoseconds."""
    size: int


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file; none if it is not there."""
    try:
        place = os.path.realpath(path)
        found = os.stat(place)  # noqa: PTH116 - a text, as `realpath` gives it
    except OSError:
        return None
    return Stamp(place, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def rest_after(
    before: Iterable[Stamp | None], now: Iterable[Stamp | None], rests: Rests = RESTS
) -> float:
    """How long files have to be silent that were like this, and are like that."""
    pairs = zip(before, now, strict=True)
    return max((_rest(one, other, rests) for one, other in pairs if one != other), default=0.0)


def _rest(before: Stamp | None, now: Stamp | None, rests: Rests) -> float:
    if before is None or now is None:
        return rests.written
    if before.place != now.place:
        return 0.0
    same = (before.device, before.inode) == (now.device, now.inode)
    return rests.written if same else rests.replaced
