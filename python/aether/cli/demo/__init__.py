"""`aether demo`: a real history through one medium, the same job by hand beside it, and the sums checked.

The history is that of the tokio project, shipped with the package, or any file of the same form. `run_demo` loads it,
does the job in turns on a medium (`vibrators`) and on hand-written queues (`queues`), in one process, prints what came
of it (`report`) and checks it (`sums`): for each vibrator, events and derived waves that match = got + missed.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..backend import asyncio_of, require, run
from ..choices import Backend
from ..console import Screen
from ..errors import SourceError
from ..events import EventReader
from ..metrics import serving
from .job import LOUD, MAILBOXES, Emission, derived, load
from .measure import Side
from .patterns import patterns
from .queues import through_queues
from .report import report
from .sums import expected, faults, matches
from .vibrators import through_medium

if TYPE_CHECKING:
    from aether import AetherConfig

__all__ = ["TURNS", "history_path", "run_demo"]

TURNS = 3
"""How often each side does the job, in turns; the faster turn of each is shown, the sums of all are checked."""

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


def run_demo(
    screen: Screen,
    file: str | None = None,
    backend: Backend = "asyncio",
    metrics_port: int | None = None,
    config: AetherConfig | None = None,
) -> bool:
    """Run the demo and print its report.

    Args:
        screen: where to print.
        file: another history; the shipped one if None.
        backend: the loop that the medium runs on; the queues run on asyncio, or uvloop where that is asked for.
        metrics_port: where the metrics of the medium are served meanwhile, if anywhere.
        config: of the medium.

    Returns:
        Whether all sums add up.

    Raises:
        SourceError: the history cannot be read.
        CliError: the metrics cannot be served.
    """
    require(backend)
    with EventReader(history_path() if file is None else file) as reader:
        history = load(reader)
    emissions = [*(event.channel for event in history), *derived(history)]
    due = expected(emissions, MAILBOXES)
    media: list[Side] = []
    queues: list[Side] = []
    with serving(metrics_port, screen) as server:
        on_a_medium = partial(through_medium, server=server, config=config)
        for turn in range(1, TURNS + 1):
            with screen.progress(f"medium, turn {turn} of {TURNS}", len(history)) as tick:
                media.append(_do(on_a_medium, history, tick, backend))
            with screen.progress(f"queues, turn {turn} of {TURNS}", len(history)) as tick:
                queues.append(_do(through_queues, history, tick, asyncio_of(backend)))

    best, beside = (min(sides, key=lambda side: side.seconds) for sides in (media, queues))
    found = patterns(history)
    screen.print(*report(best, beside, due, len(history), _loud(history), found, TURNS))
    wrong = [line for side in media for line in faults(due, side.measured)]
    wrong += [f"queues, {line}" for side in queues for line in faults(due, side.measured)]
    wrong += [line for side in media for line in side.findings.differences(beside.findings)]
    for line in dict.fromkeys(wrong):
        screen.complain(f"sums: {line}")
    if not wrong:
        screen.print(
            f"sums: matched = got + missed for all {len(due)} vibrators in every turn, and both sides found the same"
        )
    return not wrong


def _do(
    job: Callable[[Sequence[Emission], Callable[[int], None]], Awaitable[Side]],
    history: Sequence[Emission],
    tick: Callable[[int], None],
    backend: Backend,
) -> Side:
    gc.collect()
    return run(lambda: job(history, tick), backend)


def _loud(history: Sequence[Emission]) -> int:
    """How many loud emissions the slow reader was offered: loud events, and the alerts that carry their priority on."""
    patterns = MAILBOXES["digest"]
    heard = [
        event for event in history if any(matches(pattern, event.channel) for pattern in patterns)
    ]
    return sum(event.amplitude >= LOUD for event in heard) + sum(1 for _ in derived(heard))
