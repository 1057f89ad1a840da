"""`SystemExit` and `KeyboardInterrupt` out of a handler end the program, on each loop as themselves.

asyncio lets them out of the loop at once. On trio they end the blocks that run the handlers, as a nursery does.
"""

import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from tests.conftest import NO_UVLOOP
from tests.probes import assert_dropped, tuned, turns, until

from aether import Aether, Wave

LOOPS = pytest.mark.parametrize(
    "backend",
    [
        pytest.param(("asyncio", {}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=NO_UVLOOP),
        pytest.param(("trio", {}), id="trio"),
    ],
)
ERRORS = pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "ctrl-c"]
)


def run(main: Callable[[], Awaitable[None]], backend: Any) -> None:
    name, options = backend
    anyio.run(main, backend=name, backend_options=options)


def raising(medium: Aether, error: BaseException, *, after: int = 0) -> Any:
    v = tuned(medium, name="worker")

    @v.on("end.*")
    async def handle(wave: Wave[Any]) -> None:
        await turns(after)
        raise error

    return v


@LOOPS
@ERRORS
def test_while_the_medium_is_entered(backend: Any, error: BaseException) -> None:
    medium = Aether()
    worker, ended = raising(medium, error, after=5), []

    @worker.on("end.*")
    async def other(wave: Wave[Any]) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("other")

    async def main() -> None:
        async with medium:
            await medium.emit_wave("end.now")
            await anyio.sleep_forever()

    with pytest.raises(type(error)) as caught:
        run(main, backend)
    assert caught.value is error
    assert ended == ["other"]
    assert medium.phase == "closed"
    assert_dropped(worker, abandoned=2)
    assert_dropped(medium, abandoned=2)


@LOOPS
@ERRORS
def test_while_the_medium_drains(backend: Any, error: BaseException) -> None:
    medium = Aether()
    raising(medium, error, after=5)

    async def main() -> None:
        async with medium:
            await medium.emit_wave("end.now")

    with pytest.raises(type(error)):
        run(main, backend)
    assert medium.phase == "closed"


@LOOPS
@ERRORS
def test_under_run(backend: Any, error: BaseException) -> None:
    medium = Aether()
    worker = raising(medium, error)
    medium.emit_nowait("end.now")
    with pytest.raises(type(error)):
        run(worker.run, backend)
    worker.close()


@LOOPS
def test_of_a_plain_handler(backend: Any) -> None:
    medium = Aether()
    worker = tuned(medium)

    @worker.on("end.*")
    def handle(wave: Wave[Any]) -> None:
        raise SystemExit("over")

    medium.emit_nowait("end.now")
    with pytest.raises(SystemExit, match="over"):
        run(worker.run, backend)
    worker.close()


def test_trio_ends_the_block_where_it_waits_next() -> None:
    """A thread that it waits for cannot be interrupted."""
    import trio

    medium, gate, steps = Aether(), threading.Event(), []
    worker = raising(medium, SystemExit(3))

    async def open_gate() -> None:
        await until(lambda: bool(worker.statistics().missed))
        await turns()
        gate.set()

    async def main() -> None:
        async with medium:
            trio.lowlevel.spawn_system_task(open_gate)
            await medium.emit_wave("end.now")
            await anyio.to_thread.run_sync(gate.wait)
            steps.append("thread")
            await anyio.sleep_forever()

    with pytest.raises(SystemExit):
        run(main, ("trio", {}))
    assert steps == ["thread"]


def test_trio_raises_a_group_that_holds_it() -> None:
    medium = Aether()
    worker = tuned(medium)

    @worker.on("end.*")
    async def handle(wave: Wave[Any]) -> None:
        async with anyio.create_task_group():
            raise SystemExit(3)

    medium.emit_nowait("end.now")
    with pytest.raises(BaseExceptionGroup) as caught:
        run(worker.run, ("trio", {}))
    assert caught.value.subgroup(SystemExit)
    worker.close()


def test_trio_raises_it_in_the_task_that_entered_the_medium() -> None:
    medium, error = Aether(), SystemExit(3)
    raising(medium, error)
    seen: list[BaseException] = []

    async def serve() -> None:
        try:
            async with medium:
                await medium.emit_wave("end.now")
                await anyio.sleep_forever()
        except BaseException as caught:
            seen.append(caught)
            raise

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await anyio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        run(main, ("trio", {}))
    assert caught.value.exceptions == (error,)
    assert seen == [error]


def test_trio_raises_it_in_every_block_and_in_none_that_is_entered_later() -> None:
    medium, error = Aether(), SystemExit(3)
    worker = raising(medium, error)
    ended: list[str] = []

    async def block(name: str, call: Callable[[], Awaitable[Any]]) -> None:
        with pytest.raises(SystemExit) as caught:
            await call()
        assert caught.value is error
        ended.append(name)

    async def running() -> None:
        async with medium.running():
            await anyio.sleep_forever()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(block, "first", running)
            group.start_soon(block, "second", running)
            group.start_soon(block, "run", worker.run)
            await turns()
            await medium.emit_wave("end.now")
        assert sorted(ended) == ["first", "run", "second"]
        async with medium.running():
            await turns()
        worker.close()

    run(main, ("trio", {}))


def test_trio_raises_it_also_out_of_a_block_that_fails_as_it_ends() -> None:
    medium, error = Aether(), SystemExit(3)
    raising(medium, error)

    async def main() -> None:
        async with medium:
            await medium.emit_wave("end.now")
            try:
                await anyio.sleep_forever()
            finally:
                raise LookupError

    with pytest.raises(SystemExit) as caught:
        run(main, ("trio", {}))
    assert caught.value is error
    assert isinstance(error.__context__, LookupError)


@pytest.mark.parametrize(
    ("error", "level"), [(LookupError(), logging.ERROR), (SystemExit(3), logging.CRITICAL)]
)
def test_trio_logs_what_comes_when_the_block_is_left(
    error: BaseException, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    """In a nursery, so that it comes together with the cancellation."""
    medium, entered = Aether(), anyio.Event()
    worker = tuned(medium)

    async def fail() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise error

    @worker.on("end.*")
    async def handle(wave: Wave[Any]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            group.start_soon(anyio.sleep_forever)
            entered.set()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(worker.run)
            await medium.emit_wave("end.now")
            await entered.wait()
            await turns()
            group.cancel_scope.cancel()
        await until(lambda: bool(caplog.records))

    run(main, ("trio", {}))
    (record,) = caplog.records
    assert record.levelno == level
    assert record.exc_info
    assert error in getattr(record.exc_info[1], "exceptions", ())
    worker.close()


def test_trio_ends_with_handlers_at_work_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    import trio

    medium, entered = Aether(), anyio.Event()
    worker = tuned(medium)

    @worker.on("end.*")
    async def handle(wave: Wave[Any]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            group.start_soon(anyio.sleep_forever)
            entered.set()

    async def main() -> None:
        trio.lowlevel.spawn_system_task(worker.run)
        await medium.emit_wave("end.now")
        await entered.wait()

    run(main, ("trio", {}))
    assert caplog.records == []
    assert_dropped(worker, abandoned=1)
    worker.close()
