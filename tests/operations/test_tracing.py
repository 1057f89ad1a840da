"""What is followed, and what is known of it afterwards."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.operations.followed import following, vibrating

from aether import (
    Aether,
    AetherConfig,
    ChannelError,
    ConfigError,
    ManualClock,
    TracingConfig,
    Wave,
    WouldBlock,
)
from aether.tracing import Span, Trace


def said(trace: Trace) -> list[tuple[str, str | None, str]]:
    """What each span of a trace is, without its times."""
    return [(span.work, span.by, span.channel) for span in trace]


def only(spans: tuple[Span, ...]) -> Span:
    """The only one of these."""
    (span,) = spans
    return span


async def test_a_trace_is_a_tree_of_who_did_what_and_for_how_long(anyio_backend: object) -> None:
    clock = ManualClock(start=1_000_000.0)
    medium = Aether(following(), clock=clock)
    billing, mailer = medium.vibrator("billing"), medium.vibrator("mailer")
    ledger = vibrating(medium, "ledger", "payments.*")
    waves: list[Wave[Any]] = []

    @billing.on("orders.created")
    async def bill(wave: Wave[Any]) -> None:
        waves.append(wave)
        clock.advance(0.002)
        await billing.emit_wave("payments.taken", cause=wave)
        clock.advance(0.001)

    @mailer.on("orders.created")
    def mail(wave: Wave[Any]) -> None:
        clock.advance(0.25)
        raise ValueError("no address")

    desk = medium.vibrator("desk")
    async with medium.running():
        await desk.emit_wave("orders.created")
        await medium.settle()
        clock.advance(1.0)
        taken = await ledger.receive()
    assert taken is not None
    trace = medium.trace(waves[0])
    assert trace.trace_id == taken.headers["traceparent"].split("-")[1]
    assert medium.trace(taken).spans == trace.spans or [s.span_id for s in medium.trace(taken)] == [
        span.span_id for span in trace
    ], "it is found by each of its waves"
    root = only(trace.children(None))
    assert (root.work, root.by, root.channel, root.reached) == (
        "send",
        "desk",
        "orders.created",
        (2, 0),
    )
    by = {span.by: span for span in trace.children(root)}
    assert by["mailer"].trouble == ("ValueError", "no address")
    assert by["mailer"].took == pytest.approx(0.25)
    assert by["billing"].took == pytest.approx(0.003)
    paid = only(trace.children(by["billing"]))
    assert (paid.work, paid.by, paid.channel) == ("send", "billing", "payments.taken")
    got = only(trace.children(paid))
    assert (got.work, got.by, got.took) == ("receive", "ledger", 0.0)
    # The mailer may have worked before or after.
    assert trace.waited(got) == pytest.approx(1.001, abs=0.26)
    assert "mailer handled it after" in str(trace)
    assert "ValueError: no address" in str(trace)


async def test_it_prints_as_a_tree(anyio_backend: object) -> None:
    clock = ManualClock(start=1_000_000.0)
    medium = Aether(following(), clock=clock)
    desk, ledger = medium.vibrator("desk"), vibrating(medium, "ledger", "payments.*")

    @desk.on("orders.created")
    async def sell(wave: Wave[Any]) -> None:
        clock.advance(0.002)
        await desk.emit_wave("payments.taken", cause=wave)

    async with medium.running():
        await medium.emit_wave("orders.created")
        await medium.settle()
    clock.advance(1.5)
    taken = ledger.receive_nowait()
    trace = medium.trace(taken.id)
    assert str(trace) == "\n".join(
        [
            f"trace {trace.trace_id}: 4 spans in 1.5 s",
            "orders.created emitted by the medium at 13:46:40.000 in 0 µs, reached 1",
            "└─ desk handled it after 0 µs in 2 ms",
            "   └─ payments.taken emitted by desk at 13:46:40.002 in 0 µs, reached 1",
            "      └─ ledger received it after 1.5 s",
        ]
    )


def test_what_is_not_known_is_said() -> None:
    medium = Aether(following(sample=0.0))
    reader = vibrating(medium, "reader", "a")
    medium.emit_nowait("a")
    wave = reader.receive_nowait()
    assert "traceparent" not in wave.headers
    trace = medium.trace(wave)
    assert (bool(trace), len(trace), trace.trace_id) == (False, 0, None)
    assert str(trace).startswith(f"nothing is known of wave {wave.id}")
    with pytest.raises(ConfigError, match="follows no waves: make it with"):
        Aether().trace(wave)
    assert Aether().tracing is None


Take = Callable[[Any], Any]
TAKES: dict[str, Take] = {
    "nowait": lambda reader: reader.receive_nowait(),
    "sync": lambda reader: reader.receive_sync(timeout=1.0),
}


@pytest.mark.parametrize("how", TAKES)
def test_whoever_takes_it_without_a_loop_is_seen(how: str) -> None:
    medium = Aether(following())
    reader = vibrating(medium, "reader", "a")
    medium.emit_nowait("a")
    assert said(medium.trace(TAKES[how](reader))) == [
        ("send", None, "a"),
        ("receive", "reader", "a"),
    ]


async def test_whoever_takes_it_in_a_loop_is_seen(anyio_backend: object) -> None:
    medium = Aether(following())
    reader = vibrating(medium, "reader", "a", buffer_size=10)
    for _ in range(5):
        await medium.emit_wave("a")
    waves = [await reader.receive(), *await reader.receive_many(2)]
    waves += [await anext(aiter(reader)), *await reader.receive_many(2, max_wait=0.001)]
    assert len(waves) == 5
    for wave in waves:
        assert wave is not None
        assert [span.work for span in medium.trace(wave)] == ["send", "receive"]


async def test_each_who_gets_it_is_a_child_of_the_emission_and_linked_to_it(
    anyio_backend: object,
) -> None:
    medium = Aether(following())
    readers = [vibrating(medium, f"reader-{number}", "a") for number in range(3)]
    await medium.emit_wave("a")
    waves = [reader.receive_nowait() for reader in readers]
    trace = medium.trace(waves[0])
    root = only(trace.children(None))
    children = trace.children(root)
    assert [child.by for child in children] == ["reader-0", "reader-1", "reader-2"]
    assert all(child.links == [(root.trace_id, root.span_id)] for child in children)
    assert root.reached == (3, 0)


def test_a_share_of_the_waves_is_followed() -> None:
    medium = Aether(following(sample=0.1))
    reader = vibrating(medium, "reader", "a", buffer_size=10_000)
    for _ in range(10_000):
        medium.emit_nowait("a")
    followed = sum("traceparent" in reader.receive_nowait().headers for _ in range(10_000))
    assert 800 <= followed <= 1_200
    assert medium.tracing is not None
    assert medium.tracing.statistics().ended == 2 * followed


def test_no_more_traces_begin_in_a_second_than_may() -> None:
    clock = ManualClock()
    medium = Aether(following(traces_per_second=10), clock=clock)
    reader = vibrating(medium, "reader", "a", buffer_size=1_000)

    def followed() -> int:
        for _ in range(100):
            medium.emit_nowait("a")
        return sum("traceparent" in reader.receive_nowait().headers for _ in range(100))

    assert followed() == 10
    assert followed() == 0
    clock.advance(0.5)
    assert followed() == 5


async def test_the_share_may_change_while_it_runs(anyio_backend: object) -> None:
    medium = Aether(following(sample=0.0))
    reader = vibrating(medium, "reader", "a")
    config = medium.config
    assert config.tracing is not None
    changed = medium.reconfigure(config.replace(tracing=config.tracing.replace(sample=1.0, keep=5)))
    assert changed.tracing is not None
    assert (changed.tracing.sample, changed.tracing.keep) == (1.0, 10_000)
    await medium.emit_wave("a")
    assert "traceparent" in reader.receive_nowait().headers


async def test_what_stands_behind_a_key_is_not_being_handled(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = Aether(following(), clock=clock)
    worker = medium.vibrator("worker")
    waves: list[Wave[Any]] = []

    @worker.on("a", concurrency=2, key=lambda wave: "same")
    async def work(wave: Wave[Any]) -> None:
        await anyio.lowlevel.checkpoint()
        waves.append(wave)
        clock.advance(1.0)

    async with medium.running():
        await medium.emit_wave("a")
        await medium.emit_wave("a")
        await medium.settle()
    spans = [medium.trace(wave).spans[-1] for wave in waves]
    assert [span.took for span in spans] == [1.0, 1.0]
    assert [span.began for span in spans] == [0.0, 1.0]


async def test_emissions_that_come_to_nothing_say_why(anyio_backend: object) -> None:
    medium = Aether(following())
    vibrating(medium, "reader", "a", buffer_size=1)
    tracing = medium.tracing
    assert tracing is not None

    def last() -> tuple[str, str]:
        spans, _, _ = tracing.tracer.since(tracing.tracer.count - 1, 1)
        assert spans[0].trouble is not None
        return spans[0].trouble

    await medium.emit_wave("a")
    with pytest.raises(WouldBlock):
        medium.emit_nowait("a")
    assert last()[0] == "WouldBlock"
    with pytest.raises(TimeoutError):
        await medium.emit_wave("a", timeout=0.001)
    assert last()[0] == "TimeoutError"
    with anyio.move_on_after(0.001):
        await medium.emit_wave("a")
    assert last() == ("cancelled", "")
    receipt = await medium.emit_wave("b", amplitude=0.001)
    assert last() == ("min_amplitude", "")
    assert receipt.reason == "min_amplitude"


async def test_a_handler_that_is_cancelled_has_not_done_it(anyio_backend: object) -> None:
    medium = Aether(following().replace(drain_timeout=0.0))
    worker = medium.vibrator("worker")
    waves: list[Wave[Any]] = []

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        waves.append(wave)
        await anyio.sleep_forever()

    async with medium:
        await medium.emit_wave("a")
        while not waves:
            await anyio.lowlevel.checkpoint()
    assert medium.trace(waves[0]).spans[-1].trouble == ("abandoned", "")


def test_only_the_last_spans_are_kept() -> None:
    medium = Aether(following(keep=4))
    reader = vibrating(medium, "reader", "a")
    waves = []
    for _ in range(3):
        medium.emit_nowait("a")
        waves.append(reader.receive_nowait())
    assert [len(medium.trace(wave)) for wave in waves] == [0, 2, 2]


def test_spans_of_many_threads_are_all_there() -> None:
    medium = Aether(following(keep=100_000))
    reader = vibrating(medium, "reader", "a", buffer_size=10_000)

    def emit() -> None:
        for _ in range(1_000):
            medium.emit_nowait("a")

    threads = [threading.Thread(target=emit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waves = [reader.receive_nowait() for _ in range(4_000)]
    tracing = medium.tracing
    assert tracing is not None
    spans, _, lost = tracing.tracer.since(0, 100_000)
    assert (len(spans), lost) == (8_000, 0)
    assert len({span.span_id for span in spans}) == 8_000
    assert {span.wave_id for span in spans if span.work == "send"} == {wave.id for wave in waves}


class Unsayable(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "error", [ValueError("bad name \udcff"), Unsayable(), ValueError("x" * 100_000)]
)
async def test_whatever_a_handler_raises_stops_nobody(
    error: Exception, monkeypatch: pytest.MonkeyPatch, anyio_backend: object
) -> None:
    # Not everything can be written into a report.
    monkeypatch.setattr(logging.getLogger("aether"), "disabled", True)
    medium = Aether(following())
    worker = medium.vibrator("worker")
    handled: list[Wave[Any]] = []

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        handled.append(wave)
        raise error

    async with medium.running():
        for _ in range(3):
            await medium.emit_wave("a")
        await medium.settle()
    assert len(handled) == 3
    trouble = medium.trace(handled[-1]).spans[-1].trouble
    assert trouble is not None
    assert trouble[0] == type(error).__name__
    assert len(trouble[1]) <= 1_025, "of an error's text, the beginning is kept"


def test_waves_that_nobody_hears_are_sampled_alike() -> None:
    medium = Aether(following(sample=0.5))
    assert medium.tracing is not None
    for _ in range(10_000):
        medium.emit_nowait("nobody")
    assert 4_500 <= medium.tracing.statistics().ended <= 5_500


def test_a_long_chain_prints() -> None:
    medium = Aether(
        AetherConfig(
            max_propagation=10_000, attenuation_factor=1.0, tracing=TracingConfig(sample=1.0)
        )
    )
    reader = vibrating(medium, "reader", "a")
    medium.emit_nowait("a")
    wave = reader.receive_nowait()
    for _ in range(2_000):
        medium.emit_nowait("a", cause=wave)
        wave = reader.receive_nowait()
    trace = medium.trace(wave)
    assert len(trace) == 4_002
    assert len(str(trace).splitlines()) == 4_003


def test_only_waves_and_ids_have_traces() -> None:
    with pytest.raises(TypeError, match="takes a Wave or its id, not int"):
        Aether(following()).trace(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("with_opentelemetry", [True, False])
async def test_what_a_handler_has_begun_is_not_followed_by_it_once_it_has_ended(
    with_opentelemetry: bool, monkeypatch: pytest.MonkeyPatch, anyio_backend: object
) -> None:
    if not with_opentelemetry:
        monkeypatch.setattr("aether.tracing.tracing._follow_others", lambda _: False)
    medium = Aether(following())
    worker = medium.vibrator("worker")
    ticks = vibrating(medium, "ticks", "tick")
    emitted, ended = anyio.Event(), anyio.Event()

    async def tick() -> None:
        await medium.emit_wave("tick")
        emitted.set()
        await ended.wait()
        for _ in range(2):
            await medium.emit_wave("tick")

    async with anyio.create_task_group() as tasks, medium.running():

        @worker.on("start")
        async def start(_: Wave[Any]) -> None:
            tasks.start_soon(tick)
            await emitted.wait()

        await medium.emit_wave("start")
        await medium.settle()
        ended.set()
        meanwhile, *later = [await ticks.receive() for _ in range(3)]
    _, process, sent, _ = medium.trace(meanwhile)
    assert (process.work, sent.work, sent.parent_id) == ("process", "send", process.span_id)
    traces = {process.trace_id}
    for wave in later:
        sent = next(iter(medium.trace(wave)))
        assert (sent.work, sent.parent_id) == ("send", None)
        traces.add(sent.trace_id)
    assert len(traces) == 3, "each one begins a trace of its own, as far as the share has it"


async def test_one_wave_that_is_emitted_again_and_again_keeps_to_the_rate(
    anyio_backend: object,
) -> None:
    medium = Aether(following(traces_per_second=1.0), clock=ManualClock())
    wave = Wave("a")
    for _ in range(50):
        await medium.emit(wave)
    assert medium.tracing is not None
    assert medium.tracing.statistics().ended == 1


async def test_what_something_led_to_takes_no_right_to_begin(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = Aether(following(traces_per_second=2.0), clock=clock)
    worker = medium.vibrator("worker")

    @worker.on("unfollowed")
    async def work(wave: Wave[Any]) -> None:
        for _ in range(50):
            medium.emit_nowait("noise")

    async with medium.running():
        assert medium.tracing is not None
        for _ in range(2):
            medium.emit_nowait("nobody")  # takes the rights that there are
        await medium.emit_wave("unfollowed")
        clock.advance(10.0)
        await medium.settle()
        before = medium.tracing.statistics().ended
        for _ in range(2):
            medium.emit_nowait("nobody")
        assert medium.tracing.statistics().ended == before + 2
    worker.close()


@pytest.mark.parametrize("name", ["bad..name", "a.*", "", "x" * 2_000])
def test_an_emission_that_fails_takes_no_trace_from_the_next(name: str) -> None:
    medium = Aether(following())
    reader = vibrating(medium, "reader", "a", buffer_size=1)
    for _ in range(3):
        with pytest.raises(ChannelError):
            medium.emit_nowait(name)
        medium.emit_nowait("a")
        with pytest.raises(WouldBlock):
            medium.emit_nowait("a")
        assert "traceparent" in reader.receive_nowait().headers
    assert medium.tracing is not None
    assert medium.tracing.statistics().ended == 9, "sent, would have blocked, received"
