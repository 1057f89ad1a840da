"""The end of a medium: who may still do what, and what is counted."""

import contextlib
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_says,
    begin,
    tuned,
    turns,
    until,
    until_receiving,
    until_sending,
)

from aether import Aether, AetherConfig, Closed, EndOfStream, Wave


async def test_entering_gives_the_medium() -> None:
    medium = Aether()
    async with medium as entered:
        assert entered is medium


async def test_after_leaving_no_emissions() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
    for call in (lambda: medium.emit_nowait("a.b"), lambda: v.emit_nowait("a.b")):
        with pytest.raises(Closed) as caught:
            call()
        assert_says(caught.value, "closed")
    with pytest.raises(Closed):
        await medium.emit_wave("a.b")


async def test_readers_get_what_is_queued_and_then_the_end() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for number in range(3):
            await medium.emit_wave("a.b", number)
    with anyio.fail_after(5):
        got = [wave.payload async for wave in v]
    assert got == [0, 1, 2]
    assert await v.receive() is None
    assert await v.receive_many(3) == []
    with pytest.raises(EndOfStream):
        v.receive_nowait()


async def test_a_reader_that_waits_gets_the_end() -> None:
    async with anyio.create_task_group() as group:
        async with Aether() as medium:
            v = tuned(medium, "a.*")
            reading = begin(group, v.receive)
            await until_receiving(v)
        assert await reading.result() is None


async def test_handlers_finish_what_waits_for_them() -> None:
    seen: list[int] = []
    async with Aether() as medium:
        v = tuned(medium)

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await turns(2)
            seen.append(wave.payload)

        for number in range(10):
            await medium.emit_wave("a.b", number)
    assert seen == list(range(10))


async def test_handlers_may_still_emit_while_leaving() -> None:
    seen: list[tuple[str, int]] = []
    async with Aether() as medium:
        v = tuned(medium)

        @v.on("first.*")
        async def first(wave: Wave[int]) -> None:
            await turns(5)
            await v.emit_wave("second.a", wave.payload, cause=wave)
            medium.emit_nowait("third.a", wave.payload)

        v.on("second.*")(lambda wave: seen.append(("second", wave.payload)))
        v.on("third.*")(lambda wave: seen.append(("third", wave.payload)))
        for number in range(3):
            await medium.emit_wave("first.a", number)
    assert sorted(seen) == [(name, number) for name in ("second", "third") for number in range(3)]


async def test_while_leaving_no_emissions_from_outside() -> None:
    gate, entered, errors = anyio.Event(), anyio.Event(), []
    async with anyio.create_task_group() as group:
        medium = Aether()

        async def live() -> None:
            async with medium:
                v = tuned(medium)

                @v.on("a.*")
                async def handle(wave: object) -> None:
                    entered.set()
                    await gate.wait()

                await medium.emit_wave("a.b")
                await entered.wait()

        living = begin(group, live)
        await entered.wait()

        def refused() -> bool:
            try:
                medium.emit_nowait("b.b")
            except Closed as error:
                errors.append(error)
            return bool(errors)

        await until(refused)
        assert not living.done
        gate.set()
        await living.result()


async def test_leaving_takes_at_most_drain_timeout() -> None:
    cancelled = anyio.Event()
    with anyio.fail_after(5):
        async with Aether(AetherConfig(drain_timeout=0.01)) as medium:
            v = tuned(medium)

            @v.on("a.*")
            async def handle(wave: object) -> None:
                try:
                    await anyio.sleep_forever()
                finally:
                    cancelled.set()

            await medium.emit_wave("a.b")
            await medium.emit_wave("a.b")
            await turns()
    assert cancelled.is_set()
    assert v.statistics().dropped["abandoned"] >= 1


async def test_left_by_an_exception_at_once_and_counted() -> None:
    seen: list[int] = []
    with anyio.fail_after(5), contextlib.suppress(LookupError):
        async with Aether(AetherConfig(drain_timeout=1000.0)) as medium:
            v, reader = tuned(medium), tuned(medium, "a.*", name="plain")

            @v.on("a.*")
            async def handle(wave: Wave[int]) -> None:
                await anyio.sleep_forever()
                seen.append(wave.payload)

            for number in range(3):
                await medium.emit_wave("a.b", number)
            await turns()
            raise LookupError
    assert seen == []
    assert v.statistics().dropped["abandoned"] >= 2
    assert_dropped(reader, abandoned=3)
    assert await reader.receive() is None


async def test_the_exception_goes_on() -> None:
    with pytest.raises(LookupError, match="mine"):
        async with Aether() as medium:
            tuned(medium, "a.*")
            raise LookupError("mine")


async def test_an_emission_that_waits_ends_closed() -> None:
    async with anyio.create_task_group() as group:
        async with Aether() as medium:
            v = tuned(medium, "a.*", buffer_size=1)
            await medium.emit_wave("a.b", 1)
            sending = begin(group, lambda: medium.emit_wave("a.b", 2))
            await until_sending(v)
        with pytest.raises(Closed):
            await sending.result()
        assert payloads_to_the_end(v) == [1]


def payloads_to_the_end(v: Any) -> list[Any]:
    got = []
    with contextlib.suppress(EndOfStream):
        while True:
            got.append(v.receive_nowait().payload)
    return got


async def test_a_running_block_may_be_left_by_an_exception_and_entered_again() -> None:
    medium, seen = Aether(), []
    v = tuned(medium)
    v.on("a.*")(lambda wave: seen.append(wave.payload))
    with contextlib.suppress(LookupError):
        async with medium.running():
            raise LookupError
    async with medium.running():
        await medium.emit_wave("a.b", 1)
        assert await medium.settle(5)
    assert seen == [1]
    await medium.aclose()


async def test_left_by_a_cancellation_at_once_and_counted() -> None:
    with anyio.fail_after(5), anyio.CancelScope() as scope:
        async with Aether(AetherConfig(drain_timeout=1000.0)) as medium:
            v, reader = tuned(medium), tuned(medium, "a.*", name="plain")

            @v.on("a.*")
            async def handle(wave: object) -> None:
                await anyio.sleep_forever()

            for number in range(3):
                await medium.emit_wave("a.b", number)
            await turns()
            scope.cancel()
            await anyio.sleep_forever()
    assert medium.phase == "closed"
    assert_dropped(v, abandoned=3)
    assert_dropped(reader, abandoned=3)


async def test_cancelled_while_handlers_finish_it_ends_at_once_and_counted() -> None:
    with anyio.fail_after(5), anyio.CancelScope() as scope:
        async with Aether(AetherConfig(drain_timeout=1000.0)) as medium:
            v = tuned(medium)

            @v.on("a.*")
            async def handle(wave: object) -> None:
                await until(lambda: medium.phase == "draining")
                scope.cancel()
                await anyio.sleep_forever()

            for number in range(3):
                await medium.emit_wave("a.b", number)
    assert scope.cancelled_caught
    assert medium.phase == "closed"
    assert_dropped(v, abandoned=3)


@pytest.mark.parametrize("door", ["emit_nowait", "emit_sync"])
async def test_a_thread_of_a_handler_may_still_emit_while_leaving(door: str) -> None:
    async with Aether() as medium:
        v, reader = tuned(medium), tuned(medium, "b.*", name="reader")

        @v.on("a.*")
        async def handle(wave: object) -> None:
            await until(lambda: medium.phase == "draining")
            await anyio.to_thread.run_sync(lambda: getattr(medium, door)("b.b", "late"))

        await medium.emit_wave("a.b")
    assert payloads_to_the_end(reader) == ["late"]


async def test_a_request_that_waits_is_answered_while_leaving() -> None:
    async with anyio.create_task_group() as group:
        async with Aether() as medium:
            v, entered = tuned(medium), anyio.Event()

            @v.on("queries.*")
            async def answer(wave: Wave[int]) -> int:
                entered.set()
                await until(lambda: medium.phase == "draining")
                return wave.payload + 1

            asking = begin(group, lambda: medium.request("queries.x", 1, timeout=5.0))
            await entered.wait()
        assert (await asking.result()).payload == 2


async def test_handlers_may_still_request_while_leaving() -> None:
    seen: list[int] = []
    async with Aether() as medium:
        v = tuned(medium)
        v.on("queries.*")(lambda wave: wave.payload + 1)

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await until(lambda: medium.phase == "draining")
            answer = await v.request("queries.x", wave.payload, timeout=5.0)
            seen.append(answer.payload)

        await medium.emit_wave("a.b", 1)
    assert seen == [2]


async def test_the_medium_counts_as_its_vibrators_do() -> None:
    with anyio.fail_after(5):
        async with Aether(AetherConfig(drain_timeout=0.0)) as medium:
            v = tuned(medium)

            @v.on("a.*")
            async def handle(wave: object) -> None:
                await anyio.sleep_forever()

            for number in range(3):
                await medium.emit_wave("a.b", number)
            await turns()
    mine, all_ = v.statistics(), medium.statistics()
    assert (all_.received, dict(all_.dropped)) == (mine.received, dict(mine.dropped))
