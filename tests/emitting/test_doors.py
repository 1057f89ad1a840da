"""Every way to emit, on the medium, on a vibrator and on an emitter: the same fields, the same effect."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from tests.probes import assert_receipt, assert_works, begin, payloads, taken, tuned, until_sending

from aether import Aether, Emitter, Vibrator, Wave

HANDS = ["medium", "vibrator", "emitter"]
DOORS = ["emit_wave", "emit_nowait", "emit_sync"]


class Scene:
    """A medium, somebody who emits, and a reader of everything."""

    def __init__(self, medium: Aether, hand: str) -> None:
        self.medium = medium
        self.vibrator: Vibrator = tuned(medium, name="speaker")
        self.emitter: Emitter = self.vibrator.emitter()
        self.hand: Any = {"medium": medium, "vibrator": self.vibrator, "emitter": self.emitter}[
            hand
        ]
        self.reader = tuned(medium, "*")


async def through(door: str, hand: Any, *args: Any, **options: Any) -> Any:
    call: Callable[..., Any] = getattr(hand, door)
    if door == "emit_sync":
        return await anyio.to_thread.run_sync(lambda: call(*args, **options))
    result = call(*args, **options)
    return await result if isinstance(result, Awaitable) else result


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("door", DOORS)
async def test_emits_a_payload_with_the_defaults_of_a_wave(door: str, hand: str) -> None:
    async with Aether() as medium:
        scene, payload = Scene(medium, hand), object()
        assert_receipt(await through(door, scene.hand, "a.b", payload), 1, 1)
        wave = scene.reader.receive_nowait()
        assert wave.channel == "a.b"
        assert wave.payload is payload
        assert (wave.amplitude, wave.priority, wave.phase, wave.frequency) == (1.0, 1.0, 0.0, 1.0)
        assert (dict(wave.headers), wave.ttl, wave.propagation_count) == ({}, None, 1)


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("door", DOORS)
async def test_emits_without_a_payload(door: str, hand: str) -> None:
    async with Aether() as medium:
        scene = Scene(medium, hand)
        assert await through(door, scene.hand, "a.b")
        assert scene.reader.receive_nowait().payload is None


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("door", DOORS)
async def test_emits_every_field(door: str, hand: str) -> None:
    async with Aether() as medium:
        scene = Scene(medium, hand)
        await through(
            door,
            scene.hand,
            "a.b",
            1,
            amplitude=0.5,
            phase=1.5,
            frequency=3.0,
            headers={"k": "v"},
            ttl=9.0,
        )
        wave = scene.reader.receive_nowait()
        assert (wave.amplitude, wave.priority, wave.phase, wave.frequency) == (0.5, 0.5, 1.5, 3.0)
        assert (dict(wave.headers), wave.ttl) == ({"k": "v"}, 9.0)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("hand", "source"), [("medium", None), ("vibrator", "speaker"), ("emitter", "speaker")]
)
async def test_a_vibrator_and_its_emitter_set_the_source(
    door: str, hand: str, source: str | None
) -> None:
    async with Aether() as medium:
        scene = Scene(medium, hand)
        await through(door, scene.hand, "a.b")
        assert scene.reader.receive_nowait().source == source


@pytest.mark.parametrize(("hand", "source"), [("vibrator", "speaker"), ("emitter", "speaker")])
async def test_emit_sets_the_source_too(hand: str, source: str) -> None:
    async with Aether() as medium:
        scene = Scene(medium, hand)
        await scene.hand.emit(Wave("a.b"))
        assert scene.reader.receive_nowait().source == source


async def test_the_medium_keeps_the_source_of_a_wave() -> None:
    async with Aether() as medium:
        v = tuned(medium, "*")
        await medium.emit(Wave("a.b", source="elsewhere"))
        assert v.receive_nowait().source == "elsewhere"


@pytest.mark.parametrize("hand", HANDS)
async def test_emit_takes_a_wave_whole(hand: str) -> None:
    async with Aether() as medium:
        scene = Scene(medium, hand)
        wave = Wave(
            "a.b", [1], amplitude=0.5, phase=1.5, frequency=3.0, headers={"k": "v"}, timestamp=5.0
        )
        assert_receipt(await scene.hand.emit(wave), 1, 1)
        got = scene.reader.receive_nowait()
        for field in [
            "id",
            "channel",
            "payload",
            "amplitude",
            "priority",
            "phase",
            "frequency",
            "timestamp",
        ]:
            assert getattr(got, field) == getattr(wave, field), field
        assert dict(got.headers) == {"k": "v"}
        assert got.propagation_count == 1


async def test_emit_leaves_the_wave_as_it_was() -> None:
    async with Aether() as medium:
        tuned(medium, "*")
        wave = Wave("a.b")
        await medium.emit(wave)
        assert (wave.propagation_count, wave.sequence) == (0, None)


async def test_a_wave_may_be_emitted_twice() -> None:
    async with Aether() as medium:
        v, wave = tuned(medium, "*"), Wave("a.b", 1, amplitude=0.5)
        await medium.emit(wave)
        await medium.emit(wave)
        first, second = taken(v)
        assert first == second
        assert first.sequence != second.sequence
        assert (second.amplitude, second.propagation_count) == (0.5, 1)


async def test_a_changed_copy_of_a_received_wave_is_its_next_hop() -> None:
    async with Aether() as medium:
        v = tuned(medium, "*")
        await medium.emit_wave("a.b", 1, amplitude=0.5)
        await medium.emit(v.receive_nowait().replace(channel="a.c", payload=2))
        hop = v.receive_nowait()
        assert (hop.payload, hop.propagation_count, hop.priority) == (2, 2, 0.5)
        assert hop.amplitude == pytest.approx(0.475)


async def test_the_same_native_object_reaches_every_receiver() -> None:
    async with Aether() as medium:
        readers = [tuned(medium, "a.*", name=f"r{n}") for n in range(3)]
        await medium.emit_wave("a.b", object())
        first, *others = [reader.receive_nowait() for reader in readers]
        assert all(other is first for other in others)


@pytest.mark.parametrize("hand", HANDS)
async def test_emit_many_takes_waves_and_pairs(hand: str) -> None:
    async with Aether() as medium:
        scene = Scene(medium, hand)
        receipts = await scene.hand.emit_many([Wave("a.b", 1), ("a.c", 2), ("a.d", 3)])
        assert isinstance(receipts, list)
        for receipt in receipts:
            assert_receipt(receipt, 1, 1)
        waves = taken(scene.reader)
        assert [(wave.channel, wave.payload) for wave in waves] == [
            ("a.b", 1),
            ("a.c", 2),
            ("a.d", 3),
        ]
        assert [wave.sequence for wave in waves] == [receipt.sequence for receipt in receipts]


async def test_emit_many_takes_any_iterable() -> None:
    async with Aether() as medium:
        v = tuned(medium, "*")
        await medium.emit_many(("a.b", number) for number in range(3))
        assert payloads(v) == [0, 1, 2]


async def test_emit_many_of_nothing_is_nothing() -> None:
    async with Aether() as medium:
        assert await medium.emit_many([]) == []


@pytest.mark.parametrize(
    "bad",
    ["a.b", 3, None, ("a.b",), ("a.b", 1, 2), (1, 2), ("a..b", 1), ("a.*", 1), ("a.b*", 1)],
    ids=repr,
)
async def test_emit_many_validates_all_before_the_first(bad: Any) -> None:
    async with Aether() as medium:
        v = tuned(medium, "*")
        with pytest.raises((TypeError, ValueError)):
            await medium.emit_many([("a.b", 1), Wave("a.b", 2), bad])
        assert payloads(v) == []
        await assert_works(medium)


@pytest.mark.parametrize("bad", [None, 3, Wave("a.b")], ids=["None", "int", "wave"])
async def test_emit_many_of_what_cannot_be_iterated_is_a_type_error(bad: Any) -> None:
    async with Aether() as medium:
        with pytest.raises(TypeError):
            await medium.emit_many(bad)


async def test_a_cancelled_emit_many_has_emitted_a_prefix() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=3)
        async with anyio.create_task_group() as group:
            sending = begin(
                group, lambda: medium.emit_many([("a.b", number) for number in range(6)])
            )
            await until_sending(v)
            await sending.cancel()
        assert payloads(v) == [0, 1, 2]
        await medium.emit_wave("a.b", "after")
        assert payloads(v) == ["after"]


async def test_an_emit_many_that_waits_goes_on_when_there_is_room() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=2)
        async with anyio.create_task_group() as group:
            sending = begin(
                group, lambda: medium.emit_many([("a.b", number) for number in range(7)])
            )
            got = [(await v.receive()).payload for _ in range(7)]
            assert got == list(range(7))
            assert len(await sending.result()) == 7


@pytest.mark.parametrize("bad", [None, "a.b", 1, ("a.b", 1)])
@pytest.mark.parametrize("hand", HANDS)
async def test_emit_of_what_is_no_wave_is_a_type_error(hand: str, bad: Any) -> None:
    async with Aether() as medium:
        scene = Scene(medium, hand)
        with pytest.raises(TypeError, match=r"[Ww]ave"):
            await scene.hand.emit(bad)
        scene.reader.close()
        await assert_works(medium)


async def test_an_emitter_only_emits() -> None:
    async with Aether() as medium:
        emitter = tuned(medium, name="speaker").emitter()
        assert isinstance(emitter, Emitter)
        for name in ("receive", "receive_nowait", "resonate_on", "on", "detune", "aclose"):
            assert not hasattr(emitter, name)


async def test_an_emitter_emits_from_many_threads() -> None:
    async with Aether() as medium:
        v, reader = tuned(medium, name="speaker"), tuned(medium, "*")
        emitter = v.emitter()
        threads = [
            threading.Thread(target=lambda: [emitter.emit_nowait("a.b", 1) for _ in range(100)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await anyio.to_thread.run_sync(thread.join)
        assert len(payloads(reader)) == 400
        assert v.statistics().emitted == 400


async def test_what_an_emitter_emits_is_own_to_its_vibrator() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", ignore_own=True)
        assert_receipt(v.emitter().emit_nowait("a.b"), 0, 0)
