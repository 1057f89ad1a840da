"""Each `on` is a lane with a mailbox of its own: its options, its room, and what is refused."""

from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_works,
    begin,
    tuned,
    turns,
    until,
)

from aether import Aether, Wave


async def test_handles_in_the_order_of_its_lane_by_default() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await turns(3)
            seen.append(wave.payload)

        for number in range(20):
            await medium.emit_wave("a.b", number)
        assert await medium.settle(5)
        assert seen == list(range(20))


async def test_a_handler_hears_nothing_under_the_noise_floor_of_its_vibrator() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, noise_floor=0.5), []
        v.on("a.*")(lambda wave: seen.append(wave.payload))
        await medium.emit_wave("a.b", "faint", amplitude=0.4)
        await medium.emit_wave("a.b", "loud", amplitude=0.6)
        assert await medium.settle(5)
        assert seen == ["loud"]


async def test_a_handler_of_a_vibrator_that_ignores_its_own_hears_the_others() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, ignore_own=True), []
        v.on("a.*")(lambda wave: seen.append(wave.payload))
        await v.emit_wave("a.b", "own")
        await medium.emit_wave("a.b", "other")
        assert await medium.settle(5)
        assert seen == ["other"]


async def test_what_a_handler_emits_is_own_to_its_vibrator() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, ignore_own=True), []

        @v.on("a.*")
        async def echo(wave: Wave[int]) -> None:
            seen.append(wave.payload)
            await v.emit_wave("a.echo", wave.payload + 1)

        await medium.emit_wave("a.b", 1)
        assert await medium.settle(5)
        assert seen == [1]


async def test_a_detuned_handler_gets_nothing() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []
        v.on("a.*")(lambda wave: seen.append(wave.payload))
        v.detune("a.>")
        assert not medium.emit_nowait("a.b", 1)
        assert await medium.settle(5)
        assert seen == []


async def test_each_lane_has_its_own_mailbox_and_options() -> None:
    async with Aether() as medium:
        v, small, large, gate = tuned(medium), [], [], anyio.Event()

        @v.on("a.*", overflow="drop_newest", buffer_size=1)
        async def slow(wave: Wave[int]) -> None:
            await gate.wait()
            small.append(wave.payload)

        @v.on("a.*", order="amplitude")
        async def quick(wave: Wave[int]) -> None:
            large.append(wave.payload)

        for number in range(5):
            await medium.emit_wave("a.b", number)
        await until(lambda: len(large) == 5)
        gate.set()
        assert await medium.settle(5)
        assert large == list(range(5))
        assert small in ([0], [0, 1])
        assert v.statistics().missed == 5 - len(small)


async def test_a_lane_may_handle_the_loudest_first() -> None:
    medium, seen = Aether(), []
    v = tuned(medium)
    v.on("a.*", order="amplitude")(lambda wave: seen.append(wave.payload))
    for amplitude in (0.3, 0.9, 0.5):
        medium.emit_nowait("a.b", amplitude, amplitude=amplitude)
    async with medium:
        assert await medium.settle(5)
    assert seen == [0.9, 0.5, 0.3]


async def test_a_lane_may_conflate() -> None:
    medium, seen = Aether(), []
    v = tuned(medium)
    v.on("a.*", overflow="conflate")(lambda wave: seen.append(wave.payload))
    for number in range(5):
        medium.emit_nowait("a.b", number)
    async with medium:
        assert await medium.settle(5)
    assert seen == [4]
    assert_dropped(v, conflated=4)


async def test_a_blocking_lane_holds_an_emission_back() -> None:
    async with Aether() as medium:
        v, seen, gate = tuned(medium), [], anyio.Event()

        @v.on("a.*", buffer_size=1)
        async def handle(wave: Wave[int]) -> None:
            await gate.wait()
            seen.append(wave.payload)

        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_many([("a.b", n) for n in range(10)]))
            await turns(50)
            assert not sending.done
            gate.set()
            await sending.result()
        assert await medium.settle(5)
        assert seen == list(range(10))


async def test_handled_waves_count_as_received() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        v.on("a.*")(lambda wave: None)
        for _ in range(5):
            await medium.emit_wave("a.b")
        assert await medium.settle(5)
        assert v.statistics().received == 5


@pytest.mark.parametrize("bad", [None, 3, "handle", object()])
async def test_what_cannot_be_called_is_a_type_error(bad: Any) -> None:
    async with Aether() as medium:
        v = tuned(medium)
        with pytest.raises(TypeError):
            v.on("a.*")(bad)
        assert list(medium.active_channels()) == []
        await assert_works(medium)


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"concurrency": 0}, ValueError, "concurrency"),
    ({"concurrency": -1}, ValueError, "concurrency"),
    ({"concurrency": "8"}, TypeError, "concurrency"),
    ({"concurrency": 1.5}, TypeError, "concurrency"),
    ({"key": "id"}, TypeError, "key"),
    ({"order": "loud"}, ValueError, "loud"),
    ({"overflow": "explode"}, ValueError, "explode"),
    ({"buffer_size": 0}, ValueError, "buffer_size"),
    ({"buffer_size": "1"}, TypeError, "buffer_size"),
    ({"colour": 1}, TypeError, "colour"),
]


@pytest.mark.parametrize(("options", "kind", "says"), BAD, ids=repr)
async def test_bad_options_are_refused(
    options: dict[str, Any], kind: type[Exception], says: str
) -> None:
    async with Aether() as medium:
        v = tuned(medium)
        with pytest.raises(kind, match=says):
            v.on("a.*", **options)(lambda wave: None)
        assert list(medium.active_channels()) == []
        await assert_works(medium)
