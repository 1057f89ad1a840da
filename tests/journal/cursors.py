"""What the tests of durable cursors share."""

from __future__ import annotations

from typing import Any

from aether import Aether, Wave


def said(waves: list[Wave[Any]]) -> list[tuple[Any, int]]:
    """What came, the so many-th time."""
    return [(wave.payload, wave.delivery_count) for wave in waves]


async def orders(medium: Aether, *payloads: Any) -> None:
    await medium.emit_many([("orders.created", payload) for payload in payloads])
