"""How tests ask a receipt, and what they are told."""

from __future__ import annotations

from typing import Any

from tests.probes import turns

from aether import Handled, Receipt

__all__ = ["following", "hows", "still_at_it"]


def hows(told: Handled) -> dict[str, str]:
    """How each has ended, by name."""
    named = {outcome.vibrator: outcome.how for outcome in told.outcomes}
    assert len(named) == len(told.outcomes)
    return dict(sorted(named.items()))


async def still_at_it(receipt: Receipt) -> str:
    """Who has not finished, in the words of the error."""
    try:
        told = await receipt.handled(timeout=0)
    except TimeoutError as error:
        return str(error).partition(": ")[2]
    message = f"over: {told}"
    raise AssertionError(message)


def following(receipt: Receipt) -> int:
    """How many wait for a wave of the medium of a receipt."""
    one: Any = receipt.follow(lambda: None)
    return int(one.waiting) - 1


async def settled(receipt: Receipt) -> bool:
    """Whether nobody waits any more, after everybody had a turn."""
    await turns()
    return following(receipt) == 0
