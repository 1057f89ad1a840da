"""Handlers: who gets which wave, when they run, and what happens when one fails."""

import anyio
import pytest
from tests.probes import (
    begin,
    payloads,
    taken,
    tuned,
    turns,
    until,
)

from aether import Aether, Wave


async def test_an_async_handler_gets_the_waves_of_its_pattern() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("orders.*")
        async def handle(wave: Wave[int]) -> None:
            seen.append((wave.channel, wave.payload))

        await medium.emit_wave("orders.created", 1)
        await medium.emit_wave("payments.done", 2)
        assert await medium.settle(5)
        assert seen == [("orders.created", 1)]


async def test_a_plain_handler_does_too() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("orders.*")
        def handle(wave: Wave[int]) -> None:
            seen.append(wave.payload)

        await medium.emit_wave("orders.created", 1)
        assert await medium.settle(5)
        assert seen == [1]


def test_on_gives_the_function_back() -> None:
    v = tuned(Aether())

    async def handle(wave: Wave[int]) -> int:
        return wave.payload + 1

    assert v.on("a.*")(handle) is handle
    v.close()


async def test_every_matching_handler_gets_the_wave() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, "a.*"), []
        for name, pattern in [("exact", "a.b"), ("tail", "a.*"), ("all", "*"), ("other", "c.*")]:
            v.on(pattern)(lambda wave, name=name: seen.append(name))
        await medium.emit_wave("a.b", 1)
        assert await medium.settle(5)
        assert sorted(seen) == ["all", "exact", "tail"]
        assert payloads(v) == [1]


async def test_a_handler_takes_nothing_from_receive() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, "b.*"), []
        v.on("a.*")(lambda wave: seen.append(wave.payload))
        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("b.b", 2)
        assert await medium.settle(5)
        assert seen == [1]
        assert payloads(v) == [2]


async def test_one_function_may_stand_on_several_patterns() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("a.*")
        @v.on("b.*")
        def handle(wave: Wave[int]) -> None:
            seen.append(wave.payload)

        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("b.b", 2)
        assert await medium.settle(5)
        assert sorted(seen) == [1, 2]


async def test_handlers_do_not_run_before_the_medium_is_entered() -> None:
    medium, seen = Aether(), []
    v = tuned(medium)
    v.on("a.*")(lambda wave: seen.append(wave.payload))
    medium.emit_nowait("a.b", 1)
    await turns()
    assert seen == []
    async with medium:
        assert await medium.settle(5)
        assert seen == [1]


async def test_a_handler_added_later_runs_too() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []
        await medium.emit_wave("a.b", 0)
        v.on("a.*")(lambda wave: seen.append(wave.payload))
        await medium.emit_wave("a.b", 1)
        assert await medium.settle(5)
        assert seen == [1]


async def test_running_runs_handlers_without_closing_and_can_be_entered_again() -> None:
    medium, seen = Aether(), []
    v = tuned(medium)
    v.on("a.*")(lambda wave: seen.append(wave.payload))
    for number in range(3):
        async with medium.running():
            await medium.emit_wave("a.b", number)
            assert await medium.settle(5)
        assert seen == list(range(number + 1))
    medium.emit_nowait("a.b", 3)
    await turns()
    assert seen == [0, 1, 2]
    await medium.aclose()


async def test_run_runs_the_handlers_of_one_vibrator() -> None:
    medium, seen = Aether(), []
    v, other = tuned(medium), tuned(medium, name="other")
    v.on("a.*")(lambda wave: seen.append("mine"))
    other.on("a.*")(lambda wave: seen.append("other"))
    async with anyio.create_task_group() as group:
        running = begin(group, v.run)
        await medium.emit_wave("a.b")
        await until(lambda: bool(seen))
        await turns()
        assert seen == ["mine"]
        await running.cancel()
    await medium.aclose()


async def test_run_ends_with_the_vibrator() -> None:
    medium = Aether()
    v = tuned(medium)
    v.on("a.*")(lambda wave: None)
    async with anyio.create_task_group() as group:
        running = begin(group, v.run)
        await turns()
        await v.aclose()
        await running.result()
    await medium.aclose()


async def test_inside_a_handler_its_wave_hands_headers_on_but_neither_amplitude_nor_hops() -> None:
    async with Aether() as medium:
        v, out = tuned(medium), tuned(medium, "out.*", name="out")

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await v.emit_wave("out.async")
            v.emit_nowait("out.nowait")
            await medium.emit_wave("out.medium")

        await medium.emit_wave("a.b", amplitude=0.5, headers={"tenant": "t1"})
        assert await medium.settle(5)
        waves = taken(out)
        assert len(waves) == 3
        for wave in waves:
            assert wave.headers["tenant"] == "t1"
            assert (wave.amplitude, wave.priority, wave.propagation_count) == (1.0, 1.0, 1)


async def test_inside_a_handler_amplitude_and_hops_need_a_cause() -> None:
    async with Aether() as medium:
        v, out = tuned(medium), tuned(medium, "out.*", name="out")

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await v.emit_wave("out.x", cause=wave)

        await medium.emit_wave("a.b", amplitude=0.5)
        assert await medium.settle(5)
        wave = out.receive_nowait()
        assert (wave.amplitude, wave.priority, wave.propagation_count) == (
            pytest.approx(0.475),
            0.5,
            2,
        )


async def test_outside_a_handler_nothing_is_handed_on() -> None:
    async with Aether() as medium:
        v, out = tuned(medium), tuned(medium, "out.*", name="out")
        v.on("a.*")(lambda wave: None)
        await medium.emit_wave("a.b", headers={"tenant": "t1"})
        assert await medium.settle(5)
        await v.emit_wave("out.x")
        assert dict(out.receive_nowait().headers) == {}


async def test_handlers_of_one_vibrator_may_talk_to_each_other() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("step.one")
        async def one(wave: Wave[int]) -> None:
            await v.emit_wave("step.two", wave.payload + 1, cause=wave)

        @v.on("step.two")
        async def two(wave: Wave[int]) -> None:
            seen.append((wave.payload, wave.propagation_count))

        await medium.emit_wave("step.one", 1)
        assert await medium.settle(5)
        assert seen == [(2, 2)]


async def test_a_callable_object_with_an_async_call_is_a_handler() -> None:
    class Handler:
        def __init__(self) -> None:
            self.seen: list[int] = []

        async def __call__(self, wave: Wave[int]) -> None:
            await turns(1)
            self.seen.append(wave.payload)

        async def method(self, wave: Wave[int]) -> None:
            self.seen.append(-wave.payload)

    async with Aether() as medium:
        v, handler = tuned(medium), Handler()
        v.on("a.*")(handler)
        v.on("b.*")(handler.method)
        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("b.b", 2)
        assert await medium.settle(5)
        assert sorted(handler.seen) == [-2, 1]
