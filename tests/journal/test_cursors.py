"""Durable cursors: what a reader has finished does not come again, everything else does."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.probes import PATIENCE, assert_says, until

from aether import Aether, EndOfStream, JournalError, ManualClock, Vibrator, Wave, WouldBlock
from aether.journal import Journal

pytestmark = pytest.mark.anyio

# How often the process is killed; `make torture` asks for more.
KILLS = 1_000 if "AETHER_TORTURE" in os.environ else 40


async def receive(vibrator: Vibrator) -> Wave[Any]:
    with anyio.fail_after(PATIENCE):
        wave = await vibrator.receive()
    assert wave is not None
    return wave


async def take(vibrator: Vibrator, count: int) -> list[Wave[Any]]:
    return [await receive(vibrator) for _ in range(count)]


def said(waves: list[Wave[Any]]) -> list[tuple[Any, int]]:
    """What came, the so many-th time."""
    return [(wave.payload, wave.delivery_count) for wave in waves]


async def orders(medium: Aether, *payloads: Any) -> None:
    await medium.emit_many([("orders.created", payload) for payload in payloads])


# Restarts


async def test_what_was_acknowledged_does_not_come_again(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        assert await billing.resonate_on("orders.*", cursor="billing") == 1
        await orders(medium, *range(6))
        await medium.emit_wave("payments.made", "another")
        waves = await take(billing, 4)
        assert said(waves) == [(0, 1), (1, 1), (2, 1), (3, 1)]
        for place in (3, 0, 2):
            assert await billing.ack(waves[place]) is None
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, "live")
        waves = await take(billing, 4)
        # It was out, these were not.
        assert said(waves) == [(1, 2), (4, 1), (5, 1), ("live", 1)]
        assert [wave.sequence for wave in waves] == [2, 5, 6, 8]
        for wave in waves:
            await billing.ack(wave)
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, "next")
        assert said([await receive(billing)]) == [("next", 1)]


async def test_a_new_cursor_begins_now_or_where_it_is_told(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        await orders(medium, 1, 2, 3)
        late = medium.vibrator("late")
        await late.resonate_on("orders.*", cursor="late")
        early = medium.vibrator("early")
        await early.resonate_on("orders.*", cursor="early", replay=2)
        await orders(medium, 4)
        assert said(await take(late, 1)) == [(4, 1)]
        assert said(await take(early, 3)) == [(2, 1), (3, 1), (4, 1)]
    async with Aether(journal=Journal(tmp_path)) as medium:
        # What is known goes on, whatever is asked for, also when nothing was acknowledged.
        late = medium.vibrator("late")
        await late.resonate_on("orders.*", cursor="late", replay="all")
        assert said(await take(late, 1)) == [(4, 2)]


async def test_a_cursor_that_was_only_asked_for_is_known(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        idle = medium.vibrator("idle")
        await idle.resonate_on("orders.*", cursor="idle")
        await orders(medium, 1)
    async with Aether(journal=Journal(tmp_path)) as medium:
        await orders(medium, 2)
        idle = medium.vibrator("idle")
        await idle.resonate_on("orders.*", cursor="idle")
        assert said(await take(idle, 2)) == [(1, 1), (2, 1)]


async def test_a_cursor_goes_on_in_the_same_program(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        first = medium.vibrator("first")
        await first.resonate_on("orders.*", cursor="billing")
        await orders(medium, 1, 2, 3)
        waves = await take(first, 2)
        first.ack(waves[0])
        await first.aclose()
        # It was abandoned there, and is not lost.
        await orders(medium, 4)
        second = medium.vibrator("second")
        await second.resonate_on("orders.*", cursor="billing")
        assert said(await take(second, 3)) == [(2, 2), (3, 1), (4, 1)]
        with pytest.raises(EndOfStream):
            first.receive_nowait()


async def test_what_is_emitted_while_a_reader_drains_comes_later(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        first = medium.vibrator("first")
        await first.resonate_on("orders.*", cursor="billing")
        await orders(medium, 1, 2)
        async with anyio.create_task_group() as group:
            group.start_soon(first.drain)
            await until(lambda: not first.mailbox.is_open)
            await orders(medium, 3)
            for wave in await take(first, 2):
                await first.ack(wave)
        second = medium.vibrator("second")
        await second.resonate_on("orders.*", cursor="billing")
        assert said(await take(second, 1)) == [(3, 1)]


async def test_louder_waves_leave_no_other_behind(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        for payload, amplitude in [("faint", 0.2), ("fainter", 0.1), ("loud", 0.9)]:
            await medium.emit_wave("orders.created", payload, amplitude=amplitude)
        loud = await receive(billing)
        assert loud.payload == "loud"
        await billing.ack(loud)
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, "last")
        got = said(await take(billing, 3))
        assert sorted(got) == [("faint", 1), ("fainter", 1), ("last", 1)]


# Acknowledging


async def test_the_next_one_acknowledges_what_came_before(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack="next")
        await orders(medium, *range(10))
        await receive(billing)
        billing.receive_nowait()
        assert len(await billing.receive_many(3)) == 3
        assert (await anext(aiter(billing))).payload == 5
        wave = await anyio.to_thread.run_sync(lambda: billing.receive_sync(PATIENCE))
        assert wave is not None
        assert wave.payload == 6
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack="next")
        # What was asked for last was not finished by asking for another.
        assert said(await take(billing, 2)) == [(6, 2), (7, 1)]


async def test_asking_in_vain_acknowledges_too(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack="next")
        await orders(medium, 1)
        await receive(billing)
        with pytest.raises(WouldBlock):
            billing.receive_nowait()
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, 2)
        assert said([await receive(billing)]) == [(2, 1)]


async def test_acknowledgements_that_nobody_awaits_are_kept_at_the_end(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, *range(50))
        for wave in (await take(billing, 40))[:35]:
            billing.ack(wave)
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        again = [(number, 2) for number in range(35, 40)]
        assert said(await take(billing, 15)) == again + [(number, 1) for number in range(40, 50)]


async def test_many_acknowledge_at_once(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, *range(64))
        waves = await take(billing, 64)
        async with anyio.create_task_group() as group:
            for wave in waves:
                group.start_soon(_ack, billing, wave)
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, "next")
        assert said(await take(billing, 1)) == [("next", 1)]


async def _ack(vibrator: Vibrator, wave: Wave[Any]) -> None:
    with anyio.fail_after(PATIENCE):
        await vibrator.ack(wave)


async def test_an_acknowledgement_of_what_is_not_out_is_an_error(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        plain = medium.vibrator("plain")
        await plain.resonate_on("orders.*")
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, 1)
        wave = await receive(plain)
        with pytest.raises(ValueError, match="resonates by no cursor") as caught:
            plain.ack(wave)
        assert_says(caught.value, '"plain"', "cursor=")
        # The same wave, which this one has not received yet.
        with pytest.raises(ValueError, match='wave 1 is not out at cursor "billing"'):
            billing.ack(wave)
        with pytest.raises(ValueError, match='is not out at cursor "billing"'):
            billing.ack(Wave("orders.created"))
        received = await receive(billing)
        assert received is wave
        await billing.ack(received)
        await billing.ack(received)
        billing.ack(received)


async def test_delivery_count_is_1_for_all_others(tmp_path: Path) -> None:
    assert Wave("orders.created").delivery_count == 1
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack_timeout=5)
        await orders(medium, 1)
        first = await receive(billing)
        clock.advance(5)
        again = await receive(billing)
        assert (first.delivery_count, again.delivery_count) == (1, 2)
        assert again is not first
        assert (again, again.sequence, again.id) == (first, first.sequence, first.id)
        assert again.propagate().delivery_count == 1
        assert again.replace(payload=2).delivery_count == 1


# Time


async def test_what_is_not_acknowledged_in_time_comes_again(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack_timeout=10, max_deliveries=9)
        await orders(medium, 1, 2)
        first, second = await take(billing, 2)
        clock.advance(9.5)
        await billing.ack(second)
        clock.advance(0.5)
        again = await receive(billing)
        assert said([again]) == [(1, 2)]
        # Too late, and not in vain: the second copy was not needed.
        await billing.ack(first)
        clock.advance(100)
        await orders(medium, 3)
        assert said(await take(billing, 1)) == [(3, 1)]
        assert billing.mailbox.cursor_name == "billing"


async def test_a_copy_that_is_not_needed_any_more_is_passed_over(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack_timeout=10)
        await orders(medium, 1)
        first = await receive(billing)
        clock.advance(10)
        await until(lambda: len(billing.mailbox) == 1)
        await billing.ack(first)
        with pytest.raises(WouldBlock):
            billing.receive_nowait()
        assert len(billing.mailbox) == 0


@pytest.mark.parametrize("overflow", ["block", "replay"])
async def test_what_comes_again_needs_room(tmp_path: Path, overflow: Any) -> None:
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        billing = medium.vibrator("billing", buffer_size=2, overflow=overflow)
        await billing.resonate_on("orders.*", cursor="billing", ack_timeout=10)
        await orders(medium, 1, 2)
        await take(billing, 2)
        await orders(medium, 3, 4)
        clock.advance(10)
        got = said(await take(billing, 4))
        assert sorted(got) == [(1, 2), (2, 2), (3, 1), (4, 1)]


async def test_the_machine_clock_brings_it_too(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack_timeout=0.001)
        await orders(medium, 1)
        assert said(await take(billing, 2)) == [(1, 1), (1, 2)]


# Giving up


async def test_after_too_many_deliveries_it_goes_to_the_dead(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        dead = medium.vibrator("dead")
        await dead.resonate_on("dead.*")
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack_timeout=10, max_deliveries=3)
        await medium.emit_wave("orders.created", {"id": 7}, amplitude=0.5, headers={"tenant": "a"})
        for count in (1, 2, 3):
            wave = await receive(billing)
            assert wave.delivery_count == count
            clock.advance(10)
        letter = await receive(dead)
        assert (letter.channel, letter.payload) == ("dead.orders.created", {"id": 7})
        assert (letter.amplitude, letter.delivery_count) == (0.5, 1)
        assert dict(letter.headers) == {
            "tenant": "a",
            "aether-reason": "max_deliveries",
            "aether-id": wave.id,
            "aether-deliveries": "3",
            "aether-cursor": "billing",
        }
        assert letter.sequence == 2
        # A harmless second thought of the reader.
        await until(lambda: not isinstance(_acked(billing, wave), Exception))
        with pytest.raises(WouldBlock):
            billing.receive_nowait()
    assert [wave.channel for wave in Journal(tmp_path).replay()] == [
        "orders.created",
        "dead.orders.created",
    ]
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, "next")
        assert said(await take(billing, 1)) == [("next", 1)]


def _acked(vibrator: Vibrator, wave: Wave[Any]) -> Exception | None:
    try:
        vibrator.ack(wave)
    except ValueError as error:
        return error
    return None


async def test_deliveries_are_counted_across_restarts(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        async with Aether(journal=Journal(tmp_path)) as medium:
            billing = medium.vibrator("billing")
            await billing.resonate_on("orders.*", cursor="billing", max_deliveries=3)
            if count == 1:
                await orders(medium, "poison")
            assert said(await take(billing, 1)) == [("poison", count)]
    async with Aether(journal=Journal(tmp_path)) as medium:
        dead = medium.vibrator("dead")
        await dead.resonate_on("dead.*")
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", max_deliveries=3)
        letter = await receive(dead)
        assert (letter.payload, letter.headers["aether-deliveries"]) == ("poison", "3")
        await orders(medium, "next")
        assert said(await take(billing, 1)) == [("next", 1)]


async def test_a_dead_letter_without_room_waits(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        dead = medium.vibrator("dead", buffer_size=1)
        await dead.resonate_on("dead.*")
        await medium.emit_wave("dead.before", 0)
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing", ack_timeout=10, max_deliveries=1)
        await orders(medium, 1)
        await receive(billing)
        clock.advance(10)
        await orders(medium, 2)
        assert said(await take(billing, 1)) == [(2, 1)]
        assert (await receive(dead)).payload == 0
        with anyio.fail_after(PATIENCE):
            while not len(dead.mailbox):
                clock.advance(1)
                await anyio.sleep(0)
        assert (await receive(dead)).channel == "dead.orders.created"


async def test_waves_of_the_library_are_given_up_without_a_letter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("dead.*", cursor="undertaker", ack_timeout=10, max_deliveries=1)
        await medium.emit_wave("dead.orders", 1)
        wave = await receive(billing)
        clock.advance(10)
        await until(lambda: "gives a wave up" in caplog.text)
        assert medium.journal is not None
        assert medium.journal.last == wave.sequence


# Readers


async def test_members_of_a_group_share_a_cursor(tmp_path: Path) -> None:
    clock = ManualClock()
    async with Aether(journal=Journal(tmp_path), clock=clock) as medium:
        one = medium.vibrator("one", group="workers")
        two = medium.vibrator("two", group="workers")
        assert await one.resonate_on("orders.*", cursor="work", ack="next", ack_timeout=10) == 1
        assert await two.resonate_on("orders.*", cursor="work", ack="next", ack_timeout=10) == 0
        await orders(medium, *range(4))
        mine, yours = await receive(one), await receive(two)
        # Asking acknowledges one's own.
        await receive(one)
        clock.advance(5)
        await receive(one)
        clock.advance(5)
        assert said(await take(one, 1)) == [(1, 2)]
        assert (mine.payload, yours.payload) == (0, 1)
        # Either may acknowledge by name what the other has.
        await one.ack(yours)
        await two.ack(mine)


async def test_a_cursor_has_one_reader_at_a_time(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        first = medium.vibrator("first")
        await first.resonate_on("orders.*", cursor="billing")
        second = medium.vibrator("second")
        with pytest.raises(ValueError, match="has a reader in this medium already"):
            second.resonate_on("orders.*", cursor="billing")
        assert second.patterns == ()
        await second.resonate_on("orders.*", cursor="another")
        await first.aclose()
        third = medium.vibrator("third")
        assert await third.resonate_on("orders.*", cursor="billing") == 1


async def test_a_cursor_is_for_a_whole_mailbox(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        assert await billing.resonate_on("orders.*", "payments.*", cursor="billing") == 2
        assert await billing.resonate_on("payments.>", cursor="billing") == 0
        for more in ({"cursor": "billing"}, {"cursor": "other"}, {}):
            with pytest.raises(ValueError, match="whole mailbox"):
                billing.resonate_on("users.*", **more)
        plain = medium.vibrator("plain")
        await plain.resonate_on("orders.*")
        with pytest.raises(ValueError, match="without a cursor"):
            plain.resonate_on("payments.*", cursor="plain")
        # What one pattern has and the other too comes once.
        both = medium.vibrator("both")
        await both.resonate_on("orders.*", "orders.created", cursor="both", replay="all")
        await orders(medium, 1, 2)
        assert said(await take(both, 2)) == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cursor": ""}, "1 to 1024 bytes"),
        ({"cursor": "x" * 1025}, "1 to 1024 bytes"),
        ({"cursor": "a", "ack": "later"}, "'manual' or 'next'"),
        ({"cursor": "a", "ack_timeout": 0}, "above 0"),
        ({"cursor": "a", "ack_timeout": float("nan")}, "above 0"),
        ({"cursor": "a", "max_deliveries": 0}, "1 or more"),
    ],
)
async def test_options_out_of_range_change_nothing(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        with pytest.raises(ValueError, match=says):
            billing.resonate_on("orders.*", **options)
        number: Any = 7
        with pytest.raises(TypeError, match="cursor must be a str, not int"):
            billing.resonate_on("orders.*", cursor=number)
        assert billing.patterns == ()


async def test_a_cursor_needs_a_journal_and_a_mailbox_that_drops_nothing(tmp_path: Path) -> None:
    async with Aether() as medium:
        with pytest.raises(ValueError, match="needs a medium with a journal"):
            medium.vibrator("billing").resonate_on("orders.*", cursor="billing")
    async with Aether(journal=Journal(tmp_path)) as medium:
        for overflow in ("drop_oldest", "drop_newest", "drop_faintest", "conflate"):
            billing = medium.vibrator("billing", overflow=overflow)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="forgets nothing"):
                billing.resonate_on("orders.*", cursor="billing")


async def test_an_acknowledgement_that_the_journal_cannot_take_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    medium = Aether(journal=journal)
    async with medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await orders(medium, 1)
        wave = await receive(billing)
    with pytest.raises(JournalError, match="acknowledgement of wave 1 is not in the journal"):
        await billing.ack(wave)
    async with Aether(journal=Journal(tmp_path)) as medium:
        again = medium.vibrator("billing")
        await again.resonate_on("orders.*", cursor="billing")
        assert said(await take(again, 1)) == [(1, 2)]


@pytest.mark.parametrize("buffer_size", [3, 1000])
async def test_a_reader_far_behind_gets_everything_once(tmp_path: Path, buffer_size: int) -> None:
    chance = random.Random(buffer_size)
    handled: list[int] = []
    emitted = 0
    for _ in range(6):
        async with Aether(journal=Journal(tmp_path, segment_bytes=8192)) as medium:
            billing = medium.vibrator("billing", buffer_size=buffer_size, overflow="replay")
            await billing.resonate_on("orders.*", cursor="billing", max_deliveries=100)
            await orders(medium, *range(emitted, emitted + 60))
            emitted += 60
            waves = await take(billing, chance.randrange(20, 60))
            chance.shuffle(waves)
            for wave in waves[: chance.randrange(len(waves))]:
                await billing.ack(wave)
                handled.append(wave.payload)
    async with Aether(journal=Journal(tmp_path)) as medium:
        billing = medium.vibrator("billing", buffer_size=buffer_size)
        await billing.resonate_on("orders.*", cursor="billing", max_deliveries=100)
        rest = await take(billing, emitted - len(handled))
        assert len(set(handled)) == len(handled)
        assert sorted(handled + [wave.payload for wave in rest]) == list(range(emitted))


# Kills

SAGA = """
import asyncio, sys
from aether import Aether, Vibrator
from aether.journal import Journal

# Each order goes through three steps, each of which emits the next one before it is acknowledged.
NEXT = {"saga.begun": "saga.paid", "saga.paid": "saga.sent", "saga.sent": None}

async def main(path, first):
    async with Aether(journal=Journal(path, segment_bytes=8192, snapshot_interval=20)) as medium:
        saga = medium.vibrator("saga")
        saga.resonate_on("saga.*", cursor="saga", max_deliveries=1_000_000)
        for order in range(first, first + 5):
            receipt = await medium.emit_wave("saga.begun", order)
            print("emitted", receipt.position, order, flush=True)
        while True:
            wave = await saga.receive()
            print("handled", wave.sequence, wave.payload, wave.channel, flush=True)
            if step := NEXT[wave.channel]:
                await medium.emit_wave(step, wave.payload)
            await saga.ack(wave)
            print("acked", wave.sequence, wave.payload, wave.channel, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def test_a_saga_goes_on_where_the_process_died(tmp_path: Path) -> None:
    chance = random.Random(11)
    begun: set[int] = set()
    ended: set[int] = set()
    acked: set[int] = set()
    for kill in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SAGA, str(tmp_path), str(5 * kill)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            # Not more lines than there are for sure: five orders, which each end in three steps.
            lines = [process.stdout.readline() for _ in range(chance.randrange(1, 30))]
            process.send_signal(signal.SIGKILL)
            # Not `communicate`, which does not see what `readline` has read ahead.
            lines += process.stdout.readlines()
            err = process.stderr.read()
        assert not err, err.decode()
        before = set(acked)
        for line in lines:
            # The last one may be cut off.
            if not line.endswith(b"\n"):
                continue
            said, sequence, order, *channel = line.decode().split()
            if said == "emitted":
                begun.add(int(order))
                continue
            if said == "handled":
                assert int(sequence) not in before, "it was acknowledged before the last start"
            else:
                acked.add(int(sequence))
            # It may be acknowledged without a word of it, if the process was killed just then.
            if channel == ["saga.sent"]:
                ended.add(int(order))
    # One more start, which nobody kills: everything is brought to its end.
    waves = {wave.sequence: wave for wave in Journal(tmp_path).replay("saga.*")}
    rest = set(waves) - acked
    finished = finish(tmp_path)
    came = {sequence for sequence, _ in finished}
    # What came was not acknowledged, but perhaps by an acknowledgement of which nobody heard.
    assert not came & acked
    assert {sequence for sequence in came if sequence in waves} <= rest
    ended |= {order for _, (order, channel) in finished if channel == "saga.sent"}
    assert begun <= ended


def finish(path: Path) -> list[tuple[int, tuple[int, str]]]:
    """Handles what there is, until nothing comes any more."""
    steps: dict[str, str | None] = {
        "saga.begun": "saga.paid",
        "saga.paid": "saga.sent",
        "saga.sent": None,
    }
    done: list[tuple[int, tuple[int, str]]] = []
    medium = Aether(journal=Journal(path))
    saga = medium.vibrator("saga", order="fifo")
    saga.resonate_on("saga.*", cursor="saga", max_deliveries=1_000_000)
    seen = -1
    medium.emit_sync("saga.end")
    while True:
        wave = saga.receive_sync(PATIENCE)
        assert wave is not None
        assert wave.sequence is not None
        saga.ack(wave)
        if wave.channel != "saga.end":
            if step := steps[wave.channel]:
                medium.emit_sync(step, wave.payload)
            done.append((wave.sequence, (wave.payload, str(wave.channel))))
        elif seen == len(done):
            break
        else:
            # Perhaps more was emitted behind it.
            seen = len(done)
            medium.emit_sync("saga.end")
    saga.close()
    assert medium.journal is not None
    medium.journal.close()
    return done
