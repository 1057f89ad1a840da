"""A journal in the hands of a medium: opened with it, and asked for its history."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator

    from aether._native import JournalWriter
    from aether.config import AetherConfig
    from aether.journal import Journal

Replayed: TypeAlias = Literal["all"] | int | datetime | timedelta
"""From where on history is wanted: all of it, a sequence, a moment, or how long ago."""


Ack: TypeAlias = Literal["manual", "next"]
"""How a wave of a durable cursor is finished: by name, or when the next one is asked for."""

_MOST_DELIVERIES = 2**32 - 2

# In bytes.
_LONGEST_NAME = 1024


def of_configuration(config: AetherConfig) -> Journal | None:
    """The journal that a configuration names: a new object of its section, or the one it was given."""
    section = config.journal
    if section is None:
        return None
    from aether.journal import Journal

    return section if isinstance(section, Journal) else Journal(**dict(section))


@contextlib.contextmanager
def opened(journal: Any, *limit: int) -> Generator[JournalWriter | None]:
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


def history_after(journal: Journal | None, replay: object) -> int:
    """The sequence after which the history begins that is asked for.

    Raises:
        TypeError: `replay` is none of its kinds.
        ValueError: It is out of range, or there is no journal.
    """
    if journal is None:
        message = "replay= needs a medium with a journal: Aether(journal=Journal(path))"
        raise ValueError(message)
    if replay == "all":
        return 0
    if isinstance(replay, bool) or not isinstance(replay, (int, datetime, timedelta)):
        message = "replay must be 'all', a sequence, an aware datetime or a timedelta, not " + (
            repr(replay) if isinstance(replay, str) else type(replay).__name__
        )
        raise TypeError(message)
    if isinstance(replay, int):
        if not 1 <= replay < 2**63:
            message = (
                f"replay must be a sequence, 1 or more, not {replay}; 'all' is all of the history"
            )
            raise ValueError(message)
        return replay - 1
    first = next(iter(journal.replay(since=replay, limit=1)), None)
    if first is None or first.sequence is None:
        return journal.last
    return first.sequence - 1


def cursor_settings(
    cursor: str, ack: Ack, ack_timeout: float, max_deliveries: int
) -> tuple[bool, float, int]:
    """What a durable cursor goes by, checked: whether the next one acknowledges, seconds, and how often.

    Raises:
        TypeError: One is of the wrong type.
        ValueError: One is out of its range.
    """
    if not isinstance(cursor, str):
        raise TypeError(f"cursor must be a str, not {type(cursor).__name__}")
    if not 1 <= len(cursor.encode(errors="replace")) <= _LONGEST_NAME:
        message = f"cursor must be a name of 1 to {_LONGEST_NAME} bytes, not {cursor[:32]!r}"
        raise ValueError(message)
    if ack not in {"manual", "next"}:
        raise ValueError(f"ack must be 'manual' or 'next', not {ack!r}")
    if isinstance(ack_timeout, bool) or not isinstance(ack_timeout, int | float):
        raise TypeError(f"ack_timeout must be seconds, not {type(ack_timeout).__name__}")
    if not ack_timeout > 0:
        message = f"ack_timeout must be a number of seconds above 0, not {ack_timeout}"
        raise ValueError(message)
    if isinstance(max_deliveries, bool) or not isinstance(max_deliveries, int):
        raise TypeError(f"max_deliveries must be an int, not {type(max_deliveries).__name__}")
    if not 1 <= max_deliveries <= _MOST_DELIVERIES:
        message = f"max_deliveries must be 1 or more, not {max_deliveries}"
        raise ValueError(message)
    return ack == "next", float(ack_timeout), max_deliveries
