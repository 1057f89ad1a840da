"""`aether tap`: the waves of a running process as they pass, a line for each."""

from __future__ import annotations

import json
import time
from pathlib import Path

from aether._printable import printable
from aether.console.protocol import Missed, Tap, WaveView, encode

from .console import Screen
from .seen import asked, end_of

__all__ = ["tap"]


def tap(
    screen: Screen,
    pattern: str,
    *,
    path: Path | None = None,
    pid: int | None = None,
    count: int | None = None,
    as_json: bool = False,
) -> None:
    """Prints waves until so many have passed, or the process has ended.

    Args:
        screen: Where to: waves on standard output, what is not shown on standard error, or as JSON on standard output.
        pattern: Which waves.
        path: The socket; by default the only one there is.
        pid: That of this process.
        count: How many; by default all.
        as_json: A line of JSON for each instead of one for people.

    Raises:
        CliError: There is nobody to ask, or the pattern is none; or it was let go of, as it was read too slowly.
    """
    left = count
    with asked(Tap(pattern), path, pid) as (hello, answers):
        for answer in answers:
            if isinstance(answer, WaveView):
                screen.print_now(_json(answer) if as_json else line(answer))
                left = None if left is None else left - 1
                if left == 0:
                    return
            elif isinstance(answer, Missed):
                if as_json:
                    screen.print_now(_json(answer))
                else:
                    screen.complain(f"... {answer.count:,} not shown")
    screen.complain(end_of(hello, path))


def _json(answer: WaveView | Missed) -> str:
    text = encode(answer).decode().rstrip()
    if text.isprintable():
        return text
    # JSON leaves some of what moves a terminal as it is; where it stands, it is within a text.
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(one: str) -> str:
    return "\\u007f" if one == "\x7f" else json.dumps(one)[1:-1]


def line(wave: WaveView) -> str:
    """A wave for people.

    Example:
        >>> from aether.console.protocol import WaveView
        >>> print(line(WaveView(1, 7, 0.0, "orders.created", 0.5, "shop", 2, "{'id': 7}"))[13:])
        #7 orders.created 0.50 from shop, 2 headers: {'id': 7}
    """
    parts = [_moment(wave.time), f"#{wave.sequence}", wave.channel, f"{wave.amplitude:.2f}"]
    if wave.source is not None:
        parts.append(f"from {wave.source}")
    headers = f", {wave.headers} header{'s' * (wave.headers != 1)}" if wave.headers else ""
    return printable(f"{' '.join(parts)}{headers}: {wave.payload}")


def _moment(seconds: float) -> str:
    try:
        clock = time.strftime("%H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        # A wave may be of any time; not every year is one of the calendar's.
        return f"{seconds:g} s"
    return f"{clock}.{int(seconds % 1 * 1000):03d}"
