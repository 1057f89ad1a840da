"""One loop at a time awaits on a vibrator."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_says,
    assert_works,
    begin,
    payloads,
    tuned,
    until_receiving,
    until_sending,
)

from aether import Aether, WrongLoop


def elsewhere(call: Any, anyio_backend: Any) -> Any:
    """Run `await call()` in a loop of its own in another thread."""
    name, options = anyio_backend

    async def run() -> Any:
        return await call()

    return anyio.to_thread.run_sync(lambda: anyio.run(run, backend=name, backend_options=options))


CALLS: dict[str, Callable[[Any], Any]] = {
    "receive": lambda v: v.receive(),
    "receive_many": lambda v: v.receive_many(3),
    "async for": lambda v: anext(aiter(v)),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_second_loop_is_the_wrong_one(call: str, anyio_backend: Any) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", name="busy-one")
        waiting = begin(group, v.receive)
        await until_receiving(v)
        with pytest.raises(WrongLoop) as caught:
            await elsewhere(lambda: CALLS[call](v), anyio_backend)
        assert_says(caught.value, "busy-one")
        assert isinstance(caught.value, RuntimeError)
        await medium.emit_wave("a.b", 1)
        assert (await waiting.result()).payload == 1
        await assert_works(medium)


async def test_two_loops_one_after_the_other_are_fine(anyio_backend: Any) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        medium.emit_nowait("a.b", 1)
        medium.emit_nowait("a.b", 2)
        assert (await elsewhere(v.receive, anyio_backend)).payload == 1
        assert (await v.receive()).payload == 2


def test_one_medium_lives_through_several_loops() -> None:
    medium = Aether()
    v = tuned(medium, "a.*")

    async def use(number: int) -> int:
        async with anyio.create_task_group() as group:
            waiting = begin(group, v.receive)
            await until_receiving(v)
            await medium.emit_wave("a.b", number)
            return (await waiting.result()).payload

    for number, backend in enumerate(["asyncio", "trio", "asyncio"]):
        assert anyio.run(use, number, backend=backend) == number
    v.close()


async def test_another_loop_may_emit(anyio_backend: Any) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, v.receive)
        await until_receiving(v)
        assert await elsewhere(lambda: medium.emit_wave("a.b", 1), anyio_backend)
        assert (await waiting.result()).payload == 1


async def test_another_loop_may_wait_to_emit(anyio_backend: Any) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        sending = begin(group, lambda: elsewhere(lambda: medium.emit_wave("a.b", 2), anyio_backend))
        await until_sending(v)
        assert (await v.receive()).payload == 1
        await sending.result()
        assert payloads(v) == [2]
