"""`aether demo`: a real history through one medium, the same job by hand beside it, and the sums checked.

The history is that of the tokio project, shipped with the package, or any file of the same form. `run_demo` loads it,
does the job twice in the same process, on a medium (`vibrators`) and on hand-written queues (`queues`), prints what
came of it (`report`) and checks it (`sums`): for each vibrator, events and derived waves that match = got + missed.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ..backend import asyncio_of, require, run
from ..choices import Backend
from ..console import Screen
from ..errors import SourceError
from ..events import EventReader
from .job import LOUD, MAILBOXES, Emission, derived, load
from .measure import Side
from .queues import through_queues
from .report import report
from .sums import expected, faults, matches
from .vibrators import through_medium

__all__ = ["history_path", "run_demo"]

_HISTORY = Path(__file__).resolve().parent.parent / "data" / "tokio-history.jsonl.gz"


def history_path() -> Path:
    """Where the history lies that ships with the package.

    Raises:
        SourceError: it was not shipped.
    """
    if not _HISTORY.exists():
        raise SourceError(
            f"{_HISTORY}: the history that comes with Aether is not there; try: aether demo FILE"
        )
    return _HISTORY


def run_demo(screen: Screen, file: str | None = None, backend: Backend = "asyncio") -> bool:
    """Run the demo and print its report.

    Args:
        screen: where to print.
        file: another history; the shipped one if None.
        backend: the loop that the medium runs on; the queues run on asyncio, or uvloop where that is asked for.

    Returns:
        Whether all sums add up.

    Raises:
        SourceError: the history cannot be read.
    """
    require(backend)
    with EventReader(history_path() if file is None else file) as reader:
        history = load(reader)
    medium = _do("medium", through_medium, history, backend, screen)
    queues = _do("queues", through_queues, history, asyncio_of(backend), screen)

    emissions = [*(event.channel for event in history), *derived(history)]
    due = expected(emissions, MAILBOXES)
    screen.print(*report(medium, queues, due, len(history), _loud(history)))
    wrong = [
        *faults(due, medium.measured),
        *(f"queues, {line}" for line in faults(due, queues.measured)),
        *medium.findings.differences(queues.findings),
    ]
    for line in wrong:
        screen.complain(f"sums: {line}")
    if not wrong:
        screen.print(
            f"sums: matched = got + missed for all {len(due)} vibrators, and both sides found the same"
        )
    return not wrong


def _do(
    name: str,
    job: Callable[[Sequence[Emission], Callable[[int], None]], Awaitable[Side]],
    history: Sequence[Emission],
    backend: Backend,
    screen: Screen,
) -> Side:
    gc.collect()
    with screen.progress(name, len(history)) as tick:
        return run(lambda: job(history, tick), backend)


def _loud(history: Sequence[Emission]) -> int:
    """How many loud emissions the slow reader was offered: loud events, and the alerts that carry their priority on."""
    patterns = MAILBOXES["digest"]
    heard = [
        event for event in history if any(matches(pattern, event.channel) for pattern in patterns)
    ]
    return sum(event.amplitude >= LOUD for event in heard) + sum(1 for _ in derived(heard))
