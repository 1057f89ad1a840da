"""A picture of an event file: every event is emitted once on a medium, whose field is drawn.

The times are those of the file, not of the replay, and every event is as loud as the next. Bad lines are handed to
`on_fault` and skipped. Of a file with more events than a field can hold (`MAX_EVENTS`), the last are drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import MISUSED, CliError
from .events import EventReader, Fault

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aether import Aether
    from aether.physics import Field

__all__ = ["MAX_EVENTS", "checked_target", "fill", "open_field", "picture", "save"]

MAX_EVENTS = 1 << 24
"""How many events a picture is drawn of."""


def open_field(medium: Aether, pattern: str) -> Field:
    """The field that is drawn.

    Raises:
        CliError: the pattern is none.
    """
    from aether import ChannelError

    try:
        return medium.field(pattern, MAX_EVENTS)
    except ChannelError as error:
        raise CliError(f"--pattern: {error}", status=MISUSED) from None


def checked_target(out: str) -> Path:
    """Where the picture goes, and that it can be drawn, before the work begins.

    Raises:
        CliError: no picture of that kind can be written there, or matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise CliError(
            "a picture needs matplotlib: pip install 'aether-medium[plot]'", status=MISUSED
        ) from None
    target = Path(out)
    kinds = sorted(FigureCanvasAgg.get_supported_filetypes())
    if target.suffix.lower().removeprefix(".") not in kinds:
        raise CliError(
            f"--out: {out!r} is no picture; end it in one of .{', .'.join(kinds)}", status=MISUSED
        )
    if not target.absolute().parent.is_dir():
        raise CliError(f"--out: there is no folder {str(target.parent)!r}; make it first")
    return target


async def fill(
    medium: Aether,
    reader: EventReader,
    on_fault: Callable[[Fault], None],
    on_progress: Callable[[int], None],
) -> tuple[int, int]:
    """Emits every event of `reader`; how many there were, and how many bad lines."""
    from aether import Wave

    events = faults = 0
    while (items := reader.read()) is not None:
        for item in items:
            if isinstance(item, Fault):
                faults += 1
                on_fault(item)
            else:
                events += 1
                await medium.emit(Wave(item.channel, timestamp=item.ts))
        on_progress(reader.position)
    return events, faults


def picture(field: Field, title: str, *, spectrum: bool) -> Figure:
    """The waterfall of a field, and below it the spectrum of its loudest channel."""
    from aether.physics import plot

    if not spectrum:
        return field.plot(title=title)
    columns = field.columns()
    heights = plot.height_of(columns, 40), 3.0
    figure = plot.new_figure(11.0, sum(heights))
    above, below = figure.subplots(2, height_ratios=heights)
    plot.draw_waterfall(above, columns)
    above.set_title(plot.plain(title), loc="left", fontsize=11)
    name, timestamps = plot.of_channel(columns, None)
    plot.draw_spectrum(below, timestamps, name)
    return figure


def save(figure: Figure, target: Path) -> None:
    """Writes the picture.

    Raises:
        CliError: the file cannot be written.
    """
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        try:
            figure.savefig(target)  # pyright: ignore[reportUnknownMemberType] - its keywords are untyped
        except OSError as error:
            raise CliError(
                f"--out: {str(target)!r} cannot be written: {error.strerror or error}"
            ) from None
