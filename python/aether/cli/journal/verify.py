"""Every byte of a journal checked, what is wrong with it as a table, and a sound copy of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from aether import JournalError, _native
from aether.journal.keeping import new_folder

from ..console import Screen, table
from ..errors import CliError
from .reading import many, segment_files

if TYPE_CHECKING:
    from aether._native import _JournalReport

__all__ = ["repair", "verify", "watched"]

_Watch: TypeAlias = Callable[[int, int], None]


def verify(screen: Screen, path: str) -> bool:
    """Names each damaged range of bytes and each gap in the sequences; whether there is none."""
    with watched(screen, f"checking {path}", path) as watch:
        report = _native.verify_journal(path, watch)
    _tell(screen, report)
    return report["sound"]


def repair(screen: Screen, path: str, copy: str) -> None:
    """Writes a sound copy of a journal, and says what was found and is missing in both.

    Raises:
        CliError: there is something in the folder of the copy, or it cannot be written.
    """
    with watched(screen, f"repairing {path}", path) as watch, new_folder(Path(copy)):
        found, waves, recovered = _native.repair_journal(path, copy, watch)
    _tell(screen, found)
    for name in recovered:
        screen.print(f"{name}: its head was made anew from what was left of it")
    screen.print(f"{copy}: {many(waves, 'wave')}")


@contextmanager
def watched(screen: Screen, what: str, path: str) -> Generator[_Watch]:
    """A bar, and errors in a line."""
    total = sum(one.size for one in segment_files(path))
    with screen.progress(what, total, counted=False) as tick:

        def watch(done: int, of: int) -> None:
            # A repair reads everything twice.
            tick(done * total // of if of else total)

        try:
            yield watch
        except JournalError as error:
            raise CliError(str(error)) from None


def _tell(screen: Screen, report: _JournalReport) -> None:
    broken = [
        (name, start, end, "no record") for name, start, end, torn in report["damage"] if not torn
    ]
    for name, _, _, size, _, is_foreign, fault in report["segments"]:
        if fault is not None:
            broken.append((name, 0, size, fault))
        elif is_foreign:
            broken.append((name, 0, size, "belongs to another journal"))
    if broken:
        rows = [
            (name, f"{start:,}", f"{end:,}", f"{end - start:,}", why)
            for name, start, end, why in sorted(broken)
        ]
        head = ("segment", "from byte", "to", "bytes", "what")
        screen.print(table(head, rows, text={"segment", "what"}), "")
    gaps = report["gaps"]
    if gaps:
        missed = [(f"{first:,}", f"{last:,}", f"{last - first + 1:,}") for first, last in gaps]
        screen.print(table(("missing from", "to", "waves"), missed, text=()), "")
    for name, start, end, torn in report["damage"]:
        if torn:
            screen.print(
                f"{name}: bytes {start:,} to {end:,} are a write that was cut off or is under way; nothing of it was"
                f" acknowledged"
            )
    said = f"{many(report['waves'], 'wave')} in {many(len(report['segments']), 'segment')} sound"
    if broken or gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        said += f"; {many(len(broken), 'damaged range')}, {many(missing, 'wave')} missing"
    if report["repeated"]:
        said += f"; {many(report['repeated'], 'wave')} there a second time or out of order, and passed over"
    screen.print(said)
