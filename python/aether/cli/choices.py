"""The words that options take; apart from what uses them, so that `--help` loads no event loop."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Backend", "Overflow"]

Backend: TypeAlias = Literal["asyncio", "uvloop", "trio"]
"""An event loop by name."""

Overflow: TypeAlias = Literal["block", "drop_oldest", "drop_newest", "drop_faintest", "conflate"]
"""What a full mailbox does; `error` is left out, since a replay has nobody to tell."""
