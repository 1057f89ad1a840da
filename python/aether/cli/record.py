"""`aether record`: the waves of a running process as they pass, with all that they carry, in a file.

Ctrl-C, and SIGTERM, are how it ends: with status 0, and one line. Where waves came too fast to be recorded they are counted, in
the file too, and the status is 1.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from aether.console.protocol import Begun, Missed, Record, Recorded
from aether.records.files import RecordFile

from .console import Screen
from .errors import FAILED, MISUSED, CliError
from .seen import asked, end_of

__all__ = ["record"]

_LOOK = 0.1
"""Seconds after which it is seen that a signal has come."""


def record(
    screen: Screen,
    target: Path,
    pattern: str = "*",
    *,
    path: Path | None = None,
    pid: int | None = None,
    count: int | None = None,
    force: bool = False,
) -> int:
    """Records until a signal comes, so many waves have passed, or the process has ended; gives the status.

    Args:
        screen: Where is said what was done.
        target: The file.
        pattern: Which waves.
        path: The socket; by default the only one there is.
        pid: That of this process.
        count: How many waves; by default all.
        force: Whether a file that is there is written over.

    Raises:
        CliError: There is nobody to ask, or the pattern is none; the file is there, or cannot be written; or the process has let
            go of this command.
    """
    _check(target, pattern, force=force)
    with _told_to_end() as is_told, asked(Record(pattern), path, pid, _LOOK) as (hello, answers):
        try:
            with RecordFile(
                target, pattern, time.time(), program=hello.program, replace=force
            ) as file:
                ended = True
                for answer in answers:
                    if isinstance(answer, Begun):
                        screen.complain(
                            f"recording {hello.program}, process {hello.pid}; Ctrl-C ends it"
                        )
                    elif isinstance(answer, Recorded):
                        file.write([bytes(answer.line)])
                    elif isinstance(answer, Missed):
                        file.miss(answer.count)
                    if is_told() or file.waves == count:
                        ended = False
                        break
                why = f"; {end_of(hello, path)}" if ended else ""
                file.end(time.time())
        except FileExistsError:
            raise _there(target) from None
        except OSError as error:
            raise CliError(f"{target}: cannot be written: {error.strerror or error}") from None
    screen.print(f"{target}: {file.waves:,} wave{'' if file.waves == 1 else 's'}{why}")
    if not file.missed:
        return 0
    screen.complain(
        f"{target}: {file.missed:,} more came too fast and are missing; record fewer channels, or in the program with "
        "aether.testing.record"
    )
    return FAILED


def _check(target: Path, pattern: str, *, force: bool) -> None:
    """Whether it may begin, before anybody is asked."""
    from aether import ChannelError
    from aether._native import check_pattern

    try:
        check_pattern(pattern)
    except ChannelError as error:
        raise CliError(str(error), status=MISUSED) from None
    if target.is_dir():
        raise CliError(f"{target}: is a folder, not a file")
    if target.exists() and not force:
        raise _there(target)


def _there(target: Path) -> CliError:
    return CliError(f"{target}: is there already; name another file, or write over it with --force")


@contextmanager
def _told_to_end() -> Generator[Callable[[], bool]]:
    """Whether a signal to end has come; nothing is interrupted by it."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told.is_set
        return

    def tell(_number: int, _frame: object) -> None:
        told.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
