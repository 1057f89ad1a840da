"""Time limits of handlers: who is cancelled when, and who is not."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import anyio
import pytest
from tests.conftest import LOOPS
from tests.handling.passing import entered, passes
from tests.probes import turns

from aether import Aether, AetherConfig, ManualClock, RequestFailed, Retry, Wave


async def test_one_that_takes_too_long_is_cancelled_and_has_failed(anyio_backend: object) -> None:
    came: list[str] = []
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", timeout=2.0)
        async def work(wave: Wave[Any]) -> None:
            try:
                await medium.timers.sleep(10.0)
            finally:
                came.append(f"ended at {clock.now()}")

        await medium.emit_wave("a")
        await passes(clock, 1.5, 0.5)
        assert came == []
        await passes(clock, 1.0, 0.5)
        assert came == ["ended at 2.0"]
        (letter,) = heard.all()
        assert letter.headers["aether-error"].startswith(
            "TimeoutError: the handler was at work for longer"
        )
        assert worker.statistics().failed == 1
        # The worker goes on.
        await medium.emit_wave("a")
        await passes(clock, 3.0, 0.5)
        assert len(came) == 2


async def test_one_that_is_in_time_is_left_alone(anyio_backend: object) -> None:
    ended: list[int] = []
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", timeout=2.0, concurrency=3)
        async def work(wave: Wave[Any]) -> None:
            await medium.timers.sleep(wave.payload)
            ended.append(wave.payload)

        for seconds in (1.0, 1.5, 0.5):
            await medium.emit_wave("a", seconds)
        await passes(clock, 10.0, 0.5)
        assert sorted(ended) == [0.5, 1.0, 1.5]
        assert heard.all() == []
        await turns(5)
        assert medium.timers.next() is None, "nobody is at work, so nobody looks"


async def test_each_attempt_has_its_own_time(anyio_backend: object) -> None:
    begun: list[float] = []
    async with entered() as (medium, clock, worker, heard):
        retry = Retry(on=TimeoutError, attempts=3, wait_initial=1.0, wait_jitter=0, wait_exp_base=1)

        @worker.on("a", timeout=2.0, retry=retry)
        async def work(wave: Wave[Any]) -> None:
            begun.append(clock.now())
            await anyio.sleep_forever()

        await medium.emit_wave("a")
        await passes(clock, 12.0, 0.5)
        assert begun == [0.0, 3.0, 6.0]
        assert [letter.headers["aether-attempts"] for letter in heard.all()] == ["3"]


async def test_who_takes_no_notice_ends_as_it_ends(anyio_backend: object) -> None:
    ended: list[str] = []
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", timeout=1.0)
        async def work(wave: Wave[Any]) -> None:
            with (
                contextlib.suppress(BaseException)
                if wave.payload == "asyncio"
                else anyio.CancelScope(shield=True)
            ):
                await medium.timers.sleep(3.0)
            ended.append(wave.payload)

        is_asyncio = "asyncio" in str(anyio_backend)
        await medium.emit_wave("a", "asyncio" if is_asyncio else "trio")
        await passes(clock, 5.0, 0.5)
        assert ended == ["asyncio" if is_asyncio else "trio"]
        if is_asyncio:
            assert heard.all() == []
        # The next one has all of its time, and nothing is left of the cancellation.
        await medium.emit_wave("a", "again")
        await passes(clock, 0.5)
        assert ended[1:] == []
        await passes(clock, 5.0, 0.5)


async def test_a_plain_function_is_not_looked_at(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", timeout=1.0)
        def work(wave: Wave[Any]) -> None:
            clock.advance(5.0)

        await medium.emit_wave("a")
        await passes(clock, 1.0)
        assert heard.all() == []
        assert worker.statistics().failed == 0


async def test_the_end_of_the_medium_is_no_timeout(anyio_backend: object) -> None:
    async with entered(AetherConfig(drain_timeout=0.0)) as (medium, clock, worker, heard):

        @worker.on("a", timeout=1.0)
        async def work(wave: Wave[Any]) -> None:
            await anyio.sleep_forever()

        await medium.emit_wave("a")
        await turns(5)
    await passes(clock, 5.0, 1.0)
    assert heard.all() == []
    assert worker.statistics().failed == 0
    assert worker.statistics().dropped["abandoned"] == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancellation_beside_the_timeout_still_cancels(anyio_backend: object) -> None:
    """Both come before the handler has run again: it was cancelled, and its worker ends."""
    async with entered(AetherConfig(drain_timeout=0.0)) as (medium, clock, worker, heard):
        tasks: list[asyncio.Task[Any]] = []

        @worker.on("a", timeout=1.0)
        async def work(wave: Wave[Any]) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.append(task)
            await anyio.sleep_forever()

        await medium.emit_wave("a")
        await turns(5)
        clock.advance(2.0)
        # The timer rings first, and the task has not run since.
        asyncio.get_running_loop().call_soon(tasks[0].cancel)
        await turns(5)
        assert tasks[0].cancelled()
        assert heard.all() == []


async def test_who_asks_is_told(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _):

        @worker.on("ask", timeout=1.0)
        async def work(wave: Wave[Any]) -> None:
            await anyio.sleep_forever()

        async def ask() -> None:
            with pytest.raises(RequestFailed, match="longer than its timeout of"):
                await medium.request("ask", timeout=30)

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await turns(10)
            await passes(clock, 2.0, 1.0)


@pytest.mark.parametrize("backend", LOOPS)
def test_time_limits_hold_in_the_next_loop_too(backend: str) -> None:
    """A look that was due in the loop before would never come."""
    clock = ManualClock()
    medium = Aether(clock=clock)
    worker, ended = medium.vibrator("worker"), list[Any]()

    @worker.on("a", timeout=2.0, dead_letter=False)
    async def work(wave: Wave[Any]) -> None:
        try:
            await medium.timers.sleep(wave.payload)
        finally:
            ended.append((wave.payload, clock.now()))

    async def run(seconds: float) -> None:
        async with medium.running():
            await medium.emit_wave("a", seconds)
            await passes(clock, min(seconds, 5.0), 0.5)

    # The first one is done before its time is over, so that the look at it is still to come.
    for seconds in (1.0, 10.0):
        options = {"use_uvloop": backend == "uvloop"} if backend != "trio" else {}
        anyio.run(
            run,
            seconds,
            backend="trio" if backend == "trio" else "asyncio",
            backend_options=options,
        )
        assert medium.timers.next() is None
    assert ended == [(1.0, 1.0), (10.0, 3.0)]
    assert worker.statistics().failed == 1
    worker.close()


async def test_who_fails_in_several_ways_when_its_time_is_over_has_failed_so(
    anyio_backend: object,
) -> None:
    """On trio the group has cancellations in it, of which the scope of the worker takes its own out."""
    errors: list[BaseException] = []
    async with entered() as (medium, clock, worker, _):

        async def cleans_up_badly() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                raise KeyError("left behind")

        @worker.on("a", timeout=1.0, dead_letter=False)
        async def work(wave: Wave[Any]) -> None:
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(cleans_up_badly)
                    await anyio.sleep_forever()
            except BaseException as error:
                errors.append(error)
                raise

        for times in (1, 2, 3):
            await medium.emit_wave("a")
            await passes(clock, 2.0, 0.5)
            assert len(errors) == times
            assert worker.statistics().failed == times
        assert all(isinstance(error, BaseExceptionGroup) for error in errors)
