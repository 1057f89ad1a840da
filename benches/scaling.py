"""How the core's instruction counts may grow, as relations between the counts of one run.

`relations(counts)` states each with its figures. They hold on any toolchain and any
machine, for they compare nothing with a file.

A *flat* series stays within 15 % of one figure. A *logarithmic* one has three sizes, each
larger by the same factor, and the second step adds no more than one and a half times what
the first has added: trees grow by whole levels, while the square root of n would add six
times as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Relation", "relations"]

TOLERANCE = 0.15
STEEPER = 1.5

RECEIVERS = (1, 10, 100, 1_000)
WAITING = (1, 1_000, 1_000_000)
PATTERNS = (100, 10_000, 1_000_000)
CAPACITIES = (10, 320, 10_240)

Counts = Mapping[str, float]


@dataclass(frozen=True)
class Relation:
    """What is promised, what was counted, and whether that keeps the promise."""

    promise: str
    figures: str
    holds: bool


def flat(what: str, sizes: Sequence[int], figures: Sequence[float]) -> Relation:
    spread = (max(figures) - min(figures)) / (max(figures) + min(figures))
    shown = f"{series(sizes, figures)} (±{spread:.1%})"
    return Relation(f"{what}: flat (±{TOLERANCE:.0%})", shown, spread <= TOLERANCE)


def logarithmic(what: str, sizes: Sequence[int], figures: Sequence[float]) -> Relation:
    first, middle, last = figures
    # Where nearly nothing was added, a little more is little too.
    allowed = STEEPER * max(middle - first, TOLERANCE * first)
    return Relation(
        f"{what}: logarithmic at most",
        f"{series(sizes, figures)} (+{middle - first:,.0f}, then +{last - middle:,.0f})",
        last - middle <= allowed,
    )


def at_most(what: str, figures: Sequence[float], times: float, of: Sequence[float]) -> Relation:
    """Each figure beside its own measure."""
    ratios = [figure / measure for figure, measure in zip(figures, of, strict=True)]
    shown = "x" + ", x".join(f"{ratio:.2f}" for ratio in ratios)
    return Relation(f"{what}: x{times} at most", shown, max(ratios) <= times)


def series(sizes: Sequence[int], figures: Sequence[float]) -> str:
    pairs = zip(sizes, figures, strict=True)
    return ", ".join(f"{size:,}: {figure:,.1f}" for size, figure in pairs)


def relations(counts: Counts) -> list[Relation]:
    """Everything that is promised of the counts of one run.

    Args:
        counts: Instructions for each operation, by the name of the job; all jobs.
    """
    return [*deliveries(counts), *queues(counts), *overflow(counts), *routes(counts)]


def deliveries(counts: Counts) -> list[Relation]:
    each = [counts[f"fan_out/{n}/emit"] + counts[f"fan_out/{n}/take"] for n in RECEIVERS]
    whole = [n * figure for n, figure in zip(RECEIVERS, each, strict=True)]
    # An emission to one goes a shorter way, so the row of what one more costs begins with ten.
    more = [
        (whole[i + 1] - whole[i]) / (RECEIVERS[i + 1] - RECEIVERS[i])
        for i in range(1, len(RECEIVERS) - 1)
    ]
    return [
        flat("a delivery, emitted and taken, to so many receivers", RECEIVERS, each),
        flat("one more receiver, up to so many", RECEIVERS[2:], more),
    ]


def queues(counts: Counts) -> list[Relation]:
    def waiting(amplitudes: str) -> list[float]:
        return [counts[f"queue/{n}/{amplitudes}"] for n in WAITING]

    return [
        flat("in and out where so many of equal amplitude wait", WAITING, waiting("equal")),
        logarithmic("in and out where so many of mixed amplitudes wait", WAITING, waiting("mixed")),
    ]


def overflow(counts: Counts) -> list[Relation]:
    def full(policy: str) -> list[float]:
        return [counts[f"overflow/{n}/{policy}"] for n in CAPACITIES]

    return [
        *(
            flat(f"a wave into a full mailbox of so many, {policy}", CAPACITIES, full(policy))
            for policy in ("drop_oldest", "drop_newest")
        ),
        *(
            logarithmic(
                f"a wave into a full mailbox of so many, {policy}", CAPACITIES, full(policy)
            )
            for policy in ("drop_oldest_mixed", "drop_faintest_mixed", "conflate")
        ),
    ]


def routes(counts: Counts) -> list[Relation]:
    def among(job: str) -> list[float]:
        return [counts[f"patterns/{n}/{job}"] for n in PATTERNS]

    by_hint, walked, goes = among("route_by_hint"), among("route_walked"), among("wildcard_goes")
    return [
        *(
            flat(f"{job} among so many patterns", PATTERNS, among(job))
            for job in (
                "route_by_hint",
                "route_by_name",
                "route_walked",
                "literal_comes",
                "literal_goes",
                "wildcard_comes",
            )
        ),
        # Among a million, there is room for so many tombstones that none is freed here.
        at_most("wildcard_goes, beside 100 patterns", goes, 1 + TOLERANCE, [goes[0]] * len(goes)),
        *(
            at_most(
                f"route_under_churn_of_{kind}, beside route_by_hint",
                among(f"route_under_churn_of_{kind}"),
                2.0,
                by_hint,
            )
            for kind in ("literals", "members", "sessions")
        ),
        at_most(
            "route_under_churn_of_leading_wildcards, beside route_walked",
            among("route_under_churn_of_leading_wildcards"),
            1.5,
            walked,
        ),
    ]
