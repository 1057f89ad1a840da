"""A worker that somebody else cancels: another takes its place, as those who wait in the mailbox would wait for ever."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import anyio
import pytest
from tests.probes import turns

from aether import Aether, AetherConfig, Wave

# A task of trio cannot be cancelled but by the scopes around it.
pytestmark = pytest.mark.parametrize(
    "anyio_backend",
    [("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})],
    ids=["asyncio", "uvloop"],
)


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


@pytest.mark.parametrize("options", [{}, {"timeout": 60.0}, {"key": lambda wave: wave.payload % 2}])
async def test_a_handler_that_cancels_its_own_task_stops_nobody(
    anyio_backend: object, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with Aether() as medium:
        worker, handled = medium.vibrator("worker"), list[int]()

        @worker.on("a", **options)
        async def work(wave: Wave[int]) -> None:
            handled.append(wave.payload)
            if wave.payload == 0:
                current().cancel()
                await anyio.sleep_forever()

        with caplog.at_level(logging.WARNING, "aether"):
            for number in range(4):
                await medium.emit_wave("a", number)
            assert await medium.settle(5)
        assert handled == [0, 1, 2, 3]
        statistics = worker.statistics()
        assert (statistics.dropped["abandoned"], statistics.failed) == (1, 0)
        [record] = caplog.records
        assert (getattr(record, "event", ""), record.levelname) == ("worker.cancelled", "WARNING")


async def test_one_that_has_nothing_to_do_is_replaced_too(anyio_backend: object) -> None:
    async with Aether() as medium:
        worker, tasks = medium.vibrator("worker"), list[asyncio.Task[Any]]()

        @worker.on("a", concurrency=2)
        async def work(wave: Wave[int]) -> None:
            tasks.append(current())
            await turns(3)

        for _ in range(3):
            for number in range(2):
                await medium.emit_wave("a", number)
            assert await medium.settle(5)
            for task in tasks[-2:]:
                task.cancel()
            await turns(5)
        assert len(set(tasks)) == 6, "two at once, and each of them once"
        assert worker.statistics().dropped["abandoned"] == 0


async def test_who_is_cancelled_while_it_ends_is_not_replaced(anyio_backend: object) -> None:
    tasks: list[asyncio.Task[Any]] = []
    async with Aether(AetherConfig(drain_timeout=0.0)) as medium:
        worker = medium.vibrator("worker")

        @worker.on("a")
        async def work(wave: Wave[int]) -> None:
            tasks.append(current())
            await anyio.sleep_forever()

        await medium.emit_wave("a")
        await turns(5)
        worker.close()
        tasks[0].cancel()
        await turns(5)
        assert len(tasks) == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "worker"]


def test_the_end_of_the_loop_replaces_nobody(
    anyio_backend: tuple[str, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    medium = Aether()
    worker = medium.vibrator("worker")

    @worker.on("a", concurrency=3)
    async def work(wave: Wave[int]) -> None: ...

    async def enters() -> None:
        await medium.__aenter__()
        await medium.emit_wave("a")
        await turns(5)

    anyio.run(enters, backend="asyncio", backend_options=anyio_backend[1])
    gc.collect()
    assert [getattr(record, "event", "") for record in caplog.records] == []
    worker.close()
