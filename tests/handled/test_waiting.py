"""The wait itself: timeouts, cancelling, threads, loops, the end of the medium, a journal."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from tests.handled.asking import following, hows, settled, still_at_it
from tests.handling.passing import entered, passes
from tests.probes import begin, tuned, turns

from aether import Aether, AetherConfig, ManualClock, Receipt, Wave, WouldBlock
from aether.timers import Timers


async def test_the_timeout_is_by_the_clock_of_the_medium_and_names_who_is_at_it(
    anyio_backend: object,
) -> None:
    async with entered() as (medium, clock, worker, _heard), anyio.create_task_group() as group:
        reader = tuned(medium, "a")
        tuned(medium, "a", name="idle")

        door = anyio.Event()

        @worker.on("a")
        async def work(wave: Wave[Any]) -> None:
            await door.wait()

        receipt = await medium.emit_wave("a")
        await reader.receive()
        later = begin(group, lambda: receipt.handled(timeout=2.0))
        await passes(clock, 1.5, 0.5)
        assert not later.done
        await passes(clock, 1.0, 0.5)
        with pytest.raises(TimeoutError) as raised:
            await later.result()
        message = str(raised.value)
        assert message.startswith(f"wave {receipt.sequence} was not handled within 2.0 s: ")
        for said in (
            "'worker' is at work on it",
            "'reader' has not asked for the next",
            "'idle' has it waiting",
        ):
            assert said in message
        assert await settled(receipt)
        assert medium.timers.next() is None
        door.set()


async def test_many_are_named_up_to_ten(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        for number in range(13):
            tuned(medium, "a", name=f"v{number}")
        said = await still_at_it(await medium.emit_wave("a"))
        assert said.count("has it waiting") == 10
        assert said.endswith(", 3 more")


async def test_cancelled_it_leaves_nothing_behind(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard), anyio.create_task_group() as group:
        reader = tuned(medium, "a")
        receipt = await medium.emit_wave("a", ttl=50.0)
        laters = [begin(group, lambda: receipt.handled(timeout=9.0)) for _ in range(3)]
        await turns()
        assert following(receipt) == 3
        await laters[0].cancel()
        assert following(receipt) == 2
        await reader.receive()
        await laters[1].cancel()
        with pytest.raises(WouldBlock):
            reader.receive_nowait()
        assert hows(await laters[2].result()) == {"reader": "read"}
        assert await settled(receipt)
        assert medium.timers.next() is None


async def test_one_that_is_never_awaited_follows_nothing(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        tuned(medium, "a")
        receipt = await medium.emit_wave("a")
        receipt.handled().close()
        assert following(receipt) == 0


async def test_several_may_ask_and_a_receipt_that_is_used_again_is_not_mixed_up(
    anyio_backend: object,
) -> None:
    async with entered() as (medium, _clock, _worker, _heard), anyio.create_task_group() as group:
        reader = tuned(medium, "a", "b")

        async def ask(channel: str) -> Any:
            return await (await medium.emit_wave(channel)).handled()

        laters = [begin(group, lambda: ask("a")), begin(group, lambda: ask("b"))]
        await turns()
        for _ in range(4):
            medium.emit_nowait("nobody.hears")
        await reader.receive_many(2)
        assert not any(later.done for later in laters)
        reader.close()
        assert [hows(await later.result()) for later in laters] == [{"reader": "left"}] * 2


async def test_the_end_of_the_medium_ends_it(anyio_backend: object) -> None:
    medium = Aether()
    reader = tuned(medium, "a")
    idle = tuned(medium, "a", name="idle")
    async with anyio.create_task_group() as group:
        async with medium:
            receipt = await medium.emit_wave("a")
            await reader.receive()
            later = begin(group, receipt.handled)
            await turns()
        # Readers get what is queued, and then the end.
        await turns()
        assert await still_at_it(receipt) in {
            "'reader' has not asked for the next, 'idle' has it waiting",
            "'idle' has it waiting, 'reader' has not asked for the next",
        }
        assert await reader.receive() is None
        idle.close()
        assert hows(await later.result()) == {"idle": "abandoned", "reader": "read"}
    reader.close()


async def test_a_medium_that_is_left_by_an_error_drops_what_waits(anyio_backend: object) -> None:
    medium = Aether()
    reader = tuned(medium, "a")
    receipts: list[Receipt] = []
    with pytest.raises(KeyError):
        async with medium:
            receipts.append(await medium.emit_wave("a"))
            raise KeyError
    assert hows(await receipts[0].handled(timeout=0)) == {"reader": "abandoned"}
    reader.close()


async def test_a_medium_that_is_gone_knows_nothing(anyio_backend: object) -> None:
    medium = Aether()
    reader = medium.vibrator("reader", overflow="drop_oldest")
    reader.resonate_on("a")
    receipt = medium.emit_nowait("a")
    reader.close()
    del reader, medium
    told = await receipt.handled(timeout=0)
    assert told.outcomes or told.unknown == 1
    assert not told.ok


async def test_handlers_that_do_not_run_are_waited_for(anyio_backend: object) -> None:
    medium = Aether()
    worker = medium.vibrator("worker")
    worker.on("a")(lambda wave: None)
    receipt = await medium.emit_wave("a")
    assert await still_at_it(receipt) == "'worker' has it waiting"
    async with anyio.create_task_group() as group:
        later = begin(group, receipt.handled)
        await turns()
        async with medium:
            assert hows(await later.result()) == {"worker": "handled"}
    worker.close()


async def test_emitted_in_a_thread_and_received_here(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, _heard):

        @worker.on("a")
        async def work(wave: Wave[Any]) -> None:
            if wave.payload % 3 == 0:
                raise ValueError(wave.payload)

        def emit() -> list[Receipt]:
            return [medium.emit_sync("a", number) for number in range(50)]

        receipts = await anyio.to_thread.run_sync(emit)
        told = [await receipt.handled(timeout=5.0) for receipt in receipts]
        assert [len(one.failed) for one in told] == [number % 3 == 0 for number in range(50)]
        assert not any(one.unknown for one in told)


async def test_asked_in_one_loop_and_handled_in_another(anyio_backend: object) -> None:
    medium = Aether()
    worker = medium.vibrator("worker")

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        await anyio.lowlevel.checkpoint()
        if wave.payload % 3 == 0:
            raise ValueError(wave.payload)

    begun, over = threading.Event(), threading.Event()

    async def run() -> None:
        async with medium:
            begun.set()
            while not over.is_set():
                await anyio.sleep(0.001)

    thread = threading.Thread(target=anyio.run, args=(run,))
    thread.start()
    try:
        await anyio.to_thread.run_sync(begun.wait)
        failed = 0
        for number in range(200):
            told = await (await medium.emit_wave("a", number)).handled(timeout=20.0)
            assert told.unknown == 0
            assert len(told.outcomes) + told.finished == 1
            assert len(told.failed) == (number % 3 == 0)
            failed += len(told.failed)
        assert failed == 67
    finally:
        over.set()
        await anyio.to_thread.run_sync(thread.join)
    worker.close()


async def test_readers_in_threads_are_never_missed(anyio_backend: object) -> None:
    medium = Aether(AetherConfig(channel_buffer_size=16))
    readers = [tuned(medium, "a", name=f"reader{number}") for number in range(3)]

    def read(reader: Any) -> None:
        while reader.receive_sync() is not None:
            pass

    threads = [threading.Thread(target=read, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for _ in range(200):
        told = await (await medium.emit_wave("a")).handled(timeout=20.0)
        assert told.ok
        assert len(told.outcomes) + told.finished == 3
    await medium.aclose()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)


async def test_what_a_journal_has_to_confirm_is_waited_for(
    anyio_backend: object, tmp_path: Path
) -> None:
    from aether.journal import Journal

    medium = Aether(journal=Journal(tmp_path / "waves"))
    worker = medium.vibrator("worker")

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        raise ValueError("no")

    async with medium:
        receipt = medium.emit_nowait("a", 1)
        assert receipt.pending
        assert hows(await receipt.handled()) == {"worker": "failed"}
        confirmed = await medium.emit_wave("a", 1)
        assert hows(await confirmed.handled()) == {"worker": "failed"}
    worker.close()


async def test_one_that_is_behind_may_still_read_it(anyio_backend: object, tmp_path: Path) -> None:
    from aether.journal import Journal

    medium = Aether(journal=Journal(tmp_path / "waves"))
    reader = tuned(medium, "a", overflow="replay", buffer_size=2)
    async with medium:
        receipts = [await medium.emit_wave("a", number) for number in range(6)]
        assert await still_at_it(receipts[5]) == "'reader' may still read it from the journal"
        async with anyio.create_task_group() as group:
            later = begin(group, receipts[5].handled)
            for number in range(6):
                assert not later.done
                wave = await reader.receive()
                assert wave is not None
                assert wave.payload == number
            waits = begin(group, reader.receive)
            assert (await later.result()).ok
            await waits.cancel()
    reader.close()


async def test_with_the_clock_of_the_machine(anyio_backend: object) -> None:
    async with Aether() as medium:
        reader = tuned(medium, "a")
        receipt = await medium.emit_wave("a", ttl=0.01)
        assert hows(await receipt.handled()) == {"reader": "expired"}
        late = await medium.emit_wave("a")
        with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
            await late.handled(timeout=0.01)
        reader.close()


async def test_a_clock_that_stands_still_is_no_busy_wait(
    anyio_backend: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    after = Timers.after

    def count(self: Timers, seconds: float, call: Any) -> Any:
        asked.append(seconds)
        return after(self, seconds, call)

    monkeypatch.setattr(Timers, "after", count)
    async with entered() as (medium, clock, _worker, _heard), anyio.create_task_group() as group:
        tuned(medium, "a")
        receipt = await medium.emit_wave("a", ttl=1.0)
        later = begin(group, receipt.handled)
        await turns()
        # At the very moment it is not over: only then time has passed it.
        clock.advance(1.0)
        await turns(100)
        assert not later.done
        assert len(asked) <= 3
        await passes(clock, 0.01)
        assert hows(await later.result()) == {"reader": "expired"}


async def test_one_that_passes_the_wave_over_in_the_journal_never_had_it(
    anyio_backend: object, tmp_path: Path
) -> None:
    from aether.journal import Journal

    medium = Aether(journal=Journal(tmp_path / "waves"))
    reader = tuned(medium, "b", overflow="replay", buffer_size=1)
    other = tuned(medium, "a", name="other")
    async with medium, anyio.create_task_group() as group:
        for _ in range(3):
            await medium.emit_wave("b")
        receipt = await medium.emit_wave("a")
        await medium.emit_wave("b")
        await other.receive()
        later = begin(group, receipt.handled)
        await turns()
        assert "'reader' may still read it from the journal" in await still_at_it(receipt)
        for _ in range(4):
            await reader.receive()
        other.close()
        told = await later.result()
        assert (hows(told), told.finished, told.unknown) == ({"other": "left"}, 0, 0)
    reader.close()


async def test_a_wave_that_comes_again_is_waited_for_again(
    anyio_backend: object, tmp_path: Path
) -> None:
    from aether.journal import Journal

    clock = ManualClock()
    medium = Aether(journal=Journal(tmp_path / "waves"), clock=clock)
    members = [medium.vibrator(f"member{number}", group="workers") for number in range(2)]
    for member in members:
        member.resonate_on("a", cursor="workers", ack="manual", ack_timeout=5.0)
    async with medium:
        receipt = await medium.emit_wave("a")
        wave = await members[0].receive()
        assert wave is not None
        clock.advance(6.0)
        again = await members[1].receive()
        assert again is not None
        assert again.id == wave.id
        # The first has left, and the other is at work on it.
        members[0].close()
        assert await still_at_it(receipt) == "'workers (group)' has not asked for the next"
        await members[1].ack(again)
    members[1].close()


async def test_one_that_was_gone_when_the_journal_delivered_is_not_said_to_be_well(
    anyio_backend: object, tmp_path: Path
) -> None:
    from aether.journal import Journal

    medium = Aether(journal=Journal(tmp_path / "waves"))
    async with medium:
        reader = medium.vibrator("reader")
        reader.resonate_on("a")
        receipt = medium.emit_nowait("a")
        reader.close()
        del reader
        told = await receipt.handled()
        assert not told.ok
        assert told.finished == 0
