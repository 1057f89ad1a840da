"""`aether dead`: the dead letters of a journal: list them, emit them anew, or want nothing more of them.

`list` changes nothing, also while a process writes to the journal. `retry` and `drop` write to it, so that no other process may
have it open. Payloads stay as they are written, whatever codec they need. A letter that there is not, or that was decided
about, is one line and status 1; the others are done all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether import Channel, Wave
    from aether.journal import DeadLetters

__all__ = ["commands"]

commands = typer.Typer(
    name="dead",
    help="The dead letters of a journal: waves that have failed for good.",
    short_help="List dead letters of a journal, retry or drop them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SHOWN = 80

Path = Annotated[str, typer.Argument(metavar="PATH", help="The folder of the journal.")]
Sequences = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="SEQUENCE", help="Which letters, as `list` names them.", show_default=False
    ),
]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]
Pattern = Annotated[
    str, typer.Option("--pattern", "-p", metavar="PATTERN", help="Only from these channels.")
]


@commands.command("list", short_help="List what has failed for good.")
def list_(path: Path, pattern: Pattern = "*") -> None:
    """List the dead letters that nobody has decided about: sequence, time, channel, how it failed, and the payload."""
    from .console import Screen

    screen = Screen()
    for letter in _letters(path, pattern):
        screen.print(_line(letter))


@commands.command(short_help="Emit them anew on the channels that they came from.")
def retry(
    path: Path, letters: Sequences = None, every: Every = False, pattern: Pattern = "*"
) -> None:
    """Write the waves of these letters to the journal anew, on the channels that they came from.

    Whoever resonates there by a durable cursor gets them when the program is started next.
    """
    _decide(path, letters, pattern, "retried", lambda dead, one: dead.retry(one), every=every)


@commands.command(short_help="Want nothing more of them.")
def drop(
    path: Path, letters: Sequences = None, every: Every = False, pattern: Pattern = "*"
) -> None:
    """Want nothing more of these letters: they stay in the journal, and are listed no more."""
    _decide(path, letters, pattern, "dropped", lambda dead, one: dead.drop(one), every=every)


def _letters(path: str, pattern: str) -> list[Wave[Any]]:
    from aether import JournalError
    from aether.journal import Journal, open_letters

    from .errors import CliError

    _checked(path, pattern)
    try:
        return open_letters(Journal.as_written(path), pattern)
    except JournalError as error:
        raise CliError(str(error)) from None


def _checked(path: str, pattern: str) -> Channel:
    from aether import Channel, ChannelError

    from .errors import MISUSED, CliError
    from .journal.reading import segment_files

    segment_files(path)
    try:
        return Channel(pattern)
    except ChannelError as error:
        raise CliError(f"--pattern: {error}", status=MISUSED) from None


def _decide(
    path: str,
    letters: list[int] | None,
    pattern: str,
    done: str,
    decide: Callable[[DeadLetters, int], None],
    *,
    every: bool,
) -> None:
    from aether import JournalError, PayloadError
    from aether.journal import DeadLetters, Journal
    from aether.journal.letters import origin

    from .console import Screen
    from .errors import MISUSED, CliError

    if bool(letters) == every:
        raise CliError("name the letters by their sequences, or give --all", status=MISUSED)
    screen, failed, count = Screen(), False, 0
    wanted = _checked(path, pattern)
    try:
        # Read once: what is missing in the journal is told at each reading.
        with DeadLetters.deciding(Journal.as_written(path)) as dead:
            chosen = {one.sequence or 0 for one in dead if wanted.covers(origin(one))}
            for sequence in letters or sorted(chosen):
                if sequence not in chosen or sequence not in dead:
                    screen.complain(
                        f"no dead letter {sequence} is open; 'aether dead list {path}' shows those that are"
                    )
                    failed = True
                    continue
                try:
                    decide(dead, sequence)
                except PayloadError as error:
                    screen.complain(f"letter {sequence}: {error}")
                    failed = True
                    continue
                count += 1
    except JournalError as error:
        raise CliError(str(error)) from None
    screen.print(f"{count:,} {done}")
    if failed:
        raise typer.Exit(1)


def _line(letter: Wave[Any]) -> str:
    from aether.journal.letters import origin

    from .journal.reading import utc

    headers = letter.headers
    why = headers.get("aether-error") or headers.get("aether-reason", "?")
    tries = headers.get("aether-attempts") or headers.get("aether-deliveries", "?")
    return (
        f"{letter.sequence}  {utc(letter.timestamp)}  {origin(letter)}  after {tries}: {why}  "
        f"{_shown(letter.payload)}"
    )


def _shown(payload: Any) -> str:
    from aether import PayloadError
    from aether.console.payloads import short
    from aether.journal.codecs import Codecs, Encoded

    from .journal.reading import many

    if not isinstance(payload, Encoded):
        return short(payload, _SHOWN)
    try:
        return short(Codecs().decode(*payload), _SHOWN)
    except PayloadError:
        return f"<{many(len(payload.data), 'byte')} of codec {payload.tag}>"
