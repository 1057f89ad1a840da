"""Every event that the library logs, on the logger `aether`: a record has its name as `event`, and its fields beside it.

Each is counted where it is said, whether a logger lets it through or not: `counted_events` of the native side, and the
metric `aether_log_events_total`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from aether._native import count_event

__all__ = ["EVENTS", "Event", "said"]


def said() -> logging.LoggerAdapter[logging.Logger]:
    """The logger of the library, which counts what is said."""
    return _Said(logging.getLogger("aether"))


class _Said(logging.LoggerAdapter[logging.Logger]):
    """Counts each record by its event before it goes to the logger."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Says an event, whose name is in `extra`."""
        count_event(kwargs["extra"]["event"])
        # The frame of this function is not the one that says it.
        self.logger.log(level, msg, *args, stacklevel=2, **kwargs)


@dataclass(frozen=True, slots=True)
class Event:
    """What a log record is about."""

    level: str
    meaning: str
    fields: tuple[str, ...] = ()
    """What a record has beside its message."""


EVENTS = {
    "chain.ended": Event(
        "WARNING",
        "A chain of waves has died out by `max_propagation` or `min_amplitude`; once an episode for each channel.",
        ("reason", "chain"),
    ),
    "circuit.changed": Event(
        "WARNING",
        "A circuit breaker has opened; `INFO` where it is half open or closed again.",
        ("circuit", "target", "state"),
    ),
    "circuit.untold": Event(
        "WARNING",
        "A change of a circuit breaker could not be emitted.",
        ("circuit", "state"),
    ),
    "config.callback_failed": Event(
        "ERROR", "What `on_config_change` was given has raised an error."
    ),
    "config.changed": Event(
        "INFO", "Some settings count from now on with other values.", ("fields",)
    ),
    "config.needs_restart": Event(
        "WARNING", "Some settings were changed that count from the next start on.", ("fields",)
    ),
    "config.refused": Event(
        "ERROR",
        "The files of the configuration have mistakes, all of which are told: it stays as it is. Once for each state of the files.",
    ),
    "console.failed": Event(
        "ERROR", "The console could not answer somebody; it goes on with the others."
    ),
    "cursor.gave_up": Event(
        "ERROR", "A wave that was not acknowledged at a durable cursor comes no more.", ("cursor",)
    ),
    "dead_letter.lost": Event(
        "ERROR",
        "The dead letter of a wave whose handler has failed for good could not be emitted.",
        ("vibrator", "channel", "wave_id"),
    ),
    "delayed.abandoned": Event(
        "WARNING",
        "Waves that were to be emitted later still waited when the medium ended.",
        ("waves",),
    ),
    "delayed.failed": Event(
        "ERROR",
        "A wave that was to be emitted later could not be; as many are said as of handlers.",
        ("channel", "more"),
    ),
    "emission.stalled": Event(
        "WARNING",
        "An emission has waited longer than `stall_warning`; once for each.",
        ("vibrators", "channel"),
    ),
    "every.failed": Event(
        "ERROR",
        "What is emitted at a steady interval has failed; once, until it goes well.",
        ("channel",),
    ),
    "handler.failed": Event(
        "ERROR",
        "A handler has raised an error, and has no `on_error`. Of one handler and kind of error, ten a second are said; `more` are "
        "those since the last line that were not.",
        ("vibrator", "channel", "wave_id", "more"),
    ),
    "handler.over_budget": Event(
        "WARNING",
        "A retry was due and not made, since the budget of retries is used up.",
        ("vibrator", "channel", "wave_id", "attempt", "more"),
    ),
    "handler.retried": Event(
        "INFO",
        "An attempt of a handler has failed, and there will be another.",
        ("vibrator", "channel", "wave_id", "attempt", "more"),
    ),
    "handler.unraised": Event(
        "CRITICAL", "A handler ends the program, and no block is open that could raise it."
    ),
    "health.failed": Event(
        "ERROR", "Looking after a medium has failed, and is tried again; once an episode."
    ),
    "journal.closed_unsafe": Event(
        "ERROR", "The journal was closed, and not all of it is on the disk.", ("journal",)
    ),
    "journal.gaps": Event(
        "WARNING", "A replay has found waves missing; once for each replay.", ("journal", "missing")
    ),
    "journal.no_last_wave": Event(
        "ERROR", "The last wave of a channel cannot be made of what the journal has.", ("journal",)
    ),
    "journal.retention_failed": Event(
        "ERROR", "Retention has failed, and is tried again; once for each reason.", ("journal",)
    ),
    "journal.unreadable": Event(
        "ERROR", "The journal cannot be read for a vibrator that is behind.", ("journal",)
    ),
    "medium.abandoned": Event(
        "WARNING", "The life of a medium has ended before all of its waves were done.", ("waves",)
    ),
    "native.panicked": Event(
        "CRITICAL",
        "Rust code has panicked, which is a mistake in Aether: a caller gets an `AetherError`, a thread of the library goes on.",
        ("place", "native_thread", "backtrace"),
    ),
    "on_error.failed": Event(
        "ERROR",
        "An `on_error` has raised an error; as many are said as of handlers.",
        ("vibrator", "more"),
    ),
    "payload.changed": Event(
        "ERROR",
        "With `debug`: a payload was changed after its emission; once for each change that is seen.",
        ("channel", "wave_id", "receivers", "place"),
    ),
    "stalls.failed": Event("ERROR", "Looking after emissions that wait has failed."),
    "task.failed": Event("ERROR", "A task of the library has failed while it was cancelled."),
    "timer.failed": Event("ERROR", "What was to happen at a moment of the clock has failed."),
    "tracing.export_failed": Event(
        "WARNING", "Spans cannot be exported; once, until they can again."
    ),
    "tracing.lost": Event(
        "WARNING",
        "Spans went out of the last `keep` before they were sent, are left at the end, or end after it; once, until none do.",
        ("lost",),
    ),
    "tracing.shutdown_failed": Event(
        "WARNING", "An exporter of spans has raised an error at its end."
    ),
    "vibrator.losing": Event(
        "WARNING",
        "A vibrator has begun to lose waves; once an episode. `INFO` where it replaces them, as `conflate` does.",
        ("vibrator", "reason"),
    ),
    "worker.cancelled": Event(
        "WARNING",
        "A task that runs a handler was cancelled, and not by the medium; another takes its place.",
        ("vibrator", "more"),
    ),
}
