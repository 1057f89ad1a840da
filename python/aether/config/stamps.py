"""What tells that files have changed, and for how long they have to be silent until they count as whole.

Contract:
- A stamp changes with the text of its file, as far as the system's times tell.
- Nobody can see whether whoever writes a file is done, and what is written so far may be valid. So the files have to be
  silent: not at all where it is a link that was turned, as what it leads to was there before; a moment where there is
  another file of the name, as after a rename; longer where the file itself was written to, or is new or gone.
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


RESTS = Rests(replaced=0.15, written=0.3, wrong=1.0)


class Stamp(NamedTuple):
    """What a file is told by."""

    link: str | None
    """Where it is once all links are followed, if it is a link itself."""
    device: int
    inode: int
    changed: int
    """When it was written to, in nanoseconds."""
    size: int


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file; none if it is not there."""
    try:
        link = os.path.realpath(path) if path.is_symlink() else None
        found = path.stat()
    except OSError:
        return None
    return Stamp(link, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def rest_after(
    before: Iterable[Stamp | None], now: Iterable[Stamp | None], rests: Rests = RESTS
) -> float:
    """How long files have to be silent that were like this, and are like that."""
    pairs = zip(before, now, strict=True)
    return max((_rest(one, other, rests) for one, other in pairs if one != other), default=0.0)


def _rest(before: Stamp | None, now: Stamp | None, rests: Rests) -> float:
    if before is None or now is None:
        return rests.written
    if now.link is not None and before.link != now.link:
        return 0.0
    same = (before.device, before.inode) == (now.device, now.inode)
    return rests.written if same else rests.replaced
