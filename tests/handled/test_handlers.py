"""What handlers come to: well, failed for good, dropped, cancelled."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from tests.handled.asking import hows, still_at_it
from tests.handling.passing import entered, passes
from tests.probes import begin, turns

from aether import Aether, AetherConfig, CircuitBreaker, Outcome, Rate, Retry, Wave


async def test_one_that_ends_well_is_named_with_its_function(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):

        @worker.on("a")
        async def work(wave: Wave[Any]) -> None:
            await turns(3)

        told = await (await medium.emit_wave("a")).handled()
        (outcome,) = told.outcomes
        assert (outcome.vibrator, outcome.how, outcome.error) == ("worker", "handled", None)
        assert outcome.handler is not None
        assert outcome.handler.endswith("work")
        assert told.ok
        assert told.failed == ()
        assert (told.finished, told.unknown) == (0, 0)


async def test_a_plain_function_counts_as_any(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):
        came: list[int] = []
        worker.on("a")(lambda wave: came.append(wave.payload))
        told = await (await medium.emit_wave("a", 3)).handled()
        assert (came, hows(told)) == ([3], {"worker": "handled"})


async def test_it_returns_when_the_last_has_finished(anyio_backend: object) -> None:
    doors = {name: anyio.Event() for name in "xy"}
    async with entered() as (medium, _clock, worker, _heard), anyio.create_task_group() as group:
        other = medium.vibrator("other")

        @worker.on("a")
        async def one(wave: Wave[Any]) -> None:
            await doors["x"].wait()

        @other.on("a")
        async def two(wave: Wave[Any]) -> None:
            await doors["y"].wait()

        receipt = await medium.emit_wave("a")
        later = begin(group, receipt.handled)
        await turns()
        assert not later.done
        doors["x"].set()
        await turns()
        assert not later.done
        assert await still_at_it(receipt) == "'other' is at work on it"
        doors["y"].set()
        assert hows(await later.result()) == {"other": "handled", "worker": "handled"}
        other.close()


async def test_two_handlers_of_one_vibrator_are_two(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):

        @worker.on("a")
        async def well(wave: Wave[Any]) -> None: ...

        @worker.on("*")
        async def badly(wave: Wave[Any]) -> None:
            raise ValueError(wave.payload)

        told = await (await medium.emit_wave("a", "no")).handled()
        assert sorted(outcome.how for outcome in told.of("worker")) == ["failed", "handled"]
        (failed,) = told.failed
        assert failed.error == "ValueError: no"
        assert failed.handler is not None
        assert failed.handler.endswith("badly")
        assert not told.ok


async def test_who_is_tried_again_is_at_work_until_it_fails_for_good(
    anyio_backend: object,
) -> None:
    async with entered() as (medium, clock, worker, heard), anyio.create_task_group() as group:
        retry = Retry(on=OSError, attempts=3, wait_initial=1.0, wait_jitter=0, wait_exp_base=1)
        tries: list[str | None] = []

        @worker.on("a", retry=retry)
        async def work(wave: Wave[Any]) -> None:
            tries.append(wave.headers.get("aether-attempt"))
            if wave.payload or len(tries) < 3:
                raise OSError("away")

        receipt = await medium.emit_wave("a", False)
        later = begin(group, receipt.handled)
        await passes(clock, 1.5, 0.5)
        assert not later.done
        await passes(clock, 1.0, 0.5)
        assert hows(await later.result()) == {"worker": "handled"}

        tries.clear()
        receipt = await medium.emit_wave("a", True)
        later = begin(group, receipt.handled)
        await passes(clock, 3.0, 0.5)
        (failed,) = (await later.result()).failed
        assert (failed.how, failed.error, len(tries)) == ("failed", "OSError: away", 3)
        assert len(heard.all()) == 1, "and it is a dead letter"


async def test_timeouts_and_open_circuits_are_failures(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _heard), anyio.create_task_group() as group:

        @worker.on("slow", timeout=1.0)
        async def sleep(wave: Wave[Any]) -> None:
            await anyio.sleep_forever()

        breaker = CircuitBreaker("shop", minimum=1, when_open="refuse")

        @worker.on("bad", circuit=breaker)
        async def fail(wave: Wave[Any]) -> None:
            raise OSError("away")

        later = begin(group, (await medium.emit_wave("slow")).handled)
        await passes(clock, 1.5, 0.5)
        (late,) = (await later.result()).failed
        assert (late.error or "").startswith("TimeoutError: the handler was at work for longer")

        (failed,) = (await (await medium.emit_wave("bad")).handled()).failed
        assert failed.error == "OSError: away"
        (refused,) = (await (await medium.emit_wave("bad")).handled()).failed
        assert (refused.error or "").startswith("CircuitOpen")


async def test_one_whose_turn_has_not_come_is_at_work(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _heard):

        @worker.on("a", rate=Rate(1.0, burst=1))
        async def work(wave: Wave[Any]) -> None: ...

        first, second = [await medium.emit_wave("a") for _ in range(2)]
        assert (await first.handled()).ok
        await turns()
        assert await still_at_it(second) == "'worker' is at work on it"
        await passes(clock, 1.5, 0.5)
        assert (await second.handled(timeout=0)).ok


async def test_with_a_key_what_stands_behind_another_is_waited_for(anyio_backend: object) -> None:
    door = anyio.Event()
    async with entered() as (medium, _clock, worker, _heard), anyio.create_task_group() as group:

        @worker.on("a", key=lambda wave: wave.payload[0], concurrency=2)
        async def work(wave: Wave[Any]) -> None:
            if wave.payload == "x1":
                await door.wait()
            if wave.payload == "x3":
                raise ValueError("x3")

        receipts = {name: await medium.emit_wave("a", name) for name in ("x1", "x2", "x3", "y")}
        assert (await receipts["y"].handled()).ok
        for name in ("x1", "x2", "x3"):
            assert await still_at_it(receipts[name]) == "'worker' is at work on it"
        last = begin(group, receipts["x3"].handled)
        door.set()
        (failed,) = (await last.result()).failed
        assert failed.error == "ValueError: x3"
        assert (await receipts["x2"].handled(timeout=0)).ok


async def test_a_key_that_fails_is_the_failure(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):

        @worker.on("a", key=lambda wave: wave.payload["id"])
        async def work(wave: Wave[Any]) -> None: ...

        (failed,) = (await (await medium.emit_wave("a", {})).handled()).failed
        assert failed.error == "KeyError: 'id'"


async def test_who_asks_late_is_told_who_failed_and_how_many_did_not(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):
        other = medium.vibrator("other")
        worker.on("a")(lambda wave: None)

        @other.on("a")
        async def fail(wave: Wave[Any]) -> None:
            raise ValueError("no")

        receipt = await medium.emit_wave("a")
        assert await medium.settle(timeout=5.0)
        told = await receipt.handled()
        assert hows(told) == {"other": "failed"}
        assert (told.finished, told.unknown) == (1, 0)
        assert await receipt.handled() == told, "it may be asked again"
        other.close()


async def test_what_is_forgotten_is_never_said_to_be_well(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):

        @worker.on("a")
        async def fail(wave: Wave[Any]) -> None:
            raise ValueError("no")

        old = await medium.emit_wave("a")
        kept = await medium.emit_wave("a")
        assert await medium.settle(timeout=5.0)
        for _ in range(1023):
            await medium.emit_wave("a")
        assert await medium.settle(timeout=5.0)
        new = await medium.emit_nowait("a").handled()
        assert hows(new) == {"worker": "failed"}
        told = await old.handled()
        assert (told.outcomes, told.finished, told.unknown) == ((), 0, 1)
        assert not told.ok
        assert (await kept.handled()).unknown == 1, "one more has failed since"


async def test_who_follows_a_wave_is_told_however_many_fail_meanwhile(
    anyio_backend: object,
) -> None:
    door = anyio.Event()
    async with entered() as (medium, _clock, worker, _heard), anyio.create_task_group() as group:

        @worker.on("a", concurrency=2)
        async def fail(wave: Wave[Any]) -> None:
            raise ValueError("no")

        @worker.on("slow")
        async def slow(wave: Wave[Any]) -> None:
            await door.wait()

        @worker.on("slow")
        async def soon(wave: Wave[Any]) -> None:
            raise ValueError("soon")

        receipt = await medium.emit_wave("slow")
        later = begin(group, receipt.handled)
        await turns()
        for _ in range(1100):
            await medium.emit_wave("a")
        assert await still_at_it(receipt) == "'worker' is at work on it"
        await turns()
        door.set()
        told = await later.result()
        assert sorted(one.how for one in told.outcomes) == ["failed", "handled"]


async def test_a_handler_that_is_cancelled_has_abandoned_the_wave(anyio_backend: object) -> None:
    medium = Aether(AetherConfig(drain_timeout=0.0))
    worker = medium.vibrator("worker")

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        async with medium:
            first, second = [await medium.emit_wave("a") for _ in range(2)]
            laters = [begin(group, receipt.handled) for receipt in (first, second)]
            await turns()
        assert [hows(await later.result()) for later in laters] == [{"worker": "abandoned"}] * 2
    worker.close()


async def test_a_wave_that_its_own_handler_asks_about_is_refused(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):
        told: list[Any] = []

        @worker.on("a")
        async def work(wave: Wave[Any]) -> None:
            try:
                await receipts[0].handled()
            except RuntimeError as error:
                told.append(str(error))
            told.append(await (await medium.emit_wave("b")).handled())

        worker.on("b")(lambda wave: None)
        receipts = [await medium.emit_wave("a")]
        assert (await receipts[0].handled()).ok
        assert "its own end" in told[0]
        assert hows(told[1]) == {"worker": "handled"}, "another wave may be waited for"


async def test_nobody_is_at_once(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        told = await (await medium.emit_wave("nobody.hears")).handled()
        assert (told.outcomes, told.finished, told.unknown, told.ok) == ((), 0, 0, True)
        spent = await medium.emit_wave("a", amplitude=0.001)
        assert spent.sequence is None
        assert (await spent.handled()).outcomes == ()


@pytest.mark.parametrize(
    ("timeout", "error"), [(-1.0, ValueError), (float("nan"), ValueError), ("1", TypeError)]
)
async def test_a_bad_timeout_is_refused(
    anyio_backend: object, timeout: Any, error: type[Exception]
) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        receipt = await medium.emit_wave("a")
        with pytest.raises(error, match="timeout"):
            await receipt.handled(timeout)


def test_an_outcome_says_whether_it_is_good() -> None:
    assert [how for how in ("handled", "read", "failed", "left") if Outcome("v", None, how).ok] == [
        "handled",
        "read",
    ]
