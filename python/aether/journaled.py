"""A journal in the hands of a medium: opened with it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether._native import JournalWriter


@contextlib.contextmanager
def opened(journal: Any, *limit: int) -> Iterator[JournalWriter | None]:
    """Opens a journal, if there is one, for a medium that is made in this block; closed again if that fails."""
    if journal is None:
        yield None
        return
    from aether.journal import Journal

    if not isinstance(journal, Journal):
        message = f"journal must be a Journal, not {type(journal).__name__}; Journal(path) makes one of a folder"
        raise TypeError(message)
    writer = journal.open(*limit)
    try:
        yield writer
    except BaseException:
        journal.close()
        raise
