"""The commands of `aether` and their options; each one imports what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .choices import Backend, Overflow
from .config import commands as config_commands
from .dead import commands as dead_commands
from .journal import commands as journal_commands

__all__ = ["app"]

app = typer.Typer(
    name="aether",
    help="An in-process medium for asynchronous messages.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(config_commands)
app.add_typer(dead_commands)
app.add_typer(journal_commands)

SocketOption = Annotated[
    Path | None,
    typer.Option("--socket", metavar="PATH", help="The socket of the process.", show_default=False),
]
PidOption = Annotated[
    int | None,
    typer.Option("--pid", metavar="NUMBER", help="The process, if there are several."),
]
ConsoleOption = Annotated[
    bool, typer.Option("--console", help="Let aether top and aether tap look on.")
]
BackendOption = Annotated[
    Backend,
    typer.Option("--backend", metavar="LOOP", help="The event loop: asyncio, uvloop or trio."),
]

MetricsOption = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65535,
        metavar="PORT",
        help="Serve metrics for Prometheus there meanwhile, on 127.0.0.1; 0: at a free port.",
        show_default=False,
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from .version import version_line

        typer.echo(version_line())
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """An in-process medium for asynchronous messages."""


@app.command(short_help="Replay a real history beside plain queues; check the sums.")
def demo(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE", help="Another history of the same form.", show_default=False
        ),
    ] = None,
    console: ConsoleOption = False,
    backend: BackendOption = "asyncio",
    metrics_port: MetricsOption = None,
) -> None:
    """Replay ten years of a project's history through one medium.

    Eight vibrators do honest work on it; hand-written asyncio queues do the same work beside them. At the end the
    sums are checked, and a mismatch ends with status 1.
    """
    from .console import Screen
    from .demo import run_demo
    from .shown import shown

    with shown(console) as config:
        if not run_demo(Screen(), file, backend, metrics_port, config):
            raise typer.Exit(1)


@app.command(short_help="Replay an event file; show where its events went.")
def replay(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help='JSON lines of {"ts", "channel", "payload"}, also .gz; - for stdin.',
        ),
    ],
    speed: Annotated[
        str, typer.Option(metavar="max|NUMBER", help="max, or a multiple of real time such as 2.5.")
    ] = "max",
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad line, with status 1.")
    ] = False,
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            "--pattern",
            "-p",
            metavar="PATTERN",
            help="A vibrator on this pattern, all by default; repeatable.",
            show_default=False,
        ),
    ] = None,
    overflow: Annotated[
        Overflow,
        typer.Option(
            metavar="POLICY",
            help=(
                "What a full mailbox does: block makes the replay wait; drop_oldest, drop_newest or "
                "drop_faintest lets that wave go; conflate keeps only the last of each channel."
            ),
        ),
    ] = "block",
    buffer_size: Annotated[
        int | None, typer.Option(min=1, metavar="WAVES", help="How many a mailbox holds.")
    ] = None,
    again: Annotated[
        str | None,
        typer.Argument(
            metavar="AGAIN", help="With --diff, another record of the same.", show_default=False
        ),
    ] = None,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff", help="Show what has changed, in AGAIN or in what --app makes of it now."
        ),
    ] = False,
    app_name: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="MODULE:FUNCTION",
            help="With --diff, what sets up the program under test: called with its medium.",
            show_default=False,
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="PATTERN",
            help="With --app, what is put in; by default waves without a cause; repeatable.",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="NAME",
            help="With --diff, a key, header or field that is not compared; repeatable.",
            show_default=False,
        ),
    ] = None,
    any_order: Annotated[
        bool, typer.Option("--any-order", help="With --diff, moved waves are no difference.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FOLDER",
            help="Write each event there first; what is there already is passed over.",
            show_default=False,
        ),
    ] = None,
    console: ConsoleOption = False,
    backend: BackendOption = "asyncio",
    metrics_port: MetricsOption = None,
) -> None:
    """Replay an event file through a medium and show where its events went.

    Bad lines are reported with their number, counted and skipped. A file of nothing else ends with status 1. With
    --journal, a replay that was ended, even by a loss of power, goes on where it was when it is started again.

    With --diff, a record is compared: with another one, or with what the program of --app makes of its inputs, on a virtual
    clock. Status 0: nothing has changed; 1: something has.
    """
    if diff:
        from .compare import compare
        from .console import Screen

        if compare(
            Screen(),
            file,
            again,
            app=app_name,
            inputs=inputs or (),
            ignore=ignore or (),
            order=not any_order,
            backend=backend,
        ):
            raise typer.Exit(1)
        return
    if again is not None or app_name is not None or inputs or ignore or any_order:
        from .errors import MISUSED, CliError

        raise CliError(
            "AGAIN, --app, --input, --ignore and --any-order: go with --diff", status=MISUSED
        )
    from .backend import run
    from .console import Screen
    from .errors import CliError
    from .events import EventReader
    from .metrics import serving
    from .pacing import parse_speed
    from .replay import replay as replay_file
    from .shown import shown
    from .summary import tables

    multiple, screen = parse_speed(speed), Screen()
    patterns = list(dict.fromkeys(pattern or ["*"]))
    with (
        shown(console) as config,
        EventReader(file) as reader,
        serving(metrics_port, screen) as server,
        screen.progress(f"replaying {reader.name}", reader.size, counted=False) as tick,
    ):
        done = run(
            lambda: replay_file(
                reader,
                patterns=patterns,
                speed=multiple,
                overflow=overflow,
                buffer_size=buffer_size,
                strict=strict,
                journal=journal,
                config=config,
                server=server,
                on_fault=lambda fault: screen.complain(f"line {fault.line}: {fault.reason}"),
                on_progress=tick,
            ),
            backend,
        )
    if done.faults and not done.events and not done.known:
        raise CliError(
            f"{reader.name}: none of its lines is an event ({done.faults:,} bad); each is an object with "
            "ts, channel and payload"
        )
    screen.print(*tables(done))


@app.command(short_help="Show what a running process does, once a second.")
def top(
    socket: SocketOption = None,
    pid: PidOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="One screen as text, of half a second.")
    ] = False,
) -> None:
    """Show the media of a running process: vibrators, handlers, rates, health and resources.

    It is found by itself where it has a medium with a console: Aether(AetherConfig(console=ConsoleConfig())).
    """
    from .console import Screen
    from .top import top as show

    show(Screen(), path=socket, pid=pid, once=once)


@app.command(short_help="Print the waves of a running process as they pass.")
def tap(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Which waves; quote it in a shell.")
    ],
    socket: SocketOption = None,
    pid: PidOption = None,
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=1, metavar="NUMBER", help="How many; then end."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Print the waves of a running process as they pass.

    The process is never slowed down for it: what passes faster than some thousands a second is not shown, and counted.
    """
    from .console import Screen
    from .tap import tap as show

    show(Screen(), pattern, path=socket, pid=pid, count=count, as_json=as_json)


@app.command(short_help="Record the waves of a running process to a file.")
def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to, as lines of JSON.")],
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Which waves; quote it in a shell.")
    ] = "*",
    socket: SocketOption = None,
    pid: PidOption = None,
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=1, metavar="NUMBER", help="How many; then end."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Record the waves of a running process with all that they carry, until Ctrl-C, for aether replay.

    The process is never slowed down for it: what passes faster than some thousands a second is missing, and counted; then the
    status is 1.
    """
    from .console import Screen
    from .record import record as write

    status = write(Screen(), file, pattern, path=socket, pid=pid, count=count, force=force)
    if status:
        raise typer.Exit(status)


@app.command(short_help="Draw an event file: channels, time and how loud it was.")
def waterfall(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help='JSON lines of {"ts", "channel", "payload"}, also .gz; - for stdin.',
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="PICTURE", help="Where to: .png, .svg, .pdf.")
    ],
    pattern: Annotated[
        str, typer.Option("--pattern", "-p", metavar="PATTERN", help="Only these channels.")
    ] = "*",
    spectrum: Annotated[
        bool, typer.Option("--spectrum", help="Below it, the rhythms of the loudest channel.")
    ] = False,
) -> None:
    """Draw the events of a file: a row for each channel, time from left to right, colour for how many.

    Needs matplotlib: pip install 'aether-medium[plot]'. Bad lines are reported with their number and skipped.
    """
    from aether import Aether

    from .backend import run
    from .console import Screen
    from .errors import CliError
    from .events import EventReader
    from .waterfall import checked_target, fill, open_field, picture, save

    target, screen, medium = checked_target(out), Screen(), Aether()
    field = open_field(medium, pattern)
    with (
        EventReader(file) as reader,
        screen.progress(f"reading {reader.name}", reader.size, counted=False) as tick,
    ):
        name = reader.name
        events, faults = run(
            lambda: fill(
                medium,
                reader,
                lambda fault: screen.complain(f"line {fault.line}: {fault.reason}"),
                tick,
            ),
            "asyncio",
        )
    if not field.recorded:
        raise CliError(
            f"{name}: no event to draw on {pattern!r} ({events:,} events, {faults:,} bad lines)"
        )
    title = f"{Path(name).name}, {pattern}: {len(field):,} events"
    save(picture(field, title, spectrum=spectrum), target)
    screen.print(f"{target}: {len(field):,} events of {len(field.energy()):,} channels")


@app.command(short_help="Say who would get a wave and, of all others, why not.")
def explain(
    channel: Annotated[
        str,
        typer.Argument(metavar="CHANNEL", help="The channel of the wave, such as orders.created."),
    ],
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATTERN",
            help="A vibrator for each; quote them in a shell.",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            "--pattern", "-p", metavar="PATTERN", help="The same, as an option.", show_default=False
        ),
    ] = None,
    amplitude: Annotated[
        float, typer.Option(metavar="NUMBER", help="How loud the wave is, 0 to 1.")
    ] = 1.0,
) -> None:
    """Say who would get a wave on CHANNEL and, of all others, why not."""
    from .explain import explain as explain_channel

    typer.echo(explain_channel(channel, [*(patterns or []), *(pattern or [])], amplitude))
