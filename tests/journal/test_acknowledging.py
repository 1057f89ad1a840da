"""Acknowledging at a durable cursor: what a reader has finished does not come again, everything else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.journal.cursors import orders, said
from tests.probes import PATIENCE, assert_says, receive, take, until

from aether import Aether, JournalError, ManualClock, Vibrator, Wave, WouldBlock
from aether.journal import Journal

pytestmark = pytest.mark.anyio

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
