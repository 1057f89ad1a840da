"""What the command writes, and where: results on standard output, progress and complaints on standard error.

A progress bar is drawn on standard error while it is a terminal and only then, so that logs and pipes hold none of it.
Text from files and names is never read as markup, and what would move the terminal is written out. Where the output is no
terminal its width is `PLAIN_WIDTH` columns, so that what a pipe, a log or a README gets does not depend on who wrote it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from aether._printable import printable

__all__ = ["PLAIN_WIDTH", "Screen", "duration", "reasons", "table"]

PLAIN_WIDTH = 100
"""Columns of a table where the output is no terminal."""

_MILLISECOND = 1e-3


class Screen:
    """The two streams of a command, and the bar while there is one."""

    def __init__(self, *, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self._out = _console(out or sys.stdout)
        self._err = _console(err or sys.stderr)

    def print(self, *parts: str | Table) -> None:
        """Write a result to standard output, a line or a table for each part."""
        for part in parts:
            _write(self._out, part)

    def print_now(self, line: str) -> None:
        """Write one line to standard output, and have it there at once, as whoever reads a pipe waits for it."""
        _write(self._out, line)
        self._out.file.flush()

    @contextmanager
    def live(self) -> Generator[Callable[[Sequence[str | Table]], None]]:
        """What is shown inside takes the place of what was shown before; where that is no terminal, it follows it."""
        if not self._out.is_terminal:
            yield lambda parts: self.print(*parts, "")
            return
        with Live(console=self._out, auto_refresh=False, vertical_overflow="crop") as live:

            def show(parts: Sequence[str | Table]) -> None:
                texts = (_text(part) if isinstance(part, str) else part for part in parts)
                live.update(Group(*texts), refresh=True)

            yield show

    def complain(self, line: str) -> None:
        """Write one line to standard error, above the bar if there is one."""
        _write(self._err, line)

    @contextmanager
    def progress(
        self, what: str, total: int | None, *, counted: bool = True
    ) -> Generator[Callable[[int], None]]:
        """A bar on standard error while the body runs.

        Args:
            what: what is being done.
            total: where the bar ends; None where nobody knows.
            counted: show the numbers, not only the share.

        Returns:
            What sets how far it is.
        """
        if not self._err.is_terminal:
            yield _ignore
            return
        share = MofNCompleteColumn() if counted else TaskProgressColumn()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            share,
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._err, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, text: Collection[str]) -> Table:
    """A table; the columns named in `text` hold words and may fold, the others hold figures."""
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        words = name in text
        made.add_column(
            Text(name), justify="left" if words else "right", no_wrap=not words, overflow="fold"
        )
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def reasons(dropped: Mapping[str, int]) -> str:
    """Why waves were missed, as `faintest 1,204, expired 3`."""
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(dropped.items()) if count)


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best: `840 µs`, `12.3 ms`, `2.10 s`."""
    if seconds < _MILLISECOND:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1.0:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"


def _console(stream: IO[str]) -> Console:
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        force_terminal=terminal,
        width=None if terminal else PLAIN_WIDTH,
    )


def _text(part: str) -> Text:
    """Lines that move nothing on a terminal."""
    return Text("\n".join(map(printable, part.split("\n"))))


def _write(console: Console, part: str | Table) -> None:
    if isinstance(part, str):
        console.print(_text(part), soft_wrap=True)
    elif console.is_terminal:
        console.print(part)
    else:
        # No blanks at the ends of lines in a log or a README.
        with console.capture() as rendered:
            console.print(part)
        lines = rendered.get().splitlines()
        console.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def _ignore(_done: int) -> None:
    """Progress that nobody looks at."""
