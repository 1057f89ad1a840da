"""`Vibrator.statistics()`: every figure, by what it counts."""

import contextlib
import gc
import weakref

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    begin,
    tuned,
    turns,
    until_receiving,
    until_sending,
)

from aether import Aether, Wave

FIGURES = [
    "current_buffer_used",
    "max_buffer_size",
    "tasks_waiting_receive",
    "tasks_waiting_send",
    "received",
    "emitted",
    "missed",
]
REASONS = [
    "full",
    "oldest",
    "faintest",
    "conflated",
    "faded",
    "expired",
    "abandoned",
    "cleared",
    "shed",
]


@pytest.mark.parametrize("figure", [*FIGURES, "dropped"])
async def test_is_frozen(figure: str) -> None:
    async with Aether() as medium:
        figures = tuned(medium).statistics()
        with pytest.raises((AttributeError, TypeError)):
            setattr(figures, figure, 7)


@pytest.mark.parametrize("figure", FIGURES)
async def test_is_an_int(figure: str) -> None:
    async with Aether() as medium:
        value = getattr(tuned(medium, buffer_size=7).statistics(), figure)
        assert isinstance(value, int)
        assert value == (7 if figure == "max_buffer_size" else 0)


async def test_counts_what_waits_and_what_was_received() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for number in range(3):
            await medium.emit_wave("a.b", number)
        assert v.statistics().current_buffer_used == 3
        await v.receive()
        v.receive_nowait()
        figures = v.statistics()
        assert (figures.current_buffer_used, figures.received) == (1, 2)


async def test_counts_what_the_vibrator_emitted() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        await v.emit_wave("a.b")
        v.emit_nowait("a.b")
        await v.emit_many([("a.b", 1), ("a.b", 2)])
        v.emitter().emit_nowait("a.b")
        await medium.emit_wave("a.b")
        assert v.statistics().emitted == 5


async def test_counts_the_tasks_that_wait_to_receive() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        waiting = [begin(group, v.receive) for _ in range(3)]
        await until_receiving(v, 3)
        await waiting[0].cancel()
        assert v.statistics().tasks_waiting_receive == 2
        v.close()
        for later in waiting[1:]:
            await later.result()
        assert v.statistics().tasks_waiting_receive == 0


async def test_counts_the_tasks_that_wait_to_send() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b")
        waiting = [begin(group, lambda: medium.emit_wave("a.b")) for _ in range(3)]
        await until_sending(v, 3)
        await waiting[1].cancel()
        assert v.statistics().tasks_waiting_send == 2
        for _ in range(3):
            await v.receive()
        assert v.statistics().tasks_waiting_send == 0


async def test_dropped_maps_a_reason_to_a_count() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_newest", buffer_size=1)
        for _ in range(3):
            await medium.emit_wave("a.b")
        dropped = v.statistics().dropped
        assert dropped["full"] == 2
        assert list(dropped) == list(medium.statistics().dropped) == REASONS


async def test_dropped_has_every_reason_from_the_start() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        for counted in (v.statistics().dropped, medium.statistics().dropped):
            assert counted == dict.fromkeys(REASONS, 0)


async def test_dropped_cannot_be_changed() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_newest", buffer_size=1)
        for _ in range(3):
            await medium.emit_wave("a.b")
        dropped = v.statistics().dropped
        with contextlib.suppress(TypeError):
            dropped["full"] = 0  # type: ignore[index]
        assert_dropped(v, full=2)


async def test_an_older_answer_does_not_change() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        before = v.statistics()
        await medium.emit_wave("a.b")
        assert before.current_buffer_used == 0


async def test_can_be_asked_after_the_end() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b")
        await v.receive()
        v.close()
        assert v.statistics().received == 1
    assert v.statistics().received == 1


async def test_what_a_reader_with_handlers_has_lost_counts_after_its_end_too() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        v.on("b.*")(lambda wave: None)
        for _ in range(3):
            await medium.emit_wave("a.b")
        await v.receive()
        v.close()
        assert_dropped(v, abandoned=2)
        assert v.statistics().received == 1


@pytest.mark.parametrize("how", ["close", "leave"])
async def test_the_medium_counts_what_handlers_abandon_as_their_vibrators_do(how: str) -> None:
    """One that is cancelled at work, one behind its key, and one that still waits."""
    entered, medium = anyio.Event(), Aether()
    v, reader = tuned(medium), tuned(medium, "a.*", name="plain")
    v.on("a.*")(lambda wave: None)

    @v.on("a.*", concurrency=2, key=lambda wave: wave.payload, buffer_size=1)
    async def handle(wave: Wave[int]) -> None:
        entered.set()
        await anyio.sleep_forever()

    with contextlib.suppress(LookupError):
        async with medium:
            for _ in range(3):
                await medium.emit_wave("a.b", 1)
                await turns()
            await entered.wait()
            if how == "close":
                v.close()
            raise LookupError
    own, whole = v.statistics(), medium.statistics()
    assert_dropped(v, abandoned=3)
    assert (own.received, reader.statistics().missed) == (3, 3)
    assert_dropped(medium, abandoned=6)
    assert whole.delivered == whole.received + whole.waiting + 6


async def test_what_a_handler_has_dropped_counts_for_the_medium_when_it_is_gone() -> None:
    medium, entered = Aether(), anyio.Event()
    v = medium.vibrator("short")

    @v.on("a.*")
    async def handle(wave: Wave[int]) -> None:
        entered.set()
        await anyio.sleep_forever()

    medium.emit_nowait("a.b")
    with contextlib.suppress(LookupError):
        async with medium.running():
            await entered.wait()
            raise LookupError
    v.close()
    alive = weakref.ref(v)
    del v, handle
    gc.collect()
    assert alive() is None
    assert_dropped(medium, abandoned=1)
    assert medium.statistics().received == 0
    await medium.aclose()
