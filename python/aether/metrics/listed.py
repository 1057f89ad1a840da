"""Every metric: the one list that `aether.metrics` exposes, the documentation shows, and dashboards are checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["METRICS", "Kind", "Metric"]

Kind: TypeAlias = Literal["counter", "gauge", "histogram", "summary"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is.

    Attributes:
        kind: A histogram has `_bucket`, `_sum` and `_count`, a summary the last two.
        meaning: What it says.
        labels: What its series are told apart by, besides `medium`.
        unit: What it is counted in.
        of_medium: Whether it has the label `medium`; otherwise it is of the whole process.
    """

    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    of_medium: bool = True


def _counter(meaning: str, *labels: str, unit: str = "waves", of_medium: bool = True) -> Metric:
    return Metric("counter", meaning, labels, unit, of_medium)


def _gauge(meaning: str, *labels: str, unit: str = "waves") -> Metric:
    return Metric("gauge", meaning, labels, unit)


METRICS: dict[str, Metric] = {
    # Waves
    "aether_emitted_total": _counter(
        "Waves admitted, by the first token of their channels; with a journal, once they are delivered.",
        "domain",
    ),
    "aether_delivered_total": _counter("Deliveries into mailboxes.", unit="deliveries"),
    "aether_unheard_total": _counter("Waves admitted that matched no mailbox."),
    "aether_received_total": _counter("Waves taken from mailboxes, by readers and handlers."),
    "aether_dropped_total": _counter("Waves let go after they had matched.", "reason"),
    "aether_waiting": _gauge("Waves that wait in mailboxes, or behind the busy keys of handlers."),
    # Times, of one wave in 64
    "aether_latency_seconds": Metric(
        "histogram",
        "From the emission to the moment at which a reader takes it or a handler begins, with all waiting: for room, for the "
        "disk, and for a busy key.",
        unit="seconds",
    ),
    "aether_queue_seconds": Metric(
        "histogram", "In the mailbox, and behind a busy key of a handler.", unit="seconds"
    ),
    "aether_handler_seconds": Metric(
        "histogram", "In a handler, until it has ended.", unit="seconds"
    ),
    "aether_untimed_total": _counter(
        "Waves that were to be timed and were not: read from the journal, or some 131,000 others came before somebody had them."
    ),
    # Vibrators, by name
    "aether_vibrator_received_total": _counter("Waves taken from its mailboxes.", "vibrator"),
    "aether_vibrator_missed_total": _counter(
        "Waves that its mailboxes let go; only reasons that have occurred.", "vibrator", "reason"
    ),
    "aether_vibrator_failed_total": _counter(
        "Waves whose handler has raised an error.", "vibrator"
    ),
    "aether_vibrator_waiting": _gauge("Waves that wait in its mailboxes.", "vibrator"),
    "aether_vibrator_size": _gauge(
        "Waves that its mailboxes hold at most that resonate on something, or have waves.",
        "vibrator",
    ),
    "aether_vibrator_mailboxes": _gauge("Its mailboxes.", "vibrator", unit="mailboxes"),
    "aether_vibrator_waiting_readers": _gauge(
        "Tasks and threads that wait for a wave of it.", "vibrator", unit="readers"
    ),
    "aether_vibrator_waiting_emissions": _gauge(
        "Emissions that wait for room in it.", "vibrator", unit="emissions"
    ),
    "aether_vibrator_working": _gauge(
        "Waves that its handlers work on, or that stand behind their busy keys.", "vibrator"
    ),
    "aether_vibrator_queue_seconds": Metric(
        "summary",
        "In its mailboxes, and behind the busy keys of its handlers, of the waves that are timed.",
        ("vibrator",),
        "seconds",
    ),
    "aether_vibrator_handler_seconds": Metric(
        "summary", "In its handlers, of the waves that are timed.", ("vibrator",), "seconds"
    ),
    # What stands around handlers
    "aether_handler_incidents_total": _counter(
        "What has happened around its handlers: attempts `retried`, retries `over_budget`, attempts `timed_out`, waves `refused` "
        "by a circuit, and waves that have failed for good, as `dead_letter`.",
        "vibrator",
        "incident",
        unit="incidents",
    ),
    "aether_circuits": _gauge(
        "Circuits in a state, `closed`, `open` or `half_open`: one for each target of a breaker.",
        "circuit",
        "state",
        unit="circuits",
    ),
    # The medium
    "aether_open": _gauge("1 while it takes waves from everybody.", unit=""),
    "aether_mailboxes": _gauge("Mailboxes, those of open requests included.", unit="mailboxes"),
    "aether_waiting_emissions": _gauge("Emissions that wait for room.", unit="emissions"),
    "aether_stalled_emissions": _gauge(
        "Those that have waited for `stall_warning` or longer.", unit="emissions"
    ),
    "aether_stalls_total": _counter(
        "Emissions that were found to wait for so long.", unit="emissions"
    ),
    "aether_noise_floor": _gauge(
        "That of the medium itself, 0..1: fainter waves are shed now, by `limits.soft`.", unit=""
    ),
    "aether_refused_total": _counter(
        "What a limit of the section `limits` has refused: waves (`queued`), `vibrators`, `patterns`, `tasks`.",
        "limit",
        unit="refusals",
    ),
    "aether_emitter_waiting": _gauge(
        "Emissions that wait by the limit of their emitter, its `rate` or `bulkhead`.",
        "limit",
        unit="emissions",
    ),
    "aether_emitter_limited_total": _counter(
        "Emissions that the limit of an emitter has made wait (`waited`), `refused` or had give up (`timed_out`).",
        "limit",
        "outcome",
        unit="emissions",
    ),
    "aether_patterns": _gauge("Different patterns that are resonated on.", unit="patterns"),
    "aether_cached_routes": _gauge("Channels whose route is cached.", unit="channels"),
    "aether_route_hits_total": _counter("Routes answered from the cache.", unit="routes"),
    "aether_route_walks_total": _counter("Routes that were not.", unit="routes"),
    "aether_route_evictions_total": _counter("Routes that made room for others.", unit="routes"),
    "aether_retained_channels": _gauge(
        "Channels whose last wave is kept in memory.", unit="channels"
    ),
    "aether_forgotten_total": _counter(
        "Last waves that made room for other channels, by `retain_channels`."
    ),
    "aether_config_changes_total": _counter(
        "Changes of the configuration while it ran: `applied`, or `refused` for their mistakes.",
        "result",
        unit="changes",
    ),
    # Its health
    "aether_ready": _gauge("1 while `health()` says that it is ready.", unit=""),
    "aether_live": _gauge("1 while `health()` says that it is live.", unit=""),
    "aether_loop_lag_seconds": _gauge(
        "How late its event loop was at worst since it was measured before; only with the section `health`.",
        unit="seconds",
    ),
    "aether_waiting_bytes": _gauge(
        "Payloads that wait in mailboxes, or behind the busy keys of handlers: an estimate; only with the section `health`.",
        unit="bytes",
    ),
    "aether_leak_hints": _gauge(
        "What has only grown for a window; only with the section `health`.", unit="hints"
    ),
    # Tracing
    "aether_spans_total": _counter(
        "Spans that have `ended`; for each exporter, and then together: `exported`, not taken (`failed`) or gone before "
        "they were sent (`lost`).",
        "state",
        unit="spans",
    ),
    # The journal
    "aether_journal_position": _gauge("The position that was given last.", unit=""),
    "aether_journal_safe_position": _gauge(
        "All waves up to this one are as durable as asked, but for those that were refused.",
        unit="",
    ),
    "aether_journal_waves": _gauge("Waves in its segments."),
    "aether_journal_segments": _gauge("Its segments.", unit="segments"),
    "aether_journal_bytes": _gauge("What is in them.", unit="bytes"),
    "aether_journal_pending_bytes": _gauge("What waits for the disk.", unit="bytes"),
    "aether_journal_failed": _gauge("1 once nothing is written any more.", unit=""),
    "aether_journal_lost_total": _counter(
        "Waves that the disk refused after they had counted as written; durability `none` alone."
    ),
    "aether_journal_commit_seconds": Metric(
        "histogram", "Writing what waits, with its sync where one is asked for.", unit="seconds"
    ),
    "aether_journal_commit_failures_total": _counter(
        "Commits that the disk has refused.", unit="commits"
    ),
    "aether_cursor_lag": _gauge(
        "Positions from what a durable cursor has finished to the last one; of those that share a series, the most.",
        "cursor",
    ),
    # The process
    "aether_log_events_total": _counter(
        "Events that were said to the logger `aether`, let through or not.",
        "event",
        unit="events",
        of_medium=False,
    ),
    "aether_panics_total": _counter(
        "Panics of the native side; each is logged as `native.panicked`.",
        unit="panics",
        of_medium=False,
    ),
}
