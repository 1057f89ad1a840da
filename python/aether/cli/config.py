"""`aether config`: what a configuration is and where each of its values comes from, or all that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import Screen, table
from .errors import FAILED, CliError

if TYPE_CHECKING:
    from aether.config import AetherConfig
    from aether.config.files import ConfigFiles, Layered

__all__ = ["commands"]

_HERE = Path()

commands = typer.Typer(
    name="config",
    help="The layers of a configuration: defaults, aether.toml, aether.<environment>.toml, AETHER_* variables.",
    short_help="Show a configuration with its layers, or check it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Where aether.toml is.", show_default="this one")
]
Environment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        help="Which aether.NAME.toml counts above aether.toml; otherwise what AETHER_ENV says.",
        show_default=False,
    ),
]


@commands.command(short_help="Every value, and where it comes from.")
def show(folder: Folder = _HERE, environment: Environment = None) -> None:
    """Print every value with the file and line, or the variable, that it comes from.

    What is secret is shown as stars. Where something is wrong, that is what is printed, as `check` does.
    """
    from aether.config.described import described

    files = _files(folder, environment)
    layered = _read(files)
    rows = [
        (".".join(map(str, key)), value, layered.origin_of(key))
        for key, value in described(layered.config)
    ]
    screen = Screen()
    screen.print(_looked_for(files))
    columns = ("field", "value", "from")
    screen.print(table(columns, rows, text=columns))


@commands.command(short_help="All that is wrong, at once; status 1 if anything is.")
def check(folder: Folder = _HERE, environment: Environment = None) -> None:
    """Say all that is wrong, each mistake with its file and line, or its variable.

    Nothing but the files and the variables is looked at. With a mistake, it ends with status 1.
    """
    files = _files(folder, environment)
    _read(files)
    Screen().print(_looked_for(files), "no mistakes")


def _files(folder: Path, environment: str | None) -> ConfigFiles[AetherConfig]:
    from aether.config import AetherConfig
    from aether.config.files import ConfigFiles

    if not folder.is_dir():
        # A medium may begin without it; whoever asks has another one in mind.
        message = f"there is no folder {folder}: name the one where aether.toml is"
        raise CliError(message)
    return ConfigFiles(AetherConfig, folder, environment=environment)


def _read(files: ConfigFiles[AetherConfig]) -> Layered[AetherConfig]:
    from aether.errors import ConfigError

    try:
        return files.read()
    except ConfigError as error:
        Screen().complain(str(error))
        raise typer.Exit(FAILED) from None


def _looked_for(files: ConfigFiles[AetherConfig]) -> str:
    told = (
        files.shown(path) if path.exists() else f"{files.shown(path)} (not there)"
        for path in files.files
    )
    return f"files: {', '.join(told)}"
