"""When an emission happens, and how fair one is that never has to wait."""

import contextlib
import gc
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.probes import payloads, tuned

from aether import Aether, AetherConfig, Wave


async def test_nothing_is_emitted_before_the_call_is_awaited() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        emission = medium.emit_wave("a.b", 1)
        assert payloads(v) == []
        await emission
        assert payloads(v) == [1]


@pytest.mark.parametrize("door", ["emit_wave", "emit", "emit_many"])
@pytest.mark.parametrize("hand", ["medium", "vibrator", "emitter"])
async def test_an_emission_dropped_unawaited_warns_with_its_channel(door: str, hand: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "orders.*")
        speaker: Any = {"medium": medium, "vibrator": v, "emitter": v.emitter()}[hand]
        argument: Any = {
            "emit_wave": "orders.forgotten",
            "emit": Wave("orders.forgotten"),
            "emit_many": [("orders.forgotten", 1)],
        }[door]
        with pytest.warns(RuntimeWarning, match=r"orders\.forgotten"):  # noqa: PT031 - it warns when it goes
            getattr(speaker, door)(argument)
            gc.collect()
        assert payloads(v) == []


async def test_an_awaited_emission_does_not_warn() -> None:
    async with Aether() as medium:
        emission = medium.emit_wave("a.b")
        await emission
        del emission
        gc.collect()


async def test_an_emission_is_awaited_once() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        emission = medium.emit_wave("a.b", 1)
        await emission
        with pytest.raises(RuntimeError):
            await emission
        assert payloads(v) == [1]


class Ticks:
    """A task that counts how often it is let in."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            await anyio.lowlevel.checkpoint()


async def test_an_emission_that_need_not_wait_finishes_in_place() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, ticks = tuned(medium, "a.*"), Ticks()
        group.start_soon(ticks.run)
        await anyio.lowlevel.checkpoint()
        before = ticks.count
        for _ in range(20):
            await medium.emit_wave("a.b")
        for _ in range(20):
            await v.receive()
        assert ticks.count - before <= 1
        group.cancel_scope.cancel()


async def test_of_each_128_emissions_in_a_row_one_yields() -> None:
    async with (
        Aether(AetherConfig(channel_buffer_size=2000)) as medium,
        anyio.create_task_group() as group,
    ):
        tuned(medium, "a.*")
        ticks = Ticks()
        group.start_soon(ticks.run)
        await anyio.lowlevel.checkpoint()
        before = ticks.count
        for _ in range(1280):
            await medium.emit_wave("a.b")
        assert 9 <= ticks.count - before <= 11
        group.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["receive", "async for"])
async def test_of_each_128_receives_in_a_row_one_yields(how: str) -> None:
    async with (
        Aether(AetherConfig(channel_buffer_size=2000)) as medium,
        anyio.create_task_group() as group,
    ):
        v, ticks, got = tuned(medium, "a.*"), Ticks(), 0
        for number in range(1280):
            medium.emit_nowait("a.b", number)
        group.start_soon(ticks.run)
        await anyio.lowlevel.checkpoint()
        before = ticks.count
        if how == "receive":
            for _ in range(1280):
                await v.receive()
                got += 1
        else:
            async for _ in v:
                got += 1
                if got == 1280:
                    break
        assert got == 1280
        assert 9 <= ticks.count - before <= 11
        group.cancel_scope.cancel()


async def test_of_each_128_emissions_in_a_row_one_yields_in_emit_many_too() -> None:
    async with (
        Aether(AetherConfig(channel_buffer_size=2000)) as medium,
        anyio.create_task_group() as group,
    ):
        tuned(medium, "a.*")
        ticks = Ticks()
        group.start_soon(ticks.run)
        await anyio.lowlevel.checkpoint()
        before = ticks.count
        for _ in range(20):
            await medium.emit_many([("a.b", number) for number in range(64)])
        assert ticks.count - before >= 9
        group.cancel_scope.cancel()


async def test_emissions_and_receives_in_a_row_yield_together() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, ticks = tuned(medium, "a.*"), Ticks()
        group.start_soon(ticks.run)
        await anyio.lowlevel.checkpoint()
        before = ticks.count
        for _ in range(640):
            await medium.emit_wave("a.b")
            await v.receive()
        assert 9 <= ticks.count - before <= 11
        group.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_on_trio_an_emission_in_place_is_no_checkpoint() -> None:
    """Two tries: one of 128 emissions is a checkpoint, and other tests may have counted up to it."""
    import trio.testing

    async with Aether() as medium:
        passed = 0
        for _ in range(2):
            with contextlib.suppress(AssertionError):
                with trio.testing.assert_no_checkpoints():
                    await medium.emit_wave("a.b")
                passed += 1
        assert passed


async def test_a_loop_of_emissions_can_be_cancelled() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", overflow="drop_oldest")
        with anyio.move_on_after(0.05) as scope:
            while True:
                await medium.emit_wave("a.b")
        assert scope.cancelled_caught


@pytest.mark.parametrize("order", ["fifo", "amplitude"])
async def test_waves_of_equal_priority_arrive_in_the_order_emitted(order: str) -> None:
    async with Aether() as medium:
        v, speaker = tuned(medium, "*", order=order), tuned(medium, name="speaker")
        for number in range(100):
            await speaker.emit_wave("a.b" if number % 3 else "c.d", number)
        assert payloads(v) == list(range(100))


@pytest.mark.parametrize("order", ["fifo", "amplitude"])
async def test_waves_of_equal_priority_stay_in_order_through_a_full_mailbox(order: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "*", order=order, buffer_size=3)

        async def speak(name: str) -> None:
            for number in range(50):
                await medium.emit_wave("a.b", (name, number))

        for name in "xyz":
            group.start_soon(speak, name)
        got = [(await v.receive()).payload for _ in range(150)]
        for name in "xyz":
            assert [number for who, number in got if who == name] == list(range(50))


@pytest.mark.parametrize("overflow", ["drop_oldest", "error"])
async def test_concurrent_emissions_reach_all_readers_in_one_order(overflow: str) -> None:
    async with Aether() as medium:
        readers = [
            tuned(medium, "*", name=f"r{n}", order="fifo", overflow=overflow) for n in range(3)
        ]
        async with anyio.create_task_group() as group:
            for base in range(4):
                group.start_soon(
                    anyio.to_thread.run_sync,
                    lambda base=base: [medium.emit_nowait("a.b", (base, n)) for n in range(100)],
                )
        first, *others = [payloads(reader) for reader in readers]
        assert len(first) == 400
        assert all(other == first for other in others)
