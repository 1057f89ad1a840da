"""`aether replay --diff`: what has changed between a record and another one, or what a program makes of it now.

The program is named as `module:function`. The function is called with a medium on a virtual clock and sets up what is under test;
an async one may go on, and is cancelled at the end. Modules are found from the working folder too. Status 0: no difference.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from .backend import run
from .choices import Backend
from .console import Screen
from .errors import MISUSED, CliError, SourceError, leaves, one_line

if TYPE_CHECKING:
    from aether.testing import Diff, Record, Rerun

__all__ = ["compare"]


def compare(
    screen: Screen,
    file: str,
    again: str | None,
    *,
    app: str | None = None,
    inputs: Sequence[str] = (),
    ignore: Sequence[str] = (),
    order: bool = True,
    backend: Backend = "asyncio",
) -> bool:
    """Shows the differences on standard output, what makes them prove less on standard error; gives whether there are any.

    Args:
        screen: Where to.
        file: The record.
        again: The other one.
        app: The program that is to make it, as `module:function`.
        inputs: Patterns of the channels that are put in; by default waves that nothing has led to.
        ignore: Names of fields, headers and keys that are not compared.
        order: Whether the order counts.
        backend: The loop of the program.

    Raises:
        CliError: The program cannot be set up, or does not come to an end; what is to be compared was named wrongly.
        SourceError: A file cannot be read, or has a line that is no wave.
    """
    if (again is None) == (app is None):
        raise CliError(
            "--diff: name what to compare with, a second FILE or --app module:function, one of them",
            status=MISUSED,
        )
    if inputs and app is None:
        raise CliError("--input: goes with --app, as two files are compared whole", status=MISUSED)
    before = _load(file)
    found = (
        _of_files(screen, before, file, _load(again), again, ignore, order=order)
        if again is not None
        else _of_program(screen, before, app or "", inputs, backend).diff(
            ignore=ignore, order=order
        )
    )
    for change in found:
        screen.print(str(change))
    screen.print(found.summary())
    return bool(found)


def _of_files(
    screen: Screen,
    before: Record,
    file: str,
    after: Record,
    again: str,
    ignore: Sequence[str],
    *,
    order: bool,
) -> Diff:
    from aether.testing import diff

    for name, one in ((file, before), (again, after)):
        if not len(one):
            screen.complain(f"! {name}: has no waves")
        if one.missed:
            screen.complain(f"! {name}: {one.missed:,} waves are missing, as they came too fast")
        if not one.complete:
            screen.complain(f"! {name}: was cut off before its end")
    return diff(before, after, ignore=ignore, order=order)


def _of_program(
    screen: Screen, before: Record, app: str, inputs: Sequence[str], backend: Backend
) -> Rerun:
    from aether import ChannelError

    build = _found(app)
    try:
        done = run(lambda: _rerun(app, build, before, inputs or None), backend)
    except Exception as error:
        # Task groups wrap what is to be told.
        for one in leaves(error):
            if isinstance(one, CliError):
                raise one from None
            if isinstance(one, ChannelError):
                raise CliError(f"--input: {one}", status=MISUSED) from None
        raise
    for note in done.notes:
        screen.complain(f"! {note}")
    return done


async def _rerun(
    app: str, build: Callable[[Any], Any], before: Record, inputs: Sequence[str] | None
) -> Rerun:
    from aether import ChannelError
    from aether.testing import VirtualAether, rerun

    medium = VirtualAether(start=min((one.ts for one in before), default=0.0))

    async def go_on(made: Any) -> None:
        try:
            await made
        except Exception as error:  # noqa: BLE001 - whatever the program raises
            raise _failed(app, error) from None

    try:
        made = build(medium)
    except Exception as error:  # noqa: BLE001 - whatever the program raises
        raise _failed(app, error) from None
    found: list[Rerun] = []
    async with anyio.create_task_group() as tasks:
        async with medium:
            if inspect.isawaitable(made):
                tasks.start_soon(go_on, made)
            await medium.clock.advance(0)
            try:
                found.append(await rerun(medium, before, inputs=inputs))
            except ChannelError:
                raise
            except (RuntimeError, TimeoutError, ValueError) as error:
                raise CliError(f"--app {app}: {error}") from None
        # Readers have got the end by now; whoever waits for something else is ended.
        await medium.clock.advance(0)
        tasks.cancel_scope.cancel()
    return found[0]


def _found(app: str) -> Callable[[Any], Any]:
    """The function that a name stands for.

    Raises:
        CliError: There is none.
    """
    module, _, name = app.partition(":")
    if not module or not name:
        raise CliError(
            f"--app {app}: must be module:function, such as shop.main:build", status=MISUSED
        )
    here = os.getcwd()  # noqa: PTH109 - as `python -m` has it
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise CliError(
                f"--app {app}: there is no module {error.name!r} in {here}, nor is it installed",
                status=MISUSED,
            ) from None
        raise _failed(app, error) from None
    except Exception as error:  # noqa: BLE001 - whatever the module raises
        raise _failed(app, error) from None
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        what = "has no" if found is None else "cannot be called:"
        raise CliError(
            f"--app {app}: the module {what} {name}; name a function that takes the medium",
            status=MISUSED,
        )
    return found  # type: ignore[no-any-return]


def _failed(app: str, error: BaseException) -> CliError:
    """What the program has raised, with the place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    said = one_line(str(error))
    return CliError(f"--app {app}: {type(error).__name__}{place}{f': {said}' if said else ''}")


def _load(file: str) -> Record:
    from aether.testing import load

    try:
        return load(file)
    except FileNotFoundError:
        raise SourceError(f"{file}: no such file") from None
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror or error}") from None
    except ValueError as error:
        raise SourceError(str(error)) from None
