"""Following waves: who emitted one, who got it when, what came of it.

Contract:
- `AetherConfig(tracing=TracingConfig(...))` turns it on. A medium without it pays one look at a flag for each wave.
- A wave is followed if what led to it is: the span that its header `traceparent` names when it is given, the current span
  of OpenTelemetry, the handler that emits, its `cause`; in this order. Of the waves that nothing led to, `sample` says the
  share, and `traces_per_second` the most.
- A wave that is followed has the header `traceparent` of its own span, as the W3C writes it. So it goes on wherever the
  headers go: into the journal, to another process, into an HTTP request that a handler makes.
- Three things are spans: an emission, from the call to its receipt; a handler at work; a reader that takes a wave. The last
  two are children of the emission, and linked to it, as one emission has many of them. While a handler works,
  OpenTelemetry has its span as the current one, for what is instrumented in it.
- The last `keep` spans are there for `medium.trace`. A receiver that is slow, or gone, holds up nothing but the thread that
  sends: what goes out of the last `keep` before it is sent is counted as lost.
"""

from __future__ import annotations

from aether._native import Span
from aether.tracing.trace import Trace
from aether.tracing.tracing import Tracing, TracingStatistics

__all__ = ["Span", "Trace", "Tracing", "TracingStatistics"]
