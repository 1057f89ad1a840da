"""A handler still at work when its vibrator is closed: the medium waits for it, and can end it."""

import contextlib
from typing import Any

import anyio
import pytest
from tests.probes import assert_dropped, begin, tuned, turns

from aether import Aether, AetherConfig, Vibrator, Wave


class Work:
    """A handler that waits for its gate, or for ever, and whose vibrator is closed meanwhile."""

    def __init__(self, medium: Aether) -> None:
        self.vibrator = tuned(medium, name="worker")
        self.entered, self.gate, self.ended = anyio.Event(), anyio.Event(), anyio.Event()
        self.done: list[Any] = []

        @self.vibrator.on("a.*")
        async def handle(wave: Wave[Any]) -> None:
            try:
                self.entered.set()
                await self.gate.wait()
                await turns()
                self.done.append(wave.payload)
            finally:
                self.ended.set()

    async def close(self, medium: Aether) -> None:
        await medium.emit_wave("a.b", 1)
        await self.entered.wait()
        self.vibrator.close()


@pytest.mark.parametrize("how", ["enter", "running"])
async def test_leaving_waits_for_it(how: str) -> None:
    medium = Aether()
    work = Work(medium)
    with anyio.fail_after(5):
        async with medium if how == "enter" else medium.running():
            await work.close(medium)
            work.gate.set()
    assert work.done == [1]
    await medium.aclose()


@pytest.mark.parametrize("how", ["enter", "running"])
async def test_left_by_an_exception_it_is_ended_and_counted(how: str) -> None:
    medium = Aether()
    work = Work(medium)
    with anyio.fail_after(5), contextlib.suppress(LookupError):
        async with medium if how == "enter" else medium.running():
            await work.close(medium)
            raise LookupError
    assert work.ended.is_set()
    assert work.done == []
    assert_dropped(work.vibrator, abandoned=1)
    assert_dropped(medium, abandoned=1)
    await medium.aclose()


@pytest.mark.parametrize("how", ["enter", "running"])
async def test_leaving_takes_at_most_drain_timeout(how: str) -> None:
    medium = Aether(AetherConfig(drain_timeout=0.01))
    work = Work(medium)
    with anyio.fail_after(5):
        async with medium if how == "enter" else medium.running():
            await work.close(medium)
    assert work.ended.is_set()
    assert work.done == []
    await medium.aclose()


async def test_it_may_end_the_medium_without_waiting_for_itself() -> None:
    medium, done = Aether(AetherConfig(drain_timeout=1000.0)), anyio.Event()
    v = tuned(medium)

    @v.on("a.*")
    async def handle(wave: object) -> None:
        v.close()
        await medium.aclose()
        done.set()

    with anyio.fail_after(5):
        async with medium:
            await medium.emit_wave("a.b")
            await done.wait()


async def test_it_may_not_settle_as_it_would_wait_for_itself() -> None:
    async with Aether() as medium:
        v, errors = tuned(medium), []

        @v.on("a.*")
        async def handle(wave: object) -> None:
            v.close()
            try:
                await medium.settle(5)
            except RuntimeError as error:
                errors.append(error)

        await medium.emit_wave("a.b")
        assert await medium.settle(5)
        assert len(errors) == 1


class Member:
    """A member of a group whose handler notes what it gets."""

    def __init__(self, medium: Aether, name: str) -> None:
        self.vibrator: Vibrator = tuned(medium, name=name, group="g")
        self.seen: list[Any] = []
        self.vibrator.on("a.*")(lambda wave: self.seen.append(wave.payload))


@pytest.mark.parametrize("how", ["running", "run"])
async def test_a_closed_member_of_a_group_is_not_started_again(how: str) -> None:
    """Its mailbox lives on for the others, so that it would take what is theirs."""
    medium = Aether()
    first, second = Member(medium, "first"), Member(medium, "second")
    async with medium.running():
        await turns()
        first.vibrator.close()
    for number in range(4):
        medium.emit_nowait("a.b", number)
    async with anyio.create_task_group() as group:
        if how == "run":
            await begin(group, first.vibrator.run).result()
        async with medium.running():
            assert await medium.settle(5)
    assert (first.seen, second.seen) == ([], [0, 1, 2, 3])
    await medium.aclose()


async def test_handlers_end_while_another_thread_asks_who_works() -> None:
    """`aclose` in another loop looks at workers that end in theirs."""
    async with Aether() as medium:
        v = tuned(medium)
        v.on("a.*", concurrency=3)(print)
        (lane,) = v._lanes
        workers = set(lane._workers)

        class Ending:
            def is_current(self) -> bool:
                lane._workers.discard(self)  # type: ignore[arg-type]
                return False

        lane._workers.update(Ending() for _ in range(3))  # type: ignore[misc]
        assert not lane.is_current()
        assert lane._workers == workers
