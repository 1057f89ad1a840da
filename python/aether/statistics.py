"""What a medium and its vibrators have counted: frozen snapshots, in the words of trio and anyio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


REASONS: tuple[str, ...] = (
    "full",
    "oldest",
    "faintest",
    "conflated",
    "faded",
    "expired",
    "abandoned",
    "cleared",
    "shed",
)
"""Why a wave that matched is let go."""


def by_reason(dropped: Mapping[str, int]) -> dict[str, int]:
    """How often for each reason, those that never occurred included."""
    return {**dict.fromkeys(REASONS, 0), **dropped}


FEW = 10
"""How many of one kind are told of in `Health`, however many there are."""


def few(first: Iterable[str], count: int, what: str) -> list[str]:
    """The first of so many, and how many more there are.

    Example:
        >>> few(["a waits", "b waits"], 1002, "wait")
        ['a waits', 'b waits', 'and 1,000 more wait']
    """
    told = list(first)
    more = count - len(told)
    return [*told, f"and {more:,} more {what}"] if more > 0 else told


@dataclass(frozen=True, slots=True)
class HandlerStatistics:
    """Counters of one handler and what stands around it.

    Attributes:
        name: That of the function.
        patterns: What it handles.
        working: Waves that it works on, or that stand behind its busy keys.
        failed: Waves that it has failed with for good.
        retried: Attempts after a first one.
        over_budget: Retries that were due, and not made for the budget.
        timed_out: Attempts that took too long.
        refused: Waves that its circuit has refused, or sent to somebody else.
        dead_letters: Waves that went out as dead letters.
        waiting_for_turn: Waves that wait for their turn now, by its rate.
        circuits: The states of its circuits: `closed`, `open` or `half_open`; by target, which is `None` for a breaker that
            tells none apart.
    """

    name: str
    patterns: tuple[str, ...]
    working: int
    failed: int
    retried: int
    over_budget: int
    timed_out: int
    refused: int
    dead_letters: int
    waiting_for_turn: int
    circuits: Mapping[str | None, str]


@dataclass(frozen=True, slots=True)
class VibratorStatistics:
    """Counters of one vibrator: its mailbox and those of its handlers together.

    Attributes:
        current_buffer_used: Waves that wait, without those expired or faded by now.
        max_buffer_size: How many may wait; behind the busy keys of handlers, others may besides.
        tasks_waiting_receive: Tasks and threads that wait for a wave.
        tasks_waiting_send: Emissions that wait for room here.
        received: Waves taken, since it was made.
        emitted: Waves emitted through it or its emitters.
        missed: Waves that matched and were let go: the sum of `dropped`.
        dropped: Those by reason: `full`, `oldest`, `faintest`, `conflated`, `faded`, `expired`, `abandoned`,
            `cleared`, `shed`. Each is there, with 0 if it never occurred.
        failed: Waves whose handler raised.
        handlers: Its handlers, in the order in which they were registered.
    """

    current_buffer_used: int
    max_buffer_size: int
    tasks_waiting_receive: int
    tasks_waiting_send: int
    received: int
    emitted: int
    missed: int
    dropped: Mapping[str, int]
    failed: int = 0
    handlers: tuple[HandlerStatistics, ...] = ()


@dataclass(frozen=True, slots=True)
class MediumStatistics:
    """Counters of a medium, since it was made.

    At every moment `delivered + dropped on arrival` is what matched, and what matched was received, waits,
    or is in `dropped`.

    Attributes:
        emitted: Waves admitted.
        delivered: Deliveries into mailboxes.
        unheard: Waves admitted that matched no mailbox.
        received: Waves taken by readers and handlers.
        dropped: Waves let go after they had matched, by reason; the same ones.
        waiting: Waves that wait now.
        mailboxes: Mailboxes now: one for each vibrator or group, and one for each handler.
        retained: Channels whose last wave is kept in memory now, see `AetherConfig.retain`.
        forgotten: Channels whose last wave was let go for another channel's, by `retain_channels`.
        tasks_waiting_send: Emissions that wait for room now.
        patterns: Different patterns that are resonated on now, or retained.
        cached_routes: Channels whose route is cached.
        route_hits: Routes answered from the cache.
        route_walks: Routes that were not.
        noise_floor: That of the medium itself: fainter waves are shed now, see `LimitsConfig.soft`.
        refused: How often a limit of `AetherConfig.limits` has refused something: `queued`, `vibrators`, `patterns`, `tasks`.
    """

    emitted: int
    delivered: int
    unheard: int
    received: int
    dropped: Mapping[str, int]
    waiting: int
    mailboxes: int
    retained: int
    forgotten: int
    tasks_waiting_send: int
    patterns: int
    cached_routes: int
    route_hits: int
    route_walks: int
    noise_floor: float
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a medium works.

    Attributes:
        live: It has not been closed, and its loop answers, where that is looked after. Otherwise only a new process helps.
        ready: It takes waves, and nobody waits for room longer than `stall_warning`; nor is anything else beyond a limit
            of `HealthConfig`.
        reasons: Why it is not ready; empty if it is. Of one kind, the first ten, and how many more there are.
        hints: What may be wrong and harms nobody yet: what seems to leak, and that faint waves are shed; as many.
    """

    live: bool
    ready: bool
    reasons: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.ready
