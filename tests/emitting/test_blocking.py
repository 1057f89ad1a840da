"""Overflow `block`: every matching mailbox or none yet; who waits, who overtakes, who gives up."""

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_receipt,
    assert_waiting,
    begin,
    payloads,
    tuned,
    turns,
    until_sending,
)

from aether import Aether, AetherConfig


async def test_an_emission_into_a_full_mailbox_waits_for_room() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("a.b", 2))
            await until_sending(v)
            await turns()
            assert not sending.done
            assert (await v.receive()).payload == 1
            assert_receipt(await sending.result(), 1, 1)
            assert payloads(v) == [2]


async def test_every_matching_mailbox_or_none_yet() -> None:
    async with Aether() as medium:
        full = tuned(medium, "a.*", "fill.full", name="full", buffer_size=1)
        free = tuned(medium, "a.*", name="free")
        await medium.emit_wave("fill.full", 0)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("a.b", 1))
            await until_sending(full)
            await turns()
            assert_waiting(free, 0)
            assert payloads(full) == [0]
            assert_receipt(await sending.result(), 2, 2)
        assert payloads(full) == [1]
        assert payloads(free) == [1]


async def test_a_waiting_emission_holds_no_room() -> None:
    """While it waits for one mailbox, others may fill its other one; then it waits for that too."""
    async with Aether() as medium:
        full = tuned(medium, "both", "fill.full", name="full", buffer_size=1)
        free = tuned(medium, "both", "fill.free", name="free", buffer_size=1)
        await medium.emit_wave("fill.full", 0)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("both", "both"))
            await until_sending(full)
            with anyio.fail_after(5):
                await medium.emit_wave("fill.free", 0)
            assert payloads(full) == [0]
            await turns()
            assert not sending.done
            assert_waiting(full, 0)
            assert payloads(free) == [0]
            await sending.result()
        assert payloads(full) == ["both"]
        assert payloads(free) == ["both"]


async def test_is_overtaken_by_an_emission_that_shares_no_full_mailbox() -> None:
    async with Aether() as medium:
        full = tuned(medium, "both", "fill.full", name="full", buffer_size=1)
        free = tuned(medium, "both", "other", name="free")
        await medium.emit_wave("fill.full", 0)
        async with anyio.create_task_group() as group:
            begin(group, lambda: medium.emit_wave("both", "first"))
            await until_sending(full)
            assert_receipt(medium.emit_nowait("other", "second"), 1, 1)
            assert payloads(full) == [0]
        assert payloads(free) == ["second", "first"]


async def test_is_not_overtaken_by_one_that_shares_the_full_mailbox() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 0)
        async with anyio.create_task_group() as group:
            for number in range(1, 6):
                begin(group, lambda number=number: medium.emit_wave("a.b", number))  # type: ignore[misc]
                await until_sending(v, number)
            assert [(await v.receive()).payload for _ in range(6)] == list(range(6))


async def test_several_places_let_several_waiters_in() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=4)
        for number in range(4):
            await medium.emit_wave("a.b", number)
        async with anyio.create_task_group() as group:
            for number in range(4, 8):
                begin(group, lambda number=number: medium.emit_wave("a.b", number))  # type: ignore[misc]
                await until_sending(v, number - 3)
            assert payloads(v)[:4] == [0, 1, 2, 3]
            await until_sending(v, 0)
        assert payloads(v) == [4, 5, 6, 7]


async def test_the_first_in_line_goes_first_when_its_last_mailbox_makes_room() -> None:
    async with Aether() as medium:
        one = tuned(medium, "both", "one", name="one", buffer_size=1)
        two = tuned(medium, "both", "two", name="two", buffer_size=1)
        await medium.emit_wave("one", 0)
        await medium.emit_wave("two", 0)
        async with anyio.create_task_group() as group:
            first = begin(group, lambda: medium.emit_wave("both", "first"))
            await until_sending(one)
            second = begin(group, lambda: medium.emit_wave("two", "second"))
            await turns()
            assert one.receive_nowait().payload == 0
            await turns()
            assert not first.done
            assert two.receive_nowait().payload == 0
            await first.result()
            await turns()
            assert not second.done
            assert payloads(two) == ["first"]
            await second.result()
        assert payloads(one) == ["first"]
        assert payloads(two) == ["second"]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "drop_faintest", "conflate"])
async def test_a_mailbox_that_drops_changes_only_when_the_emission_is_delivered(
    overflow: str,
) -> None:
    async with Aether() as medium:
        dropping = tuned(medium, "a.*", name="dropping", overflow=overflow, buffer_size=1)
        blocking = tuned(medium, "a.b", name="blocking", buffer_size=1)
        await medium.emit_wave("a.b", 1, amplitude=0.5)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("a.b", 2))
            await until_sending(blocking)
            assert_dropped(dropping)
            assert dropping.receive_nowait().payload == 1
            await medium.emit_wave("a.c", 3, amplitude=0.5)
            await sending.cancel()
        assert_dropped(dropping)
        assert payloads(dropping) == [3]
        assert payloads(blocking) == [1]


async def test_waits_no_more_when_the_full_mailbox_detunes() -> None:
    async with Aether() as medium:
        full, free = (
            tuned(medium, "a.*", name="full", buffer_size=1),
            tuned(medium, "a.*", name="free"),
        )
        await medium.emit_wave("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("a.b", 2))
            await until_sending(full)
            full.detune("a.*")
            assert_receipt(await sending.result(), 1, 1)
        assert payloads(full) == [1]
        assert payloads(free) == [1, 2]


async def test_waits_no_more_when_the_full_mailbox_closes() -> None:
    async with Aether() as medium:
        full, free = (
            tuned(medium, "a.*", name="full", buffer_size=1),
            tuned(medium, "a.*", name="free"),
        )
        await medium.emit_wave("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("a.b", 2))
            await until_sending(full)
            await full.aclose()
            assert_receipt(await sending.result(), 1, 1)
        assert payloads(free) == [1, 2]


async def test_waits_no_more_when_what_fills_the_mailbox_expires() -> None:
    config = AetherConfig(stall_warning=1000.0)
    async with Aether(config) as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 1, ttl=0.3)
        sending = begin(group, lambda: medium.emit_wave("a.b", 2))
        await until_sending(v)
        # Nobody may look at the mailbox meanwhile: that alone makes the room be seen.
        with anyio.move_on_after(0.8):
            await sending.finished.wait()
        went_on = sending.done
        await sending.cancel()
        assert went_on
