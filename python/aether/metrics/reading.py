"""What a medium has counted and measured at some moment, as samples; no library is needed for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from aether._native import counted_events, histogram_bounds, panics
from aether.statistics import by_reason

if TYPE_CHECKING:
    from aether._native import _Durations, _Figures, _JournalFigures, _NameFigures
    from aether.lanes import LaneFigures
    from aether.medium import Aether

__all__ = ["OTHER", "Distribution", "Sample", "of_medium", "of_process"]

OTHER = "other"
"""The label of all that have no series of their own."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Durations: how many there were, how long they took together, and how many took at most so many seconds."""

    count: int
    sum: float
    buckets: tuple[tuple[str, int], ...] = ()
    """Each bound with all that are within it; the last one is ``+Inf``. Empty for a summary."""


Sample: TypeAlias = tuple[str, tuple[str, ...], float | Distribution]
"""A name, the values of its labels without the medium's, and its value."""

_BOUNDS = (*map(repr, histogram_bounds()), "+Inf")


def of_medium(medium: Aether) -> Iterator[Sample]:
    """The samples of a medium, from any thread, open or closed.

    Raises:
        ForkedMedium: The medium was used before this process was forked.
        ValueError: It measures nothing.
    """
    # Lanes first: what they have taken is counted as received when the mailboxes are asked.
    lanes = medium.lanes.figures()
    figures = medium.figures()
    if figures is None:
        message = (
            "this medium measures nothing; AetherConfig(metrics=MetricsConfig()), or an empty table "
            "[metrics] in aether.toml, turns it on"
        )
        raise ValueError(message)
    yield from _waves(figures, lanes.behind, lanes.dropped)
    yield from _times(figures)
    names = {one["name"] for one in figures["vibrators"]}
    working = Counter[str]()
    for name, count in lanes.working.items():
        working[name if name in names else OTHER] += count
    for one in figures["vibrators"]:
        yield from _vibrator(one, working[one["name"]])
    most = 0 if medium.config.metrics is None else medium.config.metrics.vibrators
    yield from _handlers(lanes, names, most)
    yield from _limits(medium)
    yield ("aether_open", (), medium.phase == "open")
    yield ("aether_stalled_emissions", (), medium.first_stalled()[0])
    yield from _health(medium)
    if medium.tracing is not None:
        spans = medium.tracing.statistics()
        for state in ("ended", "exported", "failed", "lost"):
            yield ("aether_spans_total", (state,), getattr(spans, state))
    for result, count in medium.config_changes().items():
        yield ("aether_config_changes_total", (result,), count)
    if figures["journal"] is not None:
        yield from _journal(figures["journal"])
    yield from _cursors(figures["cursors"], most)


def of_process() -> Iterator[Sample]:
    """The samples that are of no medium."""
    for event, count in counted_events().items():
        yield ("aether_log_events_total", (event,), count)
    yield ("aether_panics_total", (), panics())


def _waves(figures: _Figures, behind: int, dropped: Mapping[str, int]) -> Iterator[Sample]:
    for domain, count in figures["domains"]:
        yield ("aether_emitted_total", (domain,), count)
    yield ("aether_delivered_total", (), figures["delivered"])
    yield ("aether_unheard_total", (), figures["unheard"])
    yield ("aether_received_total", (), figures["received"])
    for reason, count in by_reason(figures["dropped"]).items():
        yield ("aether_dropped_total", (reason,), count + dropped.get(reason, 0))
    yield ("aether_waiting", (), figures["waiting"] + behind)
    yield ("aether_mailboxes", (), figures["mailboxes"])
    yield ("aether_waiting_emissions", (), figures["waiting_emissions"])
    yield ("aether_stalls_total", (), figures["stalls"])
    yield ("aether_patterns", (), figures["patterns"])
    yield ("aether_cached_routes", (), figures["cached_routes"])
    yield ("aether_route_hits_total", (), figures["route_hits"])
    yield ("aether_route_walks_total", (), figures["route_walks"])
    yield ("aether_route_evictions_total", (), figures["route_evictions"])
    yield ("aether_retained_channels", (), figures["retained"])
    yield ("aether_forgotten_total", (), figures["forgotten"])


def _limits(medium: Aether) -> Iterator[Sample]:
    yield ("aether_noise_floor", (), medium.pressure()[1])
    for limit, count in medium.refused().items():
        yield ("aether_refused_total", (limit,), count)
    for limit, count in medium.limiting.waiting().items():
        yield ("aether_emitter_waiting", (limit,), count)
    incidents = medium.limiting.incidents()
    for limit in ("bulkhead", "rate"):
        for outcome in ("waited", "refused", "timed_out"):
            yield ("aether_emitter_limited_total", (limit, outcome), incidents[limit, outcome])


def _health(medium: Aether) -> Iterator[Sample]:
    health = medium.health()
    yield ("aether_ready", (), health.ready)
    yield ("aether_live", (), health.live)
    used = medium.measured
    if used is not None:
        yield ("aether_waiting_bytes", (), used.waiting_bytes)
        yield ("aether_leak_hints", (), len(used.leaks))
        if used.loop_lag is not None:
            yield ("aether_loop_lag_seconds", (), used.loop_lag)


def _times(figures: _Figures) -> Iterator[Sample]:
    yield ("aether_latency_seconds", (), _distribution(figures["latency"]))
    yield ("aether_queue_seconds", (), _distribution(figures["queue"]))
    yield ("aether_handler_seconds", (), _distribution(figures["handler"]))
    yield ("aether_untimed_total", (), figures["untimed"])


def _vibrator(figures: _NameFigures, working: int) -> Iterator[Sample]:
    label = (figures["name"],)
    yield ("aether_vibrator_received_total", label, figures["received"])
    for reason, count in figures["dropped"].items():
        yield ("aether_vibrator_missed_total", (*label, reason), count)
    yield ("aether_vibrator_failed_total", label, figures["failed"])
    yield ("aether_vibrator_waiting", label, figures["waiting"])
    yield ("aether_vibrator_size", label, figures["size"])
    yield ("aether_vibrator_mailboxes", label, figures["mailboxes"])
    yield ("aether_vibrator_waiting_readers", label, figures["readers"])
    yield ("aether_vibrator_waiting_emissions", label, figures["emissions"])
    yield ("aether_vibrator_working", label, working)
    yield ("aether_vibrator_queue_seconds", label, Distribution(*figures["queue"]))
    yield ("aether_vibrator_handler_seconds", label, Distribution(*figures["handler"]))


def _handlers(lanes: LaneFigures, names: set[str], most: int) -> Iterator[Sample]:
    incidents = Counter[tuple[str, str]]()
    for (name, kind), count in lanes.incidents.items():
        incidents[name if name in names else OTHER, kind] += count
    for labels, count in incidents.items():
        if count:
            yield ("aether_handler_incidents_total", labels, count)
    own = set(list(dict.fromkeys(name for name, _ in lanes.circuits))[:most])
    circuits = Counter[tuple[str, str]]()
    for (name, state), count in lanes.circuits.items():
        circuits[name if name in own else OTHER, state] += count
    for labels, count in circuits.items():
        yield ("aether_circuits", labels, count)


def _journal(figures: _JournalFigures) -> Iterator[Sample]:
    yield ("aether_journal_position", (), figures["position"])
    yield ("aether_journal_safe_position", (), figures["safe_position"])
    yield ("aether_journal_waves", (), figures["waves"])
    yield ("aether_journal_segments", (), figures["segments"])
    yield ("aether_journal_bytes", (), figures["bytes"])
    yield ("aether_journal_pending_bytes", (), figures["pending_bytes"])
    yield ("aether_journal_failed", (), figures["failed"])
    yield ("aether_journal_lost_total", (), figures["lost"])
    yield ("aether_journal_commit_seconds", (), _distribution(figures["commits"]))
    yield ("aether_journal_commit_failures_total", (), figures["commit_failures"])


def _cursors(lags: list[tuple[str, int]], most: int) -> Iterator[Sample]:
    own = [one for one in lags if one[0] != OTHER][:most]
    for name, lag in own:
        yield ("aether_cursor_lag", (name,), lag)
    if shared := [lag for name, lag in lags if (name, lag) not in own]:
        yield ("aether_cursor_lag", (OTHER,), max(shared))


def _distribution(durations: _Durations) -> Distribution:
    alone, seconds = durations
    within = tuple(accumulate(alone))
    return Distribution(within[-1], seconds, tuple(zip(_BOUNDS, within, strict=True)))
