"""How large payloads are, as far as that can be known without running anybody's code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["estimate", "size_of"]


def _type_of(payload: object) -> type[Any]:
    return type(payload)


def size_of(payload: Any) -> int | None:
    """Bytes of a payload; `None`: of an object, which may refer to anything.

    Example:
        >>> size_of(b"1234"), size_of({"id": 7})
        (4, None)
    """
    kind = _type_of(payload)
    if kind is bytes or kind is bytearray:
        return len(payload)
    if kind is str:
        # What it takes beside its characters is the same for all.
        return sys.getsizeof(payload) - sys.getsizeof("")
    if kind is memoryview:
        return int(payload.nbytes)
    if payload is None or kind is bool or kind is int or kind is float:
        return 0 if payload is None else sys.getsizeof(payload)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and kind is getattr(numpy, "ndarray", None):
        return int(payload.nbytes)
    return None


def estimate(waiting: int, payloads: Sequence[Any]) -> int:
    """Bytes of so many payloads, of which these are some; those of no known size count as nothing."""
    known = sum(size_of(payload) or 0 for payload in payloads)
    return known * waiting // len(payloads) if payloads else 0
