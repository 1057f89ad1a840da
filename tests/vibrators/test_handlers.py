"""Handlers: who gets which wave, when they run, and what happens when one fails."""

import contextlib
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_works,
    begin,
    messages,
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


async def test_a_failing_handler_is_logged_and_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, name="fragile-one"), []

        @v.on("a.*")
        async def fail(wave: Wave[int]) -> None:
            if wave.payload == 1:
                raise LookupError("no such thing")
            seen.append(wave.payload)

        other = tuned(medium, name="other")
        other.on("a.*")(lambda wave: seen.append(wave.payload * 10))
        for number in (1, 2):
            await medium.emit_wave("a.b", number)
        assert await medium.settle(5)
        assert sorted(seen) == [2, 10, 20]
        await assert_works(medium)
    records = [record for record in caplog.records if "fragile-one" in record.getMessage()]
    assert records
    assert records[0].exc_info or "no such thing" in records[0].getMessage()


async def test_run_may_raise_the_error_of_a_handler() -> None:
    medium = Aether()
    v = tuned(medium)

    @v.on("a.*")
    async def fail(wave: object) -> None:
        raise LookupError("no such thing")

    medium.emit_nowait("a.b")
    caught: list[BaseException] = []

    def note(error: BaseException) -> None:
        inner = getattr(error, "exceptions", None)
        caught.extend(inner or [error])

    with anyio.fail_after(5):
        try:
            await v.run(on_error="raise")
        except BaseException as error:
            note(error)
    assert any(isinstance(error, LookupError) for error in caught), caught
    await medium.aclose()


async def test_run_may_hand_the_error_to_a_callable(caplog: pytest.LogCaptureFixture) -> None:
    medium, errors, seen = Aether(), [], []
    v = tuned(medium)

    @v.on("a.*")
    async def handle(wave: Wave[int]) -> None:
        if wave.payload == 1:
            raise LookupError("no such thing")
        seen.append(wave.payload)

    async with anyio.create_task_group() as group:
        running = begin(group, lambda: v.run(on_error=lambda *what: errors.append(what)))
        medium.emit_nowait("a.b", 1)
        medium.emit_nowait("a.b", 2)
        await until(lambda: seen == [2])
        await running.cancel()
    assert len(errors) == 1
    assert any(isinstance(part, LookupError) for part in errors[0])
    await medium.aclose()


@pytest.mark.parametrize(("bad", "kind"), [("explode", ValueError), (3, TypeError)])
async def test_run_with_a_bad_on_error_is_an_error(bad: Any, kind: type[Exception]) -> None:
    async with Aether() as medium:
        v = tuned(medium)
        with pytest.raises(kind, match="on_error"):
            await v.run(on_error=bad)
        await assert_works(medium)


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


async def test_handled_waves_count_as_received() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        v.on("a.*")(lambda wave: None)
        for _ in range(5):
            await medium.emit_wave("a.b")
        assert await medium.settle(5)
        assert v.statistics().received == 5


async def test_a_handler_that_fails_often_is_logged_without_its_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Aether() as medium:
        v = tuned(medium, name="fragile-one")

        @v.on("a.*")
        def fail(wave: Wave[str]) -> None:
            raise LookupError

        await medium.emit_wave("a.b", "hunter2")
        assert await medium.settle(5)
    assert messages(caplog.records, "fragile-one")
    assert not messages(caplog.records, "hunter2")


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


async def test_an_error_of_the_body_still_leaves_the_medium() -> None:
    v: Any = None
    with contextlib.suppress(LookupError):
        async with Aether() as medium:
            v = tuned(medium)
            v.on("a.*")(lambda wave: None)
            raise LookupError
    assert await v.receive() is None
