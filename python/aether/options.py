"""How a mailbox is made: the words for its order and for what happens when it is full, and all options together."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

Order: TypeAlias = Literal["amplitude", "fifo", "fresh"]
Overflow: TypeAlias = Literal[
    "block", "drop_oldest", "drop_newest", "drop_faintest", "conflate", "error", "replay"
]


class Options(TypedDict):
    """How a mailbox of a vibrator is made."""

    order: Order
    overflow: Overflow
    buffer_size: int
    noise_floor: float
    ignored: int
    """Whose waves it does not hear: an identity, or 0."""
