"""The field: the last waves of a pattern as columns for numpy, recorded while they are emitted.

Contract:
- A field sees each wave that its pattern takes and the medium admits, once, heard or not, and keeps the last
  `size`. It records while somebody holds it, without Python, and slows nobody down who emits elsewhere.
- `columns()` copies nothing. What it gives is of one moment, and stays as it is while it is held: when newer
  waves come, after the field is gone, and after the medium is.
- The sums (`energy`, `rate`) are taken natively over what the field holds now; large ones let other threads run.
"""

# pyarrow is untyped, and pandas in parts.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from aether import _native

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from aether.channel import Channel
    from aether.physics.plot import Detected

__all__ = ["Columns", "Field"]


class Columns(NamedTuple):
    """What a field held at one moment: arrays of one length, oldest wave first, and the channels' names.

    The arrays are read-only, share the memory that the waves were recorded in, and never change.
    """

    timestamp: NDArray[np.float64]
    """When each wave was made, in Unix seconds; shape (n,)."""

    amplitude: NDArray[np.float64]
    """How loud it was after its last hop, 0..1; shape (n,)."""

    phase: NDArray[np.float64]
    """In radians, [0, 2π); shape (n,)."""

    frequency: NDArray[np.float64]
    """In hertz, 0 or more; shape (n,)."""

    channel: NDArray[np.uint32]
    """The number of its channel: its place in `channels`; shape (n,)."""

    sequence: NDArray[np.uint64]
    """The number that the medium gave it; shape (n,)."""

    channels: tuple[Channel[Any], ...]
    """The channels by number, of this moment: a later one may number them anew."""


class Field(_native.Field):
    """The last waves of a pattern. `medium.field(pattern)` gives one.

    Args:
        medium: Whose waves.
        pattern: Of which channels: a channel or pattern.
        size: How many waves it keeps, 1..16,777,216. Each takes 44 bytes, at most twice.

    Raises:
        ChannelError: `pattern` is no pattern.
        Closed: The medium is closed.
        ForkedMedium: The medium was used before this process was forked; so from all methods.
        TypeError: An argument is of the wrong type.
        ValueError: `size` is out of range.

    Example:
        >>> from aether import Aether
        >>> medium = Aether()
        >>> field = medium.field("orders.*", size=1000)
        >>> for amplitude in (0.5, 1.0):
        ...     _ = medium.emit_nowait("orders.created", amplitude=amplitude)
        >>> field.columns().amplitude
        array([0.5, 1. ])
        >>> field.energy()
        {'orders.created': 1.25}
    """

    __slots__ = ("_names", "_pattern")

    def __init__(self, medium: _native.Medium, pattern: str, size: int) -> None:
        del medium, size  # the native half has them
        self._pattern: Channel[Any] = _native.restore_channel(pattern)
        self._names: tuple[tuple[int, int], tuple[Channel[Any], ...]] = ((0, 0), ())

    @property
    def pattern(self) -> Channel[Any]:
        """Whose waves it keeps."""
        return self._pattern

    def __repr__(self) -> str:
        return f"<Field {str(self.pattern)!r} with {len(self)} of {self.size} waves>"

    def columns(self) -> Columns:
        """What the field holds now, without a copy: read-only arrays that never change.

        Held arrays keep the memory of the field as it was, so hold them as long as you need them.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> field = medium.field("*")
            >>> _ = medium.emit_nowait("orders.created"), medium.emit_nowait("orders.paid")
            >>> columns = field.columns()
            >>> columns.sequence
            array([1, 2], dtype=uint64)
            >>> [columns.channels[number] for number in columns.channel]
            ['orders.created', 'orders.paid']
        """
        import numpy as np

        window = self.window()
        arrays: list[NDArray[Any]] = [np.asarray(column) for column in window.columns()]
        timestamp, amplitude, phase, frequency, channel, sequence = arrays
        channels = self._channels(window)
        return Columns(timestamp, amplitude, phase, frequency, channel, sequence, channels)

    def _channels(self, window: _native.Window) -> tuple[Channel[Any], ...]:
        """The channels of a window; mostly those of the last one."""
        naming, channels = self._names
        if naming != window.naming:
            channels = window.channels()
            self._names = window.naming, channels
        return channels

    @overload
    def energy(self, by: Literal["channel"] = "channel") -> dict[Channel[Any], float]: ...
    @overload
    def energy(self, by: None) -> float: ...
    def energy(
        self, by: Literal["channel"] | None = "channel"
    ) -> dict[Channel[Any], float] | float:
        """The sum of amplitude² over what the field holds: of each channel, the loudest first, or of all.

        Args:
            by: `"channel"`, or `None` for the sum of all.

        Raises:
            ValueError: `by` is something else.
        """
        if by is None:
            return self.total_energy()
        if by != "channel":
            message = f"by must be 'channel' or None, not {by!r}"
            raise ValueError(message)
        return self.energies()

    def rate(self, window: float) -> float:
        """Waves per second over the last `window` seconds, by the medium's clock and the waves' timestamps.

        Where the field has let go of waves of that time, it is the rate since the oldest that it holds. Time
        before the field was made counts, as silence.

        Args:
            window: Seconds: finite, above 0.

        Raises:
            TypeError: `window` is no number.
            ValueError: It is out of range.

        Example:
            >>> from aether import Aether, ManualClock
            >>> medium = Aether(clock=ManualClock(100.0))
            >>> field = medium.field("jobs.*")
            >>> for _ in range(6):
            ...     _ = medium.emit_nowait("jobs.added")
            >>> field.rate(2.0)
            3.0
        """
        return self.rate_over(window)

    def plot(
        self, detections: Iterable[Detected] = (), *, channels: int = 40, title: str | None = None
    ) -> Figure:
        """The waterfall: channels x time, colour = amplitude, what was detected marked.

        A cell is coloured by the sum of the amplitudes in it. The loudest channels have a row each, the others one
        together.

        Args:
            detections: What to mark: objects with `pattern`, `channel` and `timestamp`.
            channels: How many rows at most: 1 or more.
            title: Above it; without it, what the field is.

        Returns:
            A figure of its own: `field.plot().savefig("picture.png")`.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: `channels` is below 1.
        """
        from aether.physics import plot

        columns = self.columns()
        figure = plot.new_figure(11.0, plot.height_of(columns, channels))
        axes = figure.subplots()
        plot.draw_waterfall(axes, columns, detections, channels=channels)
        said = f"{self.pattern}: {len(columns.timestamp):,} waves" if title is None else title
        axes.set_title(plot.plain(said), loc="left", fontsize=11)
        return figure

    def plot_spectrum(self, channel: str | None = None) -> Figure:
        """The rhythms of a channel: power over period of its waves, the strongest named.

        Args:
            channel: Which one; without it, the loudest.

        Returns:
            A figure of its own.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: The field holds no wave of that channel.
        """
        from aether.physics import plot

        columns = self.columns()
        name, timestamps = plot.of_channel(columns, channel)
        figure = plot.new_figure(11.0, 3.4)
        plot.draw_spectrum(figure.subplots(), timestamps, name)
        return figure

    def to_pandas(self) -> pd.DataFrame:
        """What the field holds, as a pandas `DataFrame`; the numbers are not copied.

        A row is a wave; `channel` is categorical. Timestamps are Unix seconds: `pandas.to_datetime(column, unit="s")`
        makes dates of them.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise _missing("to_pandas()", "pandas", "pandas") from error
        columns = self.columns()
        arrays: dict[str, Any] = dict(zip(columns._fields[:-1], columns[:-1], strict=True))
        names = pd.Index(columns.channels, dtype=object)
        arrays["channel"] = pd.Categorical.from_codes(columns.channel.astype("int64"), names)
        return pd.DataFrame(arrays, copy=False)

    def to_arrow(self) -> pa.Table:
        """What the field holds, as a pyarrow `Table`, without a copy; `channel` is a dictionary of strings.

        Raises:
            ImportError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ImportError as error:
            raise _missing("to_arrow()", "pyarrow", "arrow") from error
        window = self.window()
        kinds = [pa.float64()] * 4 + [pa.uint32(), pa.uint64()]
        arrays: list[Any] = [
            pa.Array.from_buffers(kind, len(window), [None, pa.py_buffer(column)])
            for kind, column in zip(kinds, window.columns(), strict=True)
        ]
        names = pa.array([str(channel) for channel in self._channels(window)], pa.string())
        arrays[4] = pa.DictionaryArray.from_arrays(arrays[4], names)
        return pa.table(arrays, names=list(Columns._fields[:-1]))


def _missing(what: str, library: str, extra: str) -> ImportError:
    """What to raise where an optional library is not installed."""
    message = f"{what} needs {library}: pip install 'aether-medium[{extra}]'"
    return ImportError(message, name=library)
