"""The journal: the durable, append-only history of a medium.

`Journal` is given to a medium, which writes each wave before it delivers it; and it is read, by the same program or
any other: see `Journal.replay`. The format is documented in `docs/journal-format.md`.
"""

from __future__ import annotations

from aether.journal.bounds import Moment
from aether.journal.codecs import Codec, Codecs
from aether.journal.journal import Durability, Journal, OnFailure
from aether.journal.keeping import BackedUp
from aether.journal.letters import DeadLetters, open_letters
from aether.journal.position import Position
from aether.journal.replay import Damage, Gap, Replay, ReplayColumns
from aether.journal.retention import HeldBack, Pruned, Retain

__all__ = [
    "BackedUp",
    "Codec",
    "Codecs",
    "Damage",
    "DeadLetters",
    "Durability",
    "Gap",
    "HeldBack",
    "Journal",
    "Moment",
    "OnFailure",
    "Position",
    "Pruned",
    "Replay",
    "ReplayColumns",
    "Retain",
    "open_letters",
]
