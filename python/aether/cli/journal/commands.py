"""The commands of `aether journal` and their options; each one imports what it needs when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["commands"]

commands = typer.Typer(
    name="journal",
    help="Look at a journal, the folder that waves were written to; or make one.",
    short_help="Look at a journal of waves, mend or make one.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Path = Annotated[str, typer.Argument(metavar="PATH", help="The folder of the journal.")]
Pattern = Annotated[
    str, typer.Option("--pattern", "-p", metavar="PATTERN", help="Only these channels.")
]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Made then or later: 2026-01-31T12:00 (UTC, or with a zone), Unix seconds, or 90s, 5m, 2h, 3d ago.",
        show_default=False,
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Made earlier than that.", show_default=False)
]
After = Annotated[
    int | None,
    typer.Option(min=0, metavar="SEQUENCE", help="With sequences above this.", show_default=False),
]
Before = Annotated[
    int | None,
    typer.Option(min=0, metavar="SEQUENCE", help="With sequences below this.", show_default=False),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", "-n", min=0, metavar="WAVES", help="So many.", show_default=False),
]
Amplitude = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", help="So loud or louder, 0 to 1.", show_default=False),
]
Source = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Emitted by a vibrator of this name.", show_default=False),
]
Header = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=TEXT", help="With this header; may be given again.", show_default=False
    ),
]


@commands.command(short_help="Say what a journal holds: segments, waves, times, cursors.")
def info(path: Path) -> None:
    """Say what a journal holds: its segments, waves, times, sizes and cursors."""
    from ..console import Screen
    from .info import info as describe

    describe(Screen(), path)


@commands.command(short_help="Check every byte; name what is damaged. Status 1 if something is.")
def verify(path: Path) -> None:
    """Check every byte of a journal and name each range that is damaged, and the waves that are missing for it.

    Status 1 if something is damaged or missing. A write that was cut off at the very end is told, and is no damage: no
    wave of it was acknowledged.
    """
    from ..console import Screen
    from .verify import verify as check

    if not check(Screen(), path):
        raise typer.Exit(1)


@commands.command(short_help="Write a sound copy of a damaged journal.")
def repair(
    path: Path,
    copy: Annotated[
        str, typer.Argument(metavar="COPY", help="The folder of the copy: new or empty.")
    ],
) -> None:
    """Write a sound copy of a journal that was damaged; the original is not changed.

    The copy has every wave that can be read, with its sequence. What is missing in the original is missing there too,
    and is told to whoever reads it.
    """
    from ..console import Screen
    from .verify import repair as mend

    mend(Screen(), path, copy)


@commands.command(short_help="Take out waves that nobody needs, by limits.")
def prune(
    path: Path,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--pattern",
            "-p",
            metavar="PATTERN",
            help="Only of these channels, wave by wave; without it, of all together, by whole segments.",
            show_default=False,
        ),
    ] = None,
    max_age: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="What is older goes: 90s, 5m, 2h, 7d, 4w.", show_default=False
        ),
    ] = None,
    max_bytes: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="So much stays, the newest: 500MB, 1GiB.", show_default=False
        ),
    ] = None,
    max_count: Annotated[
        int | None,
        typer.Option(min=0, metavar="WAVES", help="So many stay, the newest.", show_default=False),
    ] = None,
    keep_last: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="WAVES", help="So many of each channel stay.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go; also while it is written.")
    ] = False,
    past_cursors: Annotated[
        bool,
        typer.Option(
            "--past-cursors", help="Also what durable cursors have still to come to may go."
        ),
    ] = False,
) -> None:
    """Take out the waves of a journal that are beyond a limit. The segment that was written last stays as it is.

    Nobody else may write to the journal meanwhile: a program that has it open prunes it itself. Readers are not
    disturbed.
    """
    from ..console import Screen
    from .pruning import Limits, prune as take_out

    limits = Limits(pattern, max_age, max_bytes, max_count, keep_last)
    take_out(Screen(), path, limits, dry_run=dry_run, past_cursors=past_cursors)


@commands.command(short_help="Copy a journal, also while it is written.")
def backup(
    path: Path,
    into: Annotated[
        str, typer.Argument(metavar="INTO", help="The folder of the copy: new or empty.")
    ],
) -> None:
    """Copy a journal with all that is in it, also while a program writes to it.

    The copy is the same journal: it can be read, and gone on with. It is there when it is complete.
    """
    from ..console import Screen
    from .pruning import backup as copy

    copy(Screen(), path, into)


@commands.command(short_help="Print the waves of a journal.")
def replay(
    path: Path,
    pattern: Pattern = "*",
    since: Since = None,
    until: Until = None,
    after: After = None,
    before: Before = None,
    limit: Limit = None,
    amplitude: Amplitude = None,
    source: Source = None,
    header: Header = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="The last one first; --limit counts from it.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="All fields, as the JSON lines of export.")
    ] = False,
) -> None:
    """Print the waves of a journal, one a line, in the order of their sequences, or from the last to the first.

    What cannot be read is told at the end, on standard error; status 1 if waves are missing for it.
    """
    from ..console import Screen
    from .lines import show
    from .reading import Asked

    asked = Asked(
        path,
        pattern,
        since,
        until,
        after,
        before,
        limit,
        amplitude,
        source,
        header or [],
        reverse=reverse,
    )
    if not show(Screen(), asked, json=json):
        raise typer.Exit(1)


@commands.command(name="import", short_help="Make a journal of JSON lines.")
def import_(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The new folder.")],
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="JSON lines as export writes them, also .gz; - for stdin."
        ),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad line, with status 1.")
    ] = False,
) -> None:
    """Make a new journal of JSON lines: those of export, or any of {"ts", "channel", "payload"}.

    The waves keep what the lines say of them, but the sequences, which are given anew, from 1. Bad lines are reported
    with their number and skipped. The folder is there when it is complete.
    """
    from ..console import Screen
    from .intake import import_lines

    import_lines(Screen(), path, file, strict=strict)


@commands.command(short_help="Write the waves of a journal as JSON lines.")
def export(
    path: Path,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where to, .gz to compress; - for stdout."
        ),
    ] = "-",
    pattern: Pattern = "*",
    since: Since = None,
    until: Until = None,
    after: After = None,
    before: Before = None,
    limit: Limit = None,
    amplitude: Amplitude = None,
    source: Source = None,
    header: Header = None,
) -> None:
    """Write the waves of a journal as JSON lines with all of their fields, which `aether replay FILE` reads too.

    A payload that JSON cannot carry as it is stands there in base64 as well. The file is there when it is complete, and
    takes the place of an older one. Status 1 if waves are missing because they cannot be read.
    """
    from ..console import Screen
    from .lines import export as write
    from .reading import Asked

    asked = Asked(
        path, pattern, since, until, after, before, limit, amplitude, source, header or []
    )
    if not write(Screen(), asked, out):
        raise typer.Exit(1)
