"""Rates: how many turns there are, and whose they are."""

from __future__ import annotations

import random
import threading
from typing import Any

import anyio
import pytest
from tests.handling.passing import entered, passes
from tests.probes import turns

from aether import AetherConfig, ManualClock, Rate, Wave
from aether.handling.rate import Turns
from aether.timers import Timers


async def test_a_handler_has_so_many_turns_a_second(anyio_backend: object) -> None:
    seen: list[float] = []
    config = AetherConfig(channel_buffer_size=20_000, drain_timeout=0.0)
    async with entered(config) as (medium, clock, worker, _):

        @worker.on("a", rate=Rate(1_000, burst=50))
        async def work(wave: Wave[Any]) -> None:
            seen.append(clock.now())

        for number in range(15_000):
            medium.emit_nowait("a", number)
        await passes(clock, 10.0, 0.05)
        assert len(seen) == pytest.approx(10_000, rel=0.01)
        assert sum(when == 0.0 for when in seen) == 50


async def test_turns_come_in_order_and_are_not_lost_with_who_is_cancelled(
    anyio_backend: object,
) -> None:
    clock = ManualClock()
    turns_of = Turns(Rate(1.0), Timers(clock))
    had: list[tuple[int, float]] = []

    async def wait(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            await turns_of.turn()
            had.append((number, clock.now()))

    async with anyio.create_task_group() as group:
        scopes = [anyio.CancelScope() for _ in range(6)]
        for number, scope in enumerate(scopes):
            group.start_soon(wait, number, scope)
            await turns(3)
        assert turns_of.waiting == 5
        scopes[2].cancel()
        await turns(3)
        await passes(clock, 4.0, 0.5)
    assert had == [(0, 0.0), (1, 1.0), (3, 2.0), (4, 3.0), (5, 4.0)]
    assert turns_of.waiting == 0


async def test_who_is_cancelled_as_its_turn_comes_leaves_it_to_the_next(
    anyio_backend: object,
) -> None:
    clock = ManualClock()
    turns_of = Turns(Rate(1.0), Timers(clock))
    dice = random.Random(5)
    rounds = 40
    for _ in range(rounds):
        await turns_of.turn() if turns_of.waiting == 0 else None
        had: list[int] = []

        async def wait(number: int, scope: anyio.CancelScope, had: list[int] = had) -> None:
            with scope:
                await turns_of.turn()
                had.append(number)

        async with anyio.create_task_group() as group:
            first, second = anyio.CancelScope(), anyio.CancelScope()
            group.start_soon(wait, 1, first)
            await turns(2)
            group.start_soon(wait, 2, second)
            await turns(2)
            clock.advance(1.0)
            await turns(dice.randrange(4))
            first.cancel()
            await turns(6)
            if had == [1]:
                clock.advance(1.0)
                await turns(6)
                assert had == [1, 2]
            else:
                assert had == [2], "the turn was there, and somebody has it"
        await passes(clock, 1.0)


async def test_turns_are_shared_by_threads(anyio_backend: object) -> None:
    """Eight loops of their own, by the machine's clock: none has more than there are, and nobody is forgotten."""
    timers = Timers(None)
    turns_of = Turns(Rate(2_000.0, burst=5), timers)
    had: list[float] = []
    begun = timers.now()

    async def several() -> None:
        for _ in range(25):
            await turns_of.turn()
            had.append(timers.now())

    threads = [
        threading.Thread(target=anyio.run, args=(several,), kwargs={"backend": backend})
        for backend in ["asyncio", "trio"] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)
    assert len(had) == 200
    assert max(had) - begun >= (200 - 5) / 2_000.0 * 0.999
    assert turns_of.waiting == 0


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (float("inf"), 1), (1, 0)])
def test_rates_out_of_range_are_told(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Rate(rate, burst)
