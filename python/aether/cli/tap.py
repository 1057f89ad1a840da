"""`aether tap`: the waves of a running process as they pass, a line for each."""

from __future__ import annotations

import time
from pathlib import Path

from aether.console.protocol import Missed, Tap, WaveView, encode

from .console import Screen
from .errors import one_line
from .seen import asked

__all__ = ["tap"]


def tap(
    screen: Screen,
    pattern: str,
    *,
    path: Path | None = None,
    pid: int | None = None,
    count: int | None = None,
    json: bool = False,
) -> None:
    """Prints waves until so many have passed, or the process has ended.

    Args:
        screen: Where to: waves on standard output, what is not shown on standard error, or as JSON on standard output.
        pattern: Which waves.
        path: The socket; by default the only one there is.
        pid: That of this process.
        count: How many; by default all.
        json: A line of JSON for each instead of one for people.

    Raises:
        CliError: There is nobody to ask, or the pattern is none.
    """
    left = count
    with asked(Tap(pattern), path, pid) as (hello, answers):
        for answer in answers:
            if isinstance(answer, WaveView):
                screen.print_now(_json(answer) if json else line(answer))
                left = None if left is None else left - 1
                if left == 0:
                    return
            elif isinstance(answer, Missed):
                if json:
                    screen.print_now(_json(answer))
                else:
                    screen.complain(f"... {answer.count:,} not shown")
    screen.complain(f"process {hello.pid} has ended, or shows nothing any more")


def _json(answer: WaveView | Missed) -> str:
    return encode(answer).decode().rstrip()


def line(wave: WaveView) -> str:
    """A wave for people.

    Example:
        >>> from aether.console.protocol import WaveView
        >>> print(line(WaveView(1, 7, 0.0, "orders.created", 0.5, "shop", 2, "{'id': 7}"))[13:])
        #7 orders.created 0.50 from shop, 2 headers: {'id': 7}
    """
    moment = (
        time.strftime("%H:%M:%S", time.localtime(wave.time)) + f".{int(wave.time % 1 * 1000):03d}"
    )
    parts = [moment, f"#{wave.sequence}", wave.channel, f"{wave.amplitude:.2f}"]
    if wave.source is not None:
        parts.append(f"from {wave.source}")
    headers = f", {wave.headers} header{'s' * (wave.headers != 1)}" if wave.headers else ""
    return one_line(f"{' '.join(parts)}{headers}: {wave.payload}")
