"""What OpenTelemetry is told: a whole trace, at a real receiver; and what a receiver that is dead or slow does not do."""

from __future__ import annotations

import logging
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import aether
from aether import Aether, AetherConfig, TracingConfig, Wave

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace as otel
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.operations.receiver import receiver

from aether.tracing.readable import ATTRIBUTES

EXAMPLES = Path(__file__).parents[2] / "examples"


def following(**tracing: Any) -> AetherConfig:
    """A configuration that follows all waves."""
    tracing = {"sample": 1.0, "traces_per_second": 1e9, **tracing}
    return AetherConfig(tracing=TracingConfig(**tracing))


def attributes(span: Sent) -> dict[str, Any]:
    """What a span says, as Python has it."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_trace_of_the_saga_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    media: list[Aether] = []
    with receiver() as received:

        def traced() -> Aether:
            medium = Aether(following(endpoint=received.url, headers={"authorization": "Bearer x"}))
            media.append(medium)
            return medium

        monkeypatch.setattr(aether, "Aether", traced)
        saga = runpy.run_path(str(EXAMPLES / "saga_compensation.py"))
        import anyio

        anyio.run(saga["main"])
    (medium,) = media
    spans = received.spans()
    assert medium.tracing is not None
    statistics = medium.tracing.statistics()
    assert (statistics.exported, statistics.lost, statistics.failed) == (len(spans), 0, 0)
    assert statistics.ended == len(spans)
    traces = {span.trace_id for span in spans}
    assert len(traces) == 2, "one for each trip"
    for trace in traces:
        mine = {span.span_id: span for span in spans if span.trace_id == trace}
        roots = [span for span in mine.values() if not span.parent_span_id]
        assert [root.name for root in roots] == ["send flight.book"]
        assert all(span.parent_span_id in mine for span in mine.values() if span not in roots)
        for span in mine.values():
            if span.kind == Sent.SPAN_KIND_CONSUMER:
                assert mine[span.parent_span_id].kind == Sent.SPAN_KIND_PRODUCER
                assert [link.span_id for link in span.links] == [span.parent_span_id]
            assert set(attributes(span)) <= set(ATTRIBUTES)
            assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
    sent = [
        attributes(span)["messaging.destination.name"]
        for span in spans
        if span.kind == Sent.SPAN_KIND_PRODUCER
    ]
    assert sorted(sent) == sorted(
        [
            *(
                "flight.book",
                "flight.booked",
                "hotel.book",
                "hotel.booked",
                "car.book",
                "car.booked",
            ),
            *(
                "flight.book",
                "flight.booked",
                "hotel.book",
                "hotel.booked",
                "car.book",
                "car.refused",
            ),
            *("hotel.cancel", "flight.cancel"),
        ]
    )
    (resource,) = {
        request.resource_spans[0].resource.SerializeToString() for request in received.requests
    }
    assert b"service.name" in resource
    assert received.headers[0]["authorization"] == "Bearer x"


def test_an_error_is_told_with_its_class() -> None:
    exporter = InMemorySpanExporter()
    medium = Aether(following())
    assert medium.tracing is not None
    medium.tracing.export_to(exporter)
    reader = medium.vibrator("reader", overflow="error", buffer_size=1)
    reader.resonate_on("a")
    medium.emit_nowait("a")
    with pytest.raises(aether.WouldBlock):
        medium.emit_nowait("a")
    reader.close()
    medium.tracing.close()
    fine, failed = exporter.get_finished_spans()
    assert fine.status.is_ok
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "WouldBlock"
    assert failed.events[0].name == "exception"
    assert not failed.status.is_ok


async def test_the_span_of_opentelemetry_leads_to_waves_and_that_of_a_handler_to_others(
    anyio_backend: object,
) -> None:
    medium = Aether(following(sample=0.0))
    tracer = TracerProvider().get_tracer("app")
    worker = medium.vibrator("worker")
    inner: list[tuple[otel.SpanContext, otel.SpanContext | None]] = []
    waves: list[Wave[Any]] = []

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        waves.append(wave)
        with tracer.start_as_current_span("query") as query:
            await worker.emit_wave("b")
        assert isinstance(query, ReadableSpan)
        inner.append((query.get_span_context(), query.parent))

    async with medium.running():
        with tracer.start_as_current_span("request") as request:
            await medium.emit_wave("a")
        await medium.emit_wave("a")
        await medium.settle()
    assert not medium.trace(waves[1]), "nothing led to it, and the share is none"
    trace = medium.trace(waves[0])
    above = request.get_span_context()
    send, process, send_again = trace
    assert (send.trace_id, send.parent_id) == (above.trace_id, above.span_id)
    (query, parent), (_, no_parent) = inner
    assert parent is not None
    assert (parent.trace_id, parent.span_id) == (process.trace_id, process.span_id)
    assert (send_again.channel, send_again.parent_id) == ("b", query.span_id)
    assert no_parent is None, "what is not followed leads to nothing"


async def test_a_handler_of_a_wave_that_is_not_followed_has_no_span_of_when_it_was_started(
    anyio_backend: object,
) -> None:
    medium = Aether(following(sample=0.0))
    tracer = TracerProvider().get_tracer("app")
    worker = medium.vibrator("worker")
    seen: list[otel.SpanContext] = []

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        seen.append(otel.get_current_span().get_span_context())
        await worker.emit_wave("b")

    async with AsyncExitStack() as ends:
        with tracer.start_as_current_span("startup"):
            await ends.enter_async_context(medium.running())
        await medium.emit_wave("a")
        await medium.settle()
    assert not seen[0].is_valid
    assert medium.tracing is not None
    assert medium.tracing.statistics().ended == 0


class Stuck(SpanExporter):
    """Takes nothing until it is told to."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.seen: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.go.wait()
        self.seen += spans
        return SpanExportResult.SUCCESS


async def test_an_exporter_that_hangs_holds_up_nobody(anyio_backend: object) -> None:
    exporter = Stuck()
    medium = Aether(following(keep=10, shutdown_timeout=0.01))
    assert medium.tracing is not None
    medium.tracing.export_to(exporter)
    try:
        async with medium:
            await medium.emit_wave("a")
            exporter.entered.wait()
            # It hangs now, with the first one.
            for _ in range(100):
                await medium.emit_wave("a")
        statistics = medium.tracing.statistics()
        assert statistics.ended == 101
        assert statistics.exported == 0
        assert statistics.lost == 101, "none of them was taken"
    finally:
        exporter.go.set()


def test_a_receiver_that_is_not_there_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
        medium = Aether(following(endpoint=url, export_timeout=0.2, shutdown_timeout=30.0))
        assert medium.tracing is not None
        with caplog.at_level(logging.WARNING, "aether"):
            for _ in range(600):
                medium.emit_nowait("a")
            medium.tracing.close()
    statistics = medium.tracing.statistics()
    assert (statistics.ended, statistics.exported) == (600, 0)
    assert statistics.failed == 600
    told = [
        record
        for record in caplog.records
        if getattr(record, "event", "") == "tracing.export_failed"
    ]
    assert len(told) == 1


def test_spans_that_nobody_came_for_are_counted() -> None:
    exporter = Stuck()
    medium = Aether(following(keep=10))
    assert medium.tracing is not None
    medium.tracing.export_to(exporter)
    medium.emit_nowait("a")
    exporter.entered.wait()
    for _ in range(50):
        medium.emit_nowait("a")
    exporter.go.set()
    medium.tracing.close()
    statistics = medium.tracing.statistics()
    assert statistics.ended == 51
    assert statistics.exported == len(exporter.seen) == 11
    assert statistics.lost == 40


def test_without_opentelemetry_it_is_said_what_to_install() -> None:
    program = (
        "import sys\n"
        "sys.modules.update({name: None for name in ('opentelemetry', 'opentelemetry.sdk')})\n"
        "from aether import Aether, AetherConfig, TracingConfig\n"
        "medium = Aether(AetherConfig(tracing=TracingConfig(sample=1.0)))\n"
        "reader = medium.vibrator('reader')\n"
        "reader.resonate_on('a')\n"
        "medium.emit_nowait('a')\n"
        "print(len(medium.trace(reader.receive_nowait())))\n"
        "try:\n"
        "    Aether(AetherConfig(tracing=TracingConfig(endpoint='http://127.0.0.1:1/v1/traces')))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "2",
        "ConfigError tracing.endpoint needs OpenTelemetry: pip install 'aether-medium[ops]'",
    ]


def test_a_medium_without_tracing_imports_nothing_of_it() -> None:
    program = (
        "import sys\n"
        "from aether import Aether, AetherConfig\n"
        "Aether(AetherConfig()).emit_nowait('a')\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'aether.tracing'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_what_exports_is_a_thread_that_ends_with_the_medium() -> None:
    with receiver() as received:
        medium = Aether(following(endpoint=received.url))
        (thread,) = [one for one in threading.enumerate() if one.name == "aether-spans"]
        medium.emit_nowait("a")
        del medium
        thread.join()
    assert len(received.spans()) == 1, "what was there is sent"


def test_the_end_of_the_program_sends_what_there_is() -> None:
    with receiver() as received:
        program = (
            "from aether import Aether, AetherConfig, TracingConfig\n"
            f"tracing = TracingConfig(sample=1.0, endpoint={received.url!r})\n"
            "medium = Aether(AetherConfig(tracing=tracing))\n"
            "medium.emit_nowait('a')\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True)
        assert len(received.spans()) == 1
