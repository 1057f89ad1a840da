"""The last wave of each channel, retained without a journal: asked for, and what a reader begins with."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import anyio
import pytest
from hypothesis import given
from tests.probes import (
    assert_says,
    assert_works,
    begin,
    last,
    payloads,
    tuned,
    until_receiving,
)
from tests.vibrators.lasting import STEPS, Step, begin_while_threads_emit, follow

from aether import Aether, AetherConfig, ChannelError, Closed, ManualClock, Wave

pytestmark = pytest.mark.anyio


def retaining(*patterns: str, **settings: Any) -> Aether:
    return Aether(AetherConfig(retain=list(patterns or ("*",)), **settings))


async def test_a_reader_begins_with_the_last_wave_of_each_channel() -> None:
    async with retaining("sensors.*") as medium:
        for number, channel in enumerate(["sensors.a", "sensors.b", "sensors.a", "other"]):
            await medium.emit_wave(channel, number)
        reader = medium.vibrator("reader")
        assert await reader.resonate_on("sensors.*", last=True) == 1
        await medium.emit_wave("sensors.b", "live")
        assert payloads(reader) == [1, 2, "live"]
        assert reader.missed == 0
        assert await reader.resonate_on("sensors.*", last=True) == 0
        assert payloads(reader) == []


async def test_it_is_the_very_object_as_it_was_emitted() -> None:
    async with retaining() as medium:
        payload = object()
        await medium.emit_wave("a", payload, amplitude=0.25, headers={"k": "v"}, phase=1.0)
        (wave,) = medium.last("a")
        assert wave.payload is payload
        assert (wave.sequence, wave.amplitude, wave.phase, wave.headers["k"]) == (1, 0.25, 1.0, "v")
        reader = medium.vibrator("reader", noise_floor=0.2)
        reader.resonate_on("a", last=True)
        assert await reader.receive() is wave
        deaf = medium.vibrator("deaf", noise_floor=0.3)
        deaf.resonate_on("a", last=True)
        assert payloads(deaf) == []


async def test_its_own_are_not_heard_by_who_ignores_them() -> None:
    async with retaining() as medium:
        reader = medium.vibrator("reader", ignore_own=True)
        await reader.emit_wave("a", "own")
        await medium.emit_wave("b", "other")
        reader.resonate_on("*", last=True)
        assert payloads(reader) == ["other"]


async def test_heard_or_not_by_whatever_call() -> None:
    async with retaining() as medium:
        medium.emit_nowait("a", 1)
        medium.emit_nowait("a", 2)
        assert last(medium) == [2]
        reader = tuned(medium, "a")
        medium.emit_nowait("a", 3)
        await medium.emit_many([("a", 4), Wave("b", 5)])
        assert last(medium) == [4, 5]
        await medium.emit_wave("a", 6, ttl=60)
        assert last(medium, "a") == [6]
        assert payloads(reader) == [3, 4, 6]
        receipt = medium.emit_nowait("nobody", 7)
        assert (receipt.matched, bool(receipt)) == (0, False)


async def test_what_was_refused_is_not_the_last() -> None:
    async with retaining() as medium:
        full = medium.vibrator("full", buffer_size=1, overflow="error")
        full.resonate_on("a")
        await medium.emit_wave("a", 1)
        with pytest.raises(Exception, match="full"):
            medium.emit_nowait("a", 2)
        with pytest.raises(Exception, match="requires"):
            await medium.emit_wave("b", 3, require=1)
        await medium.emit_wave("c", 4, amplitude=0.001)
        assert last(medium) == [1]
        full.close()


async def test_answers_to_requests_are_on_no_channel() -> None:
    async with retaining() as medium:
        worker = medium.vibrator("worker")

        @worker.on("ask")
        async def answer(wave: Wave[Any]) -> str:
            return f"{wave.payload}!"

        assert (await medium.request("ask", "hello")).payload == "hello!"
        assert last(medium) == ["hello"]
        late = medium.vibrator("late")
        late.resonate_on("ask", last=True)
        request = await late.receive()
        assert request is not None
        assert not await late.reply(request, "too late"), "nobody waits for it any more"


@pytest.mark.parametrize("overflow", ["block", "drop_oldest", "drop_newest", "conflate", "error"])
@pytest.mark.parametrize("order", ["amplitude", "fifo", "fresh"])
async def test_none_is_lost_however_small_the_mailbox(overflow: Any, order: Any) -> None:
    async with retaining("s.*") as medium:
        for number in range(20):
            await medium.emit_wave(f"s.{number}", number, amplitude=0.5)
        reader = medium.vibrator("reader", buffer_size=1, overflow=overflow, order=order)
        reader.resonate_on("s.*", last=True)
        await medium.emit_wave("s.live", "loud", timeout=1)
        assert payloads(reader) == [*range(20), "loud"]
        assert reader.statistics().missed == 0


async def test_a_waiting_reader_gets_them_and_a_cancelled_one_loses_none() -> None:
    async with retaining() as medium, anyio.create_task_group() as group:
        for channel in "ab":
            await medium.emit_wave(channel, channel)
        reader = medium.vibrator("reader")
        first, second = begin(group, reader.receive), begin(group, reader.receive)
        await until_receiving(reader, 2)
        reader.resonate_on("*", last=True)
        # It was woken, and has not resumed.
        first.scope.cancel()
        taken = [(await second.result()).payload, *payloads(reader)]
        taken += [first.value.payload] if first.value is not None else []
        assert sorted(taken) == ["a", "b"]
        reader.close()


async def test_many_at_once_and_in_a_group() -> None:
    async with retaining() as medium:
        for number in range(10):
            await medium.emit_wave(f"c.{number}", number)
        one = medium.vibrator("one", group="workers")
        other = medium.vibrator("other", group="workers")
        one.resonate_on("c.*", last=True)
        assert other.resonate_on("c.*", last=True) == 0, "they share it"
        taken = [wave.payload for wave in await one.receive_many(4)]
        taken += [wave.payload for wave in await other.receive_many(99)]
        assert taken == list(range(10))


async def test_time_takes_them() -> None:
    clock = ManualClock(start=1000.0)
    config = AetherConfig(retain=["*"])
    async with Aether(config, clock=clock) as medium:
        await medium.emit_wave("a", "old")
        await medium.emit_wave("a", "short", ttl=5)
        reader, late = medium.vibrator("reader"), medium.vibrator("late")
        reader.resonate_on("a", last=True)
        clock.advance(6)
        assert last(medium) == []
        late.resonate_on("a", last=True)
        assert late.statistics().dropped["expired"] == 0
        assert payloads(reader) == []
        assert reader.statistics().dropped["expired"] == 1


async def test_channels_beyond_the_bound_are_forgotten_and_counted() -> None:
    async with retaining(retain_channels=2) as medium:
        for number, channel in enumerate("abac"):
            await medium.emit_wave(channel, number)
        assert last(medium) == [2, 3]
        statistics = medium.statistics()
        assert (statistics.retained, statistics.forgotten) == (2, 1)


async def test_what_nobody_keeps_is_told_with_the_remedy() -> None:
    async with retaining("a.*", "b") as medium:
        reader = medium.vibrator("reader")
        for call in (medium.last, lambda pattern: reader.resonate_on("b", pattern, last=True)):
            with pytest.raises(ValueError, match="retains") as caught:
                call("*")
            assert_says(caught.value, "'a.*'".replace("'", '"'), "AetherConfig(retain=", "Journal(")
        assert reader.patterns == ()
        assert last(medium, "a.+") == last(medium, "b") == []
        with pytest.raises(ChannelError):
            medium.last("a..b")
        with pytest.raises(TypeError):
            medium.last(3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="nothing"):
            Aether().last("a")


async def test_it_is_one_way_to_begin() -> None:
    async with retaining() as medium:
        reader = medium.vibrator("reader")
        for other in ({"replay": "all"}, {"cursor": "name"}):
            with pytest.raises(ValueError, match=next(iter(other))):
                reader.resonate_on("a", last=True, **other)  # type: ignore[arg-type]
        assert reader.patterns == ()
        reader.close()
        with pytest.raises(Closed):
            reader.resonate_on("a", last=True)


def test_the_configuration_says_what_is_wrong() -> None:
    config = AetherConfig(retain=["a.>", "b"])
    assert config.retain == ("a.>", "b")
    assert hash(config) == hash(AetherConfig(retain=("a.>", "b")))
    for retain in ("a.*", ["a..b"], [3]):
        with pytest.raises(ValueError, match="retain"):
            AetherConfig(retain=retain)  # type: ignore[arg-type]
    with pytest.raises(ChannelError):
        Aether(AetherConfig(retain=["a" * 65], max_channel_length=64))


async def test_a_payload_lives_as_long_as_it_is_the_last() -> None:
    class Payload:
        def __init__(self, *held: object) -> None:
            self.held = held

    medium = retaining(retain_channels=1)
    refs = []
    for channel in ["a", "a", "b"]:
        payload = Payload()
        refs.append(weakref.ref(payload))
        await medium.emit_wave(channel, payload)
        del payload
    gc.collect()
    assert [ref() is not None for ref in refs] == [False, False, True]
    # A cycle through the medium, which an emitter outlives.
    emitter = medium.vibrator("v").emitter()
    payload = Payload(medium, emitter)
    refs = [weakref.ref(payload)]
    await medium.emit_wave("b", payload)
    medium.clear()
    await medium.aclose()
    del payload, medium
    gc.collect()
    assert refs[0]() is None
    assert emitter is not None, "it outlives the medium, and keeps nothing of it"


async def test_the_end_of_a_displaced_payload_may_emit() -> None:
    medium = retaining()
    ended: list[str] = []

    class Emits:
        def __init__(self, name: str) -> None:
            self.name = name

        def __del__(self) -> None:
            ended.append(self.name)
            medium.emit_nowait("ends", self.name)
            assert medium.last("ends")[0].payload == self.name

    for name in ("one", "two"):
        await medium.emit_wave("a", Emits(name))
    gc.collect()
    assert ended == ["one"]
    reader = medium.vibrator("reader")
    reader.resonate_on("*", last=True)
    assert [getattr(one, "name", one) for one in payloads(reader)] == ["two", "one"]
    reader.close()
    await assert_works(medium)
    medium.emit_nowait("a", None)
    gc.collect()
    assert ended == ["one", "two"]
    await medium.aclose()


@given(STEPS)
def test_against_a_plain_list(steps: list[Step]) -> None:
    async def run() -> None:
        async with retaining() as medium:
            await follow(medium, steps, [])

    anyio.run(run)


async def test_threads_that_emit_while_readers_begin() -> None:
    async with retaining("s.*") as medium:
        await begin_while_threads_emit(medium, emitters=4, each=3_000)
