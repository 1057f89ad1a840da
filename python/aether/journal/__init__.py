"""The journal: the durable, append-only history of a medium.

`Journal` is given to a medium, which writes each wave before it delivers it; and it is read, by the same program or
any other: see `Journal.replay`. The format is documented in `docs/journal-format.md`.
"""

from aether.journal.journal import Durability, Journal, OnFailure
from aether.journal.position import Position

__all__ = ["Durability", "Journal", "OnFailure", "Position"]
