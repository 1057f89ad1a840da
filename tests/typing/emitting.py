"""What type checkers see of emitting; run by `make typecheck`, not by pytest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, assert_type

from aether import (
    Aether,
    Channel,
    DelayedEmission,
    Emitter,
    Handled,
    Outcome,
    Receipt,
    Vibrator,
    Wave,
)


@dataclass
class Order:
    number: int


class Express(Order):
    pass


PLACED = Channel[Order]("orders.placed")


async def every_emitter_gives_receipts(medium: Aether, vibrator: Vibrator, cause: Wave) -> None:
    for emitter in (medium, vibrator, medium.emitter()):
        assert_type(await emitter.emit_wave("orders.placed", Order(1), timeout=1.0), Receipt)
        assert_type(await emitter.emit(cause, require=1), Receipt)
        assert_type(emitter.emit_nowait("orders.placed", Order(1), cause=cause), Receipt)
        assert_type(emitter.emit_sync("orders.placed", headers={"tenant": "a"}), Receipt)
        assert_type(await emitter.emit_many([cause, ("orders.placed", 1)]), list[Receipt])
        assert_type(emitter.emitter(), Emitter)


async def a_typed_channel_takes_payloads_of_its_type(emitter: Emitter, payload: Any) -> None:
    assert_type(await emitter.emit_wave(PLACED, Order(1)), Receipt)
    assert_type(emitter.emit_nowait(PLACED, Express(1)), Receipt)
    assert_type(emitter.emit_sync(PLACED, payload), Receipt)
    assert_type(emitter.emit_nowait(Channel("orders.placed"), payload), Receipt)


async def a_typed_channel_refuses_other_payloads(emitter: Emitter) -> None:
    await emitter.emit_wave(PLACED, "no order")  # type: ignore[deprecated]  # pyright: ignore[reportDeprecated]
    emitter.emit_nowait(PLACED, 7)  # type: ignore[deprecated]  # pyright: ignore[reportDeprecated]
    emitter.emit_sync(PLACED, None)  # type: ignore[deprecated]  # pyright: ignore[reportDeprecated]


async def with_a_delay_there_is_a_handle(emitter: Emitter, cause: Wave, delay: float) -> None:
    assert_type(await emitter.emit_wave(PLACED, Order(1), delay=delay), DelayedEmission)
    assert_type(await emitter.emit_wave("orders.placed", 1, ttl=1.0, delay=0), DelayedEmission)
    assert_type(await emitter.emit(cause, delay=delay), DelayedEmission)
    assert_type(emitter.emit_nowait("orders.placed", delay=delay), DelayedEmission)
    assert_type(emitter.emit_nowait("orders.placed", delay=None), Receipt)
    await emitter.emit_wave(PLACED, "no order", delay=delay)  # type: ignore[deprecated]  # pyright: ignore[reportDeprecated]


async def emissions_are_coroutines(medium: Aether) -> None:
    task = asyncio.create_task(medium.emit_wave("orders.placed"))
    assert_type(await task, Receipt)
    assert_type(await asyncio.wait_for(medium.emit_wave("orders.placed"), 1.0), Receipt)
    async with asyncio.TaskGroup() as group:
        group.create_task(medium.emit_wave("orders.placed"))


def a_receipt_says_what_happened(receipt: Receipt) -> None:
    assert_type(receipt.sequence, int | None)
    assert_type(receipt.delivered, int)
    assert_type(receipt.reasons, dict[str, int])
    assert_type(receipt.reason, str | None)
    assert_type(receipt.pending, bool)
    receipt.matched = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def wrong_options_are_errors(emitter: Emitter) -> None:
    emitter.emit_nowait("a", amplitude="loud")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    emitter.emit_nowait("a", timeout=1.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def what_became_of_it(receipt: Receipt) -> None:
    told = await receipt.handled(timeout=1.0)
    assert_type(told, Handled)
    assert_type(told.failed, tuple[Outcome, ...])
    assert_type(told.ok, bool)
    assert_type(told.of("shop")[0].error, str | None)
