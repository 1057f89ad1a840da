"""Where handlers run: entered media, `running()`, `run()`, and any two of them at once."""

import gc
import weakref

import anyio
import pytest
from tests.probes import begin, tuned, turns, until

from aether import Aether, Wave


class Work:
    """A medium that is not entered, and a vibrator whose handler notes what it gets."""

    def __init__(self) -> None:
        self.medium = Aether()
        self.vibrator = tuned(self.medium)
        self.seen: list[int] = []

        @self.vibrator.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await turns(1)
            self.seen.append(wave.payload)

    async def emit(self, *numbers: int) -> None:
        for number in numbers:
            await self.medium.emit_wave("a.b", number)
        assert await self.medium.settle(5)


async def test_running_in_running_handles_each_wave_once_and_goes_on_after_the_inner() -> None:
    work = Work()
    async with work.medium.running():
        async with work.medium.running():
            await work.emit(1, 2)
        await work.emit(3)
        assert work.seen == [1, 2, 3]
    await work.medium.aclose()


async def test_running_in_an_entered_medium_changes_nothing() -> None:
    work = Work()
    async with work.medium:
        async with work.medium.running():
            await work.emit(1)
        await work.emit(2)
        assert work.seen == [1, 2]


async def test_run_in_an_entered_medium_handles_each_wave_once() -> None:
    work = Work()
    async with work.medium, anyio.create_task_group() as group:
        running = begin(group, work.vibrator.run)
        await turns()
        await work.emit(1, 2, 3)
        assert work.seen == [1, 2, 3]
        await running.cancel()
        await work.emit(4)
        assert work.seen == [1, 2, 3, 4]


@pytest.mark.parametrize("where", ["task", "thread"])
async def test_run_takes_in_handlers_that_are_registered_after_it_began(where: str) -> None:
    work, seen = Work(), []

    def register() -> None:
        work.vibrator.on("b.*")(lambda wave: seen.append(wave.payload))

    async with anyio.create_task_group() as group:
        running = begin(group, work.vibrator.run)
        await work.emit(1)
        if where == "task":
            register()
        else:
            await anyio.to_thread.run_sync(register)
        await work.medium.emit_wave("b.b", 2)
        assert await work.medium.settle(5)
        assert (work.seen, seen) == ([1], [2])
        await running.cancel()
    work.medium.emit_nowait("b.b", 3)
    await turns()
    assert seen == [2]
    await work.medium.aclose()


async def test_a_later_handler_is_run_by_the_medium_if_that_runs_handlers() -> None:
    work, seen = Work(), []
    async with work.medium, anyio.create_task_group() as group:
        running = begin(group, work.vibrator.run)
        await turns()
        work.vibrator.on("b.*")(lambda wave: seen.append(wave.payload))
        await turns()
        await running.cancel()
        await work.medium.emit_wave("b.b", 1)
        assert await work.medium.settle(5)
        assert seen == [1]


async def test_a_handler_registered_by_a_handler_under_run_is_run_and_its_errors_raised() -> None:
    medium = Aether()
    v = tuned(medium)

    @v.on("a.*")
    async def handle(wave: object) -> None:
        @v.on("b.*")
        async def fail(wave: object) -> None:
            raise LookupError("later")

        await medium.emit_wave("b.b")

    medium.emit_nowait("a.b")
    with anyio.fail_after(5), pytest.raises(LookupError, match="later"):
        await v.run(on_error="raise")
    await medium.aclose()


async def test_run_without_a_handler_returns() -> None:
    async with Aether() as medium:
        with anyio.fail_after(5):
            await tuned(medium).run()


async def test_run_may_be_cancelled_and_called_again() -> None:
    work = Work()
    async with anyio.create_task_group() as group:
        for number in range(3):
            running = begin(group, work.vibrator.run)
            work.medium.emit_nowait("a.b", number)
            await until(lambda number=number: work.seen == list(range(number + 1)))  # type: ignore[misc]
            await running.cancel()
    await work.medium.aclose()


async def test_a_cancelled_run_cancels_its_handlers() -> None:
    medium, cancelled, entered = Aether(), anyio.Event(), anyio.Event()
    v = tuned(medium)

    @v.on("a.*")
    async def handle(wave: object) -> None:
        entered.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    medium.emit_nowait("a.b")
    async with anyio.create_task_group() as group:
        running = begin(group, v.run)
        await entered.wait()
        await running.cancel()
    assert cancelled.is_set()
    await medium.aclose()


async def test_run_of_a_closed_vibrator_returns() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        v.on("a.*")(lambda wave: None)
        v.close()
        with anyio.fail_after(5):
            await v.run()


async def test_running_ends_with_its_handlers_done_or_their_waves_kept() -> None:
    """`running()` does not close: no wave is lost between two of them."""
    work = Work()
    for number in range(5):
        work.medium.emit_nowait("a.b", number)
    async with work.medium.running():
        await turns(1)
    async with work.medium.running():
        assert await work.medium.settle(5)
    assert work.seen == list(range(5))
    await work.medium.aclose()


@pytest.mark.parametrize("how", ["running", "enter"])
async def test_handlers_of_a_vibrator_that_is_closed_while_they_run_end(how: str) -> None:
    medium, entered = Aether(), anyio.Event()
    v = tuned(medium)

    @v.on("a.*")
    async def handle(wave: object) -> None:
        entered.set()
        await turns(3)

    with anyio.fail_after(5):
        async with medium.running() if how == "running" else medium:
            medium.emit_nowait("a.b")
            await entered.wait()
            await v.aclose()
            assert await medium.settle(5)
    await medium.aclose()


async def test_a_handler_may_close_its_own_vibrator() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            seen.append(wave.payload)
            v.close()

        for number in range(3):
            await medium.emit_wave("a.b", number)
        assert await medium.settle(5)
        assert seen == [0]
        assert list(medium.active_channels()) == []


async def test_a_handler_may_add_a_handler() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            v.on("b.*")(lambda inner: seen.append(inner.payload))

        await medium.emit_wave("a.b")
        assert await medium.settle(5)
        await medium.emit_wave("b.b", 7)
        assert await medium.settle(5)
        assert seen == [7]


async def test_a_closed_vibrator_lets_its_handlers_go_with_its_last_handle() -> None:
    class Target:
        def handle(self, wave: object) -> None: ...

    async with Aether() as medium:
        v, target = medium.vibrator("worker"), Target()
        alive = weakref.ref(target)
        v.on("a.*")(target.handle)
        await turns()
        await v.aclose()
        await turns()
        del target, v
        gc.collect()
        assert alive() is None
