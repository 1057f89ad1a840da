"""Exporters that misbehave or come too late, spans that are lost meanwhile, and forks: all is counted, and said."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest

import aether.metrics
from aether import Aether, AetherConfig, Closed, MetricsConfig, TracingConfig

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.operations.followed import following, vibrating
from tests.operations.receiver import receiver

from aether.tracing import Tracing, exporting

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def traced(**tracing: Any) -> tuple[Aether, Tracing]:
    """A medium that follows all waves, and what does it."""
    medium = Aether(following(**tracing))
    assert medium.tracing is not None
    return medium, medium.tracing


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said, by name."""
    return [getattr(record, "event", record.getMessage()) for record in caplog.records]


class Raises(SpanExporter):
    """Takes nothing, and ends badly."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise self.error

    def shutdown(self) -> None:
        raise self.error


class Mute(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3), Mute()])
def test_whatever_an_exporter_raises_is_counted_and_said(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    medium, tracing = traced(shutdown_timeout=30.0)
    tracing.export_to(Raises(error))
    for _ in range(600):
        medium.emit_nowait("a")
    tracing.close()
    statistics = tracing.statistics()
    assert (statistics.ended, statistics.failed, statistics.lost) == (600, 600, 0)
    assert events(caplog) == ["tracing.export_failed", "tracing.shutdown_failed"]
    for record in caplog.records:
        assert type(error).__name__ in record.getMessage()


class Fails(SpanExporter):
    """Says that it fails, and not why."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


def test_an_exporter_that_fails_is_said_to(caplog: pytest.LogCaptureFixture) -> None:
    medium, tracing = traced(shutdown_timeout=30.0)
    tracing.export_to(Fails())
    medium.emit_nowait("a")
    tracing.close()
    (record,) = caplog.records
    assert "by Fails: it returned SpanExportResult.FAILURE" in record.getMessage()


@pytest.mark.parametrize("wrong", [42, None, InMemorySpanExporter])
def test_only_exporters_are_exported_to(wrong: Any) -> None:
    _, tracing = traced()
    with pytest.raises(TypeError, match="takes a SpanExporter of OpenTelemetry, not"):
        tracing.export_to(wrong)
    assert not tracing.is_exporting


async def test_after_the_end_nothing_is_exported(anyio_backend: object) -> None:
    medium, tracing = traced()
    before = threading.active_count()
    async with medium:
        pass
    with pytest.raises(Closed, match="the medium has ended"):
        tracing.export_to(InMemorySpanExporter())
    assert not tracing.is_exporting
    assert threading.active_count() <= before


def test_a_medium_that_is_not_made_leaves_no_thread() -> None:
    config = following(endpoint="http://127.0.0.1:1/v1/traces")
    before = threading.active_count()
    with pytest.raises(TypeError):
        Aether(config, journal=5)  # type: ignore[arg-type]
    assert threading.active_count() <= before


def test_each_exporter_counts_for_itself() -> None:
    medium = Aether(AetherConfig(metrics=MetricsConfig(), tracing=TracingConfig(sample=1.0)))
    assert medium.tracing is not None
    for exporter in (InMemorySpanExporter(), Fails()):
        medium.tracing.export_to(exporter)
    medium.emit_nowait("a")
    medium.tracing.close()
    statistics = medium.tracing.statistics()
    assert (statistics.ended, statistics.exported, statistics.failed) == (1, 1, 1)
    assert "for each exporter" in aether.metrics.METRICS["aether_spans_total"].meaning


class Held(SpanExporter):
    """Takes each batch when it is told to."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.release()
        self.go.acquire()
        return SpanExportResult.SUCCESS


def test_what_is_lost_while_an_exporter_hangs_is_counted_at_once() -> None:
    exporter = Held()
    medium, tracing = traced(keep=10, shutdown_timeout=30.0)
    tracing.export_to(exporter)
    medium.emit_nowait("a")
    exporter.entered.acquire()
    seen = []
    for _ in range(50):
        medium.emit_nowait("a")
        seen.append(tracing.statistics().lost)
    assert seen == [0] * 10 + list(range(1, 41)), "the one in its hands is not lost"
    exporter.go.release(99)
    tracing.close()
    statistics = tracing.statistics()
    assert (statistics.ended, statistics.exported, statistics.lost) == (51, 11, 40)
    medium.emit_nowait("a")
    assert tracing.statistics().lost == 41, "nobody comes for it any more"


def test_lost_spans_are_told_of_once_an_episode(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_INTERVAL", 0.0)
    exporter = Held()
    medium, tracing = traced(keep=2, shutdown_timeout=30.0)
    tracing.export_to(exporter)

    def round_with(waves: int) -> None:
        """While one span is exported, so many more come."""
        exporter.entered.acquire()
        for _ in range(waves):
            medium.emit_nowait("a")
        exporter.go.release()

    medium.emit_nowait("a")
    round_with(5)
    round_with(5)
    assert exporter.entered.acquire()
    assert [(record.lost, record.levelname) for record in caplog.records] == [(3, "WARNING")]  # type: ignore[attr-defined]
    exporter.go.release()
    # A round that loses none.
    while exporting_of(tracing)._loses:
        medium.emit_nowait("a")
        exporter.entered.acquire()
        exporter.go.release()
    medium.emit_nowait("a")
    round_with(5)
    exporter.go.release(99)
    tracing.close()
    assert events(caplog) == ["tracing.lost", "tracing.lost"]
    statistics = tracing.statistics()
    assert statistics.ended == statistics.exported + statistics.lost


def exporting_of(tracing: Tracing) -> exporting.Exporting:
    (one,) = tracing._exporting
    return one


def test_what_is_left_at_the_end_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Held()
    medium, tracing = traced(shutdown_timeout=0.0)
    tracing.export_to(exporter)
    medium.emit_nowait("a")
    exporter.entered.acquire()
    tracing.close()
    tracing.close()
    exporter.go.release(99)
    (record,) = caplog.records
    assert "1 spans are lost: Held has not taken them within" in record.getMessage()
    assert tracing.statistics().lost == 1


async def test_what_readers_take_after_the_end_is_lost_and_told_of_once(
    caplog: pytest.LogCaptureFixture, anyio_backend: object
) -> None:
    medium, tracing = traced(shutdown_timeout=30.0)
    tracing.export_to(InMemorySpanExporter())
    reader = vibrating(medium, "reader", "a")
    async with medium:
        for _ in range(5):
            medium.emit_nowait("a")
    statistics = tracing.statistics()
    assert (statistics.ended, statistics.exported, statistics.lost) == (5, 5, 0)
    assert events(caplog) == []
    for lost in range(1, 6):
        reader.receive_nowait()
        assert tracing.statistics().lost == lost
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "1 spans are lost: they ended when InMemorySpanExporter had ended already"
    )
    assert vars(record)["event"] == "tracing.lost"


def test_what_was_told_of_at_the_end_is_not_told_of_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = Held()
    medium, tracing = traced(shutdown_timeout=0.0)
    tracing.export_to(exporter)
    medium.emit_nowait("a")
    exporter.entered.acquire()
    tracing.close()
    assert (tracing.statistics().lost, len(caplog.records)) == (1, 1)
    for _ in range(3):
        medium.emit_nowait("a")
    assert (tracing.statistics().lost, tracing.statistics().lost) == (4, 4)
    exporter.go.release(99)
    assert [vars(record)["lost"] for record in caplog.records] == [1, 3]


def test_nor_is_it_unsaid_if_nobody_asks() -> None:
    program = (
        "import logging, sys\n"
        "from aether import Aether, AetherConfig, TracingConfig\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "logging.basicConfig(stream=sys.stdout, format='%(message)s')\n"
        "medium = Aether(AetherConfig(tracing=TracingConfig(sample=1.0)))\n"
        "medium.tracing.export_to(InMemorySpanExporter())\n"
        "medium.tracing.close()\n"
        "medium.emit_nowait('a')\n"
    )
    assert run(program).startswith("1 spans are lost: they ended when")


def run(program: str) -> str:
    """What a program writes that ends by itself."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert not done.stderr
    return done.stdout


@FORKS
def test_a_medium_that_is_made_before_a_fork_exports_in_the_child() -> None:
    with receiver() as received:
        program = (
            "import os\n"
            "from aether import Aether, AetherConfig, TracingConfig\n"
            f"tracing = TracingConfig(sample=1.0, endpoint={received.url!r}, shutdown_timeout=30.0)\n"
            "medium = Aether(AetherConfig(tracing=tracing))\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    for _ in range(40):\n"
            "        medium.emit_nowait('a')\n"
            "    medium.tracing.close()\n"
            "    print(medium.tracing.statistics(), flush=True)\n"
            "    os._exit(0)\n"
            "os.waitpid(pid, 0)\n"
        )
        said = run(program)
        assert len(received.spans()) == 40
    assert said == "TracingStatistics(ended=40, exported=40, failed=0, lost=0)\n"


@FORKS
@pytest.mark.parametrize("used", [False, True])
def test_the_child_of_a_fork_ends_whoever_counted_meanwhile(used: bool) -> None:
    program = (
        "import os, sys, threading\n"
        "from aether import Aether, AetherConfig, TracingConfig\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "medium = Aether(AetherConfig(tracing=TracingConfig(sample=1.0)))\n"
        "medium.tracing.export_to(InMemorySpanExporter())\n"
        f"if {used}:\n"
        "    medium.emit_nowait('a')\n"
        "counting = medium.tracing._exporting[0]._counting\n"
        "held, go = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with counting:\n"
        "        held.set()\n"
        "        go.wait()\n"
        "threading.Thread(target=hold).start()\n"
        "held.wait()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    print(medium.tracing.statistics().lost)\n"
        "    sys.exit(0)\n"
        "status = os.waitpid(pid, 0)[1]\n"
        "go.set()\n"
        "sys.exit(status)\n"
    )
    assert run(program) == "0\n"
