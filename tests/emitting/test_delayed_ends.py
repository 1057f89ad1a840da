"""Waves that are to go out later, where something ends first: the medium, a loop, the program; and what a journal has of them."""

from __future__ import annotations

import gc
import inspect
import sys
import threading
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.emitting.delaying import METHODS, delayed, rest
from tests.handling.passing import entered, passes
from tests.probes import assert_says, payloads, receive, tuned, turns, until

from aether import (
    Aether,
    AetherConfig,
    Closed,
    DelayedEmission,
    DelayedStatistics,
    LimitsConfig,
    ManualClock,
    Wave,
)
from aether.delayed import Delays, _Call
from aether.journal import Journal
from aether.testing import VirtualAether

# The end


@pytest.mark.parametrize("at_once", [False, True])
async def test_what_waits_at_the_end_is_abandoned(
    anyio_backend: object, at_once: bool, caplog: pytest.LogCaptureFixture
) -> None:
    medium = Aether(clock=ManualClock())
    made: list[DelayedEmission] = []
    try:
        async with medium:
            reader = tuned(medium, "a", name="slow", buffer_size=1)
            medium.emit_nowait("a", 0)
            made += [await medium.emit_wave("a", delay=float(number)) for number in range(3)]
            await turns()
            assert made[0].state == "under_way"
            if at_once:
                raise KeyError
    except KeyError:
        pass
    await until(lambda: made[0].state != "under_way")
    assert [one.state for one in made] == ["abandoned"] * 3
    assert medium.statistics().delayed == DelayedStatistics(abandoned=3)
    told = [record.waves for record in caplog.records if record.event == "delayed.abandoned"]  # type: ignore[attr-defined]
    assert sum(told) == 3
    assert len(rest(reader)) <= 1
    with pytest.raises(Closed, match="delay"):
        medium.emit_wave("a", delay=1.0)
    with pytest.raises(Closed):
        medium.emit_nowait("a", delay=1.0)


async def test_a_handler_that_drains_is_told(anyio_backend: object) -> None:
    errors: list[BaseException] = []
    async with VirtualAether() as medium:
        shop = medium.vibrator("shop")

        @shop.on("go")
        async def work(wave: Wave[Any]) -> None:
            await medium.clock.sleep(1.0)
            try:
                await shop.emit_wave("a", delay=1.0)
            except Closed as error:
                errors.append(error)

        await medium.emit_wave("go")
        await turns()
    assert_says(errors[0], "delay", "drains", "'a'")


async def test_a_lifespan_says_what_it_abandons(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    medium = Aether(clock=ManualClock())
    async with medium.lifespan(signals=False) as life:
        await medium.emit_wave("a", delay=60.0)
    assert life.abandoned == 1
    assert "medium.abandoned" in {record.event for record in caplog.records}  # type: ignore[attr-defined]


async def test_the_payload_is_let_go(anyio_backend: object) -> None:
    class Payload:
        pass

    clock = ManualClock()
    medium = Aether(clock=clock)
    references: list[weakref.ref[Payload]] = []
    made: list[DelayedEmission] = []

    async def ask() -> None:
        payload = Payload()
        references.append(weakref.ref(payload))
        made.append(await medium.emit_wave("a", payload, delay=float(len(made) + 1)))

    async with medium:
        for _ in range(3):
            await ask()
        made[0].cancel()
        await passes(clock, 2.0)
        gc.collect()
        assert [reference() is None for reference in references] == [True, True, False]
    gc.collect()
    assert references[2]() is None


async def test_what_a_handler_had_is_let_go(anyio_backend: object) -> None:
    class Payload:
        pass

    async with VirtualAether() as medium:
        shop = medium.vibrator("shop")

        @shop.on("go")
        async def work(wave: Wave[Payload]) -> None:
            await shop.emit_wave("a", delay=60.0)

        payload = Payload()
        reference = weakref.ref(payload)
        await medium.emit_wave("go", payload)
        del payload
        await medium.settle()
        gc.collect()
        assert reference() is None
        assert medium.statistics().delayed.waiting == 1


# Loops and threads


async def test_threads_delay_by_the_loop_of_the_handlers(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("a")

        def emit(base: int) -> None:
            for number in range(25):
                medium.emit_nowait("a", base + number, delay=1.0)

        threads = [threading.Thread(target=emit, args=(100 * base,)) for base in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await anyio.to_thread.run_sync(thread.join)
        await turns()
        await passes(clock, 1.0)
        got = payloads(worker)
        assert sorted(got) == sorted(
            100 * base + number for base in range(4) for number in range(25)
        )


def test_without_a_loop_there_is_none_to_see_to_it() -> None:
    medium = Aether()
    with pytest.raises(RuntimeError, match="loop") as raised:
        medium.emit_nowait("a", delay=1.0)
    assert_says(raised.value, "'a'", "enter")
    assert medium.statistics().delayed == DelayedStatistics()


async def test_a_medium_that_is_not_entered_goes_by_the_callers_loop(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a")
    await medium.emit_wave("a", 1, delay=1.0)
    await passes(clock, 1.0)
    assert payloads(reader) == [1]
    medium.shut("closed", at_once=True)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_waited_in_a_loop_that_ended_goes_out_where_handlers_run(backend: str) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a")

    async def before() -> None:
        await medium.emit_wave("a", 1, delay=1.0)
        await medium.emit_wave("a", 2, delay=2.0)

    async def after() -> None:
        async with medium.running():
            await turns()
            assert payloads(reader) == [1]
            await passes(clock, 1.0)
            assert payloads(reader) == [2]

    anyio.run(before, backend=backend)
    clock.advance(1.0)
    assert medium.statistics().delayed.waiting == 2
    anyio.run(after, backend=backend)
    assert medium.statistics().delayed == DelayedStatistics(emitted=2)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_goes_out_where_handlers_have_come_to_run_meanwhile(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a")
    running = threading.Event()
    got: list[object] = []

    async def handle() -> None:
        async with medium.running():
            running.set()
            with anyio.fail_after(10):
                got.extend([(await receive(reader)).payload])

    handlers = threading.Thread(target=partial(anyio.run, handle, backend=backend))
    check = Delays.check

    def meanwhile(delays: Delays, channel: str) -> None:
        check(delays, channel)
        if inspect.currentframe().f_back.f_code.co_name == "add":  # type: ignore[union-attr]
            handlers.start()
            running.wait()

    async def emit() -> None:
        await medium.emit_wave("a", 1, delay=1.0)

    monkeypatch.setattr(Delays, "check", meanwhile)
    anyio.run(emit, backend=backend)
    clock.advance(1.0)
    handlers.join()
    assert got == [1]


async def test_one_is_cancelled_where_the_limits_look(anyio_backend: object) -> None:
    # As the end of some object may do.
    async with entered(AetherConfig(limits=LimitsConfig(delayed=9))) as (medium, _, worker, _):
        worker.resonate_on("a")
        first = medium.emit_nowait("a", 1, delay=1.0)
        other = threading.Thread(target=partial(medium.emit_nowait, "a", 2, delay=1.0))
        answers: list[bool] = []
        cancelling = threading.Thread(target=lambda: answers.append(first.cancel()), daemon=True)
        with medium.admission.of("vibrators", 9, 1, lambda: 0, "one", "none"):
            other.start()
            # It waits for the limits, with or without more.
            await until(lambda: _is_at(other, "of"))
            cancelling.start()
            await anyio.to_thread.run_sync(cancelling.join, 10)
        other.join()
        assert answers == [True]


def _is_at(thread: threading.Thread, function: str) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code.co_name == function


async def test_what_ends_the_program_leaves_none_under_way(
    anyio_backend: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with entered() as (medium, _, _, _):
        one = medium.emit_nowait("a", 1, delay=1.0)
        monkeypatch.setattr(_Call, "now", lambda _: sys.exit(3))
        with pytest.raises(SystemExit):
            medium.delays._due(one)
        assert one.state == "abandoned"
        assert medium.statistics().delayed == DelayedStatistics(abandoned=1)


# The journal


async def test_nothing_is_written_before_it_goes_out(anyio_backend: object, tmp_path: Path) -> None:
    clock, journal = ManualClock(), Journal(tmp_path)
    async with Aether(journal=journal, clock=clock) as medium:
        reader = tuned(medium, "a")
        made = [await delayed(medium, method, method, 1.0) for method in METHODS]
        made.append(await medium.emit_wave("a", delay=9.0))
        await turns()
        assert [wave.payload for wave in journal.replay()] == []
        await passes(clock, 1.0)
        await until(lambda: all(one.state == "emitted" for one in made[:3]))
        assert [(await receive(reader)).payload for _ in range(3)] == METHODS
        for one in made[:3]:
            assert one.receipt is not None
            assert not one.receipt.pending
            assert one.receipt.delivered == 1
    assert [wave.payload for wave in Journal(tmp_path).replay()] == METHODS
    assert made[3].state == "abandoned"
