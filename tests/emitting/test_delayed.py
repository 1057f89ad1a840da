"""Waves that are to go out later: when, in which order, and what becomes of those that cannot."""

from __future__ import annotations

import gc
import math
import threading
from typing import Any

import anyio
import pytest
from tests.emitting.delaying import METHODS, delayed
from tests.handling.passing import entered, passes
from tests.probes import assert_says, messages, payloads, receive, taken, tuned, turns, until

from aether import (
    Aether,
    AetherConfig,
    ChannelError,
    Closed,
    DelayedStatistics,
    LimitExceeded,
    LimitsConfig,
    NoReceiver,
    TracingConfig,
    Wave,
    WouldBlock,
)
from aether.testing import VirtualAether

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
