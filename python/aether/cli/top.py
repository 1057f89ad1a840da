"""`aether top`: what a running process does, once a second, on one screen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.table import Table

from aether._printable import printable
from aether.console.protocol import Hello, MailboxView, MediumView, Snapshot, Watch

from .console import Screen, duration, reasons, table
from .errors import CliError
from .seen import asked, end_of

__all__ = ["parts", "top"]

_BAR = 8
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000
_ONCE = 0.5
"""Seconds over which rates are taken for a single screen."""
_LOOK = 0.1
"""Seconds between two looks for it: a medium may be there for less than that."""
_PATIENCE = 3.0
"""Seconds for which a medium is waited for."""
_SILENCE = 2.0
"""Seconds after which a screen says that it is an old one."""

Rows = Sequence["str | Table"]


def top(
    screen: Screen, *, path: Path | None = None, pid: int | None = None, once: bool = False
) -> None:
    """Shows a process until it ends, or once.

    Args:
        screen: Where.
        path: The socket; by default the only one there is.
        pid: That of this process.
        once: One screen, as text.

    Raises:
        CliError: There is nobody to ask.
    """
    request, patience = (Watch(_LOOK), _PATIENCE) if once else (Watch(1.0), _SILENCE)
    with asked(request, path, pid, patience) as (hello, answers):
        snapshots = (one for one in answers if one is None or isinstance(one, Snapshot))
        if once:
            found = _pair(_answered(snapshots, hello))
            if found is None:
                raise CliError(end_of(hello, path))
            screen.print(*parts(hello, *found))
            return
        before: Snapshot | None = None
        now: Snapshot | None = None
        seen = time.monotonic()
        with screen.live() as show:
            for one in snapshots:
                if one is not None:
                    before, now, seen = now, one, time.monotonic()
                if now is not None:
                    show(parts(hello, before, now, 0.0 if one else time.monotonic() - seen))
    screen.complain(end_of(hello, path))


def _answered(snapshots: Iterable[Snapshot | None], hello: Hello) -> Iterator[Snapshot]:
    """Snapshots as long as they come.

    Raises:
        CliError: None has come for a while.
    """
    for one in snapshots:
        if one is None:
            raise CliError(f"process {hello.pid} does not answer: it may be stopped")
        yield one


def _pair(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, Snapshot] | None:
    """Two with a medium that is in both, so that there are rates: `_ONCE` apart, or less if it is gone before."""
    begun: Snapshot | None = None
    first: Snapshot | None = None
    last: Snapshot | None = None
    for now in snapshots:
        begun = begun or now
        if first is not None and _share(first, now):
            last = now
            if now.clock - first.clock >= _ONCE:
                break
        elif first is not None and last is not None:
            break
        else:
            first = now
        if now.clock - begun.clock >= _PATIENCE:
            return first, now
    return None if first is None or last is None else (first, last)


def _share(before: Snapshot, now: Snapshot) -> bool:
    known = {medium.number for medium in before.media}
    return any(medium.number in known for medium in now.media)


def parts(hello: Hello, before: Snapshot | None, now: Snapshot, silent: float = 0.0) -> Rows:
    """The lines and tables of a screen, of a process that has been silent for so many seconds since."""
    shown: list[str | Table] = [f"{hello.program}, process {hello.pid}, aether {hello.aether}"]
    if silent:
        shown.append(f"! it has not answered for {silent:.0f} s: this is what there was before")
    if not now.media:
        shown.append("no medium is entered")
    known = {} if before is None else {medium.number: medium for medium in before.media}
    seconds = 0.0 if before is None else now.clock - before.clock
    for medium in now.media:
        shown += ["", *_medium(known.get(medium.number), medium, seconds, many=len(now.media) > 1)]
    return [printable(one) if isinstance(one, str) else one for one in shown]


def _medium(before: MediumView | None, now: MediumView, seconds: float, *, many: bool) -> Rows:
    shown: list[str | Table] = []
    health = "ready" if now.health.ready else "not ready" if now.health.live else "not live"
    counted = now.statistics
    rates = ", ".join(
        f"{_rate(_counted(before, name), counted[name], seconds) or '-'} {name}"
        for name in ("emitted", "delivered", "received")
    )
    named = f"medium {now.number}: " if many else ""
    shown.append(
        f"{named}{now.phase}, {health}; each second {rates}; {counted['waiting']:,} waiting"
    )
    shown += [f"  ! {reason}" for reason in now.health.reasons]
    shown += [f"  ? {hint}" for hint in now.health.hints]
    if lost := reasons(counted["dropped"]):
        shown.append(f"lost: {lost}")
    if now.resources is not None:
        shown.append(_resources(now.resources))
    if now.journal is not None:
        last, safe = now.journal["last"], now.journal["safe"]
        shown.append(f"journal {now.journal['path']}: {last:,} waves, {last - safe:,} not safe yet")
    shown += ["", _mailboxes(before, now, seconds)]
    if now.more:
        shown.append(f"and {now.more:,} more, in which less waits")
    return shown


def _mailboxes(before: MediumView | None, now: MediumView, seconds: float) -> Table:
    known = {} if before is None else {one.number: one.received for one in before.mailboxes}
    handlers = {one.mailbox: one for one in now.handlers}
    handling = {one.vibrator for one in now.handlers}
    rows: list[tuple[str, ...]] = []
    for one in sorted(now.mailboxes, key=lambda one: (one.vibrator, one.handler or "", one.number)):
        if one.vibrator in handling and _is_idle(one):
            continue
        handler = handlers.get(one.number)
        rows.append(
            (
                one.vibrator,
                one.handler or "",
                _bar(one.waiting, one.capacity),
                f"{one.waiting:,}",
                f"{one.capacity:,}",
                _rate(known.get(one.number), one.received, seconds),
                f"{one.received:,}",
                f"{one.lost:,}",
                "" if handler is None else f"{handler.working}/{handler.concurrency}",
                "" if handler is None else f"{handler.failed:,}",
            )
        )
    columns = (
        "vibrator",
        "handler",
        "full",
        "waiting",
        "of",
        "/s",
        "received",
        "lost",
        "busy",
        "failed",
    )
    return table(columns, rows, text={"vibrator", "handler", "full"})


def _is_idle(one: MailboxView) -> bool:
    """Whether it is the mailbox that a vibrator has beside its handlers, and does not use."""
    return one.handler is None and not (one.waiting or one.received or one.readers or one.lost)


def _resources(used: dict[str, object]) -> str:
    numbers = {name: value for name, value in used.items() if isinstance(value, int | float)}
    said = [
        f"memory {size(numbers['rss'])}",
        f"waiting payloads {size(numbers['waiting_bytes'])}",
        f"{numbers['threads']:,} threads",
        f"{numbers['open_files']:,} files",
    ]
    if "loop_lag" in numbers:
        said.append(f"loop {duration(numbers['loop_lag'])} late")
    if numbers["panics"]:
        said.append(f"{numbers['panics']:,} panics")
    return ", ".join(said)


def _counted(before: MediumView | None, name: str) -> int | None:
    return None if before is None else int(before.statistics[name])


def _rate(before: int | None, now: int, seconds: float) -> str:
    """How many a second; nothing where there is nothing to compare with."""
    if before is None or seconds <= 0 or now < before:
        return ""
    return f"{(now - before) / seconds:,.0f}"


def _bar(waiting: int, capacity: int) -> str:
    filled = min(_BAR, -(-waiting * _BAR // capacity)) if capacity else 0
    return "█" * filled + "·" * (_BAR - filled)


def size(count: float) -> str:
    """Bytes in the unit that reads best.

    Example:
        >>> size(512), size(41_345_024)
        ('512 bytes', '41.3 MB')
    """
    unit = 0
    while count >= _STEP and unit < len(_UNITS) - 1:
        count, unit = count / _STEP, unit + 1
    return f"{count:,.0f} bytes" if not unit else f"{count:,.1f} {_UNITS[unit]}"
