"""`receive_many`: at least one, up to `n`, and what comes within `max_wait`."""

import math
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_waiting,
    assert_works,
    begin,
    payloads,
    tuned,
    turns,
    until_receiving,
)

from aether import Aether


async def test_receive_many_gives_up_to_n_in_order() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for number in range(5):
            await medium.emit_wave("a.b", number)
        assert [wave.payload for wave in await v.receive_many(3)] == [0, 1, 2]
        assert [wave.payload for wave in await v.receive_many(3)] == [3, 4]


async def test_receive_many_waits_for_at_least_one() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: v.receive_many(256))
        await until_receiving(v)
        await turns()
        assert not waiting.done
        await medium.emit_wave("a.b", 1)
        assert [wave.payload for wave in await waiting.result()] == [1]


async def test_receive_many_is_empty_at_the_end() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: v.receive_many(256))
        await until_receiving(v)
        v.close()
        assert await waiting.result() == []
        assert await v.receive_many(1) == []


async def test_receive_many_goes_on_collecting_for_max_wait() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: v.receive_many(3, max_wait=30.0))
        await until_receiving(v)
        for number in range(3):
            await medium.emit_wave("a.b", number)
            await turns()
        assert [wave.payload for wave in await waiting.result()] == [0, 1, 2]


async def test_receive_many_waits_for_the_first_however_long() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: v.receive_many(3, max_wait=0.001))
        await until_receiving(v)
        with anyio.move_on_after(0.02):
            await waiting.finished.wait()
        assert not waiting.done
        await medium.emit_wave("a.b", 1)
        assert [wave.payload for wave in await waiting.result()] == [1]


async def test_receive_many_gives_what_came_when_max_wait_is_over() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        with anyio.fail_after(5):
            assert [wave.payload for wave in await v.receive_many(3, max_wait=0.01)] == [1]


async def test_a_receive_many_that_collects_gives_what_it_has_at_the_end() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", order="fifo")
        await medium.emit_wave("a.b", 1)
        waiting = begin(group, lambda: v.receive_many(3, max_wait=30.0))
        await turns()
        draining = begin(group, lambda: v.drain(5.0))
        assert [wave.payload for wave in await waiting.result()] == [1]
        assert await draining.result() is True


async def test_a_cancelled_receive_many_loses_nothing() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: v.receive_many(5, max_wait=30.0))
        await until_receiving(v)
        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("a.b", 2)
        await turns()
        await waiting.cancel()
        assert payloads(v) == [1, 2]


@pytest.mark.parametrize(
    ("count", "kind"),
    [(0, ValueError), (-1, ValueError), ("3", TypeError), (1.5, TypeError), (None, TypeError)],
)
async def test_receive_many_of_a_bad_number_is_an_error(count: Any, kind: type[Exception]) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        with pytest.raises(kind):
            await v.receive_many(count)
        assert_waiting(v, 1)
        await assert_works(medium)


@pytest.mark.parametrize(
    ("wait", "kind"), [(-1.0, ValueError), (math.nan, ValueError), ("1", TypeError)]
)
async def test_receive_many_with_a_bad_max_wait_is_an_error(
    wait: Any, kind: type[Exception]
) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        with pytest.raises(kind, match="max_wait"):
            await v.receive_many(3, max_wait=wait)
        assert_waiting(v, 1)


async def test_receive_many_of_a_huge_number_gives_what_there_is() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        assert len(await v.receive_many(2**62)) == 1
