"""Pictures of a field: the waterfall (channels x time, colour = amplitude) and the spectrum of a channel.

Contract:
- A picture is a `matplotlib.figure.Figure` of its own: nothing of pyplot's global state is touched, no window
  opens. `figure.savefig("picture.png")` writes it; a notebook shows it.
- A waterfall has at most `channels` rows, the loudest channels at the top; the others are joined in the last.
- matplotlib is imported when the first picture is drawn.
"""

# matplotlib leaves its keywords untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from aether.physics.spectrum import spectrum

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from aether.physics._operands import Array
    from aether.physics.field import Columns

__all__ = [
    "Detected",
    "draw_spectrum",
    "draw_waterfall",
    "height_of",
    "new_figure",
    "of_channel",
    "plain",
]

# Cells of a waterfall in time.
_CELLS = 320

# Amplitudes that differ by more are shown on a logarithmic scale.
_WIDE_RANGE = 20.0

_DAY = 86_400.0

# The years that dates are written for.
_FIRST_DATE, _LAST_DATE = -62_135_596_800.0, 253_402_300_799.0

_UNITS = (
    (365.25 * _DAY, "y"),
    (_DAY, "d"),
    (3600.0, "h"),
    (60.0, "min"),
    (1.0, "s"),
    (1e-3, "ms"),
    (1e-6, "µs"),
)

_LONGEST_NAME = 44

# A spectrum of fewer waves says nothing.
_FEWEST = 8

# How far apart two periods are, by the logarithm of their ratio, so that both are named.
_APART = 0.12

_SILENCE = "#0a0722"
_INK = "#2b2b33"
_LINE = "#3b528b"
_CHANCE = "#b5179e"
_MARKS = (("o", "#4cc9f0"), ("s", "#80ffdb"), ("^", "#f9f871"), ("D", "#ff85c0"), ("v", "#ffffff"))


class Detected(Protocol):
    """What is marked in a waterfall: a `Detection`, or anything like it."""

    @property
    def pattern(self) -> Any:
        """What was found: its text is in the legend."""
        ...

    @property
    def channel(self) -> str:
        """Where."""
        ...

    @property
    def timestamp(self) -> float:
        """When, in Unix seconds."""
        ...


def new_figure(width: float, height: float) -> Figure:
    """An empty picture, in inches; `ImportError` says what to install.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        message = "a picture needs matplotlib: pip install 'aether-medium[plot]'"
        raise ImportError(message, name="matplotlib") from error
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def height_of(columns: Columns, channels: int) -> float:
    """How many inches a waterfall of so many channels needs."""
    return 1.7 + 0.22 * max(4, min(channels, len(columns.channels)))


def draw_waterfall(
    axes: Axes, columns: Columns, detections: Iterable[Detected] = (), *, channels: int = 40
) -> None:
    """Draws channels x time into `axes`; colour is the sum of the amplitudes in a cell.

    Args:
        axes: Where; its figure gets a colour bar.
        columns: What a field held.
        detections: What to mark; what lies outside the time shown, or on a channel that is not in it, is left out.
        channels: How many rows at most: 1 or more.

    Raises:
        ValueError: `channels` is below 1.
    """
    import numpy as np
    from matplotlib.colors import LogNorm, Normalize

    if channels < 1:
        message = f"channels must be 1 or more, not {channels}"
        raise ValueError(message)
    if not len(columns.timestamp):
        _say_empty(axes)
        return
    names, row_of, joined = _rows(columns, channels)
    edges = _edges(columns.timestamp)
    cells = np.searchsorted(edges, columns.timestamp, side="right") - 1
    np.clip(cells, 0, _CELLS - 1, out=cells)
    places = row_of[columns.channel] * _CELLS + cells
    summed = np.bincount(places, weights=columns.amplitude, minlength=len(names) * _CELLS)
    shown = np.ma.masked_less_equal(summed.reshape(len(names), _CELLS), 0.0)
    # What all the others are together is beyond the scale of one.
    own = shown[:-1] if joined else shown
    loudest = float(own.max()) if own.count() else 1.0
    faintest = float(own.min()) if own.count() else 1.0
    logarithmic = loudest > _WIDE_RANGE * faintest
    norm = LogNorm(faintest, loudest) if logarithmic else Normalize(0.0, loudest)
    dated = edges[0] >= _FIRST_DATE and edges[-1] <= _LAST_DATE
    scale = _DAY if dated else 1.0
    mesh = axes.pcolormesh(
        edges / scale, np.arange(len(names) + 1), shown, cmap=_colours(), norm=norm, rasterized=True
    )
    axes.hlines(np.arange(1, len(names)), *axes.get_xlim(), colors="#1c1838", linewidth=0.5)
    axes.set_xlim(edges[0] / scale, edges[-1] / scale)
    axes.set_facecolor(_SILENCE)
    axes.set_yticks(np.arange(len(names)) + 0.5, [_shortened(name) for name in names])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set_ylim(len(names), 0)
    if dated:
        _date_axis(axes)
    else:
        axes.set_xlabel("seconds")
    beyond = bool((shown > loudest).any())
    bar = axes.figure.colorbar(
        mesh, ax=axes, pad=0.012, fraction=0.04, aspect=30, extend="max" if beyond else "neither"
    )
    bar.set_label(f"amplitude, summed over {_period(float(edges[1] - edges[0]))}")
    bar.outline.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    numbers = {channel: int(row) for channel, row in zip(columns.channels, row_of, strict=True)}
    _mark(axes, detections, numbers, (float(edges[0]), float(edges[-1])), scale)


def _colours() -> Colormap:
    """From what stands out against silence."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["inferno"](range(70, 256)), "waterfall")


def _rows(columns: Columns, channels: int) -> tuple[list[str], NDArray[np.int64], bool]:
    """The names of the rows, loudest first, and the row of each channel by its number; -1 without waves.

    Also whether the last row is of several channels.
    """
    import numpy as np

    count = len(columns.channels)
    energy = np.bincount(columns.channel, weights=columns.amplitude**2, minlength=count)
    there = np.bincount(columns.channel, minlength=count) > 0
    order = [int(at) for at in np.argsort(-energy, kind="stable") if there[at]]
    row_of = np.full(count, -1, dtype=np.int64)
    own = order if len(order) <= channels else order[: channels - 1]
    row_of[own] = np.arange(len(own))
    names = [str(columns.channels[number]) for number in own]
    others = order[len(own) :]
    if others:
        row_of[others] = len(own)
        names.append(f"other ({len(others):,} channels)")
    return names, row_of, bool(others)


def _edges(timestamps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The borders of the cells in time, in seconds."""
    import numpy as np

    first, last = float(timestamps.min()), float(timestamps.max())
    # As wide as can be told apart at such a time, and never nothing.
    least = max(1.0, 4.0 * _CELLS * math.ulp(max(abs(first), abs(last))))
    if last - first < least and last - first < 1e-6 * least:
        first, last = first - least / 2, last + least / 2
    return np.linspace(first, last, _CELLS + 1)


def _date_axis(axes: Axes) -> None:
    from datetime import UTC

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.set_xlabel("time (UTC)")


def _mark(
    axes: Axes,
    detections: Iterable[Detected],
    row_of: dict[Any, int],
    shown: tuple[float, float],
    scale: float,
) -> None:
    """Marks what was found, each kind in a shape of its own, and says which in a legend."""
    found: dict[str, list[tuple[float, float]]] = {}
    for detection in detections:
        row = row_of.get(detection.channel, -1)
        if row >= 0 and shown[0] <= detection.timestamp <= shown[1]:
            kind = str(detection.pattern)
            found.setdefault(kind, []).append((detection.timestamp / scale, row + 0.5))
    for (kind, places), (shape, colour) in zip(sorted(found.items()), _shapes(), strict=False):
        times, rows = zip(*places, strict=True)
        axes.scatter(
            times,
            rows,
            s=34,
            marker=shape,
            facecolors=colour,
            edgecolors=_SILENCE,
            linewidths=1.2,
            label=plain(f"{kind.lower().replace('_', ' ')} ({len(places)})"),
            zorder=3,
        )
    if found:
        legend = axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(found),
            frameon=True,
            facecolor=_SILENCE,
            labelcolor="white",
            fontsize=8,
            borderpad=0.4,
            handletextpad=0.2,
        )
        legend.get_frame().set_linewidth(0)


def _shapes() -> Iterable[tuple[str, str]]:
    while True:
        yield from _MARKS


def draw_spectrum(axes: Axes, timestamps: NDArray[np.float64], name: str) -> None:
    """Draws power over period of the events of one channel, the strongest periods named.

    Args:
        axes: Where.
        timestamps: When they came, in seconds; shape (n,).
        name: Of the channel, for the title.
    """
    import numpy as np
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    frequencies, power = _spectrum(timestamps)
    axes.set_title(f"rhythms of {_shortened(name)}", loc="left", fontsize=10, color=_INK)
    if not len(power):
        _say_empty(axes, "too few waves for a spectrum")
        return
    periods = 1.0 / frequencies
    level = math.log(len(power) / 0.01)
    axes.fill_between(periods, power, color=_LINE, alpha=0.18, linewidth=0)
    axes.plot(periods, power, color=_LINE, linewidth=0.8)
    axes.axhline(level, color=_CHANCE, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_title(
        "dashes: 1 % of the spectra of independent events reach higher",
        loc="right",
        fontsize=8,
        color=_CHANCE,
    )
    top = float(power.max())
    for at in _peaks(periods, power, level):
        axes.annotate(
            _period(float(periods[at])),
            (float(periods[at]), float(power[at])),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            fontweight="bold",
            color=_INK,
        )
    axes.set_xscale("log")
    # By its root, so that what is faint beside the strongest is seen too.
    axes.set_yscale("function", functions=(np.sqrt, np.square))
    axes.set_xlim(float(periods.min()), float(periods.max()))
    axes.set_ylim(0.0, 1.25 * max(top, level))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ticks = [tick for tick in _ROUND_PERIODS if periods.min() <= tick <= periods.max()]
    axes.set_xticks(ticks[:: 1 + len(ticks) // 12])
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.set_xlabel("period")
    axes.set_ylabel("power (chance: 1)")
    axes.grid(axis="x", color="#e4e4ea", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


_ROUND_PERIODS = [
    *(factor * 10.0**power for power in range(-6, 1) for factor in (1, 3)),
    *(10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0),
    *(days * _DAY for days in (1, 2, 7, 14, 30, 91.3, 182.6, 365.25, 730.5, 1826.25, 3652.5)),
]


def _spectrum(timestamps: NDArray[np.float64]) -> tuple[Array, Array]:
    """Frequencies in hertz and the power at them; empty of few events, or of events all at one time."""
    import numpy as np

    if len(timestamps) < _FEWEST or not timestamps.max() > timestamps.min():
        return np.empty(0), np.empty(0)
    found = spectrum(timestamps)
    return found.frequencies, found.power


def _peaks(periods: Array, power: Array, level: float, most: int = 4) -> list[int]:
    """Where the strongest periods are that are not one another's flanks."""
    import numpy as np

    peaks: list[int] = []
    for at in np.argsort(-power)[:2000]:
        if power[at] <= level or len(peaks) == most:
            break
        if all(abs(math.log(periods[at] / periods[other])) > _APART for other in peaks):
            peaks.append(int(at))
    return peaks


def _period(seconds: float) -> str:
    """Seconds in the unit that reads best: `3 min`, `1 d`, `2 y`."""
    fitting = (one for one in _UNITS if seconds >= 0.999 * one[0])
    unit, word = next(fitting, _UNITS[-1])
    return f"{seconds / unit:.3g} {word}"


def _tick(seconds: float, _at: object) -> str:
    return _period(seconds)


def plain(text: str) -> str:
    """A text in which matplotlib finds no formulas."""
    return text.replace("$", r"\$")


def _shortened(name: str) -> str:
    """A name that fits beside its row: its ends say most."""
    if len(name) > _LONGEST_NAME:
        half = _LONGEST_NAME // 2
        name = f"{name[: half - 1]}…{name[-half:]}"
    return plain(name)


def _say_empty(axes: Axes, what: str = "no waves yet") -> None:
    axes.text(0.5, 0.5, what, ha="center", va="center", transform=axes.transAxes, color=_INK)
    axes.set_xticks([])
    axes.set_yticks([])


def of_channel(columns: Columns, channel: str | None) -> tuple[str, NDArray[np.float64]]:
    """A channel's name and the timestamps of its waves; without a name, the loudest channel's.

    Raises:
        ValueError: There is no wave of it.
    """
    names, row_of, _ = _rows(columns, max(1, len(columns.channels)))
    if channel is None:
        channel = names[0] if names else "nothing"
    elif channel not in names:
        message = (
            f"the field holds no wave of {channel!r}; name one of its channels, such as {names[:1]}"
        )
        raise ValueError(message)
    rows = row_of[columns.channel]
    return channel, columns.timestamp[rows == (names.index(channel) if names else -1)]
