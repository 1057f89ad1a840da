"""A handler that fails: logged, counted, raised or handed over, and nobody else is stopped."""

import asyncio
import contextlib
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_works,
    begin,
    messages,
    tuned,
    turns,
    until,
)

from aether import Aether, Wave


async def test_a_failing_handler_is_logged_and_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, name="fragile-one"), []

        @v.on("a.*")
        async def fail(wave: Wave[int]) -> None:
            if wave.payload == 1:
                raise LookupError("no such thing")
            seen.append(wave.payload)

        other = tuned(medium, name="other")
        other.on("a.*")(lambda wave: seen.append(wave.payload * 10))
        for number in (1, 2):
            await medium.emit_wave("a.b", number)
        assert await medium.settle(5)
        assert sorted(seen) == [2, 10, 20]
        await assert_works(medium)
    records = [record for record in caplog.records if "fragile-one" in record.getMessage()]
    assert records
    assert records[0].exc_info or "no such thing" in records[0].getMessage()


class Unusual(BaseException):
    """What is no `Exception`, and ends no program."""


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError("of something else"),
        Unusual("mine"),
        BaseExceptionGroup("two", [asyncio.CancelledError(), KeyError("mine")]),
    ],
    ids=["cancelled", "unusual", "group"],
)
@pytest.mark.parametrize(
    "options", [{}, {"timeout": 60.0}, {"key": lambda _: 0}], ids=["plain", "timeout", "key"]
)
async def test_an_error_of_any_class_is_one_of_its_wave(
    anyio_backend: object, error: BaseException, options: dict[str, Any]
) -> None:
    seen: list[object] = []
    async with Aether() as medium:
        v, letters = tuned(medium), tuned(medium, "dead.*", name="letters")

        def report(error: BaseException, wave: Wave[int]) -> None:
            seen.append(error)
            if wave.payload == 0:
                raise Unusual("a report")

        @v.on("a", **options)
        async def fail(wave: Wave[int]) -> None:
            if wave.payload < 2:
                raise error
            seen.append(wave.payload)

        async with anyio.create_task_group() as group:
            running = begin(group, lambda: v.run(on_error=report))
            await turns(3)
            receipts = [await medium.emit_wave("a", number) for number in range(3)]
            assert await medium.settle(5)
            assert seen == [error, error, 2]
            assert v.statistics().failed == 2
            assert [(await receipt.handled(5.0)).ok for receipt in receipts] == [False, False, True]
            assert letters.statistics().current_buffer_used == (2 if "timeout" in options else 0)
            letters.close()
            await running.cancel()


async def test_run_may_raise_the_error_of_a_handler() -> None:
    medium = Aether()
    v = tuned(medium)

    @v.on("a.*")
    async def fail(wave: object) -> None:
        raise LookupError("no such thing")

    medium.emit_nowait("a.b")
    caught: list[BaseException] = []

    def note(error: BaseException) -> None:
        inner = getattr(error, "exceptions", None)
        caught.extend(inner or [error])

    with anyio.fail_after(5):
        try:
            await v.run(on_error="raise")
        except BaseException as error:
            note(error)
    assert any(isinstance(error, LookupError) for error in caught), caught
    await medium.aclose()


async def test_run_may_hand_the_error_to_a_callable(caplog: pytest.LogCaptureFixture) -> None:
    medium, errors, seen = Aether(), [], []
    v = tuned(medium)

    @v.on("a.*")
    async def handle(wave: Wave[int]) -> None:
        if wave.payload == 1:
            raise LookupError("no such thing")
        seen.append(wave.payload)

    async with anyio.create_task_group() as group:
        running = begin(group, lambda: v.run(on_error=lambda *what: errors.append(what)))
        medium.emit_nowait("a.b", 1)
        medium.emit_nowait("a.b", 2)
        await until(lambda: seen == [2])
        await running.cancel()
    assert len(errors) == 1
    assert any(isinstance(part, LookupError) for part in errors[0])
    await medium.aclose()


async def test_an_on_error_that_fails_is_logged_and_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    medium = Aether()
    v = tuned(medium)

    @v.on("a.*")
    async def handle(wave: Wave[int]) -> None:
        raise LookupError(wave.payload)

    def report(error: BaseException, wave: Wave[int]) -> None:
        raise ZeroDivisionError

    async with anyio.create_task_group() as group:
        running = begin(group, lambda: v.run(on_error=report))
        for number in range(3):
            medium.emit_nowait("a.b", number)
        await until(lambda: v.statistics().failed == 3)
        assert not running.done
        await running.cancel()
    assert len(messages(caplog.records, "on_error of", "has failed")) == 3
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {
        ZeroDivisionError
    }
    await medium.aclose()


@pytest.mark.parametrize(("bad", "kind"), [("explode", ValueError), (3, TypeError)])
async def test_run_with_a_bad_on_error_is_an_error(bad: Any, kind: type[Exception]) -> None:
    async with Aether() as medium:
        v = tuned(medium)
        with pytest.raises(kind, match="on_error"):
            await v.run(on_error=bad)
        await assert_works(medium)


async def test_a_handler_that_fails_often_is_logged_without_its_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Aether() as medium:
        v = tuned(medium, name="fragile-one")

        @v.on("a.*")
        def fail(wave: Wave[str]) -> None:
            raise LookupError

        await medium.emit_wave("a.b", "hunter2")
        assert await medium.settle(5)
    assert messages(caplog.records, "fragile-one")
    assert not messages(caplog.records, "hunter2")


async def test_an_error_of_the_body_still_leaves_the_medium() -> None:
    v: Any = None
    with contextlib.suppress(LookupError):
        async with Aether() as medium:
            v = tuned(medium)
            v.on("a.*")(lambda wave: None)
            raise LookupError
    assert await v.receive() is None
