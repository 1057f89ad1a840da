"""What type checkers see of vibrators and the medium; run by `make typecheck`, not by pytest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_type

from aether import (
    Aether,
    AetherConfig,
    Channel,
    Explanation,
    Health,
    ManualClock,
    MediumStatistics,
    Vibrator,
    VibratorStatistics,
    Wave,
)


@dataclass
class Order:
    number: int


async def made_awaited_or_entered(medium: Aether) -> None:
    assert_type(await Vibrator.create("a", medium, order="fresh"), Vibrator)
    async with Vibrator.create("a", medium, overflow="conflate") as vibrator:
        assert_type(vibrator, Vibrator)
    async with medium.vibrator("a", buffer_size=10, group="workers") as same:
        assert_type(same, Vibrator)
    medium.vibrator("a", order="loud")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def resonating_counts_awaited_or_not(vibrator: Vibrator) -> None:
    awaited: int = await vibrator.resonate_on("orders.*", Channel("users.*"))
    unawaited: int = vibrator.detune("orders.*")
    print(awaited, unawaited)


async def receiving_gives_waves(vibrator: Vibrator) -> None:
    coroutine: Coroutine[Any, Any, Wave | None] = vibrator.receive()
    print(await coroutine)
    assert_type(await vibrator.receive(), Wave[Any] | None)
    assert_type(await vibrator.receive_many(256, max_wait=0.1), list[Wave[Any]])
    assert_type(vibrator.receive_nowait(), Wave[Any])
    assert_type(vibrator.receive_sync(timeout=1.0), Wave[Any] | None)
    async for wave in vibrator:
        assert_type(wave, Wave[Any])
    async for order in vibrator:
        typed: Wave[Order] = order
        assert_type(typed.payload.number, int)
    assert_type(await anext(vibrator), Wave[Any])
    assert_type(vibrator.missed, int)


def on_keeps_the_type_of_the_handler(vibrator: Vibrator) -> None:
    @vibrator.on("orders.*", concurrency=8, key=lambda wave: wave.source, order="fifo")
    async def handle(wave: Wave[Order]) -> int:
        return wave.payload.number

    @vibrator.on("orders.*")
    def plain(wave: Wave) -> None:
        print(wave)

    same: Callable[[Wave[Order]], Awaitable[int]] = handle
    other: Callable[[Wave], None] = plain
    handle("no wave")  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore[reportArgumentType, reportUnusedCoroutine]
    print(same, other)


async def requests_give_waves(medium: Aether, vibrator: Vibrator) -> None:
    assert_type(await vibrator.request("queries.order", {"id": 7}, timeout=1.0), Wave[Any])
    assert_type(await medium.request("queries.order", amplitude=0.5), Wave[Any])
    assert_type(await vibrator.reply(Wave("queries.order"), Order(1)), bool)
    assert_type(await medium.expect("orders.*", lambda wave: wave.payload.number > 1), Wave[Any])


async def a_medium_enters_as_itself() -> None:
    class Special(Aether):
        """A medium of one's own."""

    config = AetherConfig(overflow="drop_oldest", channel_buffer_size=10)
    async with Special(config, clock=ManualClock(1.0)) as medium:
        assert_type(medium, Special)
    async with Aether().running() as running:
        assert_type(running, Aether)
    assert_type(Aether.default(), Aether)


async def questions_have_typed_answers(medium: Aether, vibrator: Vibrator) -> None:
    assert_type(medium.statistics(), MediumStatistics)
    assert_type(vibrator.statistics(), VibratorStatistics)
    assert_type(medium.active_channels(), tuple[Channel[Any], ...])
    assert_type(medium.explain("orders.placed"), Explanation)
    assert_type(medium.health(), Health)
    assert_type(medium.remove_channel("orders.*"), int)
    assert_type(medium.clear(), int)
    assert_type(await medium.settle(1.0), bool)
    assert_type(await vibrator.drain(), bool)
    assert_type(ManualClock().advance(1), float)
