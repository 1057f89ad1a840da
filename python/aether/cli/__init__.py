"""The console command `aether`: replay an event history through a medium, and ask a medium who would be reached.

`main` is the entry point. Whatever happens it returns a status and has said why in one line on standard error: a
failure of the work is 1, a wrong call 2, Ctrl-C 130, and there is never a traceback for what a person at a terminal
can cause. A pipe that its reader closed ends the command with status 1 and without a word, as Unix tools do.

Nothing heavy is imported before it is known to be needed: `aether --version` loads neither the command line library
nor the medium's configuration.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

__all__ = ["main"]

_INTERRUPTED = 130
"""What shells give to a command that Ctrl-C ended: 128 and the number of the signal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what follows the command's name; the process's own by default.

    Returns:
        The exit status.
    """
    _open_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    told = False
    try:
        status = _run(given)
    except BaseException as error:  # noqa: BLE001 - one place decides how the process ends
        status = _explain_end(error)
        told = True
    status = _flush(status, told=told)
    if status == _INTERRUPTED and _is_waited_for():
        # A read of a pipe cannot be called back: the interpreter would wait for it, for ever perhaps.
        os._exit(status)
    return status


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from .version import version_line

        print(version_line())
        return 0
    from .app import app
    from .errors import FAILED

    code: object = None
    try:
        app(args=arguments, prog_name="aether")
    except SystemExit as end:
        code = end.code
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    return 0 if code is None else code if isinstance(code, int) else FAILED


def _explain_end(error: BaseException) -> int:
    """The status for what went wrong, after one line about it; an error of ours goes on as it is."""
    from .errors import FAILED, CliError, leaves

    found = list(leaves(error))
    for one in found:
        if isinstance(one, KeyboardInterrupt):
            return _say("interrupted", _INTERRUPTED)
    for one in found:
        if isinstance(one, BrokenPipeError):
            return FAILED
        if isinstance(one, SystemExit):
            return one.code if isinstance(one.code, int) else FAILED
        if isinstance(one, CliError):
            return _say(str(one), one.status)
        if isinstance(one, OSError):
            return _say(f"{one.strerror or one}", FAILED)
    raise error


def _is_waited_for() -> bool:
    """Whether threads are left that the interpreter waits for as it ends."""
    threads = threading.enumerate()
    return any(not one.daemon and one is not threading.main_thread() for one in threads)


def _say(line: str, status: int) -> int:
    with suppress(OSError):
        print(f"aether: {line}", file=sys.stderr)
    return status


def _open_streams() -> None:
    """Streams that are there and take any text: a closed one becomes the null device, odd characters are escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flush(status: int, *, told: bool) -> int:
    """Write out what is left; a reader who went away must not cost a traceback while the interpreter closes.

    Where it was told already how it ended, a device that is still full adds nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            if not told and not isinstance(error, BrokenPipeError):
                _say(f"cannot write the output: {error.strerror}", 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            status = status or 1
    return status
