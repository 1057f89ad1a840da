"""`settle`: is it done? `expect`: the next such wave."""

import gc
import math
from functools import partial
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_says,
    assert_works,
    begin,
    payloads,
    tuned,
    turns,
    until,
    until_receiving,
)

from aether import Aether, AetherConfig, Channel, ChannelError, Closed, NoReceiver, Wave


async def test_a_quiet_medium_is_settled() -> None:
    async with Aether() as medium:
        assert await medium.settle(0) is True


async def test_a_timeout_beyond_any_float_is_for_ever() -> None:
    async with Aether() as medium:
        reader = tuned(medium)
        assert await medium.settle(10**400) is True
        assert await reader.drain(10**400) is True


async def test_settles_after_the_last_handler() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, gate, seen = tuned(medium), anyio.Event(), []

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await gate.wait()
            seen.append(wave.payload)

        for number in range(3):
            await medium.emit_wave("a.b", number)
        settling = begin(group, lambda: medium.settle(5))
        await turns()
        assert not settling.done
        gate.set()
        assert await settling.result() is True
        assert seen == [0, 1, 2]


async def test_settles_after_a_whole_chain() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("step.+")
        async def handle(wave: Wave[int]) -> None:
            await turns(2)
            seen.append(wave.payload)
            if wave.payload < 8:
                await v.emit_wave(f"step.{wave.payload}", wave.payload + 1, cause=wave)

        await medium.emit_wave("step.start", 0)
        assert await medium.settle(5)
        assert seen == list(range(9))


async def test_settle_is_false_when_a_handler_still_runs() -> None:
    async with Aether() as medium:
        v, gate = tuned(medium), anyio.Event()

        @v.on("a.*")
        async def handle(wave: object) -> None:
            await gate.wait()

        await medium.emit_wave("a.b")
        assert await medium.settle(0.01) is False
        gate.set()
        assert await medium.settle(5) is True


async def test_settle_waits_for_a_reader_that_waits() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, got = tuned(medium, "a.*"), []

        async def read() -> None:
            async for wave in v:
                got.append(wave.payload)

        reading = begin(group, read)
        await until_receiving(v)
        for number in range(5):
            medium.emit_nowait("a.b", number)
        assert await medium.settle(5) is True
        assert got == list(range(5))
        v.close()
        await reading.result()


async def test_settle_does_not_wait_for_a_mailbox_that_nobody_reads() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        assert await medium.settle(5) is True
        assert payloads(v) == [1]


async def test_settle_counts_a_failed_handler_as_done() -> None:
    async with Aether() as medium:
        v = tuned(medium)

        @v.on("a.*")
        async def fail(wave: object) -> None:
            raise LookupError

        await medium.emit_wave("a.b")
        assert await medium.settle(5) is True


@pytest.mark.parametrize(
    ("timeout", "kind"), [(-1.0, ValueError), (math.nan, ValueError), ("1", TypeError)]
)
@pytest.mark.parametrize("method", ["settle", "drain"])
async def test_a_bad_timeout_is_an_error(method: str, timeout: Any, kind: type[Exception]) -> None:
    async with Aether() as medium:
        with pytest.raises(kind, match="timeout"):
            await getattr(medium, method)(timeout)
        await assert_works(medium)


async def test_expect_listens_from_the_call_on() -> None:
    async with Aether() as medium:
        await medium.emit_wave("a.b", "before")
        expecting = medium.expect("a.*", timeout=5.0)
        await medium.emit_wave("a.b", "after")
        wave = await expecting
        assert isinstance(wave, Wave)
        assert wave.payload == "after"


async def test_an_expectation_is_awaited_once() -> None:
    async with Aether() as medium:
        expecting = medium.expect("a.*", timeout=5.0)
        await medium.emit_wave("a.b")
        await expecting
        with pytest.raises(RuntimeError, match=r"awaited already; call expect\(\) again"):
            await expecting


async def test_expect_waits_for_the_next_wave() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        expecting = begin(group, lambda: medium.expect("a.*", timeout=5.0))
        await until(lambda: bool(medium.active_channels()))
        await medium.emit_wave("b.b", 0)
        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("a.b", 2)
        assert (await expecting.result()).payload == 1


async def test_expect_takes_a_channel() -> None:
    async with Aether() as medium:
        expecting = medium.expect(Channel("a.b"), timeout=5.0)
        await medium.emit_wave("a.b", 1)
        assert (await expecting).payload == 1


async def test_expect_takes_a_condition() -> None:
    async with Aether() as medium:
        expecting = medium.expect("a.*", where=lambda wave: wave.payload > 2, timeout=5.0)
        for number in range(6):
            await medium.emit_wave("a.b", number)
        assert (await expecting).payload == 3


async def test_expect_times_out_and_names_the_pattern() -> None:
    async with Aether() as medium:
        with pytest.raises(TimeoutError) as caught:
            await medium.expect("a.never", timeout=0.01)
        assert_says(caught.value, "a.never")
        assert list(medium.active_channels()) == []
        await assert_works(medium)


async def test_expect_holds_nobody_back() -> None:
    async with Aether() as medium:
        expecting = medium.expect("a.*", timeout=5.0)
        for number in range(3000):
            medium.emit_nowait("a.b", number)
        assert (await expecting).payload == 0


async def test_expect_takes_nothing_from_others() -> None:
    async with Aether() as medium:
        v, expecting = tuned(medium, "a.*"), medium.expect("a.*", timeout=5.0)
        await medium.emit_wave("a.b", 1)
        assert (await expecting).payload == 1
        assert payloads(v) == [1]


@pytest.mark.parametrize("hand", ["medium", "vibrator", "emitter"])
@pytest.mark.parametrize("door", ["emit_wave", "emit", "emit_nowait", "emit_sync"])
async def test_who_only_expects_is_no_receiver(door: str, hand: str) -> None:
    """However often it is tried, by any door: the second emission knows the name already."""
    async with Aether() as medium:
        v, expecting = tuned(medium), medium.expect("a.*", timeout=5.0)
        speaker: Any = {"medium": medium, "vibrator": v, "emitter": v.emitter()}[hand]
        for number in range(3):
            with pytest.raises(NoReceiver):
                if door == "emit":
                    await speaker.emit(Wave("a.b", number), require=1)
                elif door == "emit_wave":
                    await speaker.emit_wave("a.b", number, require=1)
                elif door == "emit_nowait":
                    speaker.emit_nowait("a.b", number, require=1)
                else:
                    emit = partial(speaker.emit_sync, "a.b", number, require=1)
                    await anyio.to_thread.run_sync(emit)
        assert medium.statistics().emitted == 0
        await speaker.emit_wave("a.b", "without")
        assert (await expecting).payload == "without"


async def test_expect_leaves_nothing_behind() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        expecting = medium.expect("a.*", timeout=5.0)
        await medium.emit_wave("a.b", 1)
        await expecting
        assert list(medium.active_channels()) == []
        cancelled = begin(group, lambda: medium.expect("b.*"))
        await until(lambda: bool(medium.active_channels()))
        await cancelled.cancel()
        gc.collect()
        assert list(medium.active_channels()) == []
        assert medium.emit_nowait("a.b").matched == 0


async def test_expect_ends_closed_when_the_medium_closes() -> None:
    async with anyio.create_task_group() as group:
        async with Aether() as medium:
            expecting = begin(group, lambda: medium.expect("a.*"))
            await until(lambda: bool(medium.active_channels()))
        with pytest.raises(Closed):
            await expecting.result()


async def test_expect_that_was_closed_says_so() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        before, meanwhile = medium.expect("a.*"), medium.expect("a.*")
        await medium.emit_wave("a.b")
        before.close()
        with pytest.raises(Closed, match=r"'a\.\*' was closed"):
            await before
        await meanwhile
        waiting = medium.expect("b.*")
        awaited = begin(group, lambda: waiting)
        await turns()
        waiting.close()
        with pytest.raises(Closed, match=r"'b\.\*' was closed"):
            await awaited.result()


async def test_expect_raises_the_error_of_its_condition() -> None:
    async with Aether() as medium:
        expecting = medium.expect("a.*", where=lambda wave: wave.payload["none"], timeout=5.0)
        medium.emit_nowait("a.b", {})
        with pytest.raises(KeyError):
            await expecting
        await assert_works(medium)


@pytest.mark.parametrize(
    ("arguments", "options", "kind"),
    [
        (("a..b",), {}, ChannelError),
        ((None,), {}, TypeError),
        (("a.*",), {"where": 3}, TypeError),
        (("a.*",), {"timeout": -1.0}, ValueError),
        (("a.*",), {"timeout": math.nan}, ValueError),
        (("a.*",), {"timeout": "1"}, TypeError),
    ],
    ids=repr,
)
async def test_expect_refuses_bad_arguments(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception]
) -> None:
    async with Aether() as medium:
        with pytest.raises(kind):
            await medium.expect(*arguments, **options)
        assert list(medium.active_channels()) == []
        await assert_works(medium)


async def test_expect_with_a_condition_misses_nothing_before_it_is_awaited() -> None:
    async with Aether(AetherConfig(channel_buffer_size=2)) as medium:
        expecting = medium.expect("a.*", where=lambda wave: wave.payload == 5, timeout=0.01)
        for number in range(8):
            await medium.emit_wave("a.b", number)
        assert (await expecting).payload == 5
