"""How the console command fails: one clear line, a status, and never a traceback.

`CliError` is what every part of the command raises for a failure that the person at the terminal can act on. Its text
is the line (no newline in it) that `aether.cli.main` prints after `aether: `, and `status` is what the process exits
with:

| status | meaning |
|---|---|
| 1 | the work failed: a file that cannot be read or has no event among its lines, sums that do not add up, `--strict` and a bad line, a closed pipe |
| 2 | the command was called wrongly: an unknown option, a name that is no channel |
| 130 | interrupted with Ctrl-C |
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["FAILED", "MISUSED", "CliError", "SourceError", "leaves", "one_line"]

FAILED = 1
MISUSED = 2


class CliError(Exception):
    """A failure to be told in one line.

    Args:
        message: what went wrong, with which value, and what to do; line breaks become spaces.
        status: the exit status of the process.
    """

    def __init__(self, message: str, *, status: int = FAILED) -> None:
        super().__init__(one_line(message))
        self.status = status


class SourceError(CliError):
    """An event file that cannot be opened or read on: missing, a folder, no gzip, cut short."""


def one_line(text: str) -> str:
    """`text` with every run of white space and control characters made one space."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors that `error` stands for: itself, or what its group holds, however deep.

    Task groups wrap what went wrong inside them; a person wants the cause, not the wrapping.
    """
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
