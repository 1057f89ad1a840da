"""`receive_sync`, for threads without a loop."""

import math
import sys
import threading
import types
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_says,
    assert_waiting,
    begin,
    tuned,
    until_receiving,
)

from aether import Aether


async def test_receive_sync_gives_what_waits_in_a_thread() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        assert (await anyio.to_thread.run_sync(v.receive_sync)).payload == 1


async def test_receive_sync_waits_in_a_thread() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: anyio.to_thread.run_sync(v.receive_sync))
        await until_receiving(v)
        await medium.emit_wave("a.b", 1)
        assert (await waiting.result()).payload == 1


async def test_receive_sync_is_none_at_the_end() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, lambda: anyio.to_thread.run_sync(v.receive_sync))
        await until_receiving(v)
        v.close()
        assert await waiting.result() is None
        assert await anyio.to_thread.run_sync(v.receive_sync) is None


async def test_receive_sync_is_a_runtime_error_where_a_loop_runs() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        with pytest.raises(RuntimeError) as caught:
            v.receive_sync()
        assert_says(caught.value, "receive")
        assert_waiting(v, 1)


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_receive_sync_times_out(timeout: float) -> None:
    medium = Aether()
    v = tuned(medium, "a.*", name="quiet-one")
    with pytest.raises(TimeoutError) as caught:
        v.receive_sync(timeout=timeout)
    assert_says(caught.value, "quiet-one")
    assert v.statistics().tasks_waiting_receive == 0
    medium.emit_nowait("a.b", 1)
    assert v.receive_sync(timeout=0).payload == 1
    v.close()


def test_threads_share_a_mailbox() -> None:
    medium = Aether()
    v = tuned(medium, "a.*", buffer_size=10)
    got: list[int] = []

    def read() -> None:
        while (payload := v.receive_sync(timeout=10.0).payload) != "stop":
            got.append(payload)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(400):
        medium.emit_sync("a.b", number, timeout=10.0)
    for _ in threads:
        medium.emit_sync("a.b", "stop", timeout=10.0)
    for thread in threads:
        thread.join()
    v.close()
    assert sorted(got) == list(range(400))


@pytest.mark.parametrize(
    ("timeout", "kind"), [(-1.0, ValueError), (math.nan, ValueError), ("1", TypeError)]
)
def test_receive_sync_with_a_bad_timeout_is_an_error(timeout: Any, kind: type[Exception]) -> None:
    medium = Aether()
    v = tuned(medium, "a.*")
    with pytest.raises(kind, match="timeout"):
        v.receive_sync(timeout=timeout)
    v.close()


@pytest.mark.parametrize("library", ["trio", "asyncio"])
def test_a_library_that_another_thread_is_importing_runs_no_loop_here(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, types.ModuleType(library))
    medium = Aether()
    v = tuned(medium, "a.*")
    assert medium.emit_sync("a.b", 1)
    assert v.receive_sync(timeout=5).payload == 1
