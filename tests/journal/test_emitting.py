"""Emitting into a journal: written first, delivered then, in one order; what is refused leaves no trace."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, strategies as st
from tests.probes import PATIENCE, assert_says, begin, payloads, tuned, until

from aether import Aether, AetherConfig, NoReceiver, PayloadError, Wave, WouldBlock, _native
from aether.journal import Journal

pytestmark = pytest.mark.anyio


def written(path: Path, pattern: str = "*") -> list[Any]:
    """The payloads in a journal, in its order."""
    return [wave.payload for wave in Journal(path).replay(pattern)]


async def test_a_wave_is_delivered_once_it_is_in_the_journal(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "orders.*")
        receipt = await medium.emit_wave("orders.created", {"id": 7})
        assert (receipt.matched, receipt.delivered, receipt.pending) == (1, 1, False)
        assert receipt.position == receipt.sequence == 1
        assert medium.journal is not None
        assert medium.journal.safe == 1
        wave = await reader.receive()
        assert wave is not None
        assert (wave.sequence, wave.payload) == (1, {"id": 7})
        assert written(tmp_path) == [{"id": 7}]


async def test_what_nobody_hears_is_history_all_the_same(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        receipt = await medium.emit_wave("orders.created", 1)
        assert (receipt.matched, receipt.position) == (0, 1)
        assert medium.statistics().unheard == 1
    assert written(tmp_path) == [1]


async def test_positions_go_on_in_the_next_medium(tmp_path: Path) -> None:
    for first in (1, 4, 7):
        async with Aether(journal=Journal(tmp_path)) as medium:
            receipts = await medium.emit_many([("a.b", number) for number in range(3)])
            assert [receipt.position for receipt in receipts] == [first, first + 1, first + 2]
            assert medium.statistics().emitted == 3
    assert written(tmp_path) == [0, 1, 2] * 3


async def test_the_undo_of_a_step_is_history_as_such(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "orders.*")
        await medium.emit_wave("orders.paid", 1, amplitude=0.5)
        paid = await reader.receive()
        assert paid is not None
        await medium.emit_wave("orders.refunded", 1, compensates=paid)
        refunded = await reader.receive()
        assert refunded is not None
    (_, read) = Journal(tmp_path).replay()
    assert read.compensates == refunded.compensates == paid.id
    assert _native.undone_by(read) == (paid.id, paid.timestamp, 0.5, paid.phase)
    assert read.phase == refunded.phase


@pytest.mark.parametrize("durability", ["fsync", "os", "none"])
async def test_more_waves_than_are_emitted_in_a_row(tmp_path: Path, durability: Any) -> None:
    # Between them, what is committed by then is delivered.
    count = 5_000
    async with Aether(journal=Journal(tmp_path, durability=durability)) as medium:
        reader = tuned(medium, "*", order="fifo", buffer_size=count)
        with anyio.fail_after(PATIENCE):
            receipts = await medium.emit_many([("a.b", number) for number in range(count)])
            await medium.until_delivered()
        assert [receipt.position for receipt in receipts] == list(range(1, count + 1))
        assert payloads(reader) == list(range(count))
    assert [wave.payload for wave in Journal(tmp_path).replay()] == list(range(count))


async def test_of_many_who_wait_for_one_commit_each_is_told_and_some_are_cancelled(
    tmp_path: Path,
) -> None:
    chance = random.Random(3)
    told: dict[int, int | None] = {}

    async def emit(medium: Aether, number: int, scope: anyio.CancelScope) -> None:
        with scope:
            told[number] = (await medium.emit_wave("a.b", number)).position

    async with Aether(journal=Journal(tmp_path)) as medium:
        for turn in range(5):
            scopes = [anyio.CancelScope() for _ in range(100)]
            with anyio.fail_after(PATIENCE):
                async with anyio.create_task_group() as tasks:
                    for number, scope in enumerate(scopes, 100 * turn):
                        tasks.start_soon(emit, medium, number, scope)
                    await anyio.lowlevel.checkpoint()
                    given_up = chance.sample(range(100), 30)
                    for one in given_up:
                        scopes[one].cancel()
            left = {100 * turn + one for one in range(100) if one not in given_up}
            assert left <= told.keys()
    there = {wave.payload: wave.sequence for wave in Journal(tmp_path).replay()}
    assert told.items() <= there.items()


async def test_emit_nowait_is_pending_until_the_journal_tells(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "a.*")
        receipt = medium.emit_nowait("a.b", b"raw")
        assert receipt.pending
        assert (bool(receipt), receipt.matched, receipt.delivered) == (False, 0, 0)
        assert receipt.position == receipt.sequence == 1
        assert medium.journal is not None
        final = await medium.journal.durable(receipt.position)
        assert (final.pending, final.matched, final.delivered) == (False, 1, 1)
        assert final.position == receipt.position
        # As a number alone, it tells when, not who.
        again = await medium.journal.durable(int(receipt.position))
        assert (again.position, again.matched) == (1, 0)
        assert payloads(reader) == [b"raw"]


async def test_a_position_that_was_never_given_is_refused(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        await medium.emit_wave("a.b")
        assert medium.journal is not None
        for wrong in (0, 2):
            with pytest.raises(ValueError, match=r"position must be in 1\.\.1"):
                await medium.journal.durable(wrong)


@pytest.mark.parametrize("durability", ["fsync", "os", "none"])
async def test_every_durability_keeps_the_order(tmp_path: Path, durability: Any) -> None:
    async with Aether(journal=Journal(tmp_path, durability=durability)) as medium:
        reader = tuned(medium, "*", order="fifo")

        async def emit(emitter: int) -> None:
            for number in range(20):
                await medium.emit_wave(f"from.{emitter}", [emitter, number])

        async with anyio.create_task_group() as group:
            for emitter in range(10):
                group.start_soon(emit, emitter)
        await medium.until_delivered()
        heard = payloads(reader)
    assert len(heard) == 200
    assert heard == written(tmp_path)
    for emitter in range(10):
        assert [number for who, number in heard if who == emitter] == list(range(20))


async def test_threads_and_tasks_share_one_order(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "*", order="fifo", buffer_size=10_000)
        emitter = medium.emitter()

        def emit(who: int) -> None:
            for number in range(50):
                if number % 2:
                    emitter.emit_sync("t.x", [who, number])
                else:
                    emitter.emit_nowait("t.x", [who, number])

        threads = [threading.Thread(target=emit, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for number in range(50):
            await medium.emit_wave("t.x", [4, number])
        await until(lambda: not any(thread.is_alive() for thread in threads))
        await medium.until_delivered()
        heard = payloads(reader)
    assert heard == written(tmp_path)
    assert sorted(heard) == [[who, number] for who in range(5) for number in range(50)]
    for who in range(5):
        assert [number for one, number in heard if one == who] == list(range(50))


async def test_a_cancelled_emission_is_written_and_delivered_or_neither(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "*", order="fifo", buffer_size=10_000)
        returned = []

        async def emit(number: int, delay: int) -> None:
            with anyio.CancelScope() as scope:

                async def cancel() -> None:
                    for _ in range(delay):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()

                group.start_soon(cancel)
                await medium.emit_wave("a.b", number)
                returned.append(number)

        async with anyio.create_task_group() as group:
            for number in range(300):
                group.start_soon(emit, number, number % 7)
        await medium.until_delivered()
        heard = payloads(reader)
    assert heard == written(tmp_path)
    assert set(returned) <= set(heard)


class Odd:
    """What msgpack knows no way for."""


async def test_a_payload_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "a.*")
        for emit in (medium.emit_wave, medium.emit_nowait):
            with pytest.raises(PayloadError) as caught:
                await emit("a.b", Odd())  # type: ignore[misc]
            assert_says(caught.value, "Odd")
        with pytest.raises(PayloadError):
            await medium.emit_many([("a.b", 1), ("a.b", Odd())])
        assert payloads(reader) == []
        await medium.emit_wave("a.b", "after")
        assert payloads(reader) == ["after"]
    assert written(tmp_path) == ["after"]


async def test_a_text_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        for headers in ({"odd \ud800": "text"}, {"name": "odd \ud800"}):
            with pytest.raises(PayloadError) as caught:
                await medium.emit_wave("a.b", 1, headers=headers)
            assert_says(caught.value, "a.b", "header", "surrogate")
        with pytest.raises(PayloadError) as caught:
            await medium.emit(Wave("a.b", 2, source="odd \ud800"))
        assert_says(caught.value, "source", "surrogate")
        await medium.emit_wave("a.b", 3, headers={"name": "text"})
    assert written(tmp_path) == [3]


async def test_a_payload_over_the_limit_is_refused(tmp_path: Path) -> None:
    config = AetherConfig(max_payload_bytes=100)
    async with Aether(config, journal=Journal(tmp_path)) as medium:
        await medium.emit_wave("a.b", bytes(100))
        for large in (bytes(101), "x" * 101):
            with pytest.raises(PayloadError) as caught:
                await medium.emit_wave("a.b", large)
            assert_says(caught.value, "max_payload_bytes", "100")
    assert written(tmp_path) == [bytes(100)]


async def test_what_is_refused_before_the_journal_leaves_no_trace(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        with pytest.raises(NoReceiver):
            await medium.emit_wave("a.b", 1, require=1)
        assert (await medium.emit_wave("a.b", 2, amplitude=0.001)).reason == "min_amplitude"
        tuned(medium, "e.*", overflow="error", buffer_size=1)
        tuned(medium, "b.*", overflow="block", buffer_size=1)
        await medium.emit_wave("e.x", 3)
        await medium.emit_wave("b.x", 4)
        with pytest.raises(WouldBlock):
            await medium.emit_wave("e.x", 5)
        with pytest.raises(WouldBlock):
            medium.emit_nowait("b.x", 6)
        with pytest.raises(TimeoutError):
            await medium.emit_wave("b.x", 7, timeout=0.0)
        async with anyio.create_task_group() as group:
            later = begin(group, lambda: medium.emit_wave("b.x", 8))
            await until(lambda: medium.statistics().tasks_waiting_send == 1)
            await later.cancel()
    assert written(tmp_path) == [3, 4]


async def test_room_is_taken_when_a_wave_is_appended(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "a.*", buffer_size=3)
        receipts = [medium.emit_nowait("a.b", number) for number in range(3)]
        # Delivered by now or not: the room is gone.
        with pytest.raises(WouldBlock):
            medium.emit_nowait("a.b", 3)
        assert medium.journal is not None
        for receipt in receipts:
            assert receipt.position is not None
            assert (await medium.journal.durable(receipt.position)).delivered == 1
        assert payloads(reader) == [0, 1, 2]
        assert reader.statistics().max_buffer_size == 3


async def test_an_emission_waits_for_room_and_is_written_once(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 0)
        async with anyio.create_task_group() as group:
            later = begin(group, lambda: medium.emit_wave("a.b", 1))
            await until(lambda: medium.statistics().tasks_waiting_send == 1)
            assert payloads(reader) == [0]
            assert (await later.result()).position == 2
        assert payloads(reader) == [1]
    assert written(tmp_path) == [0, 1]


async def test_handlers_emit_into_the_journal_while_the_medium_is_left(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        worker = medium.vibrator("worker")

        @worker.on("step.one")
        async def step(wave: Wave[int]) -> None:
            await medium.emit_wave("step.two", wave.payload + 100)

        for number in range(20):
            medium.emit_nowait("step.one", number)
    assert written(tmp_path, "step.one") == list(range(20))
    assert written(tmp_path, "step.two") == list(range(100, 120))


async def test_a_medium_that_is_left_by_an_error_keeps_what_it_has_appended(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Aether(journal=Journal(tmp_path)) as medium:
            medium.emit_nowait("a.b", 1)
            raise ZeroDivisionError
    assert written(tmp_path) == [1]


async def test_a_request_goes_through_the_journal_and_its_answer_does_not(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        worker = medium.vibrator("worker")

        @worker.on("queries.*")
        async def answer(wave: Wave[int]) -> int:
            return wave.payload + 1

        assert (await medium.request("queries.next", 41)).payload == 42
    [wave] = Journal(tmp_path).replay()
    assert (wave.payload, dict(wave.headers)) == (41, {})


async def test_a_journal_has_one_medium_at_a_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    async with Aether(journal=journal):
        for other in (journal, Journal(tmp_path)):
            with pytest.raises(Exception, match=r"open already|is written by the process"):
                Aether(journal=other)
    async with Aether(journal=journal) as medium:
        await medium.emit_wave("a.b", 1)
    assert written(tmp_path) == [1]


async def test_what_may_wait_for_the_disk_is_bounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path, pending_bytes=4096)
    async with Aether(journal=journal) as medium:
        reader = tuned(medium, "*", order="fifo", buffer_size=10_000)
        refused = 0
        for number in range(200):
            try:
                medium.emit_nowait("a.b", bytes([number]) * 500)
            except WouldBlock as error:
                assert_says(error, "journal", "pending_bytes")
                refused += 1
        await medium.emit_many([("a.b", bytes([number]) * 500) for number in range(200)])
        await medium.until_delivered()
        assert len(payloads(reader)) == 400 - refused
    assert len(written(tmp_path)) == 400 - refused


@given(st.lists(st.sampled_from(["emit", "nowait", "many", "reopen"]), max_size=12))
async def test_any_program_finds_again_what_it_was_told_is_there(
    tmp_path_factory: pytest.TempPathFactory, program: list[str]
) -> None:
    path = tmp_path_factory.mktemp("journal")
    expected: list[int] = []
    medium = Aether(journal=Journal(path))
    for step in program:
        number = len(expected)
        match step:
            case "emit":
                await medium.emit_wave("a.b", number)
                expected.append(number)
            case "nowait":
                medium.emit_nowait("a.b", number)
                expected.append(number)
            case "many":
                await medium.emit_many([("a.b", number), ("a.c", number + 1)])
                expected += [number, number + 1]
            case _:
                await medium.aclose()
                medium = Aether(journal=Journal(path))
    await medium.aclose()
    assert written(path) == expected
