"""Replay of an event file through one medium: every event is emitted once, in the order of the file.

For each pattern there is one vibrator, which reads whatever reaches it until the end; by default one that takes
everything (`*`). Emission waits where a mailbox blocks, so nothing is lost unless a dropping `overflow` was asked for,
and then each loss is counted with its reason. Bad lines are handed to `on_fault` and skipped; with `strict` the first
one ends the replay with a `CliError`. Leaving early, by an error or Ctrl-C, leaves nothing running behind.

With a journal, each event is in it before anybody gets it, with the number of its line as a header. Events that are in
it already, from a replay that was ended, are passed over: so a replay goes on where it was, whatever ended it.

A file is read in place. A pipe or a terminal is read in a thread, so that the loop, the vibrators and Ctrl-C are not
kept waiting for whoever writes to it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from .choices import Overflow
from .errors import MISUSED, CliError
from .events import Event, EventReader, Fault
from .metrics import measuring
from .pacing import Pacer

if TYPE_CHECKING:
    from aether import Aether, AetherConfig, Receipt, Vibrator
    from aether.journal import Journal
    from aether.metrics.server import MetricsServer

__all__ = ["DomainCount", "Replay", "VibratorCount", "replay"]

_READ_AT_ONCE = 256

_LINE = "line"
"""The header that has the number of an event's line."""


@dataclass(slots=True)
class DomainCount:
    """What became of the events of one domain, the first token of their channels."""

    events: int = 0
    """Emitted."""
    delivered: int = 0
    """Deliveries: one for each event and vibrator that got it."""
    dropped: int = 0
    """Deliveries that a full mailbox refused at emission."""
    unheard: int = 0
    """Events that no pattern matched."""


@dataclass(frozen=True, slots=True)
class VibratorCount:
    """What one vibrator read, and what it missed."""

    pattern: str
    got: int
    dropped: dict[str, int]
    """Waves missed, by reason."""


@dataclass(slots=True)
class Replay:
    """What a replay did."""

    events: int = 0
    """Events emitted."""
    faults: int = 0
    """Bad lines skipped."""
    known: int = 0
    """Events passed over, as the journal has them already."""
    seconds: float = 0.0
    """From the first line read to the last wave read."""
    domains: dict[str, DomainCount] = field(default_factory=dict)
    vibrators: list[VibratorCount] = field(default_factory=list)


def _ignore(_: object) -> None:
    """What nobody asked to be told."""


async def replay(
    reader: EventReader,
    *,
    patterns: Sequence[str] = ("*",),
    speed: float | None = None,
    overflow: Overflow = "block",
    buffer_size: int | None = None,
    strict: bool = False,
    journal: Path | None = None,
    server: MetricsServer | None = None,
    config: AetherConfig | None = None,
    on_fault: Callable[[Fault], None] = _ignore,
    on_progress: Callable[[int], None] = _ignore,
) -> Replay:
    """Emit the events of `reader` and count where they went.

    Args:
        reader: the open file.
        patterns: one vibrator for each.
        speed: multiple of real time; None for as fast as it goes.
        overflow: policy of the vibrators' mailboxes.
        buffer_size: room in each mailbox; the medium's default if None.
        strict: stop at the first bad line.
        journal: the folder where each event is written before it is delivered.
        server: what shows its metrics, if anything does.
        config: of the medium.
        on_fault: told of each bad line that is skipped.
        on_progress: told now and then how many bytes of the file were read.

    Raises:
        CliError: a bad line under `strict`, a pattern that is none, or a journal that cannot be written or has other
            waves in it.
        SourceError: the file cannot be read on.
    """
    done = Replay()
    got = [0] * len(patterns)
    store = None if journal is None else _journal(journal)
    after = 0 if store is None else _line_reached(store)
    medium = _medium(store, server, config)
    vibrators = [_listener(medium, pattern, overflow, buffer_size) for pattern in patterns]
    pacer = Pacer(speed)
    started = time.perf_counter()
    # The readers outlive the medium: leaving it gives them what is queued, and then the end.
    async with anyio.create_task_group() as tasks, medium:
        for index, vibrator in enumerate(vibrators):
            tasks.start_soon(_read_all, vibrator, got, index)
        while (items := await _read(reader)) is not None:
            batch: list[Event] = []
            for item in items:
                if item.line <= after:
                    done.known += isinstance(item, Event)
                elif isinstance(item, Fault):
                    _skip(item, reader, done, strict=strict)
                    on_fault(item)
                elif journal is not None and speed is None:
                    batch.append(item)
                else:
                    await pacer.wait(item.ts)
                    await _emit(medium, item, done, numbered=journal is not None)
            await _emit_all(medium, batch, done)
            on_progress(reader.position)
    done.seconds = time.perf_counter() - started
    done.vibrators = [
        VibratorCount(pattern, count, dict(vibrator.statistics().dropped))
        for pattern, count, vibrator in zip(patterns, got, vibrators, strict=True)
    ]
    return done


def _listener(
    medium: Aether, pattern: str, overflow: Overflow, buffer_size: int | None
) -> Vibrator:
    from aether import ChannelError

    vibrator = medium.vibrator(pattern, overflow=overflow, buffer_size=buffer_size)
    try:
        vibrator.resonate_on(pattern)
    except ChannelError as error:
        raise CliError(f"--pattern: {error}", status=MISUSED) from None
    return vibrator


async def _read_all(vibrator: Vibrator, got: list[int], index: int) -> None:
    while waves := await vibrator.receive_many(_READ_AT_ONCE):
        got[index] += len(waves)


def _journal(folder: Path) -> Journal:
    from aether.journal import Journal

    return Journal(folder)


def _medium(
    journal: Journal | None, server: MetricsServer | None, config: AetherConfig | None
) -> Aether:
    from aether import Aether, JournalError

    try:
        medium = Aether(measuring("replay", server, config), journal=journal)
    except JournalError as error:
        raise CliError(f"--journal: {error}") from None
    if server is not None:
        server.add(medium)
    return medium


def _line_reached(journal: Journal) -> int:
    """The last line whose event is in a journal; 0: it is empty, or not there yet."""
    from aether import JournalError

    if not journal.path.is_dir():
        return 0
    try:
        last = deque(journal.replay(), maxlen=1)
    except JournalError as error:
        raise CliError(f"--journal: {error}") from None
    if not last:
        return 0
    line = last[0].headers.get(_LINE, "")
    if not line.isdecimal():
        raise CliError(
            f"--journal: {journal.path} has waves of something else, the last one on {last[0].channel!r}; name a new "
            "folder"
        )
    return int(line)


async def _emit(medium: Aether, event: Event, done: Replay, *, numbered: bool) -> None:
    headers = {_LINE: str(event.line)} if numbered else None
    _count(event, await medium.emit_wave(event.channel, event.payload, headers=headers), done)


async def _emit_all(medium: Aether, events: list[Event], done: Replay) -> None:
    """Emits many, which reach the disk together."""
    from aether import Wave

    waves = (
        Wave(event.channel, event.payload, headers={_LINE: str(event.line)}) for event in events
    )
    receipts = await medium.emit_many(waves)
    for event, receipt in zip(events, receipts, strict=True):
        _count(event, receipt, done)


def _count(event: Event, receipt: Receipt, done: Replay) -> None:
    count = done.domains.setdefault(event.channel.partition(".")[0], DomainCount())
    count.events += 1
    count.delivered += receipt.delivered
    count.dropped += receipt.dropped
    count.unheard += not receipt.matched
    done.events += 1


async def _read(reader: EventReader) -> list[Event | Fault] | None:
    if reader.may_wait:
        return await anyio.to_thread.run_sync(reader.read, abandon_on_cancel=True)
    return reader.read()


def _skip(fault: Fault, reader: EventReader, done: Replay, *, strict: bool) -> None:
    if strict:
        raise CliError(f"{reader.name}: line {fault.line}: {fault.reason}")
    done.faults += 1
