"""What follows the waves of one medium, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aether import _native
from aether.errors import Closed, ConfigError
from aether.tracing.trace import Trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from aether.config.tracing import TracingConfig
    from aether.tracing.exporting import Exporting

__all__ = ["Tracing", "TracingStatistics"]


@dataclass(frozen=True, slots=True)
class TracingStatistics:
    """Counters of the spans of a medium, since it was made; the last three for each exporter, and then together.

    What is missing of those that have ended still waits, or is in the hands of an exporter.

    Attributes:
        ended: Spans that have ended.
        exported: Those that an exporter has taken.
        failed: Those that it has not taken, or could not bring to its receiver.
        lost: Those that went out of the last `keep` before they were sent, or were left at the end.
    """

    ended: int
    exported: int
    failed: int
    lost: int


class Tracing:
    """What follows the waves of one medium; `medium.tracing`.

    Raises:
        ConfigError: There is an endpoint, and OpenTelemetry is not installed.
    """

    def __init__(self, config: TracingConfig) -> None:
        self.tracer = _native.Tracer(config.sample, config.traces_per_second, config.keep)
        self._shutdown_timeout = config.shutdown_timeout
        self._exporting: list[Exporting] = []
        self._is_stopped = False
        self._otlp = None if config.endpoint is None else _otlp(config.endpoint, config)
        self.follows_others = _follow_others(self.tracer)
        """Whether OpenTelemetry is there, and the span of a handler is to be its current one."""

    def begin(self) -> None:
        """There is a medium: what its configuration names is told of its spans."""
        if self._otlp is not None:
            self.export_to(self._otlp)

    def trace(self, wave_id: str) -> Trace:
        """All that is known of the trace of a wave."""
        return Trace.of(wave_id, self.tracer.of_wave(wave_id))

    def export_to(self, exporter: SpanExporter) -> None:
        """Has spans told to an exporter of OpenTelemetry, from now on, in a thread of its own.

        It is shut down with the medium, within `TracingConfig.shutdown_timeout`.

        Args:
            exporter: Such as one that sends to a receiver, or writes to the console.

        Raises:
            Closed: The medium has ended.
            ConfigError: OpenTelemetry's SDK is not installed.
            TypeError: It is no exporter of OpenTelemetry.
        """
        try:
            from opentelemetry.sdk.trace.export import SpanExporter

            from aether.tracing.exporting import Exporting
        except ImportError:
            raise ConfigError(_missing("exporting spans")) from None
        if not isinstance(exporter, SpanExporter):
            message = f"export_to() takes a SpanExporter of OpenTelemetry, not {exporter!r}"
            raise TypeError(message)
        if self._is_stopped:
            message = "the medium has ended, and has no spans to export; export_to() comes before"
            raise Closed(message)
        exporting = Exporting(self.tracer, exporter, self._shutdown_timeout)
        self._exporting.append(exporting)
        if self._is_stopped:
            # It has ended meanwhile.
            exporting.stop()

    def statistics(self) -> TracingStatistics:
        """The counters of the spans now."""
        counts = [one.counts() for one in list(self._exporting)]
        exported, failed, lost = (sum(of) for of in zip((0, 0, 0), *counts, strict=True))
        # Last, so that none of the others is ahead of it.
        return TracingStatistics(self.tracer.count, exported, failed, lost)

    def tune(self, config: TracingConfig) -> None:
        """Goes on by another share of the waves."""
        self.tracer.tune(config.sample, config.traces_per_second)

    @property
    def is_exporting(self) -> bool:
        """Whether somebody is to be told of spans that have ended."""
        return bool(self._exporting)

    def stop(self) -> None:
        """Sends what there is, and ends, while others go on. Any thread may call it, in the midst of anything."""
        self._is_stopped = True
        for exporting in list(self._exporting):
            exporting.stop()

    def close(self) -> None:
        """The same, and waits for it: for at most `shutdown_timeout`. A second time does nothing."""
        self.stop()
        if self._exporting:
            from aether.tracing.exporting import join

            join(list(self._exporting))


def _missing(what: str) -> str:
    return f"{what} needs OpenTelemetry: pip install 'aether-medium[ops]'"


def _follow_others(tracer: _native.Tracer) -> bool:
    try:
        from aether.tracing.current import span_of, variable_of
    except ImportError:
        return False
    variable = variable_of()
    if variable is not None:
        tracer.follow(variable, span_of)
    return True


def _otlp(endpoint: str, config: TracingConfig) -> SpanExporter:
    try:
        from aether.tracing.otlp import OtlpExporter
    except ImportError:
        raise ConfigError(_missing("tracing.endpoint")) from None
    headers = {name: secret.get_secret_value() for name, secret in config.headers.items()}
    return OtlpExporter(endpoint, headers, config.export_timeout)
