"""`Position`: the place of a wave in a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aether._native import Fate


class Position(int):
    """The place of a wave in a journal: a number, which `journal.durable` knows more of.

    It compares, sorts and prints as its number. Kept as a number alone, it says when the wave is durable; as it
    comes from a receipt, also who got the wave.
    """

    fate: Fate | None = None
    """What became of the wave, as the native half holds it."""
