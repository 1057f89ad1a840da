"""What is known of one trace, as a tree: the answer of `medium.trace`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether._printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aether._native import Span

__all__ = ["Trace"]


@dataclass(frozen=True, slots=True)
class Trace:
    """What one wave led to, and what had led to it; prints as a tree, iterates over its spans.

    It is false where nothing of the wave is known: it was not followed, or that was too long ago.

    Attributes:
        wave_id: The wave that was asked for.
        spans: What is known of its trace, in the order in which it began.
    """

    wave_id: str
    spans: tuple[Span, ...]
    _by_id: dict[int, Span] = field(init=False, repr=False, compare=False)
    _below: dict[int | None, list[Span]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = {span.span_id: span for span in self.spans}
        below: dict[int | None, list[Span]] = {}
        for span in self.spans:
            above = span.parent_id if span.parent_id in by_id else None
            below.setdefault(above, []).append(span)
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "_below", below)

    @classmethod
    def of(cls, wave_id: str, spans: Iterable[Span]) -> Trace:
        """The trace of these spans, in any order."""
        given = sorted(spans, key=lambda span: span.began)
        depths: dict[int, int] = {}
        parents = {span.span_id: span.parent_id for span in given}
        for span in given:
            chain: list[int] = []
            at: int | None = span.span_id
            # Ids of others may go round in a ring.
            while at is not None and at in parents and at not in depths:
                depths[at] = 0
                chain.append(at)
                at = parents[at]
            depth = 0 if at is None or at not in parents else depths[at] + 1
            depths.update((one, depth + number) for number, one in enumerate(reversed(chain)))
        # What began at the same moment has an order all the same.
        return cls(wave_id, tuple(sorted(given, key=lambda one: (one.began, depths[one.span_id]))))

    @property
    def trace_id(self) -> str | None:
        """The id of the trace, as 32 hexadecimal digits; `None` if nothing is known."""
        return f"{self.spans[0].trace_id:032x}" if self.spans else None

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __iter__(self) -> Iterator[Span]:
        return iter(self.spans)

    def __len__(self) -> int:
        return len(self.spans)

    def children(self, span: Span | None) -> tuple[Span, ...]:
        """What a span has led to; of `None`: what nothing has led to, as far as is known."""
        return tuple(self._below.get(None if span is None else span.span_id, ()))

    def waited(self, span: Span) -> float | None:
        """How long a wave waited for who got it, in seconds; `None` for an emission, or where that is not known."""
        sent = None if span.parent_id is None else self._by_id.get(span.parent_id)
        if span.work == "send" or sent is None:
            return None
        return max(0.0, span.began - sent.began - sent.took)

    def __str__(self) -> str:
        if not self.spans:
            return (
                f"nothing is known of wave {printable(self.wave_id)}: it was not followed, or too long ago; "
                "TracingConfig says which waves are (sample) and how many spans are kept (keep)"
            )
        first = min(span.began for span in self.spans)
        last = max(span.began + span.took for span in self.spans)
        head = f"trace {self.trace_id}: {len(self.spans)} spans in {_seconds(last - first)}"
        return "\n".join([head, *self._lines()])

    def _lines(self) -> Iterator[str]:
        # Chains may be longer than the interpreter's stack.
        left = [(span, "", "", "") for span in reversed(self.children(None))]
        while left:
            span, indent, branch, beyond = left.pop()
            yield f"{indent}{branch}{printable(self._said(span))}"
            below = self.children(span)
            inner = indent + beyond
            for number, child in enumerate(reversed(below)):
                ends = number == 0
                left.append((child, inner, "└─ " if ends else "├─ ", "   " if ends else "│  "))

    def _said(self, span: Span) -> str:
        by = span.by or "the medium"
        if span.work == "send":
            moment = datetime.fromtimestamp(span.began, UTC).strftime("%H:%M:%S.%f")[:-3]
            said = f"{span.channel} emitted by {by} at {moment} in {_seconds(span.took)}"
            if span.reached is not None:
                reached, dropped = span.reached
                said += f", reached {reached - dropped}" + (
                    f", dropped by {dropped}" * bool(dropped)
                )
        else:
            waited = self.waited(span)
            after = "" if waited is None else f" after {_seconds(waited)}"
            said = f"{by} received it{after}"
            if span.work == "process":
                said = f"{by} handled it{after} in {_seconds(span.took)}"
        if span.trouble is None:
            return said
        kind, message = span.trouble
        return f"{said}: {kind}: {message}" if message else f"{said}: {kind}"


def _seconds(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.0f} µs"
