"""Waves that are to go out later: when, in which order, and what becomes of those that cannot."""

from __future__ import annotations

import contextlib
import gc
import inspect
import logging
import math
import sys
import threading
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.conftest import LOOPS
from tests.handling.passing import entered, passes
from tests.probes import assert_says, messages, payloads, receive, taken, tuned, turns, until

from aether import (
    Aether,
    AetherConfig,
    ChannelError,
    Closed,
    DelayedEmission,
    DelayedStatistics,
    EndOfStream,
    LimitExceeded,
    LimitsConfig,
    ManualClock,
    NoReceiver,
    TracingConfig,
    Vibrator,
    Wave,
    WouldBlock,
)
from aether.delayed import Delays, _Call
from aether.journal import Journal
from aether.testing import VirtualAether


def rest(reader: Vibrator) -> list[Any]:
    """The payloads that are left, also at the end."""
    got = []
    with contextlib.suppress(EndOfStream, WouldBlock):
        while True:
            got.append(reader.receive_nowait().payload)
    return got


METHODS = ["emit_wave", "emit", "emit_nowait"]


async def delayed(emitter: Any, method: str, payload: Any, seconds: float) -> DelayedEmission:
    """A wave on `a` that goes out in so many seconds."""
    if method == "emit_nowait":
        made = emitter.emit_nowait("a", payload, delay=seconds)
    elif method == "emit":
        made = await emitter.emit(Wave("a", payload), delay=seconds)
    else:
        made = await emitter.emit_wave("a", payload, delay=seconds)
    assert isinstance(made, DelayedEmission)
    return made


# When it goes out


@pytest.mark.parametrize("method", METHODS)
async def test_it_goes_out_at_its_moment(anyio_backend: object, method: str) -> None:
    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("a")
        one = await delayed(medium, method, 1, 5.0)
        assert (one.state, one.left, one.channel, one.receipt) == ("waiting", 5.0, "a", None)
        await passes(clock, 4.5)
        assert one.left == 0.5
        assert payloads(worker) == []
        await passes(clock, 0.5)
        assert (one.state, one.left) == ("emitted", 0.0)
        assert one.receipt is not None
        assert one.receipt.delivered == 1
        assert payloads(worker) == [1]
        assert medium.statistics().delayed == DelayedStatistics(emitted=1)
        assert medium.timers.next() is None


async def test_all_is_counted_from_then(anyio_backend: object) -> None:
    async with entered() as (_, clock, worker, _):
        worker.resonate_on("a")
        await worker.emit_wave(
            "a", 1, amplitude=0.5, ttl=2.0, headers={"k": "v"}, phase=1.0, delay=5.0
        )
        await passes(clock, 6.0, 0.5)
        (wave,) = taken(worker)
        assert (wave.timestamp, wave.amplitude, wave.ttl, wave.phase) == (5.0, 0.5, 2.0, 1.0)
        assert (wave.source, dict(wave.headers), wave.propagation_count) == (
            "worker",
            {"k": "v"},
            1,
        )


async def test_headers_are_those_of_the_call(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("a")
        headers = {"k": "v"}
        await medium.emit_wave("a", headers=headers, delay=1.0)
        headers["k"] = "changed"
        await passes(clock, 1.0)
        assert dict(taken(worker)[0].headers) == {"k": "v"}


async def test_a_wave_that_exists_keeps_its_age(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("a")
        given_wave = Wave("a", timestamp=0.0, ttl=2.0)
        late = await medium.emit(given_wave, delay=5.0)
        early = await medium.emit(given_wave, delay=1.0)
        await passes(clock, 1.0)
        assert taken(worker)[0].id == given_wave.id
        await passes(clock, 4.0)
        assert (early.state, late.state) == ("emitted", "emitted")
        assert taken(worker) == []


async def test_zero_is_a_delay_too(anyio_backend: object) -> None:
    async with entered() as (medium, _, worker, _):
        worker.resonate_on("a")
        one = await medium.emit_wave("a", 1, delay=0)
        assert one.state == "waiting"
        await turns()
        assert one.state == "emitted"
        receipt = await medium.emit_wave("a", 2, delay=None)
        assert receipt.delivered == 1
        assert medium.emit_nowait("a", 3, delay=None).delivered == 1
        assert payloads(worker) == [1, 2, 3]


async def test_by_the_machines_clock(anyio_backend: object) -> None:
    async with Aether() as medium:
        reader = tuned(medium, "a")
        first = await medium.emit_wave("a", 2, delay=0.02)
        await medium.emit_wave("a", 1, delay=0.01)
        await medium.emit_wave("a", 3, delay=1e9)
        assert [(await receive(reader)).payload for _ in range(2)] == [1, 2]
        await until(lambda: first.state == "emitted")
    assert medium.statistics().delayed.abandoned == 1


async def test_a_handler_is_not_held_up(anyio_backend: object) -> None:
    tried: list[float] = []
    async with VirtualAether() as medium:
        shop = medium.vibrator("shop")

        @shop.on("orders.*")
        async def book(wave: Wave[int]) -> None:
            tried.append(medium.clock.now())
            if len(tried) < 3:
                await shop.emit(wave, delay=5.0)

        await medium.emit_wave("orders.created", 7)
        await medium.settle()
        await medium.clock.advance(60.0)
    assert tried == [0.0, 5.0, 10.0]


async def test_a_handler_hands_on_headers_and_trace(anyio_backend: object) -> None:
    async with VirtualAether(AetherConfig(tracing=TracingConfig(sample=1.0))) as medium:
        shop, reader = medium.vibrator("shop"), tuned(medium, "a")

        @shop.on("go")
        async def work(wave: Wave[Any]) -> None:
            await shop.emit_wave("a", "wave", headers={"own": "1"}, delay=5.0)
            await shop.emit(Wave("a", "existing"), delay=5.0)
            shop.emit_nowait("a", "cause", cause=wave, delay=5.0)

        await medium.emit_wave("go", headers={"customer": "ada"})
        await medium.clock.advance(5.0)
        waves = {wave.payload: wave for wave in taken(reader)}
        assert {wave.headers["customer"] for wave in waves.values()} == {"ada"}
        assert waves["wave"].headers["own"] == "1"
        assert waves["cause"].propagation_count == 2
        (trace,) = {wave.headers["traceparent"].split("-")[1] for wave in waves.values()}
        spans = list(medium.trace(waves["wave"]))
        assert [span.work for span in spans].count("send") == 4, (
            "that of the check is not among them"
        )
        handler = next(span for span in spans if span.work == "process")
        assert f"{handler.trace_id:032x}" == trace
        sent = next(span for span in spans if span.wave_id == waves["wave"].id)
        assert sent.parent_id == handler.span_id


# What keeps it from going out


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("seconds", "error"),
    [(-1, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("1", TypeError)],
)
async def test_a_delay_out_of_range_is_told_at_the_call(
    anyio_backend: object, method: str, seconds: Any, error: type[Exception]
) -> None:
    medium = Aether()
    subject = Wave("a") if method == "emit" else "a"
    with pytest.raises(error, match="delay must be") as raised:
        getattr(medium, method)(subject, delay=seconds)
    assert_says(raised.value, "delay")


async def test_all_else_is_told_at_the_call(anyio_backend: object) -> None:
    medium = Aether(AetherConfig(max_channel_length=8))
    wave = Wave("a")
    for error, call in (
        (ChannelError, lambda: medium.emit_wave("a.*", delay=1.0)),
        (ChannelError, lambda: medium.emit_nowait("a.much.longer.one", delay=1.0)),
        (ChannelError, lambda: medium.emit(Wave("a.much.longer.one"), delay=1.0)),
        (TypeError, lambda: medium.emit_wave("a", ttl="1", delay=1.0)),  # type: ignore[call-overload]
        (TypeError, lambda: medium.emit("a", delay=1.0)),  # type: ignore[call-overload]
        (TypeError, lambda: medium.emit_wave(wave, delay=1.0)),  # type: ignore[call-overload]
        (ValueError, lambda: medium.emit_wave("a", timeout=-1.0, delay=1.0)),
        (ValueError, lambda: medium.emit_wave("a", amplitude=math.nan, delay=1.0)),
        (ValueError, lambda: medium.emit_wave("a", cause=wave, compensates=wave, delay=1.0)),
    ):
        with pytest.raises(error):  # type: ignore[arg-type]
            call()
    muted = medium.vibrator("muted")
    muted.close()
    with pytest.raises(Closed):
        muted.emit_wave("a", delay=1.0)
    assert medium.statistics().delayed == DelayedStatistics()


async def test_one_that_is_never_awaited_says_so(anyio_backend: object) -> None:
    medium = Aether()

    def forget() -> None:
        medium.emit_wave("orders.created", delay=1.0)
        gc.collect()

    with pytest.warns(RuntimeWarning, match=r"orders\.created"):
        forget()
    assert medium.statistics().delayed.waiting == 0


async def test_it_waits_for_room_as_long_as_its_timeout_says(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with entered() as (medium, clock, _, _):
        slow = tuned(medium, "a", name="slow", buffer_size=1)
        medium.emit_nowait("a", 0)
        patient = await medium.emit_wave("a", 1, delay=1.0)
        hasty = await medium.emit_wave("a", 2, timeout=2.0, delay=1.0)
        at_once = medium.emit_nowait("a", 3, delay=1.0)
        await passes(clock, 1.0)
        assert (patient.state, hasty.state, at_once.state) == ("under_way", "under_way", "failed")
        assert isinstance(at_once.error, WouldBlock)
        assert not patient.cancel(), "too late"
        await passes(clock, 2.0)
        assert isinstance(hasty.error, TimeoutError)
        assert payloads(slow) == [0]
        await turns()
        assert (patient.state, hasty.state) == ("emitted", "failed")
        assert payloads(slow) == [1]
        assert medium.statistics().delayed == DelayedStatistics(emitted=1, failed=2)
    failed = [record for record in caplog.records if record.event == "delayed.failed"]  # type: ignore[attr-defined]
    assert len(failed) == 2
    assert len(messages(failed, "'a'", "slow")) == 2


async def test_what_fails_then_is_logged_and_counted(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with entered() as (medium, clock, _, _):
        refusing = tuned(medium, "b", overflow="error", buffer_size=1)
        medium.emit_nowait("b")
        lonely = await medium.emit_wave("a", require=1, delay=1.0)
        refused = await medium.emit_wave("b", delay=1.0)
        other = medium.vibrator("other")
        muted = await other.emitter().emit_wave("a", delay=1.0)
        other.close()
        spent = await medium.emit(Wave("a", amplitude=0.001), delay=1.0)
        await passes(clock, 1.0)
        assert [type(one.error) for one in (lonely, refused, muted)] == [
            NoReceiver,
            WouldBlock,
            Closed,
        ]
        assert spent.receipt is not None
        assert spent.receipt.reason == "min_amplitude", "as of any emission, the receipt says why"
        assert medium.statistics().delayed == DelayedStatistics(emitted=1, failed=3)
        assert len(taken(refusing)) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3


async def test_so_many_may_wait(anyio_backend: object) -> None:
    config = AetherConfig(limits=LimitsConfig(delayed=2))
    async with entered(config) as (medium, clock, _, _):
        first = await medium.emit_wave("a", delay=1.0)
        await medium.emit_wave("a", delay=2.0)
        with pytest.raises(LimitExceeded, match=r"limits\.delayed=2"):
            await medium.emit_wave("a", delay=1.0)
        with pytest.raises(LimitExceeded):
            medium.emit_nowait("a", delay=1.0)
        assert first.cancel()
        medium.emit_nowait("a", delay=1.0)
        await passes(clock, 1.0)
        blocking = tuned(medium, "a", buffer_size=1)
        await medium.emit_wave("a", delay=0.0)
        medium.emit_nowait("a")
        await turns()
        with pytest.raises(LimitExceeded):
            await medium.emit_wave("a", delay=1.0)
        assert medium.statistics().delayed.under_way == 1
        taken(blocking)
        await turns()
        await medium.emit_wave("a", delay=1.0)
        assert medium.statistics().refused["delayed"] == 3
        medium.reconfigure(config.replace(limits=LimitsConfig(delayed=3)))
        await medium.emit_wave("a", delay=1.0)


async def test_an_emitter_with_limits_asks_for_its_turn_then(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("a")
        emitter = medium.emitter(rate=1.0)
        made = [await emitter.emit_wave("a", number, delay=5.0) for number in range(2)]
        made.append(await emitter.emit(Wave("a", 2), delay=5.0))
        emitter.emit_nowait("a", "now")
        assert emitter.statistics().waited == 0
        payloads(worker)
        for seconds, state in ((4.0, "waiting"), (1.0, "under_way")):
            await passes(clock, seconds)
            assert made[2].state in (state, "emitted")
        at_once = emitter.emit_nowait("a", delay=0.0)
        await turns()
        assert isinstance(at_once.error, WouldBlock)
        assert len(taken(worker)) == 1
        for _ in range(2):
            await passes(clock, 1.0)
            assert len(taken(worker)) == 1
        assert {one.state for one in made} == {"emitted"}


# Taken back


async def test_it_can_be_taken_back(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, _):
        worker.resonate_on("a")
        one = await medium.emit_wave("a", delay=1.0)
        thread = threading.Thread(target=one.cancel)
        thread.start()
        thread.join()
        assert (one.state, one.cancel()) == ("cancelled", False)
        await passes(clock, 5.0)
        assert (one.state, one.receipt, payloads(worker)) == ("cancelled", None, [])
        assert medium.statistics().delayed == DelayedStatistics(cancelled=1)


async def test_it_is_taken_back_or_goes_out_and_never_both(anyio_backend: object) -> None:
    """A thread takes them back while the loop lets them go."""
    async with entered(AetherConfig(channel_buffer_size=1_000)) as (medium, clock, worker, _):
        worker.resonate_on("a")
        made = [await medium.emit_wave("a", number, delay=1.0) for number in range(500)]
        begun, taken_back = threading.Event(), list[int]()

        def cancel() -> None:
            begun.wait()
            taken_back.extend(index for index, one in enumerate(made) if one.cancel())

        thread = threading.Thread(target=cancel)
        thread.start()
        clock.advance(1.0)
        begun.set()
        await turns()
        await anyio.to_thread.run_sync(thread.join)
        await turns()
        assert sorted([*payloads(worker), *taken_back]) == list(range(500))
        counted = medium.statistics().delayed
        assert counted.cancelled == len(taken_back)
        assert counted.emitted == 500 - len(taken_back)


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


# By chance, beside a sorted list


STEPS = st.one_of(
    st.tuples(st.sampled_from(METHODS), st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.5])),
    st.tuples(st.sampled_from(METHODS), st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.5])),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("move"), st.sampled_from([0.1, 0.5, 1.0])),
    st.tuples(st.just("close"), st.just(0)),
)


async def _beside_a_list(steps: list[tuple[str, float]]) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a", buffer_size=1000)
    wanted: list[tuple[float, int]] = []
    made: list[DelayedEmission] = []
    expected = {"emitted": 0, "cancelled": 0, "abandoned": 0}
    async with medium:
        for step, number in steps:
            if step == "cancel":
                if made:
                    index = int(number) % len(made)
                    waits = index in [one for _, one in wanted]
                    assert made[index].cancel() == waits
                    wanted = [one for one in wanted if one[1] != index]
                    expected["cancelled"] += waits
            elif step == "move":
                clock.advance(number)
            elif step == "close":
                await medium.aclose()
                expected["abandoned"] += len(wanted)
                wanted = []
                break
            else:
                wanted.append((clock.now() + number, len(made)))
                made.append(await delayed(medium, step, len(made), number))
            await turns(6)
            due = sorted(one for one in wanted if one[0] <= clock.now())
            wanted = [one for one in wanted if one[0] > clock.now()]
            expected["emitted"] += len(due)
            assert payloads(reader) == [index for _, index in due]
            assert medium.statistics().delayed == DelayedStatistics(waiting=len(wanted), **expected)
            assert {made[index].state for _, index in wanted} <= {"waiting"}
    expected["abandoned"] += len(wanted)
    assert medium.statistics().delayed == DelayedStatistics(**expected)
    assert rest(reader) == []
    reader.close()


async def _beside_a_full_mailbox(steps: list[tuple[str, float]], size: int, seconds: float) -> None:
    """Everyone of them is accounted for, and who was emitted has come, once."""
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a", buffer_size=size)
    made: list[DelayedEmission] = []
    got: list[int] = []
    async with medium:
        for step, number in steps:
            if step == "cancel":
                if made and number % 2:
                    made[int(number) % len(made)].cancel()
                elif waves := reader.statistics().current_buffer_used:
                    got += [reader.receive_nowait().payload for _ in range(min(2, waves))]
            elif step == "move":
                clock.advance(number)
            elif step == "emit_wave":
                made.append(await medium.emit_wave("a", len(made), timeout=seconds, delay=number))
            elif step != "close":
                made.append(await delayed(medium, step, len(made), number))
            await turns(int(number * 2) % 4)
    await turns(20)
    got += rest(reader)
    states = [one.state for one in made]
    assert sorted(got) == [index for index, state in enumerate(states) if state == "emitted"]
    assert all((one.error is not None) == (one.state == "failed") for one in made)
    counted = medium.statistics().delayed
    assert (counted.waiting, counted.under_way) == (0, 0)
    for state in ("emitted", "failed", "cancelled", "abandoned"):
        assert getattr(counted, state) == states.count(state)
    reader.close()


def run(backend: str, main: Any, *args: Any) -> None:
    uvloop = {"use_uvloop": True} if backend == "uvloop" else {}
    loop = "asyncio" if backend == "uvloop" else backend
    anyio.run(partial(main, *args), backend=loop, backend_options=uvloop)


@pytest.mark.parametrize("backend", LOOPS)
@given(steps=st.lists(STEPS, max_size=40))
def test_they_are_a_sorted_list(backend: str, steps: list[tuple[str, float]]) -> None:
    logging.getLogger("aether").setLevel(logging.CRITICAL)
    try:
        run(backend, _beside_a_list, steps)
    finally:
        logging.getLogger("aether").setLevel(logging.NOTSET)


@pytest.mark.parametrize("backend", LOOPS)
@given(
    steps=st.lists(STEPS, max_size=40),
    size=st.integers(1, 3),
    seconds=st.sampled_from([0.0, 0.5, 60.0]),
)
def test_all_are_accounted_for(
    backend: str, steps: list[tuple[str, float]], size: int, seconds: float
) -> None:
    logging.getLogger("aether").setLevel(logging.CRITICAL)
    try:
        run(backend, _beside_a_full_mailbox, steps, size, seconds)
    finally:
        logging.getLogger("aether").setLevel(logging.NOTSET)
