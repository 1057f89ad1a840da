"""The current span of OpenTelemetry: what it is when a wave is emitted, and what it is in a handler."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, TypeAlias

import opentelemetry.context as otel
from opentelemetry import trace

from aether._native import handling

if TYPE_CHECKING:
    from aether._native import Handling

__all__ = ["Entered", "enter", "leave", "span_of", "variable_of"]

Entered: TypeAlias = "tuple[Token[Handling], Token[otel.Context] | None]"
"""What it takes to leave a handler again."""

_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)


class _HandlerSpan(trace.NonRecordingSpan):
    """The span of a handler. Tasks that it has begun have it in their context for as long as they live."""

    def __init__(self, begun: Handling, trace_id: int, span_id: int) -> None:
        super().__init__(
            trace.SpanContext(trace_id, span_id, is_remote=False, trace_flags=_SAMPLED)
        )
        self.begun = begun


def variable_of() -> Any:
    """The context variable in which OpenTelemetry has its context; `None` if it keeps that in its own way."""
    # The first call finds the implementation.
    otel.get_current()
    variable: object = getattr(getattr(otel, "_RUNTIME_CONTEXT", None), "_current_context", None)
    return variable if isinstance(variable, ContextVar) else None  # pyright: ignore[reportUnknownVariableType]


def span_of(context: otel.Context) -> tuple[int, int, bool]:
    """Trace, span and whether it is recorded, of the span that a context has; zeros if it has none.

    That of a handler which has ended is none: what it has begun goes on by itself, as without OpenTelemetry.
    """
    span = trace.get_current_span(context)
    if isinstance(span, _HandlerSpan) and span.begun.is_over:
        return 0, 0, False
    found = span.get_span_context()
    return found.trace_id, found.span_id, found.trace_flags.sampled


def enter(begun: Handling) -> Entered:
    """A handler begins: its span is the current one; where its wave is not followed, there is none."""
    token = handling.set(begun)
    if begun.span is None:
        # What was there when the handlers were started has nothing to do with this wave.
        return token, otel.attach(otel.Context()) if otel.get_current() else None
    return token, otel.attach(trace.set_span_in_context(_HandlerSpan(begun, *begun.span)))


def leave(entered: Entered) -> None:
    """It has ended."""
    token, attached = entered
    if attached is not None:
        otel.detach(attached)
    handling.reset(token)
