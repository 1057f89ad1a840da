"""Reading a journal: which waves, in which form, and what is missing among them.

Contract:
- Each wave that fits comes once, in the order of the sequences, or in the reverse order, with the id, sequence,
  numbers, headers and payload that it had. While the journal is written, a replay goes up to what is there when it arrives at the end.
- A replay goes on where it was left, whether by a break, an error or a cancellation: the next `for` or `async for`
  over it gives the wave that nobody has got yet.
- A payload that no codec can read is a `PayloadError` in the place of its wave, which the message names; to go on is
  to pass over it.
- What is missing is never silent: waves that should be there and cannot be read are in `gaps`, and logged at the end.
- Little memory: some hundred waves and one MiB of payloads at a time, however large the journal is.
"""

# pyarrow is untyped.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from aether import _native
from aether.events import said

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from aether import Wave
    from aether.channel import Channel
    from aether.journal.bounds import Bounds

__all__ = ["Damage", "Gap", "Replay", "ReplayColumns"]

_log = said()

_AT_ONCE = 512
"""How many waves are made at once."""

_IN_PLACE = 128
"""After so many in a row, an `async for` lets others run."""

_HEAD = 128
"""Bytes of a segment's head."""


class Gap(NamedTuple):
    """Waves that should be there, and cannot be read."""

    first: int
    """The sequence of the first."""

    last: int
    """The sequence of the last."""


class Damage(NamedTuple):
    """Bytes of a segment that are no record."""

    segment: str
    """The name of its file."""

    start: int
    """The first of them, from 0."""

    end: int
    """The one after the last."""

    reason: str
    """What is wrong with them."""


class ReplayColumns(NamedTuple):
    """The numbers of waves: arrays of one length, in the order of the replay, and the channels' names."""

    timestamp: NDArray[np.float64]
    """When each wave was made, in Unix seconds; shape (n,)."""

    amplitude: NDArray[np.float64]
    """How loud it was after its last hop, 0..1; shape (n,)."""

    priority: NDArray[np.float64]
    """The amplitude that was given at the first emission, 0..1; shape (n,)."""

    phase: NDArray[np.float64]
    """In radians, [0, 2π); shape (n,)."""

    frequency: NDArray[np.float64]
    """In hertz, 0 or more; shape (n,)."""

    channel: NDArray[np.uint32]
    """The number of its channel: its place in `channels`; shape (n,)."""

    sequence: NDArray[np.uint64]
    """Its number in the journal; shape (n,)."""

    channels: tuple[Channel[Any], ...]
    """The channels by number, in the order in which they came first."""


class Replay:
    """Waves of a journal, to be read once: `journal.replay(...)` gives one.

    ``for`` reads in this thread, ``async for`` in a worker thread, on asyncio, uvloop and trio, so that the loop is not
    kept waiting for the disk. `to_columns` and `to_arrow` begin at the first wave again, whatever was read before.
    """

    __slots__ = (
        "_bounds",
        "_ended",
        "_failed",
        "_in_place",
        "_left",
        "_lock",
        "_open",
        "_reader",
        "_told",
        "_waves",
        "_where",
    )

    def __init__(
        self,
        start: Callable[[Bounds], _native.JournalReader],
        bounds: Bounds,
        where: Callable[[Wave], object] | None,
    ) -> None:
        # A predicate counts after the filter.
        self._open = start
        self._bounds = bounds
        self._where = where
        self._left = bounds.limit
        self._reader = self._begun()
        self._told = self._reader
        self._waves: deque[Wave] = deque()
        self._failed: Exception | None = None
        self._ended = False
        self._in_place = 0
        # Held while the disk is read, by one thread at a time.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Replay of {self._bounds}>"

    def _begun(self) -> _native.JournalReader:
        """A reader at the first wave."""
        bounds = self._bounds if self._where is None else self._bounds.without_limit()
        return self._open(bounds)

    # -- Waves --------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Wave]:
        # A loop of its own costs less than a call of `next` for each wave; what is left stays here.
        take, next_read = self._take, self._waves.popleft
        is_plain = self._where is None and self._left is None
        while True:
            if is_plain:
                while self._waves:
                    try:
                        wave = next_read()
                    except IndexError:  # another thread has taken it
                        break
                    yield wave
            else:
                while (chosen := take()) is not None:
                    yield chosen
            if self._is_over():
                return
            self._fetch()

    def __next__(self) -> Wave:
        while not self._is_over():
            if (wave := self._take()) is not None:
                return wave
            self._fetch()
        raise StopIteration

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Wave:
        """The next wave. Cancelled, it has taken none."""
        while not self._is_over():
            if not self._waves:
                self._raise_what_failed()
                from anyio import to_thread

                self._in_place = 0
                # What the thread has read is kept here, also if nobody waits for it any more.
                await to_thread.run_sync(self._fetch_apart, abandon_on_cancel=True)
            elif self._in_place >= _IN_PLACE:
                from anyio import lowlevel

                self._in_place = 0
                await lowlevel.checkpoint()
            if (wave := self._take()) is not None:
                self._in_place += 1
                return wave
        raise StopAsyncIteration

    def _take(self) -> Wave | None:
        """The next wave of those that were read, if the predicate takes one of them."""
        while not self._is_over():
            try:
                wave = self._waves.popleft()
            except IndexError:
                return None
            if self._where is None or self._where(wave):
                if self._left is not None:
                    self._left -= 1
                return wave
        return None

    def _is_over(self) -> bool:
        """Whether no wave will come."""
        return self._left == 0 or (self._ended and not self._waves and self._failed is None)

    def _fetch(self) -> None:
        """Reads one piece, which may have no wave for us."""
        with self._lock:
            if self._waves or self._ended:
                return
            self._raise_what_failed()
            batch = self._reader.next_batch(_AT_ONCE)
            if batch is None:
                self._ended = True
                self._log_gaps(self._reader)
            else:
                self._waves.extend(batch)

    def _fetch_apart(self) -> None:
        """The same in another thread, which nobody may wait for when it is done: an error is kept."""
        try:
            self._fetch()
        except Exception as error:  # noqa: BLE001 - raised by whoever asks next
            self._failed = error

    def _raise_what_failed(self) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    # -- Columns ------------------------------------------------------------------------------

    def to_columns(self) -> ReplayColumns:
        """The numbers of all waves as numpy arrays, without making waves; payloads are not looked at.

        With `where`, waves are made for the predicate to look at.

        Example:
            >>> from aether.journal import Journal
            >>> columns = Journal(folder).replay("orders.*").to_columns()  # doctest: +SKIP
            >>> columns.amplitude.mean()  # doctest: +SKIP
            0.75
        """
        reader = self._told = self._begun()
        if self._where is None:
            columns = ReplayColumns(*reader.columns())
        else:
            columns = _gathered(self._chosen(reader))
        self._log_gaps(reader)
        return columns

    def to_arrow(self) -> pa.Table:
        """The same as a pyarrow `Table`, without a copy; `channel` is a dictionary of strings.

        Raises:
            ImportError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ImportError as error:
            message = "to_arrow() needs pyarrow: pip install 'aether-medium[arrow]'"
            raise ImportError(message, name="pyarrow") from error
        columns = self.to_columns()
        arrays: dict[str, Any] = {
            name: pa.array(column)
            for name, column in zip(columns._fields[:-1], columns[:-1], strict=True)
        }
        names = pa.array([str(channel) for channel in columns.channels], pa.string())
        arrays["channel"] = pa.DictionaryArray.from_arrays(arrays["channel"], names)
        return pa.table(arrays)

    def _chosen(self, reader: _native.JournalReader) -> Iterator[Wave]:
        """The waves of another reader that the predicate takes."""
        left = self._bounds.limit
        while left != 0 and (batch := reader.next_batch(_AT_ONCE)) is not None:
            for wave in batch:
                if left != 0 and (self._where is None or self._where(wave)):
                    left = None if left is None else left - 1
                    yield wave

    # -- What is missing ----------------------------------------------------------------------

    @property
    def gaps(self) -> list[Gap]:
        """The waves that should be there and cannot be read, as far as was read.

        What was taken out on purpose is no gap. What is missing at the very end of a journal cannot be told: see
        `torn_tail`.
        """
        return [Gap(*gap) for gap in self._told.gaps]

    @property
    def damage(self) -> list[Damage]:
        """The bytes that are no record, as far as was read."""
        broken = [Damage(*place, "no record") for place in self._told.damage]
        heads = [Damage(name, 0, _HEAD, why) for name, why in self._told.unreadable_segments]
        return sorted(broken + heads)

    @property
    def torn_tail(self) -> Damage | None:
        """The bytes of a write that was cut off at the very end, or is under way; no wave of it was acknowledged."""
        torn = self._told.torn_tail
        return None if torn is None else Damage(*torn, "a write that was cut off")

    def _log_gaps(self, reader: _native.JournalReader) -> None:
        """Says once that waves are missing."""
        gaps = reader.gaps
        if gaps:
            missing = sum(last - first + 1 for first, last in gaps)
            _log.warning(
                "%s: waves are missing, %s in %s gaps from sequence %s to %s; 'aether journal verify' names the damage",
                self._bounds.path,
                missing,
                len(gaps),
                gaps[0][0],
                gaps[-1][1],
                extra={
                    "event": "journal.gaps",
                    "journal": str(self._bounds.path),
                    "missing": missing,
                },
            )


def _gathered(waves: Iterator[Wave]) -> ReplayColumns:
    """The columns of waves."""
    import numpy as np

    numbers: dict[Channel[Any], int] = {}
    rows = [
        (
            wave.timestamp,
            wave.amplitude,
            wave.priority,
            wave.phase,
            wave.frequency,
            numbers.setdefault(wave.channel, len(numbers)),
            wave.sequence,
        )
        for wave in waves
    ]
    kinds = ["f8"] * 5 + ["u4", "u8"]
    table = np.array(rows, dtype=[(f"f{place}", kind) for place, kind in enumerate(kinds)])
    timestamp, amplitude, priority, phase, frequency, channel, sequence = (
        np.ascontiguousarray(table[name]) for name in table.dtype.names or ()
    )
    return ReplayColumns(
        timestamp, amplitude, priority, phase, frequency, channel, sequence, tuple(numbers)
    )
