"""What readers come to, in every way of reading, and what is dropped before them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from tests.handled.asking import hows, still_at_it
from tests.handling.passing import entered, passes
from tests.probes import begin, tuned, turns

from aether import Aether, EndOfStream, WouldBlock


async def test_a_reader_has_finished_when_it_asks_for_the_next(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard), anyio.create_task_group() as group:
        reader = tuned(medium, "a")
        first, second = [await medium.emit_wave("a") for _ in range(2)]
        laters = [begin(group, receipt.handled) for receipt in (first, second)]
        await turns()
        assert await still_at_it(first) == "'reader' has it waiting"
        await reader.receive()
        await turns()
        assert await still_at_it(first) == "'reader' has not asked for the next"
        assert not laters[0].done
        await reader.receive()
        assert hows(await laters[0].result()) == {"reader": "read"}
        assert not laters[1].done
        # Nothing waits: it has asked all the same.
        waits = begin(group, reader.receive)
        assert hows(await laters[1].result()) == {"reader": "read"}
        assert not waits.done
        await waits.cancel()


async def test_every_way_of_asking_counts(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        reader = tuned(medium, "a")

        async def emitted() -> Any:
            receipt = await medium.emit_wave("a")
            with pytest.raises(TimeoutError):
                await receipt.handled(timeout=0)
            return receipt

        receipt = await emitted()
        assert reader.receive_nowait().channel == "a"
        with pytest.raises(WouldBlock):
            reader.receive_nowait()
        assert (await receipt.handled(timeout=0)).finished == 1

        several = [await emitted() for _ in range(3)]
        assert len(await reader.receive_many(2)) == 2
        assert await still_at_it(several[1]) == "'reader' has not asked for the next"
        assert len(await reader.receive_many(2)) == 1
        assert (await several[1].handled(timeout=0)).ok
        assert await still_at_it(several[2]) == "'reader' has not asked for the next"

        receipt = await emitted()
        async for _wave in reader:
            assert (await several[2].handled(timeout=0)).ok
            break
        assert await still_at_it(receipt) == "'reader' has not asked for the next"
        reader.close()
        with pytest.raises(EndOfStream):
            reader.receive_nowait()
        assert hows(await receipt.handled(timeout=0)) == {"reader": "left"}


async def test_the_quick_way_and_the_other_give_the_same(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        reader = tuned(medium, "a", overflow="drop_oldest")
        receipts = [await medium.emit_wave("a") for _ in range(300)]
        for number in range(300):
            await reader.receive()
            if number:
                assert (await receipts[number - 1].handled(timeout=0)).ok
            assert await still_at_it(receipts[number]) == "'reader' has not asked for the next"


async def test_one_that_is_closed_with_the_wave_in_hand_has_left(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard), anyio.create_task_group() as group:
        reader = tuned(medium, "a")
        taken, waiting = [await medium.emit_wave("a") for _ in range(2)]
        await reader.receive()
        laters = [begin(group, receipt.handled) for receipt in (taken, waiting)]
        await turns()
        reader.close()
        assert hows(await laters[0].result()) == {"reader": "left"}
        assert hows(await laters[1].result()) == {"reader": "abandoned"}
        # Who asks after the end gets the same.
        assert hows(await taken.handled(timeout=0)) == {"reader": "left"}
        assert hows(await waiting.handled(timeout=0)) == {"reader": "abandoned"}


async def test_one_that_is_collected_has_left(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        reader = medium.vibrator("gone")
        reader.resonate_on("a")
        taken, waiting = [await medium.emit_wave("a") for _ in range(2)]
        await reader.receive()
        gone = [reader]
        del reader
        with pytest.warns(ResourceWarning):
            gone.clear()
        assert hows(await taken.handled(timeout=0)) == {"gone": "left"}
        assert hows(await waiting.handled(timeout=0)) == {"gone": "abandoned"}


async def test_members_of_a_group_are_one_receiver(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        members = [tuned(medium, "a", group="workers") for _ in range(2)]
        first, second = [await medium.emit_wave("a") for _ in range(2)]
        for member in members:
            await member.receive()
        with pytest.raises(WouldBlock):
            members[1].receive_nowait()
        assert await still_at_it(first) == "'workers (group)' has not asked for the next"
        assert (await second.handled(timeout=0)).ok
        members[0].close()
        assert hows(await first.handled(timeout=0)) == {"workers (group)": "left"}


@pytest.mark.parametrize(
    ("overflow", "how"),
    [("drop_oldest", "oldest"), ("conflate", "conflated"), ("drop_faintest", "faintest")],
)
async def test_what_is_dropped_for_another_ends_there(
    anyio_backend: object, overflow: Any, how: str
) -> None:
    async with entered() as (medium, _clock, _worker, _heard), anyio.create_task_group() as group:
        reader = tuned(medium, "a", overflow=overflow, buffer_size=1)
        receipt = await medium.emit_wave("a", amplitude=0.5)
        later = begin(group, receipt.handled)
        await turns()
        assert not later.done
        kept = await medium.emit_wave("a", amplitude=0.9)
        assert hows(await later.result()) == {"reader": how}
        assert hows(await receipt.handled(timeout=0)) == {"reader": how}
        assert await still_at_it(kept) == "'reader' has it waiting"
        reader.close()


async def test_what_is_dropped_at_once_is_said(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard):
        tuned(medium, "a", overflow="drop_newest", buffer_size=1)
        await medium.emit_wave("a")
        receipt = await medium.emit_wave("a")
        assert receipt.reasons == {"full": 1}
        told = await receipt.handled(timeout=0)
        assert (hows(told), told.finished, told.unknown) == ({"reader": "full"}, 0, 0)


async def test_time_ends_what_nobody_takes(anyio_backend: object) -> None:
    async with entered() as (medium, clock, _worker, _heard), anyio.create_task_group() as group:
        tuned(medium, "a", name="mortal")
        tuned(medium, "a", name="fading", order="fresh", noise_floor=0.5)
        later = begin(group, (await medium.emit_wave("a", ttl=2.0)).handled)
        fades = begin(group, (await medium.emit_wave("a", amplitude=0.51)).handled)
        await passes(clock, 1.0, 0.5)
        assert not later.done
        # Nobody looks at the mailbox but who waits.
        await passes(clock, 1.5, 0.5)
        assert hows(await later.result()) == {"fading": "expired", "mortal": "expired"}
        assert not fades.done
        await turns()
        await fades.cancel()


async def test_clearing_and_closing_end_all_that_wait(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard), anyio.create_task_group() as group:
        tuned(medium, "a", buffer_size=600)
        receipts = [await medium.emit_wave("a") for _ in range(600)]
        laters = [begin(group, receipt.handled) for receipt in receipts]
        await turns()
        medium.clear()
        for later in laters:
            assert hows(await later.result()) == {"reader": "cleared"}
        assert {str(hows(await receipt.handled())) for receipt in receipts} == {
            "{'reader': 'cleared'}"
        }


async def test_each_is_noted_once_however_many_let_it_go_after_another(
    anyio_backend: object,
) -> None:
    medium = Aether()
    readers = [medium.vibrator(f"reader {number}") for number in range(20)]
    for reader in readers:
        reader.resonate_on("a")
    following: Any = (await medium.emit_wave("a", 1)).follow(lambda: None)
    for reader in readers:
        reader.close()
    again, rows = following.look()
    assert not again
    # As the medium remembers them, and as whoever follows does.
    assert len(rows) == 2 * len(readers)
    following.end()


async def test_more_is_lost_than_is_remembered(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, _worker, _heard), anyio.create_task_group() as group:
        tuned(medium, "a", overflow="conflate", buffer_size=1)
        old = await medium.emit_wave("a")
        followed = await medium.emit_wave("a")
        later = begin(group, followed.handled)
        await turns()
        for _ in range(300):
            medium.emit_nowait("a")
        assert (await old.handled()).unknown == 1
        assert hows(await later.result()) == {"reader": "conflated"}


async def test_waves_that_the_medium_sheds_are_said(anyio_backend: object) -> None:
    from aether import AetherConfig, LimitsConfig

    config = AetherConfig(limits=LimitsConfig(queued=10, soft=0.2))
    async with entered(config) as (medium, _clock, _worker, _heard):
        tuned(medium, "a")
        for _ in range(9):
            await medium.emit_wave("a")
        receipt = await medium.emit_wave("a", amplitude=0.02)
        assert receipt.reasons == {"shed": 1}
        assert hows(await receipt.handled(timeout=0)) == {"reader": "shed"}
