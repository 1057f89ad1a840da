"""What the demo prints: who got what, what they found, both sides beside each other, and whether the sums add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from aether import Detection

from ..console import duration, reasons, table
from .job import LARGE_COMMIT, Findings
from .measure import Latency, Side
from .patterns import lines_of

__all__ = ["report"]

_BEST = 3


def report(
    medium: Side,
    queues: Side,
    due: Mapping[str, int],
    events: int,
    loud: int,
    found: Sequence[Detection],
    turns: int,
) -> list[str | Table]:
    """The parts to print, in order.

    Args:
        medium: the job on a medium.
        queues: the same on queues.
        due: for each vibrator, what matched by the demo's own matcher.
        events: how many events the history has.
        loud: how many of the emissions for the slow reader were loud.
        found: the patterns in the history.
        turns: how often each side did the job, of which this is the fastest turn.
    """
    return [
        f"{events:,} events and {medium.emitted - events:,} derived waves through one medium to {len(due)} vibrators",
        "",
        _vibrators(medium, due),
        "",
        "what they found",
        *(f"  {line}" for line in [*_found(medium.findings, loud), *lines_of(found)]),
        "",
        f"the same job in the same run, the best of {turns} turns each",
        _comparison(medium, queues),
        "",
    ]


def _vibrators(side: Side, due: Mapping[str, int]) -> Table:
    return table(
        ("vibrator", "matched", "got", "missed", "why", "p50", "p99", "max"),
        [
            (
                one.name,
                f"{due[one.name]:,}",
                f"{one.got:,}",
                f"{one.missed:,}",
                reasons(one.dropped),
                *_latency(one.latency),
            )
            for one in side.measured
        ],
        text={"vibrator", "why"},
    )


def _found(findings: Findings, loud: int) -> Sequence[str]:
    domains = ", ".join(
        f"{count:,} {name}" for name, count in sorted(findings.audit.domains.items())
    )
    files = ", ".join(
        f"{path} ({count:,})" for path, count in findings.hot_files.changes.most_common(_BEST)
    )
    authors = ", ".join(
        f"{author} ({count:,})" for author, count in findings.activity.commits.most_common(_BEST)
    )
    alerts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(findings.desk.alerts.items()))
    large, others = Latency.of(findings.urgent.large), Latency.of(findings.urgent.others)
    return (
        f"audit       {domains}; checksum {findings.audit.checksum:016x}",
        f"hot files   {files}",
        f"activity    {len(findings.activity.commits):,} authors, most commits by {authors}",
        (
            f"urgent      commits of {LARGE_COMMIT} lines or more waited {duration(large.p50)} (median),"
            f" the others {duration(others.p50)}"
        ),
        f"desk        {alerts}; the longest chain made {findings.desk.hops} hops",
        f"digest      read {findings.digest.seen:,} at its own pace, {findings.digest.loud:,} of the {loud:,} loud ones",
    )


def _comparison(medium: Side, queues: Side) -> Table:
    return table(
        ("on", "seconds", "waves/s", "deliveries/s", "p50", "p99", "max"),
        [
            (
                side.name,
                f"{side.seconds:.3f}",
                f"{side.emitted / side.seconds:,.0f}",
                f"{side.delivered / side.seconds:,.0f}",
                *_latency(side.latency),
            )
            for side in (medium, queues)
        ],
        text={"on"},
    )


def _latency(latency: Latency) -> tuple[str, str, str]:
    return duration(latency.p50), duration(latency.p99), duration(latency.max)
