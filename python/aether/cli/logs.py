"""What the library logs while a command runs."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["losses_in_the_table"]


@contextmanager
def losses_in_the_table() -> Generator[None]:
    """Keep the library's warnings off the terminal: what was lost, and why, is in the table at the end.

    Errors still get through; they are the only lines of the library that a table does not tell.
    """
    logger = logging.getLogger("aether")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
