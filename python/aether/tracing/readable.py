"""A span as OpenTelemetry has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

from aether import _native

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import AttributeValue

    from aether._native import Span

__all__ = ["ATTRIBUTES", "SPANS", "attributes", "readable"]

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
