"""A record put into a program once more: what it leads to now, beside what it led to then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from aether import Aether, Retry, Wave
from aether.testing import Entry, Recording, Rerun, VirtualAether, diff, load, record, rerun

Program = Callable[[Aether], object]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Handlers fail on purpose here."""
    caplog.set_level(logging.CRITICAL, "aether")


@dataclass(frozen=True)
class Order:
    """An order."""

    number: int
    cents: int


def shop(fee: int = 2, failing: int = 3) -> Program:
    """A program with retries: each third order needs two attempts."""

    def build(medium: Aether) -> None:
        tries: dict[int, int] = {}
        desk = medium.vibrator("desk")
        steady: Any = {"wait_initial": 10.0, "wait_max": 10.0, "wait_jitter": 0.0, "budget": None}

        @desk.on("orders.placed", concurrency=8, retry=Retry(on=OSError, **steady))
        async def charge(wave: Wave[Order]) -> None:
            order = wave.payload
            tries[order.number] = tries.get(order.number, 0) + 1
            if order.number % failing == 0 and tries[order.number] < 2:
                raise OSError
            await desk.emit_wave("orders.paid", order.cents + fee, cause=wave)

        @desk.on("orders.paid")
        async def count(wave: Wave[int]) -> None:
            await desk.emit_wave("orders.counted", wave.payload, cause=wave)

    return build


async def run(build: Program) -> Recording:
    """The program at work on ten orders, one each 3 seconds."""
    async with VirtualAether(start=1_000.0) as medium:
        build(medium)
        with record(medium) as seen:
            for number in range(10):
                await medium.emit_wave("orders.placed", Order(number, 100 * number))
                await medium.clock.advance(3)
            await medium.clock.advance(60)
    return seen


async def again(build: Program, before: Any, **options: Any) -> Rerun:
    async with VirtualAether() as medium:
        build(medium)
        return await rerun(medium, before, **options)


async def test_the_same_program_makes_the_same_of_it(anyio_backend: object, tmp_path: Path) -> None:
    seen = await run(shop())
    seen.save(tmp_path / "run.jsonl")
    for before in (seen, load(tmp_path / "run.jsonl")):
        done = await again(shop(), before)
        assert len(done.inputs) == 10
        assert len(done.before) == len(done.after) == 20
        assert done.notes == ()
        assert not done.diff(), done.diff()


async def test_another_program_differs_where_it_is_another(anyio_backend: object) -> None:
    seen = await run(shop())
    dearer = (await again(shop(fee=3), seen)).diff()
    assert {change.kind for change in dearer} == {"changed"}
    assert len(dearer) == 20
    # Those that fail are late, and otherwise the same but for the number of the attempt.
    failing = (await again(shop(failing=5), seen)).diff(ignore=["aether-attempt"])
    assert {change.kind for change in failing} == {"moved"}
    assert not (await again(shop(failing=5), seen)).diff(ignore=["aether-attempt"], order=False)
    gone = (await again(lambda _: None, seen)).diff()
    assert {change.kind for change in gone} == {"missing"}


async def test_twice_the_same_record_is_twice_the_same(anyio_backend: object) -> None:
    seen = await run(shop())
    first, second = [await again(shop(), seen) for _ in range(2)]
    assert first.after != second.after, "other ids"
    assert not diff(first.after, second.after)


async def test_inputs_come_at_their_moments(anyio_backend: object) -> None:
    moments: list[tuple[float, float]] = []

    def build(medium: Aether) -> None:
        assert isinstance(medium, VirtualAether)

        @medium.vibrator("watch").on("a")
        def note(wave: Wave[Any]) -> None:
            moments.append((medium.clock.now(), wave.timestamp))

    before = [Entry("a", ts=ts) for ts in (500.0, 500.5, 500.25, 503.0)]
    await again(build, before)
    assert moments == [(moment, moment) for moment in (0.0, 0.5, 0.5, 3.0)]


async def test_what_handlers_are_at_is_waited_for(anyio_backend: object) -> None:
    def build(seconds: float) -> Program:
        def made(medium: Aether) -> None:
            assert isinstance(medium, VirtualAether)
            slow = medium.vibrator("slow")

            @slow.on("a")
            async def handle(wave: Wave[Any]) -> None:
                await medium.clock.sleep(seconds)
                await slow.emit_wave("b", cause=wave)

        return made

    done = await again(build(4.0), [Entry("a")])
    assert [one.channel for one in done.after] == ["b"]
    late = await again(build(6.0), [Entry("a"), Entry("b", propagation_count=2)])
    assert late.after == ()
    assert late.notes == ("handlers were still at work 5 s after the end of the record",)


async def test_a_handler_may_wait_for_a_thread(anyio_backend: object) -> None:
    def build(medium: Aether) -> None:
        desk = medium.vibrator("desk")

        @desk.on("a")
        async def handle(wave: Wave[int]) -> None:
            made = await anyio.to_thread.run_sync(lambda: wave.payload * 2)
            await desk.emit_wave("b", made, cause=wave)

    done = await again(build, [Entry("a", number) for number in range(5)])
    assert [one.payload for one in done.after] == [0, 2, 4, 6, 8]


async def test_an_input_may_wait_for_room(anyio_backend: object) -> None:
    """While its handler waits for the clock, which nobody would move."""

    def build(medium: Aether) -> None:
        assert isinstance(medium, VirtualAether)
        narrow = medium.vibrator("narrow")

        @narrow.on("a", buffer_size=1)
        async def handle(wave: Wave[int]) -> None:
            await medium.clock.sleep(1.0)
            await narrow.emit_wave("b", wave.payload, cause=wave)

    done = await again(build, [Entry("a", number) for number in range(5)])
    assert [one.payload for one in done.after] == [0, 1, 2, 3, 4]


async def test_a_handler_that_does_not_end_is_an_error(anyio_backend: object) -> None:
    async with VirtualAether(patience=0.05) as medium:
        event = anyio.Event()
        desk = medium.vibrator("desk")

        @desk.on("a")
        async def handle(_: Wave[Any]) -> None:
            await event.wait()

        with pytest.raises(TimeoutError, match=r"at work: .*handle of 'desk'"):
            await rerun(medium, [Entry("a")])
        event.set()


async def test_inputs_that_nobody_reads_are_an_error(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        deaf = medium.vibrator("deaf", buffer_size=2)
        deaf.resonate_on("a")
        with pytest.raises(RuntimeError, match="3 inputs still wait for a full mailbox"):
            await rerun(medium, [Entry("a", number) for number in range(5)])


async def test_what_is_refused_is_told(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        full = medium.vibrator("full", buffer_size=2, overflow="error")
        full.resonate_on("a")
        done = await rerun(medium, [Entry("a", number) for number in range(5)])
    assert done.notes[1].startswith("3 inputs were refused by the medium, first: ")


def without_causes(medium: Aether) -> None:
    """A program that does not say where one step follows from another."""
    desk = medium.vibrator("desk")

    @desk.on("a")
    async def handle(wave: Wave[int]) -> None:
        await desk.emit_wave("b", wave.payload)


async def test_where_nobody_can_tell_it_has_to_be_said(anyio_backend: object) -> None:
    before = [Entry("a", 1), Entry("b", 1, source="desk")]
    with pytest.raises(ValueError, match=r"may be inputs or the program's own.*'b' of 'desk'"):
        await again(without_causes, before)
    done = await again(without_causes, before, inputs=["a"])
    assert not done.diff()
    assert done.notes == ()
    with pytest.raises(TypeError, match=r"write \['a'\]"):
        await again(without_causes, before, inputs="a")


async def test_what_is_there_twice_is_told(anyio_backend: object) -> None:
    done = await again(without_causes, [Entry("a", 1), Entry("b", 1)])
    assert done.notes[1:] == (
        "the program emits itself what is also an input: b; name the patterns of the inputs",
    )
    assert [change.kind for change in done.diff()] == ["added"]


async def test_what_proves_less_is_told(anyio_backend: object, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(
        '{"record": "begin", "pattern": "a.*"}\n'
        '{"record": "missed", "count": 3}\n'
        '{"ts": 1, "channel": "a.b", "payload": "<Thing>", "shown": true}\n'
        '{"ts": 1, "channel": "a.b", "payload": {}, "type": "gone:Thing"}\n'
    )
    done = await again(lambda _: None, load(path))
    assert done.notes == (
        "3 waves are missing in the record, as they came too fast",
        "the record was cut off before its end",
        "the record has nothing but inputs to compare",
        "2 inputs were emitted with payloads unlike those recorded: their classes are not imported, or cannot be written",
    )
    assert (await again(lambda _: None, [])).notes == (
        "the record has no inputs; name their patterns",
    )


async def test_only_what_was_recorded_is_compared(anyio_backend: object) -> None:
    def build(medium: Aether) -> None:
        desk = medium.vibrator("desk")

        @desk.on("in.a")
        async def handle(wave: Wave[Any]) -> None:
            await desk.emit_wave("in.b", cause=wave)
            await desk.emit_wave("out", cause=wave)

    async with VirtualAether() as medium:
        build(medium)
        with record(medium, "in.*") as seen:
            await medium.emit_wave("in.a")
            await medium.settle()
    assert not (await again(build, seen)).diff()


async def test_a_request_is_put_in_and_its_answer_comes_to_nothing(anyio_backend: object) -> None:
    def build(medium: Aether) -> None:
        desk = medium.vibrator("desk")

        @desk.on("ask")
        async def answer(wave: Wave[Any]) -> None:
            await desk.reply(wave, 1)
            await desk.emit_wave("answered", cause=wave)

    async with VirtualAether() as medium:
        build(medium)
        with record(medium) as seen:
            await medium.request("ask")
            await medium.settle()
    done = await again(build, seen)
    assert len(done.after) == 1
    assert not done.diff()


async def test_it_takes_a_medium_that_is_entered_and_virtual(anyio_backend: object) -> None:
    medium = VirtualAether()
    shop()(medium)
    with pytest.raises(RuntimeError, match="enter the medium first"):
        await rerun(medium, [])
    with pytest.raises(TypeError, match="the VirtualAether of a test, not Aether"):
        await rerun(Aether(), [])  # type: ignore[arg-type]


async def test_an_input_of_another_class_is_an_error(anyio_backend: object) -> None:
    one = replace(Entry("a", {"number": 1}), type=f"{__name__}:Order")
    with pytest.raises(ValueError, match=r"the payload is no .*:Order any more"):
        await again(shop(), [one])
