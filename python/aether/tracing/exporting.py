"""Spans on their way to an exporter of OpenTelemetry.

Contract:
- One thread for each exporter takes the spans that have ended, in order, and hands them over. It is the only one that ever
  waits for the exporter, and goes on whatever that raises.
- Each span is `exported`, or `failed` where the exporter does not take it, or `lost`: as soon as it is out of the last
  `keep` before its turn has come, and what is left at the end. What is in the hands of the exporter is none of these yet.
- It ends with its medium: what there is by then is sent, for as long as the medium grants it. A thread that hangs in its
  exporter even then is left alone, and ends with the program. Spans that end later, as of readers who go on with what they
  have, are lost.
- An exporter that fails is told of once, until it works again; spans that are lost, once, until none are. As nobody looks
  after the end, those that are lost later are told of when they are asked for, or when the program ends; once.
- In the child of a fork the thread begins again, unless spans have ended before: these, and the medium, are the parent's.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import threading
import time
import traceback
import weakref
from typing import TYPE_CHECKING

import opentelemetry.context as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from aether.events import said
from aether.tracing.readable import readable

if TYPE_CHECKING:
    from collections.abc import Collection

    from opentelemetry.sdk.trace.export import SpanExporter

    from aether._native import Span, Tracer

__all__ = ["Exporting", "Refused", "join", "text_of"]

_log = said()

# How long spans may wait to be sent, in seconds, and how many go at once.
_INTERVAL = 0.5
_BATCH = 512

_running: weakref.WeakSet[Exporting] = weakref.WeakSet()


@atexit.register
def _end_with_the_program() -> None:
    ending = list(_running)
    for exporting in ending:
        exporting.stop()
    join(ending)
    for exporting in ending:
        exporting.counts()


def _go_on_in_the_child() -> None:
    for exporting in list(_running):
        exporting.is_forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_go_on_in_the_child)


def join(ending: Collection[Exporting]) -> None:
    """Waits for some that were stopped, for as long as the most patient of them would alone."""
    end = time.monotonic() + max((one.patience for one in ending), default=0.0)
    for one in ending:
        one.join(min(one.patience, max(0.0, end - time.monotonic())))


class Refused(Exception):
    """What an exporter of this package raises if not all spans were taken.

    Args:
        count: How many were not.
        why: What is known of it.
    """

    def __init__(self, count: int, why: str) -> None:
        super().__init__(why)
        self.count = count


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
        # The number of the first span, and of the first that was not taken from the tracer yet.
        self._first = self._next = tracer.count
        self._exported = self._failed = self._lost = 0
        # Whether it is told of spans that came too late.
        self._is_late = False
        self._fails = self._loses = self._is_stopped = self._is_shut = self._given_up = False
        self._begin()
        _running.add(self)

    def _begin(self) -> None:
        # A queue: told by the collector too, in whatever thread and whatever it holds, which no event can be.
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        # By the collector and by signals, some ask for the counts in the midst of this.
        self._counting = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="aether-spans", daemon=True)
        self._thread.start()

    def is_forked(self) -> None:
        """This is the child of a fork: the thread is not here, and a lock may be held by one that is not, either."""
        if self._tracer.count == 0 and not self._is_stopped:
            self._begin()
            return
        self._counting = threading.RLock()
        # What the parent has still to send is not lost.
        self._first = self._tracer.count - self._exported - self._failed - self._lost
        _running.discard(self)

    def counts(self) -> tuple[int, int, int]:
        """How many spans are exported, failed and lost."""
        with self._counting:
            if self._thread.is_alive() and not self._given_up:
                gone = self._tracer.since(self._next, 0)[2]
                return self._exported, self._failed, self._lost + gone
            counts = self._exported, self._failed, self._left()
            late = 0 if self._is_late else counts[2] - self._lost
            self._is_late = self._is_late or late > 0
        if late:
            self._tell_lost(late, "they ended when %s had ended already")
        return counts

    def _left(self) -> int:
        return self._tracer.count - self._first - self._exported - self._failed

    def stop(self) -> None:
        """Has it send what there is, and end."""
        self._is_stopped = True
        self._ended.put(None)

    def join(self, timeout: float) -> None:
        """Waits for that, for so many seconds; what is left then is lost."""
        self._thread.join(0.0 if self._given_up else timeout)
        with self._counting:
            if self._given_up or not self._thread.is_alive():
                return
            self._given_up = True
            lost = self._left() - self._lost
            self._lost += lost
        # Exporters that wait to try again give up at this; it may hang as well. At the very end no thread begins.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=self._shut_down, daemon=True).start()
        if lost:
            self._tell_lost(lost, "%s has not taken them within `shutdown_timeout`")

    def _run(self) -> None:
        # What exports is not to be traced itself.
        otel.attach(otel.set_value(otel._SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: SLF001 - as its own SDK does
        while not self._is_over():
            self._send()
        self._send()
        self._shut_down()

    def _is_over(self) -> bool:
        """Waits a while, and whether it is told to end meanwhile."""
        try:
            self._ended.get(timeout=_INTERVAL)
        except queue.Empty:
            return False
        return True

    def _send(self) -> None:
        end = self._tracer.count
        lost = 0
        while self._next < end:
            with self._counting:
                if self._given_up:
                    return
                spans, self._next, gone = self._tracer.since(self._next, _BATCH)
                self._lost += gone
            lost += gone
            if gone and not self._loses:
                self._tell_lost(gone, "they went out of the last `keep` before %s was given them")
                self._loses = True
            refused, why = self._export(spans)
            # What is in the hands of the exporter counts once it has said what became of it.
            with self._counting:
                if self._given_up:
                    return
                self._exported += len(spans) - refused
                self._failed += refused
            if refused and not self._fails:
                self._tell_failed(refused, len(spans), why)
            self._fails = refused > 0
        self._loses = lost > 0

    def _export(self, spans: list[Span]) -> tuple[int, str]:
        """How many of these the exporter does not take, and why."""
        try:
            result = self._exporter.export([readable(span, self._resource) for span in spans])
        except Refused as refused:
            return refused.count, str(refused)
        except BaseException as error:  # noqa: BLE001 - not even what ends a program ends this thread
            return len(spans), text_of(error)
        if result is SpanExportResult.SUCCESS:
            return 0, ""
        return len(spans), f"it returned {result}"

    def _shut_down(self) -> None:
        with self._counting:
            if self._is_shut:
                return
            self._is_shut = True
        try:
            self._exporter.shutdown()
        except BaseException as error:  # noqa: BLE001 - whatever an exporter raises
            _log.warning(
                "%s could not be shut down: %s",
                type(self._exporter).__name__,
                text_of(error),
                extra={"event": "tracing.shutdown_failed"},
            )

    def _tell_failed(self, refused: int, of: int, why: str) -> None:
        _log.warning(
            "%d of %d spans could not be exported by %s: %s; medium.tracing.statistics() counts them",
            refused,
            of,
            type(self._exporter).__name__,
            why,
            extra={"event": "tracing.export_failed"},
        )

    def _tell_lost(self, lost: int, why: str) -> None:
        _log.warning(
            "%d spans are lost: %s; medium.tracing.statistics() counts them",
            lost,
            why % type(self._exporter).__name__,
            extra={"event": "tracing.lost", "lost": lost},
        )


def text_of(error: BaseException) -> str:
    """What an error says, even if it cannot."""
    return "".join(traceback.format_exception_only(error)).strip()
