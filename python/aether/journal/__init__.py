"""The journal: waves that survive, replay and recover. See `Journal`."""

from __future__ import annotations

from aether.journal.bounds import Moment
from aether.journal.codecs import Codec, Codecs
from aether.journal.journal import Journal
from aether.journal.replay import Damage, Gap, Replay, ReplayColumns

__all__ = [
    "Codec",
    "Codecs",
    "Damage",
    "Gap",
    "Journal",
    "Moment",
    "Replay",
    "ReplayColumns",
]
