"""What `receive`, `anext` and an emission give to be awaited: by one task, once, and as the language does it.

`anext(v, default)` is the language's own: it asks the awaitable for an iterator at each of its steps.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.probes import begin, payloads, tuned, turns, until_receiving, until_sending

from aether import Aether, Vibrator

DEFAULT = "default"
NEXT: dict[str, Callable[[Vibrator], Any]] = {
    "vibrator": lambda v: anext(v, DEFAULT),
    "iterator": lambda v: anext(aiter(v), DEFAULT),
}


async def awaited(awaitable: Any) -> Any:
    return await awaitable


@pytest.mark.parametrize("kind", NEXT)
async def test_anext_with_a_default_gives_what_waits(kind: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        assert (await NEXT[kind](v)).payload == 1


@pytest.mark.parametrize("kind", NEXT)
async def test_anext_with_a_default_waits_for_a_wave(kind: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        for number in range(3):
            waiting = begin(group, lambda: NEXT[kind](v))
            await until_receiving(v)
            await medium.emit_wave("a.b", number)
            assert (await waiting.result()).payload == number
        assert payloads(v) == []


@pytest.mark.parametrize("kind", NEXT)
async def test_anext_gives_its_default_at_the_end(kind: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: NEXT[kind](v))
        await until_receiving(v)
        v.close()
        assert await waiting.result() == DEFAULT
        assert await NEXT[kind](v) == DEFAULT


@pytest.mark.parametrize("kind", NEXT)
async def test_a_cancelled_anext_with_a_default_loses_nothing(kind: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: NEXT[kind](v))
        await until_receiving(v)
        medium.emit_nowait("a.b", 1)
        await waiting.cancel()
        got = [] if waiting.value is None else [waiting.value.payload]
        assert got + payloads(v) == [1]


@pytest.mark.parametrize("kind", NEXT)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anext_with_a_default_gives_way_to_wait_for(kind: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(awaited(NEXT[kind](v)), 0.001)
        assert v.statistics().tasks_waiting_receive == 0


RECEIVES: dict[str, Callable[[Vibrator], Any]] = {
    "receive": lambda v: v.receive(),
    "receive_many": lambda v: v.receive_many(2),
    "anext": anext,
    "anext with default": lambda v: anext(v, DEFAULT),
}


@pytest.mark.parametrize("kind", RECEIVES)
async def test_a_second_task_is_refused_and_the_first_gets_its_wave(kind: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        awaitable = RECEIVES[kind](v)
        first = begin(group, lambda: awaitable)
        await until_receiving(v)
        second = begin(group, lambda: awaitable)
        with pytest.raises(RuntimeError, match="another task"):
            await second.result()
        assert (first.done, v.statistics().tasks_waiting_receive) == (False, 1)
        await medium.emit_wave("a.b", 1)
        got = await first.result()
        assert [wave.payload for wave in (got if isinstance(got, list) else [got])] == [1]


async def test_a_second_task_is_refused_and_the_first_emits_once() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 0)
        emission = medium.emit_wave("a.b", 1)
        first = begin(group, lambda: emission)
        await until_sending(v)
        second = begin(group, lambda: emission)
        with pytest.raises(RuntimeError, match="another task"):
            await second.result()
        assert (first.done, v.statistics().tasks_waiting_send) == (False, 1)
        assert payloads(v) == [0]
        assert (await first.result()).delivered == 1
        await turns()
        assert payloads(v) == [1]


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_cancelling_one_of_two_tasks_is_cancelling_that_one(cancelled: int) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        awaitable = v.receive()
        tasks = [begin(group, lambda: awaitable)]
        await until_receiving(v)
        tasks.append(begin(group, lambda: awaitable))
        await tasks[cancelled].cancel()
        await turns()
        await medium.emit_wave("a.b", 1)
        if cancelled:
            assert (await tasks[0].result()).payload == 1
        else:
            assert isinstance(tasks[1].error, RuntimeError)
            assert payloads(v) == [1]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_second_task_of_the_awaitable_itself_is_refused() -> None:
    """asyncio makes a task of anything that is a coroutine to it."""
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        awaitable: Any = v.receive()
        first = asyncio.create_task(awaitable)
        await until_receiving(v)
        second = asyncio.create_task(awaitable)
        with pytest.raises(RuntimeError, match="another task"):
            await asyncio.wait_for(second, 10)
        assert not first.done()
        await medium.emit_wave("a.b", 1)
        assert (await asyncio.wait_for(first, 10)).payload == 1
