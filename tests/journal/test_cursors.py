"""Durable cursors: where a reader goes on after a restart, who may read, and what it needs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.journal.cursors import orders, said
from tests.probes import receive, take, until

from aether import Aether, EndOfStream, ManualClock
from aether.journal import Journal

pytestmark = pytest.mark.anyio

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


async def changes_nothing(
    folder: Path, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    """Resonating with these options is an error, and leaves no pattern behind."""
    async with Aether(journal=Journal(folder)) as medium:
        billing = medium.vibrator("billing")
        with pytest.raises(error, match=says):
            billing.resonate_on("orders.*", **options)
        assert billing.patterns == ()


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
    await changes_nothing(tmp_path, options, ValueError, says)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cursor": 7}, "cursor must be a str, not int"),
        ({"cursor": "a", "ack_timeout": "1"}, "ack_timeout must be seconds, not str"),
        ({"cursor": "a", "ack_timeout": True}, "ack_timeout must be seconds, not bool"),
        ({"cursor": "a", "max_deliveries": 1.0}, "max_deliveries must be an int, not float"),
        ({"cursor": "a", "max_deliveries": True}, "max_deliveries must be an int, not bool"),
    ],
)
async def test_options_of_the_wrong_type_change_nothing(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    await changes_nothing(tmp_path, options, TypeError, says)


async def test_a_cursor_needs_a_journal_and_a_mailbox_that_drops_nothing(tmp_path: Path) -> None:
    async with Aether() as medium:
        with pytest.raises(ValueError, match="needs a medium with a journal"):
            medium.vibrator("billing").resonate_on("orders.*", cursor="billing")
    async with Aether(journal=Journal(tmp_path)) as medium:
        for overflow in ("drop_oldest", "drop_newest", "drop_faintest", "conflate"):
            billing = medium.vibrator("billing", overflow=overflow)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="forgets nothing"):
                billing.resonate_on("orders.*", cursor="billing")


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
