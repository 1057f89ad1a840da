"""The tables at the end of a replay."""

from __future__ import annotations

from rich.table import Table

from .console import duration, reasons, table
from .replay import Replay

__all__ = ["tables"]


def tables(done: Replay) -> list[str | Table]:
    """What was replayed, by domain and by vibrator, and a line that sums it up."""
    domains = table(
        ("domain", "events", "delivered", "dropped", "unheard"),
        [
            (
                name,
                f"{count.events:,}",
                f"{count.delivered:,}",
                f"{count.dropped:,}",
                f"{count.unheard:,}",
            )
            for name, count in sorted(done.domains.items())
        ],
        text={"domain"},
    )
    vibrators = table(
        ("pattern", "got", "missed", "why"),
        [
            (one.pattern, f"{one.got:,}", f"{sum(one.dropped.values()):,}", reasons(one.dropped))
            for one in done.vibrators
        ],
        text={"pattern", "why"},
    )
    rate = done.events / done.seconds if done.seconds else 0.0
    plural = "line" if done.faults == 1 else "lines"
    faults = f"; {done.faults:,} bad {plural} skipped" if done.faults else ""
    known = f"; {done.known:,} were in the journal already" if done.known else ""
    return [
        domains,
        "",
        vibrators,
        "",
        f"{done.events:,} events in {duration(done.seconds)}, {rate:,.0f} waves/s{faults}{known}",
    ]
