"""Spans on their way to an exporter of OpenTelemetry.

Contract:
- One thread for each exporter takes the spans that have ended, in order, and hands them over. It is the only one that ever
  waits for the exporter.
- What goes out of the last `keep` spans before its turn comes is counted as `lost`; what the exporter refuses, as `failed`.
- It ends with its medium: what there is by then is sent, for as long as the medium grants it; the rest is `lost`. A thread
  that hangs in its exporter even then is left alone, and ends with the program.
- An exporter that fails is told of once, until it works again; some log on their own, too.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from typing import TYPE_CHECKING

import opentelemetry.context as otel
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

from aether import _native
from aether.events import said

if TYPE_CHECKING:
    from collections.abc import Collection

    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.util.types import AttributeValue

    from aether._native import Span, Tracer

__all__ = ["ATTRIBUTES", "SPANS", "Exporting", "readable"]

_log = said()

# How long spans may wait to be sent, in seconds, and how many go at once.
_INTERVAL = 0.5
_BATCH = 512

_SCOPE = InstrumentationScope("aether", _native.__version__)
_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)

SPANS = {
    "send": (trace.SpanKind.PRODUCER, "From the call to the receipt."),
    "receive": (trace.SpanKind.CONSUMER, "The moment at which a reader takes the wave."),
    "process": (
        trace.SpanKind.CONSUMER,
        "From the begin of a handler to its end; it is OpenTelemetry's current span meanwhile.",
    ),
}
"""The spans there are, by what is done with a wave: their kind, and what they last for."""

ATTRIBUTES = {
    "messaging.system": "`aether`",
    "messaging.destination.name": "The channel.",
    "messaging.operation.type": "`send`, `receive` or `process`.",
    "messaging.operation.name": "The same.",
    "messaging.message.id": "The id of the wave.",
    "messaging.client.id": "The vibrator that emits; none for the medium.",
    "messaging.consumer.group.name": "The vibrator that receives or handles.",
    "aether.amplitude": "Of the wave, 0..1.",
    "aether.sequence": "Of the wave, once it is admitted.",
    "aether.reached": "How many mailboxes have it; of an emission.",
    "aether.dropped": "How many mailboxes let it go; of an emission.",
    "error.type": "The class of the error, or the reason, where it came to nothing.",
}
"""What spans say: the messaging conventions of OpenTelemetry, and what is Aether's own."""


_running: weakref.WeakSet[Exporting] = weakref.WeakSet()


@atexit.register
def _end_with_the_program() -> None:
    ending = list(_running)
    for exporting in ending:
        exporting.stop()
    join(ending)


def join(ending: Collection[Exporting]) -> None:
    """Waits for some that were stopped, for as long as the most patient of them would alone."""
    end = time.monotonic() + max((one.patience for one in ending), default=0.0)
    for one in ending:
        one.join(min(one.patience, max(0.0, end - time.monotonic())))


class Exporting:
    """Hands the spans of a tracer to an exporter, from now on until it is stopped.

    Args:
        tracer: Whose spans.
        exporter: To whom. It is shut down at the end.
        patience: How long whoever ends it may wait for it, in seconds.
    """

    def __init__(self, tracer: Tracer, exporter: SpanExporter, patience: float) -> None:
        self._tracer = tracer
        self.patience = patience
        self._exporter = exporter
        self._resource = Resource.create()
        self._next = tracer.count
        # A queue: told by the collector too, in whatever thread and whatever it holds, which no event can be.
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._fails = self._given_up = False
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="aether-spans", daemon=True)
        self.exported = self.failed = self.lost = 0
        _running.add(self)
        self._thread.start()

    def stop(self) -> None:
        """Has it send what there is, and end."""
        self._ended.put(None)

    def join(self, timeout: float) -> None:
        """Waits for that, for so many seconds; what is left then is lost."""
        if self._given_up:
            return
        self._thread.join(timeout)
        with self._counting:
            if not self._thread.is_alive() or self._given_up:
                return
            self._given_up = True
            self.lost += self._tracer.count - self._next
        # Exporters that wait to try again give up at this; it may hang as well.
        threading.Thread(target=self._exporter.shutdown, daemon=True).start()

    def _run(self) -> None:
        # What exports is not to be traced itself.
        otel.attach(otel.set_value(otel._SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: SLF001 - as its own SDK does
        while not self._is_over():
            self._send()
        self._send()
        self._exporter.shutdown()

    def _is_over(self) -> bool:
        """Waits a while, and whether it is told to end meanwhile."""
        try:
            self._ended.get(timeout=_INTERVAL)
        except queue.Empty:
            return False
        return True

    def _send(self) -> None:
        end = self._tracer.count
        while self._next < end:
            with self._counting:
                if self._given_up:
                    return
                spans, following, lost = self._tracer.since(self._next, _BATCH)
                self.lost += lost
                self._next += lost
            refusal = self._exported(spans)
            # What is in the hands of the exporter counts once it has said what became of it.
            with self._counting:
                if self._given_up:
                    return
                self._next = following
                if refusal is None:
                    self.exported += len(spans)
                else:
                    self.failed += len(spans)
            if refusal is not None and not self._fails:
                _log.warning(
                    "spans cannot be exported by %s: %s; medium.tracing.statistics() counts them",
                    type(self._exporter).__name__,
                    refusal,
                    extra={"event": "tracing.export_failed"},
                )
            self._fails = refusal is not None

    def _exported(self, spans: list[Span]) -> object:
        """Why the exporter does not take them; `None`: it has."""
        try:
            result = self._exporter.export([readable(span, self._resource) for span in spans])
        except Exception as error:  # noqa: BLE001 - whatever an exporter raises
            return error
        return None if result is SpanExportResult.SUCCESS else "it has refused them"


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """A span as OpenTelemetry has it."""
    began = int(span.began * 1e9)
    context = _context(span.trace_id, span.span_id)
    status, events = Status(), tuple[Event, ...]()
    if span.trouble is not None:
        kind, message = span.trouble
        status = Status(StatusCode.ERROR, message or kind)
        said = {"exception.type": kind, "exception.message": message}
        events = (Event("exception", said, began + int(span.took * 1e9)),)
    return ReadableSpan(
        f"{span.work} {span.channel}",
        context=context,
        parent=None if span.parent_id is None else _context(span.trace_id, span.parent_id),
        resource=resource,
        attributes=attributes(span),
        events=events,
        links=[trace.Link(_context(*link)) for link in span.links],
        kind=SPANS[span.work][0],
        status=status,
        start_time=began,
        end_time=began + int(span.took * 1e9),
        instrumentation_scope=_SCOPE,
    )


def attributes(span: Span) -> dict[str, AttributeValue]:
    """What a span says: see `ATTRIBUTES`."""
    said: dict[str, AttributeValue] = {
        "messaging.system": "aether",
        "messaging.destination.name": span.channel,
        "messaging.operation.type": span.work,
        "messaging.operation.name": span.work,
        "messaging.message.id": span.wave_id,
        "aether.amplitude": span.amplitude,
    }
    if span.by is not None:
        sends = span.work == "send"
        said["messaging.client.id" if sends else "messaging.consumer.group.name"] = span.by
    if span.sequence is not None:
        said["aether.sequence"] = span.sequence
    if span.reached is not None:
        reached, dropped = span.reached
        said["aether.reached"], said["aether.dropped"] = reached - dropped, dropped
    if span.trouble is not None:
        said["error.type"] = span.trouble[0]
    return said


def _context(trace_id: int, span_id: int) -> trace.SpanContext:
    return trace.SpanContext(trace_id, span_id, is_remote=False, trace_flags=_SAMPLED)
