"""Handlers that end oddly, or end something themselves; and what outlives them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import pytest
from tests.probes import assert_dropped, begin, tuned, turns, until

from aether import Aether, Closed, ManualClock, NoReceiver, RequestFailed, Wave, WrongLoop

pytestmark = pytest.mark.anyio


async def test_a_handler_that_awaits_something_cancelled_has_failed(
    anyio_backend_name: str,
) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("on trio a cancellation never comes out of another task")
    async with Aether() as medium:
        v, got = medium.vibrator("w"), []

        @v.on("j")
        async def handle(wave: Wave[int]) -> None:
            got.append(wave.payload)
            if wave.payload == 1:
                cancelled = asyncio.create_task(asyncio.sleep(10))
                cancelled.cancel()
                await cancelled

        for number in range(4):
            await medium.emit_wave("j", number)
        assert await medium.settle(5.0)
        assert got == [0, 1, 2, 3]
        assert v.statistics().failed == 1


async def test_two_handlers_of_a_member_both_get_every_wave() -> None:
    async with Aether() as medium:
        v = medium.vibrator("w", group="g")
        first: list[Any] = []
        second: list[Any] = []
        v.on("x")(lambda wave: first.append(wave.payload))
        v.on("x")(lambda wave: second.append(wave.payload))
        for number in range(6):
            await medium.emit_wave("x", number)
        assert await medium.settle(5.0)
        assert first == second == list(range(6))


async def test_a_handler_may_drain_its_own_vibrator() -> None:
    async with Aether() as medium:
        v, drained = medium.vibrator("w"), []

        @v.on("x")
        async def handle(_wave: Wave[Any]) -> None:
            drained.append(await v.drain(5.0))

        await medium.emit_wave("x")
        assert await medium.settle(5.0)
        assert drained == [True]


async def test_a_handler_may_close_the_medium_and_others_finish() -> None:
    medium = Aether()
    v, done = medium.vibrator("w"), []

    @v.on("stop")
    async def stop(_wave: Wave[Any]) -> None:
        await medium.aclose()
        await anyio.lowlevel.checkpoint()
        done.append("stop")

    @v.on("stop")
    async def other(_wave: Wave[Any]) -> None:
        await turns()
        done.append("other")

    async with medium:
        await medium.emit_wave("stop")
        await turns(40)
        assert done == ["other", "stop"]


async def test_what_a_handler_has_started_is_not_inside_it_for_ever() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, heard = medium.vibrator("w"), tuned(medium, "tick")
        ended = anyio.Event()

        async def later() -> None:
            await ended.wait()
            await medium.emit_wave("tick")

        @v.on("start")
        async def handle(_wave: Wave[Any]) -> None:
            group.start_soon(later)
            await turns()

        await medium.emit_wave("start", headers={"tenant": "a"})
        assert await medium.settle(5.0)
        ended.set()
        wave = await heard.receive()
        assert wave is not None
        assert dict(wave.headers) == {}


async def test_a_first_emission_of_a_wave_has_the_ambient_headers_too() -> None:
    async with Aether() as medium:
        v, heard = medium.vibrator("w"), tuned(medium, "out.*")

        @v.on("in")
        async def handle(_wave: Wave[Any]) -> None:
            await medium.emit(Wave("out.a"))
            await medium.emit_many([("out.b", 1), Wave("out.c")])

        await medium.emit_wave("in", headers={"tenant": "a"})
        assert await medium.settle(5.0)
        waves = await heard.receive_many(3)
        assert [dict(wave.headers) for wave in waves] == [{"tenant": "a"}] * 3


async def test_a_handler_of_one_medium_is_not_the_cause_in_another() -> None:
    async with Aether() as medium, Aether() as other:
        v, heard = medium.vibrator("w"), tuned(other, "out")

        @v.on("in")
        async def handle(_wave: Wave[Any]) -> None:
            await other.emit_wave("out")

        await medium.emit_wave("in", headers={"tenant": "a"})
        assert await medium.settle(5.0)
        assert dict(heard.receive_nowait().headers) == {}


async def test_run_that_raises_leaves_the_handlers_to_an_entered_medium() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, got, raised = medium.vibrator("w"), [], []

        @v.on("x")
        async def handle(wave: Wave[int]) -> None:
            got.append(wave.payload)
            if wave.payload == 0:
                raise LookupError

        async def run() -> None:
            try:
                await v.run(on_error="raise")
            except LookupError as error:
                raised.append(error)

        group.start_soon(run)
        await turns()
        for number in range(3):
            await medium.emit_wave("x", number)
        assert await medium.settle(5.0)
        await turns()
        assert got == [0, 1, 2]
        assert len(raised) == 1


async def test_an_async_on_error_is_awaited() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, told = medium.vibrator("w"), []

        @v.on("x")
        async def handle(_wave: Wave[Any]) -> None:
            raise LookupError

        async def report(error: BaseException, _wave: Wave[Any]) -> None:
            await anyio.lowlevel.checkpoint()
            told.append(type(error))

        async def run() -> None:
            await v.run(on_error=report)

        group.start_soon(run)
        await turns()
        await medium.emit_wave("x")
        assert await medium.settle(5.0)
        assert told == [LookupError]
        group.cancel_scope.cancel()


async def test_a_vibrator_with_handlers_is_closed_from_another_thread() -> None:
    async with Aether() as medium:
        v = medium.vibrator("w")
        v.on("x")(lambda _wave: None)
        await turns()
        await anyio.to_thread.run_sync(v.close)
        await turns()
        assert v.closed
        assert medium.emit_nowait("x").matched == 0


async def test_running_in_a_second_loop_is_refused() -> None:
    medium = Aether()
    errors: list[BaseException] = []

    async def enter() -> None:
        async with medium.running():
            pass

    def elsewhere() -> None:
        try:
            asyncio.run(enter())
        except WrongLoop as error:
            errors.append(error)

    async with medium.running():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
    assert len(errors) == 1


async def test_a_request_that_nobody_kept_is_told_so() -> None:
    async with Aether() as medium:
        v = tuned(medium, "q", overflow="drop_newest", buffer_size=1)
        await medium.emit_wave("q")
        with pytest.raises(NoReceiver, match="full"):
            await medium.request("q", 1)
        with pytest.raises(NoReceiver, match="min_amplitude"):
            await medium.request("q", 1, amplitude=0.001)
        v.close()


async def test_a_failed_handler_fails_its_request_though_others_look_on() -> None:
    async with Aether() as medium:
        audit, v = tuned(medium, "*"), medium.vibrator("w")

        @v.on("q")
        async def handle(_wave: Wave[Any]) -> None:
            raise LookupError

        with pytest.raises(RequestFailed):
            await medium.request("q", timeout=None)
        audit.close()


async def test_a_request_whose_handler_is_ended_is_told_so() -> None:
    with pytest.raises((RequestFailed, Closed)):
        async with Aether() as medium, anyio.create_task_group() as group:
            v = medium.vibrator("w")

            @v.on("q")
            async def handle(_wave: Wave[Any]) -> None:
                group.start_soon(medium._end_at_once)
                await anyio.sleep_forever()

            try:
                await medium.request("q", timeout=None)
            except (RequestFailed, Closed) as error:
                answer = error
        raise answer


async def test_require_counts_for_a_wave_that_goes_nowhere() -> None:
    async with Aether() as medium:
        with pytest.raises(NoReceiver, match="min_amplitude"):
            await medium.emit_wave("a.b", amplitude=0.001, require=1)


async def test_a_long_emit_many_lets_others_run() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, turned = tuned(medium, "a.b", overflow="drop_oldest", buffer_size=1), []

        async def other() -> None:
            while len(turned) < 10:
                turned.append(1)
                await anyio.lowlevel.checkpoint()

        group.start_soon(other)
        await medium.emit_many([("a.b", number) for number in range(4000)])
        assert len(turned) == 10
        v.close()


async def test_receive_many_waits_on_when_the_first_wave_is_gone_again() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, got = tuned(medium, "a.b"), []

        async def gather() -> None:
            got.append(await v.receive_many(5, max_wait=0.01))

        await medium.emit_wave("a.b", 1)
        group.start_soon(gather)
        await turns()
        assert v.receive_nowait().payload == 1
        with pytest.raises(TimeoutError):
            await v.mailbox.receive(0.03)  # a longer wait of the same loop: theirs is over
        assert got == []
        await medium.emit_wave("a.b", 2)
        await until(lambda: bool(got))
        assert [[wave.payload for wave in waves] for waves in got] == [[2]]


async def test_a_wave_behind_a_busy_key_expires_there() -> None:
    clock = ManualClock()
    async with Aether(clock=clock) as medium:
        v, got, free = medium.vibrator("w"), [], anyio.Event()

        @v.on("x", concurrency=2, key=lambda _wave: 1)
        async def handle(wave: Wave[int]) -> None:
            got.append(wave.payload)
            await free.wait()

        await medium.emit_wave("x", 0)
        await medium.emit_wave("x", 1, ttl=1.0)
        await medium.emit_wave("x", 2)
        await turns()
        clock.advance(2.0)
        free.set()
        assert await medium.settle(5.0)
        assert got == [0, 2]
        assert v.statistics().received == 2
        assert_dropped(v, expired=1)


async def test_closing_abandons_what_stands_behind_a_busy_key() -> None:
    async with Aether() as medium:
        v, got, free = medium.vibrator("w"), [], anyio.Event()

        @v.on("x", concurrency=2, key=lambda _wave: 1)
        async def handle(wave: Wave[int]) -> None:
            got.append(wave.payload)
            await free.wait()

        for number in range(4):
            await medium.emit_wave("x", number)
        await turns()
        v.close()
        free.set()
        await v.aclose()
        assert got == [0]
        assert_dropped(v, abandoned=3)


async def test_a_vibrator_whose_handlers_run_in_another_loop_can_be_closed_and_awaited() -> None:
    medium = Aether()
    v, begun, go_on = medium.vibrator("w"), threading.Event(), threading.Event()
    over = threading.Event()

    @v.on("x")
    async def handle(_wave: Wave[Any]) -> None:
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.001)

    async def run() -> None:
        async with medium.running():
            while not over.is_set():
                await asyncio.sleep(0.001)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    while v.statistics().tasks_waiting_receive == 0:
        await turns()
    await medium.emit_wave("x")
    await anyio.to_thread.run_sync(begun.wait)
    async with anyio.create_task_group() as group:
        closing = begin(group, v.aclose)
        await turns()
        assert not closing.done
        go_on.set()
        await closing.result()
    over.set()
    await anyio.to_thread.run_sync(thread.join)
