"""How large payloads are, as far as that can be known without running anybody's code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aether._native import payload_size

__all__ = ["estimate", "size_of"]


def size_of(payload: Any) -> int | None:
    """Bytes of a payload; `None`: of an object, which may refer to anything.

    Example:
        >>> size_of(b"1234"), size_of({"id": 7})
        (4, None)
    """
    return payload_size(payload)


def estimate(waiting: int, payloads: Sequence[Any]) -> int:
    """Bytes of so many payloads, of which these are some; those of no known size count as nothing."""
    known = sum(size_of(payload) or 0 for payload in payloads)
    return known * waiting // len(payloads) if payloads else 0
