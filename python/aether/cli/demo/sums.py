"""The demo's own accounts: what each vibrator should have been offered, told without Aether.

The matcher is a dozen lines of plain Python over the tokens of a name. It knows nothing of tries, caches or mailboxes,
and the derived waves are told from the history alone, so an error on the way shows here as a sum that does not add up:
for each vibrator, events and derived waves that match = got + missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .measure import Measured

__all__ = ["expected", "faults", "matches"]


def matches(pattern: str, channel: str) -> bool:
    """Whether a concrete channel is one of the pattern's: `*` and `>` at the end take one token or more, else one."""
    wanted, given = pattern.split("."), channel.split(".")
    if wanted[-1] in ("*", ">"):
        wanted.pop()
        if len(given) <= len(wanted):
            return False
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(
        w in ("*", "+", g) for w, g in zip(wanted, given, strict=True)
    )


def expected(channels: Iterable[str], mailboxes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """For each mailbox, how many emissions on these channels match; several patterns of one count once."""
    emitted = Counter(channels)
    return {
        name: sum(
            count
            for channel, count in emitted.items()
            if any(matches(p, channel) for p in patterns)
        )
        for name, patterns in mailboxes.items()
    }


def faults(due: Mapping[str, int], measured: Sequence[Measured]) -> list[str]:
    """A line for each sum that does not add up, naming the vibrator; none if all do."""
    found: list[str] = []
    for one in measured:
        if due[one.name] != one.got + one.missed:
            found.append(
                f"{one.name}: {due[one.name]:,} matched, but {one.got:,} got + {one.missed:,} missed"
            )
        if one.received not in (None, one.got):
            found.append(
                f"{one.name}: {one.got:,} got, but its statistics say {one.received:,} received"
            )
    named = {one.name for one in measured}
    return found + [
        f"{name}: {count:,} matched, but nobody counted"
        for name, count in due.items()
        if name not in named
    ]
