"""Every way to receive, and the end of each."""

from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_says,
    begin,
    payloads,
    tuned,
    until,
    until_receiving,
)

from aether import Aether, EndOfStream, Wave, WouldBlock


async def test_receive_gives_what_waits() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        wave = await v.receive()
        assert isinstance(wave, Wave)
        assert wave.payload == 1


async def test_receive_waits_for_a_wave() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = begin(group, v.receive)
        await until_receiving(v)
        await medium.emit_wave("a.b", 1)
        assert (await waiting.result()).payload == 1


async def test_each_wave_goes_to_one_of_the_waiting_tasks() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = []
        for count in range(1, 4):
            waiting.append(begin(group, v.receive))
            await until_receiving(v, count)
        for number in range(3):
            await medium.emit_wave("a.b", number)
        assert sorted([(await later.result()).payload for later in waiting]) == [0, 1, 2]


async def test_receive_is_none_at_the_end() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        v.close()
        assert await v.receive() is None
        assert await v.receive() is None


@pytest.mark.parametrize("end", ["close", "aclose"])
async def test_waiting_receives_are_none_when_the_end_comes(end: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = [begin(group, v.receive) for _ in range(3)]
        await until_receiving(v, 3)
        result = getattr(v, end)()
        if end == "aclose":
            await result
        assert [await later.result() for later in waiting] == [None] * 3


async def test_async_for_gives_every_wave_and_ends() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")

        async def read() -> list[Any]:
            return [wave.payload async for wave in v]

        reading = begin(group, read)
        for number in range(10):
            await medium.emit_wave("a.b", number)
        await until(lambda: v.statistics().received == 10)
        await until_receiving(v)
        v.close()
        assert await reading.result() == list(range(10))


async def test_async_for_can_be_left_and_entered_again() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for number in range(4):
            await medium.emit_wave("a.b", number)
        async for wave in v:
            assert wave.payload == 0
            break
        async for wave in v:
            assert wave.payload == 1
            break
        assert payloads(v) == [2, 3]


async def test_receive_nowait_gives_what_waits_and_would_block_when_empty() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", name="empty-one")
        await medium.emit_wave("a.b", 1)
        assert v.receive_nowait().payload == 1
        with pytest.raises(WouldBlock) as caught:
            v.receive_nowait()
        assert_says(caught.value, "empty-one")


async def test_receive_nowait_is_end_of_stream_at_the_end() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", name="ended-one")
        v.close()
        with pytest.raises(EndOfStream) as caught:
            v.receive_nowait()
        assert_says(caught.value, "ended-one")


async def test_a_cancelled_receive_loses_nothing_and_passes_its_wake_up_on() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        first = begin(group, v.receive)
        await until_receiving(v, 1)
        second = begin(group, v.receive)
        await until_receiving(v, 2)
        medium.emit_nowait("a.b", 1)
        first.scope.cancel()
        await until(lambda: first.done)
        got = [first.value] if first.value is not None else [await second.result()]
        assert [wave.payload for wave in got] == [1]
        v.close()


async def test_a_receive_that_is_cancelled_before_it_starts_takes_nothing() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await v.receive()
        medium.emit_nowait("a.b", 1)
        assert payloads(v) == [1]
        assert v.statistics().tasks_waiting_receive == 0


async def test_a_received_wave_dropped_leaves_the_payload_free() -> None:
    import gc
    import weakref

    class Payload:
        pass

    async with Aether() as medium:
        v, payload = tuned(medium, "a.*"), Payload()
        alive = weakref.ref(payload)
        await medium.emit_wave("a.b", payload)
        del payload
        assert alive() is not None
        assert (await v.receive()).payload is alive()
        gc.collect()
        assert alive() is None


async def test_missed_counts_what_was_lost_before_the_wave_just_returned() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_oldest", buffer_size=2)
        assert v.missed == 0
        for number in range(4):
            await medium.emit_wave("a.b", number)
        assert (await v.receive()).payload == 2
        assert v.missed == 2
        assert (await v.receive()).payload == 3
        assert v.missed == 0


async def test_missed_does_not_count_what_was_lost_after_the_wave_just_returned() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_newest", buffer_size=2)
        for number in range(4):
            await medium.emit_wave("a.b", number)
        assert (await v.receive()).payload == 0
        assert v.missed == 0
        assert (await v.receive()).payload == 1
        assert v.missed == 0
        await medium.emit_wave("a.b", 4)
        assert (await v.receive()).payload == 4
        assert v.missed == 2
