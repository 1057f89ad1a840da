"""What the console shows of a medium and its waves; made in the thread of the server."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from aether.console.payloads import short
from aether.console.protocol import (
    HandlerView,
    HealthView,
    MailboxView,
    MediumView,
    Snapshot,
    WaveView,
)
from aether.errors import AetherError, ConfigError

if TYPE_CHECKING:
    from aether._native import Wave
    from aether.medium import Aether

__all__ = ["MAILBOXES", "snapshot", "wave_view"]

MAILBOXES = 100
"""How many mailboxes of a medium a snapshot has."""


def snapshot(media: Iterable[tuple[int, Aether]]) -> Snapshot:
    """All media as they are now; one that is not this process's, or is gone, is left out."""
    views: list[MediumView] = []
    for number, medium in media:
        try:
            views.append(_medium_view(number, medium))
        except AetherError:
            continue
    return Snapshot(time.time(), time.monotonic(), views)


def _medium_view(number: int, medium: Aether) -> MediumView:
    lanes = {lane.mailbox.number: lane for lane in medium.lanes}
    # Lanes first: what they take meanwhile counts as received.
    behind = {own: lane.behind for own, lane in lanes.items()}
    rows, _ = medium.survey(0, 0)
    # What waits in them counts, not in which order they were made.
    most = sorted(rows, key=lambda row: (-row[3] - behind.get(row[0], 0), row[1], row[0]))
    mailboxes = [
        MailboxView(
            number=own,
            vibrator=name,
            handler=_name_of(lanes[own].handler) if own in lanes else None,
            waiting=waiting + behind.get(own, 0),
            capacity=capacity,
            received=received - behind.get(own, 0),
            lost=lost,
            readers=readers,
        )
        for own, name, _lane, waiting, capacity, received, lost, readers, _ in most[:MAILBOXES]
    ]
    handlers = [
        HandlerView(
            own,
            lane.name,
            _name_of(lane.handler),
            lane.concurrency,
            lane.handling,
            lane.failed,
        )
        for own, lane in islice(lanes.items(), MAILBOXES)
    ]
    health = medium.health()
    return MediumView(
        number=number,
        phase=medium.phase,
        statistics=dataclasses.asdict(medium.statistics()),
        mailboxes=mailboxes,
        more=len(rows) - len(mailboxes),
        handlers=handlers,
        health=HealthView(health.live, health.ready, health.reasons, health.hints),
        resources=_resources(medium),
        journal=_journal(medium),
    )


def _resources(medium: Aether) -> dict[str, Any] | None:
    try:
        used = dataclasses.asdict(medium.resources())
    except ConfigError:
        return None
    del used["leaks"]
    return used


def _journal(medium: Aether) -> dict[str, Any] | None:
    journal = medium.journal
    if journal is None or not journal.is_open:
        return None
    return {"path": str(journal.path), "last": journal.last, "safe": journal.safe}


def _name_of(handler: object) -> str:
    return str(getattr(handler, "__qualname__", type(handler).__name__)).rpartition(".")[2]


def wave_view(medium: int, wave: Wave[Any], length: int) -> WaveView:
    """A wave, with so many characters of its payload."""
    return WaveView(
        medium=medium,
        sequence=wave.sequence,
        time=wave.timestamp,
        channel=str(wave.channel),
        amplitude=wave.amplitude,
        source=wave.source,
        headers=len(wave.headers),
        payload=short(wave.payload, length),
    )
