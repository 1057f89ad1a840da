"""The native half of Aether, in the order of the runtime.

`Wave`, `Receipt`, `Emitter` and `ManualClock` are public, as names of `aether`. The rest is for the
package itself: `aether.Vibrator` and `aether.Aether` are built on `Vibrator` and `Medium`.

What is awaited is typed as a coroutine: it can be awaited once, also by ``asyncio.create_task``,
``wait_for`` and the task groups of anyio.
"""

from _thread import LockType
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import ContextVar
from os import PathLike
from threading import Thread
from types import GenericAlias, MappingProxyType
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypedDict,
    final,
    overload,
)

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar, deprecated, disjoint_base

from aether._builder import WaveBuilder
from aether.channel import Channel
from aether.delayed import DelayedEmission
from aether.handled import Handled
from aether.journal.position import Position
from aether.options import Order, Overflow
from aether.physics.detection import Detection

__all__ = [
    "DEBUG_BUILD",
    "REPLY_HEADER",
    "Bucket",
    "Budget",
    "Circuit",
    "Emitter",
    "Engine",
    "Fate",
    "Field",
    "Following",
    "Handling",
    "JournalImport",
    "JournalReader",
    "JournalWriter",
    "Mailbox",
    "ManualClock",
    "Medium",
    "Permit",
    "Receipt",
    "Ring",
    "Span",
    "Tap",
    "Tracer",
    "Vibrator",
    "Waiting",
    "Watcher",
    "Wave",
    "Window",
    "__version__",
    "array_functions",
    "backup_journal",
    "check_pattern",
    "check_token",
    "count_event",
    "counted_events",
    "covers",
    "emit_derived",
    "end_threads",
    "handling",
    "histogram_bounds",
    "import_ahead",
    "interfere",
    "is_derived",
    "new_identity",
    "overlaps",
    "panics",
    "parse_pattern",
    "payload_size",
    "prune_journal",
    "repair_journal",
    "reply_address",
    "restore_channel",
    "restore_wave",
    "threads_inside",
    "undone_by",
    "verify_journal",
    "with_header",
]

_Surveyed: TypeAlias = tuple[int, str, bool, int, int, int, int, int, list[Any]]
"""A mailbox: its number, vibrator, whether it is a handler's; waiting, capacity, received, lost, readers, payloads."""

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True, default=Any)

__version__: Final[str]

DEBUG_BUILD: Final[bool]
"""Built without optimisation: measure nothing with it."""

REPLY_HEADER: Final[str]
"""The header that carries the address of a request's answer."""

handling: Final[ContextVar[Handling]]
"""What the running handler handles: the value of `Medium.handling`."""

def end_threads() -> None:
    """From now on, a thread other than this one gets `SystemExit` where it enters a medium."""

def panics() -> int:
    """How many panics there were in this process."""

def threads_inside() -> int:
    """How many threads run Python code below a native frame."""

def histogram_bounds() -> list[float]:
    """The bounds of the buckets of a histogram, in seconds.

    A duration counts in the first one that is no less, and beyond all of them in one more.
    """

def import_ahead() -> None:
    """Imports now what native code will need of the package."""

def array_functions() -> dict[str, Callable[..., Any]]:
    """The batch functions of physics as ufuncs, made anew; numpy is imported now."""

def reply_address(wave: Wave) -> str | None:
    """The address of the answer to a wave; `None`: it is no request. Cheaper than to look into its headers."""

def check_pattern(name: str, /) -> str:
    """The name as a plain `str`, if it is a sound channel or pattern; `ChannelError` otherwise."""

def check_token(name: str, /) -> str:
    """The name as a plain `str`, if it is one literal token; `ChannelError` otherwise."""

def parse_pattern(name: str, /) -> tuple[str, bool]:
    """The canonical spelling, and whether there is a wildcard."""

def restore_channel(name: str, /) -> Channel[Any]:
    """The `Channel` of a name that a medium has checked, by limits of its own."""

def count_event(event: str) -> None:
    """Counts an event that is said."""

def counted_events() -> dict[str, int]:
    """How often each event was said in this process."""

def payload_size(payload: object) -> int | None:
    """Bytes of a payload; `None`: of an object, which may refer to anything."""

def covers(first: str, second: str, /) -> bool:
    """Whether every channel of the second is one of the first."""

def overlaps(first: str, second: str, /) -> bool:
    """Whether some channel belongs to both."""

@disjoint_base
class Emitter:
    """A handle that only emits: the native half of `aether.Emitter`, and of all that emit."""

    def __new__(cls, of: Emitter, /) -> Self: ...
    @overload
    def emit_wave(
        self,
        channel: Channel[_T],
        payload: _T,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        timeout: float | None = None,
        delay: None = None,
    ) -> Coroutine[Any, Any, Receipt]:
        """Emits a new wave to everyone in resonance; awaited, it waits for room.

        Everything is checked and the wave is made at the call; nothing is emitted before it is awaited.
        Where nobody blocks, the await ends in place. Under the policy `block`, the wave reaches every
        matching mailbox or, while one is full, none yet. Cancelled or timed out, it has reached nobody.

        Args:
            channel: A concrete channel. Of a ``Channel[T]``, type checkers want a `payload` of ``T``.
            payload: Any object, carried by reference; receivers share it and must not change it.
            amplitude: How loud it is, 0..1; values outside are clamped. Without it: 1.0, or what is left
                of the cause after one more hop.
            phase: In radians, finite; wrapped to [0, 2π). Without it: 0.0.
            frequency: In hertz, finite, 0 or more. Without it: 1.0.
            headers: Text by name, copied. They go over those of the cause.
            ttl: Seconds, 0 or more, after which it is dropped as `expired` where it still waits.
                Without it: never.
            cause: The wave that this one continues: its amplitude, priority, hops, headers and trace.
            compensates: A cause that this one undoes: as `cause`, in antiphase. One of the two only.
            require: How many receivers must match, 0 or more. Without it: none.
            timeout: Seconds to wait for room, 0 or more. Without it: for ever.
            delay: Emits it in so many seconds of the medium's clock, 0 or more, and does not wait for
                that. Without it: now.

        Returns:
            What the emission did. It is false if nobody got the wave. With `delay`: a
            `DelayedEmission`, which can be cancelled.

        Raises:
            ChannelError: The channel breaks a rule, or is a pattern.
            TypeError: An argument is of the wrong type.
            ValueError: A number is NaN or out of its range, or both `cause` and `compensates` are given.
            Closed: The emitter is closed; or the medium is, or drains and this is none of its handlers.
            WouldBlock: A mailbox of the policy `error` is full; nobody got the wave.
            NoReceiver: Fewer than `require` match; the message says of each vibrator why.
            TimeoutError: No room came in time; the message names the full vibrators.
            Deadlock: Everyone who could make room waits for this emission.
            ForkedMedium: The medium was used before this process was forked.
            LimitExceeded: As many delayed waves wait as `limits.delayed` allows.
            RuntimeError: No loop of asyncio or trio runs, and it would have to wait.

        Example:
            >>> import asyncio
            >>> from aether import Aether
            >>> async def main():
            ...     async with Aether() as medium, medium.vibrator("audit") as audit:
            ...         audit.resonate_on("orders.*")
            ...         return await medium.emit_wave("orders.created", {"id": 7}, amplitude=0.5)
            >>> receipt = asyncio.run(main())
            >>> receipt.delivered
            1
        """

    @overload
    @deprecated("the payload is not of the type that the channel carries")
    def emit_wave(
        self,
        channel: Channel[Any],
        payload: Any,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        timeout: float | None = None,
        delay: None = None,
    ) -> Coroutine[Any, Any, Receipt]: ...
    @overload
    def emit_wave(
        self,
        channel: str,
        payload: Any = None,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        timeout: float | None = None,
        delay: None = None,
    ) -> Coroutine[Any, Any, Receipt]: ...
    @overload
    def emit_wave(
        self,
        channel: Channel[_T],
        payload: _T,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        timeout: float | None = None,
        delay: float,
    ) -> Coroutine[Any, Any, DelayedEmission]: ...
    @overload
    @deprecated("the payload is not of the type that the channel carries")
    def emit_wave(
        self,
        channel: Channel[Any],
        payload: Any,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        timeout: float | None = None,
        delay: float,
    ) -> Coroutine[Any, Any, DelayedEmission]: ...
    @overload
    def emit_wave(
        self,
        channel: str,
        payload: Any = None,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        timeout: float | None = None,
        delay: float,
    ) -> Coroutine[Any, Any, DelayedEmission]: ...
    @overload
    def emit(
        self,
        wave: Wave,
        *,
        require: int | None = None,
        timeout: float | None = None,
        delay: None = None,
    ) -> Coroutine[Any, Any, Receipt]:
        """Emits a wave that exists: one more hop of it; awaited, it waits for room.

        What goes out has the same id and payload, a `propagation_count` of one more and, if this
        emitter has a name, that as its `source`; the given wave does not change. A first emission
        keeps the amplitude as given; each further hop multiplies it by `attenuation_factor`. A wave
        with `max_propagation` hops behind it, or fainter than `min_amplitude`, goes nowhere, and
        the receipt says why.

        Args:
            wave: One made by `Wave`, or one received.
            require: How many receivers must match, 0 or more. Without it: none.
            timeout: Seconds to wait for room, 0 or more. Without it: for ever.
            delay: As for `emit_wave`. The age of the wave goes on meanwhile, as for any wave that exists.

        Returns:
            What the emission did. With `delay`: a `DelayedEmission`.

        Raises:
            TypeError: The argument is no wave.
            ChannelError: The channel is longer than this medium admits.

        The other errors are those of `emit_wave`.

        Example:
            >>> import asyncio
            >>> from aether import Aether, Wave
            >>> async def main():
            ...     async with Aether() as medium:
            ...         return await medium.emit(Wave("orders.created", amplitude=0.001))
            >>> asyncio.run(main()).reason
            'min_amplitude'
        """

    @overload
    def emit(
        self,
        wave: Wave,
        *,
        require: int | None = None,
        timeout: float | None = None,
        delay: float,
    ) -> Coroutine[Any, Any, DelayedEmission]: ...
    @overload
    def emit_nowait(
        self,
        channel: Channel[_T],
        payload: _T,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        delay: None = None,
    ) -> Receipt:
        """Emits a new wave now, from any thread, with or without a loop: it never waits.

        Args and Raises as for `emit_wave`, without a timeout. With `delay` it does not wait for room then,
        either; a loop runs here, or the handlers of the medium do.

        Returns:
            What the emission did. With `delay`: a `DelayedEmission`.

        Raises:
            WouldBlock: A mailbox that blocks is full; the message names it, and nobody got the wave.
            RuntimeError: There is a `delay`, and no loop that could see to it.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> medium.emit_nowait("orders.created", {"id": 7}).matched
            0
        """

    @overload
    @deprecated("the payload is not of the type that the channel carries")
    def emit_nowait(
        self,
        channel: Channel[Any],
        payload: Any,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        delay: None = None,
    ) -> Receipt: ...
    @overload
    def emit_nowait(
        self,
        channel: str,
        payload: Any = None,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        delay: None = None,
    ) -> Receipt: ...
    @overload
    def emit_nowait(
        self,
        channel: Channel[_T],
        payload: _T,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        delay: float,
    ) -> DelayedEmission: ...
    @overload
    @deprecated("the payload is not of the type that the channel carries")
    def emit_nowait(
        self,
        channel: Channel[Any],
        payload: Any,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        delay: float,
    ) -> DelayedEmission: ...
    @overload
    def emit_nowait(
        self,
        channel: str,
        payload: Any = None,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        delay: float,
    ) -> DelayedEmission: ...
    def emit_if_room(
        self, subject: str | Wave, payload: Any, keywords: dict[str, Any]
    ) -> Receipt | None:
        """Emits a new wave, or one that exists, if nobody has to be waited for: for one that was delayed.

        `None`: somebody has to, and nothing was emitted.
        """

    def begin_emit_sync(
        self,
        channel: str,
        payload: Any = None,
        *,
        amplitude: float | None = None,
        phase: float | None = None,
        frequency: float | None = None,
        headers: Mapping[str, str] | None = None,
        ttl: float | None = None,
        cause: Wave | None = None,
        compensates: Wave | None = None,
        require: int | None = None,
        timeout: float | None = None,
    ) -> Waiting[Receipt]:
        """The steps of `emit_sync`."""

    def emit_many(
        self, items: Iterable[Wave | tuple[str, Any]]
    ) -> Coroutine[Any, Any, list[Receipt]]:
        """Emits waves in order, each as `emit` or `emit_wave` would; awaited, it waits for room.

        All are checked at the call, before the first goes out. Cancelled, or stopped by an error,
        it has emitted a prefix.

        Args:
            items: Waves, and pairs of a concrete channel and a payload.

        Returns:
            A receipt for each, in the same order.

        Raises:
            TypeError: An item is neither; nothing was emitted.

        The other errors are those of `emit_wave`, without those of a timeout.

        Example:
            >>> import asyncio
            >>> from aether import Aether, Wave
            >>> async def main():
            ...     async with Aether() as medium:
            ...         pairs = [("jobs.added", number) for number in range(3)]
            ...         return await medium.emit_many([*pairs, Wave("jobs.done")])
            >>> [receipt.sequence for receipt in asyncio.run(main())]
            [1, 2, 3, 4]
        """

class _JournalReport(TypedDict):
    segments: list[tuple[str, int, int, int, bool, bool, str | None]]
    """Name, base, waves, bytes, whether it is sealed, whether it is another journal's, and why it cannot be read."""
    waves: int
    bytes: int
    span: tuple[tuple[int, float], tuple[int, float]] | None
    """Sequence and timestamp of the first wave and of the last."""
    damage: list[tuple[str, int, int, bool]]
    """Segment, first byte and the one after the last, and whether it is a write that was cut off."""
    gaps: list[tuple[int, int]]
    removed: list[tuple[int, int]]
    repeated: int
    sound: bool

def verify_journal(
    path: str | PathLike[str], watch: Callable[[int, int], object], /
) -> _JournalReport:
    """Says what is in a journal, and what should be and is not."""

def repair_journal(
    path: str | PathLike[str],
    copy: str | PathLike[str],
    watch: Callable[[int, int], object],
    /,
) -> tuple[_JournalReport, int, list[str]]:
    """Writes a sound copy of a journal into an empty folder; says what was found, and what the copy has."""

# Pattern, age in seconds, bytes, waves, waves of each channel.
_Rule: TypeAlias = tuple[str | None, float | None, int | None, int | None, int | None]

# Waves, bytes that go and that come, segments dropped and rewritten; the names of those that are gone, that came, and
# that are damaged; and the cursor that has held it back, with its position.
_Pruned: TypeAlias = tuple[
    tuple[int, int, int, int, int],
    tuple[list[str], list[str], list[str]],
    tuple[str, int] | None,
]

def prune_journal(
    path: str | PathLike[str],
    rules: Sequence[_Rule],
    past_cursors: bool,
    dry_run: bool,
    watch: Callable[[int, int], object] | None,
    /,
) -> _Pruned:
    """Prunes a journal that nobody has open; a trial also one that somebody writes."""

def backup_journal(
    path: str | PathLike[str],
    copy: str | PathLike[str],
    watch: Callable[[int, int], object] | None,
    /,
) -> tuple[int, int]:
    """Copies a journal that is not open in this process: how many segments, and how many bytes."""

class _EngineCounters(TypedDict):
    waves: int
    late: int
    found: dict[str, int]
    key_errors: int
    keys: int
    channels: int
    evicted_keys: int
    evicted_channels: int

@disjoint_base
class Engine:
    """Finds patterns in the waves that it is shown: the native half of `aether.PhysicsEngine`."""

    def __new__(
        cls,
        *,
        key: Callable[[Wave], object] | None = None,
        window: float | None = None,
        max_keys: int | None = None,
        max_channels: int | None = None,
    ) -> Self: ...
    def detect(self, channel: str, wave: Wave, /) -> Detection | None:
        """Shows the engine a wave, and says what that completes.

        Each wave is looked at once, in bounded time. A pattern is told of once an episode, and again
        when it has ended and begun anew; a wave completes one at most, and what else is found waits
        for the next wave of its kind.

        Args:
            channel: Where the wave was seen: a concrete channel.
            wave: The wave; it is not kept.

        Returns:
            The pattern with its evidence, or `None`.

        Raises:
            ChannelError: The channel breaks a rule, or is a pattern.
            TypeError: An argument is of the wrong type.

        Example:
            >>> from aether import PhysicsEngine, Wave
            >>> engine = PhysicsEngine()
            >>> placed = Wave("orders.placed", {"id": 7}, timestamp=1e9)
            >>> cancelled = Wave("orders.cancelled", {"id": 7}, phase=3.14, timestamp=1e9 + 2)
            >>> engine.detect("orders.placed", placed)
            >>> found = engine.detect("orders.cancelled", cancelled)
            >>> str(found.pattern), found.partners == (placed.id,)
            ('cancellation', True)
        """

    def counters(self) -> _EngineCounters:
        """Counters of the engine, by name."""

@disjoint_base
class Field:
    """The native half of a field. It outlives its medium."""

    def __new__(cls, medium: Medium, pattern: str, size: int) -> Self: ...
    @property
    def size(self) -> int:
        """How many waves it keeps at most."""

    @property
    def recorded(self) -> int:
        """How many waves it has recorded, those that it keeps no more among them."""

    def __len__(self) -> int: ...
    def window(self) -> Window:
        """What it holds at this moment."""

    def total_energy(self) -> float:
        """The sum of the squares of the amplitudes."""

    def energies(self) -> dict[Channel[Any], float]:
        """The same by channel, the loudest first."""

    def rate_over(self, window: float) -> float:
        """Waves per second over the last seconds, by the medium's clock."""

@final
class JournalImport:
    """Writes waves that were written down elsewhere into a new journal. Not on Windows."""

    def __new__(cls, path: str | PathLike[str]) -> Self:
        """A journal in a folder that is made, or has none yet."""

    def append(
        self,
        named: tuple[str, str | None, str],
        numbers: tuple[float, float, float, float, float, float | None, int],
        headers: Sequence[tuple[str, str]],
        undoes: tuple[str, float, float, float] | None,
        codec: int,
        payload: bytes,
    ) -> int:
        """Appends a wave: its channel, source and id, its numbers, headers, what it undoes, and payload as it is
        written."""

    def close(self) -> None:
        """Waits until all is safe, and closes the files."""

@final
class JournalWriter:
    """A journal that is open to be written."""

    def __new__(
        cls,
        path: str | PathLike[str],
        encode: Callable[[Any], tuple[int, bytes]],
        decode: Callable[[int, bytes], Any],
        *,
        durability: str,
        undurably: bool,
        segment_bytes: int,
        pending_bytes: int,
        snapshot_interval: int,
        max_payload_bytes: int,
        retention: Sequence[_Rule] = ...,
        retention_interval: float = 60.0,
        past_cursors: bool = False,
    ) -> Self: ...
    @property
    def last(self) -> int:
        """The sequence that was given last; 0: none yet."""

    @property
    def safe(self) -> int:
        """All waves up to this one are as durable as asked, but for those that were refused."""

    @property
    def trouble(self) -> str | None:
        """Why it takes nothing now; `None`: it does."""

    @property
    def retention_trouble(self) -> str | None:
        """Why its retention does not do what it is to; `None`: it does, or there is none."""

    def prune(
        self,
        rules: Sequence[_Rule],
        past_cursors: bool,
        dry_run: bool,
        watch: Callable[[int, int], object] | None,
        /,
    ) -> _Pruned:
        """Takes out what is beyond these rules."""

    def backup(
        self, copy: str | PathLike[str], watch: Callable[[int, int], object] | None, /
    ) -> tuple[int, int]:
        """Copies what is committed by now into an empty folder: how many segments, and how many bytes."""

    def end_pruning(self) -> None:
        """Nobody prunes it any more; returns when whoever does has stopped."""

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the disk."""

    def durable(self, position: int) -> Coroutine[Any, Any, Receipt]:
        """Awaits what becomes of a position: its final receipt."""

    def flushed(self) -> Coroutine[Any, Any, Receipt]:
        """Awaits that all that was appended so far is as durable as asked."""

    def close(self) -> None:
        """Commits what was appended, and takes no more; returns when the files are closed."""

    def forget(self) -> None:
        """In the child of a fork: closes its files, and never writes to them."""

@final
class Handling:
    """A handler at work on a wave."""

    @property
    def span(self) -> tuple[int, int] | None:
        """Trace and span of the handler, where its wave is followed."""

    @property
    def is_over(self) -> bool:
        """Whether the handler has ended; what it has started may go on in its context."""

    def fail(self, error: BaseException) -> None:
        """The handler has raised an error."""

    def abandon(self, reason: str) -> None:
        """The handler did not come to its end, for this reason."""

@final
class Tracer:
    """What traces a medium; see `aether.tracing`.

    Args:
        sample: Of the waves that nothing led to, the share that begins a trace: 0..1.
        rate: How many traces begin in a second at most: above 0.
        keep: How many spans are kept, 1 or more.
    """

    def __new__(cls, sample: float, rate: float, keep: int) -> Self: ...
    def tune(self, sample: float, rate: float) -> None:
        """Goes on by another share of the waves, and another rate."""

    def follow(
        self,
        variable: ContextVar[Any],
        span_of: Callable[[Any], tuple[int, int, bool]],
    ) -> None:
        """Where OpenTelemetry has its current context, and what says which span that has."""

    def since(self, number: int, most: int) -> tuple[list[Span], int, int]:
        """At most so many spans from a number on, the number to go on with, and how many were gone already."""

    def of_wave(self, wave: str) -> list[Span]:
        """All that is known of the trace of a wave."""

    @property
    def count(self) -> int:
        """How many spans have ended."""

@final
class Span:
    """One thing that was done with one wave that is followed."""

    @property
    def trace_id(self) -> int:
        """Which trace: 128 bits."""

    @property
    def span_id(self) -> int:
        """Which span: 64 bits."""

    @property
    def parent_id(self) -> int | None:
        """The span of the same trace that led to it."""

    @property
    def links(self) -> list[tuple[int, int]]:
        """Trace and span of others that it came from."""

    @property
    def work(self) -> Literal["send", "receive", "process"]:
        """What was done: it was emitted, a reader took it, or a handler worked on it."""

    @property
    def channel(self) -> str:
        """The channel of the wave."""

    @property
    def wave_id(self) -> str:
        """The id of the wave."""

    @property
    def sequence(self) -> int | None:
        """The sequence of the wave; `None`: it was not admitted."""

    @property
    def amplitude(self) -> float:
        """The amplitude of the wave, 0..1."""

    @property
    def by(self) -> str | None:
        """The vibrator that did it; `None`: the medium itself."""

    @property
    def began(self) -> float:
        """When it began, in Unix seconds."""

    @property
    def took(self) -> float:
        """How long it took, in seconds; 0 where a reader took the wave."""

    @property
    def reached(self) -> tuple[int, int] | None:
        """How many mailboxes matched, and how many of them let the wave go; of an emission that came to its end."""

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Why it came to nothing: the class of an error and what it said, or a reason."""

@final
class Following:
    """One who follows a wave to its end."""

    def look(
        self,
    ) -> tuple[bool, list[tuple[int, str, bool, str, str | None, float | None]]]:
        """Whether to look again, and (number, label, handlers, state, error, seconds) of each mailbox that has, or had,
        something to do with the wave.
        """

    def end(self) -> None:
        """It follows no more, and is not called again."""

    def handles(self) -> int | None:
        """The number of the wave that the running handler of this medium handles."""

    @property
    def waiting(self) -> int:
        """How many follow a wave of this medium."""

    @property
    def medium(self) -> int:
        """The number of the medium."""

@final
class Fate:
    """What becomes of a wave in a journal, for whoever holds its position."""

@final
class JournalReader:
    """Reads the waves of a journal that fit a filter. Not on Windows."""

    def __new__(
        cls,
        path: str,
        decode: Callable[[int, bytes], Any],
        *,
        pattern: str | None = None,
        after: int | None = None,
        before: int | None = None,
        since: float | None = None,
        until: float | None = None,
        amplitude: float | None = None,
        source: str | None = None,
        headers: Sequence[tuple[str, str]] = ...,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Self: ...
    def next_batch(self, most: int, /) -> list[Wave] | None:
        """The next waves, at most so many; an empty list: none in this piece; `None`: at the end."""

    def skim(self) -> int | None:
        """Looks at one piece without making waves: how many fit; `None`: at the end."""

    def columns(
        self,
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.uint32],
        NDArray[np.uint64],
        tuple[Channel[Any], ...],
    ]:
        """The numbers of all waves that are left, as arrays, and the channels by number."""

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """First and last sequence of the waves that should be there and cannot be read, in their order."""

    @property
    def damage(self) -> list[tuple[str, int, int]]:
        """Segment, first byte and the one after the last, of what is no record."""

    @property
    def unreadable_segments(self) -> list[tuple[str, str]]:
        """The segments whose head cannot be used, and why."""

    @property
    def torn_tail(self) -> tuple[str, int, int] | None:
        """Segment, first byte and the one after the last, of a write that was cut off at the end or is under way."""

    @property
    def cursors(self) -> dict[str, int]:
        """The cursors that moved, each with the last wave before that."""

    @property
    def counted(self) -> tuple[int, int]:
        """How many waves fitted, and about how many bytes of waves were looked at."""

    @property
    def ends(self) -> tuple[tuple[int, float], tuple[int, float]] | None:
        """Sequence and timestamp of the first and of the last wave that fitted."""

@final
class Mailbox:
    """A mailbox of the medium. It ends with the last handle on it."""

    def resonate(self, pattern: str) -> bool:
        """Resonates on a pattern; false if it does already."""

    def resonate_last(self, patterns: list[str]) -> int:
        """Resonates on patterns, beginning with the last wave of each channel. Returns on how many.

        Those that it resonates on already change nothing.
        """

    def resonate_by_cursor(
        self,
        patterns: list[str],
        name: str,
        after: int | None,
        by_next: bool,
        timeout: float,
        most: int,
    ) -> int:
        """Resonates on patterns by a durable cursor; returns on how many, 0 if it does so already."""

    @property
    def cursor_name(self) -> str | None:
        """The name of its cursor, if it has one."""

    def resonate_after(self, pattern: str, sequence: int) -> bool:
        """The same with history: what the journal has after a sequence comes first. In a medium with a journal."""

    @property
    def number(self) -> int:
        """The number that `Medium.survey` has for it."""

    @property
    def is_behind(self) -> bool:
        """Whether it has waves to come from the journal before live ones."""

    def detune(self, pattern: str) -> bool:
        """Takes back a pattern, in any spelling; false if it is not resonated on."""

    def patterns(self) -> list[str]:
        """The patterns, as they were spelled."""

    def join(self, readers: int) -> bool:
        """One more member shares it, with so many tasks that will read it; false if closed."""

    def resign(self) -> bool:
        """A member goes, unless it is the last; returns whether it is."""

    def leave(self) -> bool:
        """A member goes; the last one closes it. Returns whether it did."""

    def finish(self) -> None:
        """Takes no more waves; readers get the rest, then the end."""

    def close(self) -> None:
        """Ends at once."""

    @property
    def is_open(self) -> bool:
        """Whether it takes waves."""

    def __len__(self) -> int: ...
    def put(self, wave: Wave) -> bool:
        """Puts a wave straight in; false if it is closed or did not keep it."""

    def receive(self, timeout: float | None = None) -> Coroutine[Any, Any, Wave | None]:
        """Awaits the next wave; `None` at the end. With a timeout: `TimeoutError`."""

    def receive_nowait(self) -> Wave:
        """The next wave, or `WouldBlock`, or `EndOfStream`."""

    @property
    def label(self) -> str:
        """By which name it is counted, and spoken of: that of its vibrator or group."""

    def handler_failed(self) -> None:
        """A handler has failed on a wave of it."""

    def counters(self) -> tuple[int, int, int, int, int, dict[str, int]]:
        """Used, capacity, waiting to receive, waiting to send, received, dropped by reason."""

@final
class ManualClock:
    """A clock that stands still until it is moved: for tests of what happens in time.

    Give it to a medium: the timestamps of what is emitted, `ttl`, fading, delays and timeouts go by it.
    What ends the medium, `drain` and `aclose`, goes by the loop's clock, and so does `settle`.

    Args:
        start: What it shows first, in Unix seconds: finite.

    Raises:
        ValueError: `start` is not finite.

    Example:
        >>> from aether import Aether, ManualClock
        >>> clock = ManualClock(start=100.0)
        >>> inbox = Aether(clock=clock).vibrator("inbox")
        >>> clock.advance(2.5)
        102.5
    """

    def __new__(cls, start: float = 0.0) -> Self: ...
    def now(self) -> float:
        """What the clock shows, in seconds."""

    def advance(self, seconds: float) -> float:
        """Moves the clock on.

        Args:
            seconds: By how much: finite, 0 or more.

        Returns:
            What it shows then, in seconds.

        Raises:
            ValueError: `seconds` is negative or not finite.
        """

    def follow(self, follower: Callable[[], object]) -> None:
        """Calls a function each time that the clock has been moved, in the thread that moves it."""

    def unfollow(self, follower: Callable[[], object]) -> None:
        """Calls it no more."""

class _MediumCounters(TypedDict):
    emitted: int
    delivered: int
    unheard: int
    received: int
    dropped: dict[str, int]
    waiting: int
    mailboxes: int
    retained: int
    forgotten: int
    tasks_waiting_send: int
    patterns: int
    cached_routes: int
    route_hits: int
    route_walks: int

_Durations: TypeAlias = tuple[list[int], float]
"""How many are in each bucket of a histogram alone, and all together in seconds."""

class _NameFigures(TypedDict):
    name: str
    mailboxes: int
    waiting: int
    size: int
    readers: int
    emissions: int
    received: int
    dropped: dict[str, int]
    queue: tuple[int, float]
    handler: tuple[int, float]
    failed: int

class _JournalFigures(TypedDict):
    position: int
    safe_position: int
    lost: int
    pending_bytes: int
    segments: int
    bytes: int
    waves: int
    failed: int
    commits: _Durations
    commit_failures: int

class _Figures(TypedDict):
    emitted: int
    delivered: int
    unheard: int
    received: int
    dropped: dict[str, int]
    waiting: int
    mailboxes: int
    waiting_emissions: int
    retained: int
    forgotten: int
    patterns: int
    cached_routes: int
    route_hits: int
    route_walks: int
    route_evictions: int
    stalls: int
    domains: list[tuple[str, int]]
    vibrators: list[_NameFigures]
    latency: _Durations
    queue: _Durations
    handler: _Durations
    untimed: int
    journal: _JournalFigures | None
    cursors: list[tuple[str, int]]

@disjoint_base
class Medium(Emitter):
    """The native half of a medium: an emitter in nobody's name."""

    def __new__(
        cls,
        *,
        attenuation_factor: float = 0.95,
        decay_interval: float = 1.0,
        max_propagation: int = 10,
        min_amplitude: float = 0.01,
        max_channel_length: int = 1024,
        stall_warning: float = 1.0,
        retain: Sequence[str] = ...,
        retain_channels: int = 100_000,
        metrics: tuple[int, int] | None = None,
        clock: ManualClock | None = None,
        journal: JournalWriter | None = None,
        tracer: Tracer | None = None,
    ) -> Self: ...
    def open_mailbox(
        self,
        name: str,
        *,
        order_by: Order,
        overflow_by: Overflow,
        buffer_size: int,
        noise_floor: float | None = None,
        ignored: int = 0,
        lane: bool = False,
        aside: bool = False,
        readers: int = 0,
    ) -> Mailbox:
        """Makes a mailbox."""

    def last(self, pattern: str) -> list[Wave[Any]]:
        """The last wave of each channel that a pattern takes, in the order of their sequences.

        The last wave of a channel is the one of the highest sequence that was delivered on it, whether anybody heard
        it or not; what was refused is not it. It is as it was emitted, and has not faded. One whose `ttl` is over is
        not there, and none takes its place.

        With a journal, it has the last wave of every channel that it still has waves of; one record for each channel is
        read from the disk, at once. A wave that cannot be read is logged and left out. Without one, `retain` in the
        configuration says of which channels the medium keeps the last wave, the very object that was emitted.

        Args:
            pattern: A channel or pattern.

        Raises:
            ChannelError: It is no pattern.
            TypeError: It is no `str`.
            ValueError: There is no journal, and `retain` does not cover the pattern.
            JournalError: The journal cannot be read.
            ForkedMedium: The medium was used before this process was forked.

        Example:
            >>> from aether import Aether, AetherConfig
            >>> medium = Aether(AetherConfig(retain=["sensors.*"]))
            >>> for channel, degrees in [("sensors.a", 20), ("sensors.b", 5), ("sensors.a", 21)]:
            ...     _ = medium.emit_nowait(channel, degrees)
            >>> [(wave.channel, wave.payload) for wave in medium.last("sensors.*")]
            [('sensors.b', 5), ('sensors.a', 21)]
        """

    def active_patterns(self) -> list[str]:
        """Every pattern that is resonated on, as spelled, once for each mailbox."""

    def remove_channel(self, pattern: str) -> int:
        """Detunes every pattern that this one covers, everywhere; what waits already stays.

        Args:
            pattern: A channel or pattern.

        Returns:
            How many patterns were detuned, counted for each mailbox.

        Raises:
            ChannelError: It is no pattern.
            TypeError: It is no `str`.
        """

    def clear(self) -> int:
        """Drops what waits in every mailbox, counted as `cleared`.

        Returns:
            How many waves were dropped.
        """

    def limit_queued(self, waves: tuple[int, int] | None, payloads: tuple[int, int] | None) -> None:
        """Admits only so many waves, and payloads of so many bytes, each with the smaller number from which on it sheds
        faint waves; `None`: however much."""

    def stands(self, wave: Wave[Any]) -> None:
        """A wave that was taken waits still, behind the busy key of a handler, and counts until `stands_no_more`."""

    def stands_no_more(self, wave: Wave[Any]) -> None:
        """It waits no more."""

    def pressure(self) -> tuple[int, int, float, int, int]:
        """How many waves wait and how large their payloads are, if that is limited; the noise floor of the medium; and how
        many emissions were refused for their number and for their size."""

    def shut(self, phase: Literal["draining", "closed"], at_once: bool) -> None:
        """Goes on to a phase; `at_once` drops what waits."""

    @property
    def number(self) -> int:
        """A number that no other medium has."""

    @property
    def phase(self) -> Literal["open", "draining", "closed"]:
        """`open`, `draining` (handlers may still emit) or `closed`."""

    def explain_rows(
        self, channel: str, amplitude: float, emitter: int = 0
    ) -> list[tuple[str, list[str], bool, str | None, bool]]:
        """For `explain`: vibrator, patterns, reached, reason and lane of every mailbox."""

    def counters(self) -> _MediumCounters:
        """Counters of the medium, by name."""

    def figures(self) -> _Figures | None:
        """For metrics: all counters, by name and by domain, and what was measured, of its journal and cursors too.

        `None`: it measures nothing.
        """

    def tap(self, pattern: str, watch: Callable[[Wave], object]) -> Tap:
        """Calls `watch` with each wave of a pattern that is emitted, while the tap is held."""

    def ring(self, pattern: str, size: int) -> Ring:
        """Keeps the waves of a pattern that are emitted, up to a number, until they are taken out of it."""

    def survey(self, each: int, most: int) -> tuple[list[_Surveyed], int]:
        """What each mailbox holds, with some of the payloads, and the bytes that the routes take; see `aether.monitoring`."""

    def progress(self) -> int:
        """A number that grows with everything that is emitted or taken."""

    def until_quiet(self, timeout: float | None = None) -> Coroutine[Any, Any, bool]:
        """Awaits quiet: true once it is there, false at the timeout."""

    def until_delivered(self) -> Coroutine[Any, Any, bool]:
        """Awaits that everything that was appended to the journal is delivered, or refused."""

    def until_empty(
        self, mailboxes: Sequence[Mailbox], idle: Callable[[], bool], timeout: float | None = None
    ) -> Coroutine[Any, Any, bool]:
        """Awaits that these mailboxes are empty and `idle()` is true; false at the timeout."""

    def tune(
        self,
        *,
        attenuation_factor: float,
        decay_interval: float,
        max_propagation: int,
        min_amplitude: float,
        stall_warning: float,
    ) -> None:
        """Goes on by other settings, from the next emission and the next mailbox on."""

    def stalled(self) -> list[tuple[str, list[str], float]]:
        """Channel, full vibrators and seconds of what has waited for `stall_warning` or longer."""

    def first_stalled(self) -> tuple[int, list[tuple[str, list[str], float]]]:
        """How many have waited so long, and the first ten of them."""

    def handling(self, wave: Wave, mailbox: Mailbox, begins: bool) -> Handling:
        """A handler has a wave of this mailbox, and `begins` with it or may have to wait.

        Returns the value of the context variable `handling`.
        """

    def handling_begins(self, handling: Handling) -> None:
        """It begins now, after it may have stood behind another one."""

    def handled(self, handling: Handling) -> None:
        """A handler has ended."""

    def wait_by(self, timers: object) -> None:
        """Has the timeouts of emissions and receives go by these timers, and not by those of the loop."""

    def now(self) -> float:
        """What the medium's clock shows, in Unix seconds."""

    def check_process(self) -> None:
        """Raises `ForkedMedium` in the child of a fork."""

def new_identity() -> int:
    """A number for somebody who can ignore its own waves."""

def interfere(
    a1: float, p1: float, a2: float, p2: float, /
) -> tuple[float, float, float, float, Literal["constructive", "destructive", "partial"]]:
    """Amplitude, phase, phase difference, gain and kind of two waves that meet."""

@final
class Receipt:
    """What an emission did: immutable, and true if somebody got the wave.

    ``matched == delivered + dropped``, about this wave alone: what else had to leave a mailbox to
    make room is counted in the statistics of that vibrator. Mailboxes that the wave is too faint
    for, or that ignore their own waves, are not matched.

    Example:
        >>> from aether import Aether
        >>> medium = Aether()
        >>> screen = medium.vibrator("screen", overflow="drop_newest", buffer_size=1)
        >>> _ = screen.resonate_on("progress.*")
        >>> bool(medium.emit_nowait("progress.1")), bool(medium.emit_nowait("progress.2"))
        (True, False)
        >>> medium.emit_nowait("progress.3").reasons
        {'full': 1}
    """

    @property
    def sequence(self) -> int | None:
        """The number of the wave in this medium, from 1; `None` if it went nowhere."""

    @property
    def matched(self) -> int:
        """How many mailboxes resonate on the channel and hear the wave."""

    @property
    def delivered(self) -> int:
        """How many took it."""

    @property
    def dropped(self) -> int:
        """How many let it go."""

    @property
    def reasons(self) -> dict[str, int]:
        """Why it was let go, and how often: `full`, `faintest`, `expired` or `shed`.

        Of a wave that goes nowhere: ``{"max_propagation": 1}`` or ``{"min_amplitude": 1}``.
        """

    @property
    def reason(self) -> str | None:
        """The first of `reasons`; `None` if nothing was dropped."""

    @property
    def pending(self) -> bool:
        """Whether a journal has yet to confirm it: then it is false, its counts are 0, and
        ``await journal.durable(receipt.position)`` gives the final one. False without a journal.
        """

    @property
    def position(self) -> Position | None:
        """Its place in the journal; `None` without one, or if the journal has failed and it was delivered all the
        same.
        """

    @property
    def handlers(self) -> int:
        """How many of those that kept the wave are handlers."""

    def handled(self, timeout: float | None = None) -> Coroutine[Any, Any, Handled]:
        """Awaits that everybody who got the wave has finished with it, and says who has failed and how.

        A handler has finished when it has ended: well, or failed for good after its retries, its time limit and what its
        circuit says. A reader has when it asks for the next. A wave that is dropped where it waits ends there. Nothing is
        kept of waves that nobody asks about but how the last 1,024 in this medium have failed, and what each mailbox let
        go last, as many waves as it holds and at least 256: of what is older, it is `unknown` how it ended, if it was over
        before it was asked for.

        Cancelling changes nothing. It may be asked for again, by several, in any loop.

        Args:
            timeout: Seconds to wait, 0 or more, by the clock of the medium. Without it: until all have finished, which a
                reader may never do that has left its loop and not closed its vibrator, nor a handler that does not run.

        Returns:
            A `Handled`.

        Raises:
            TimeoutError: Some were still at it; the message names them.
            RuntimeError: A handler asks for the end of the wave that it handles, which would not come.
            TypeError: `timeout` is no number.
            ValueError: `timeout` is NaN or negative.
            JournalFull: The disk had no room for the wave, and nobody got it.
            JournalFailed: The journal has failed before the wave was safe, and nobody got it.
            ForkedMedium: The medium was used before this process was forked.

        Example:
            >>> import asyncio
            >>> from aether import Aether
            >>> medium = Aether()
            >>> shop = medium.vibrator("shop")
            >>> @shop.on("orders.*")
            ... async def book(wave):
            ...     if wave.payload < 1:
            ...         raise ValueError("nothing to book")
            >>> async def main():
            ...     async with medium:
            ...         receipt = await medium.emit_wave("orders.created", 3)
            ...         return await receipt.handled(timeout=5.0)
            >>> asyncio.run(main())
            Handled(outcomes=(Outcome(vibrator='shop', handler='book', how='handled', error=None),), finished=0, unknown=0)
        """

    def follow(self, wake: Callable[[], object]) -> Following | None:
        """Follows its wave: `wake` is called, in any thread, whenever somebody may have finished with it. `None`: it went
        nowhere, or its medium is gone.
        """

    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]

@final
class Ring:
    """The last waves of a pattern, up to a number; see `Medium.ring`."""

    def take(self) -> tuple[list[Wave], int]:
        """Takes the waves out, in the order in which they came, with how many there was no room for since the last time."""

    def close(self) -> None:
        """Ends it; a second time does nothing."""

@final
class Tap:
    """A callable that is called with each wave of a pattern; see `Medium.tap`.

    The medium holds it weakly, so that a callable which holds its medium is found by the collector.
    """

    def __call__(self, wave: Wave) -> object: ...
    def close(self) -> None:
        """Ends it; a second time does nothing."""

@disjoint_base
class Vibrator(Emitter):
    """The native half of a vibrator: an emitter that also receives."""

    def __new__(
        cls,
        medium: Medium,
        name: str,
        mailbox: Mailbox,
        identity: int,
        *_args: object,
        **_kwargs: object,
    ) -> Self: ...
    @property
    def mailbox(self) -> Mailbox:
        """Where its waves wait."""

    @property
    def missed(self) -> int:
        """Waves lost to this reader after the wave returned before and before the one just returned.

        Counted in its mailbox: those dropped, faded and expired. 0 until something was received.
        """

    def receive(self) -> Coroutine[Any, Any, Wave | None]:
        """Awaits the next wave, by the order of the mailbox; where one waits, it ends in place.

        Cancelling loses nothing, at any moment: a wave leaves the mailbox only in the hands of the
        task that resumes with it, and a cancelled waiter passes its wake-up on.

        Returns:
            The wave; `None` at the end: the vibrator or its medium is closed, and all was taken.

        Raises:
            WrongLoop: A task of another event loop waits here already.
            ForkedMedium: The medium was used before this process was forked.
            RuntimeError: No loop of asyncio or trio runs, and it would have to wait.

        Example:
            >>> import asyncio
            >>> from aether import Aether
            >>> async def main():
            ...     async with Aether() as medium, medium.vibrator("audit") as audit:
            ...         audit.resonate_on("orders.*")
            ...         await medium.emit_wave("orders.created", {"id": 7})
            ...         return await audit.receive()
            >>> asyncio.run(main()).payload
            {'id': 7}
        """

    def receive_many(
        self, most: int, *, max_wait: float | None = None
    ) -> Coroutine[Any, Any, list[Wave]]:
        """Awaits several waves at once: the first however long, then more for at most `max_wait`.

        Cancelling loses nothing, as for `receive`, whose errors it shares.

        Args:
            most: How many at most, 1 or more.
            max_wait: How long it waits for more once there is one, in seconds: 0 or more. At 0, or
                without it, it takes what is there.

        Returns:
            At least one wave, in order; ``[]`` at the end.

        Raises:
            TypeError: `most` or `max_wait` is no number.
            ValueError: One of them is out of range.
        """

    def receive_nowait(self) -> Wave:
        """Takes the next wave now, from any thread, with or without a loop: it never waits.

        Raises:
            WouldBlock: No wave waits.
            EndOfStream: The vibrator or its medium is closed, and all was taken.
            ForkedMedium: The medium was used before this process was forked.
        """

    def ack(self, wave: Wave) -> Coroutine[Any, Any, None]:
        """Says that a wave is finished, to the durable cursor that it came by.

        It acts at the call, awaited or not: the wave does not come again in this program, and not after the next
        start either, once this is done, which it is when the acknowledgement is as durable as the journal. A second
        time does no harm, and neither does one after its time was over, if nobody else has finished it.

        Args:
            wave: What this vibrator, or another one of its group, has received.

        Raises:
            ValueError: The vibrator resonates by no cursor, or the wave was not received by it.
            JournalFull: Awaited: the disk has no room for it. In this program it holds.
            JournalFailed: Awaited: the journal has failed before it was safe.
        """

    def begin_receive_sync(self, timeout: float | None = None) -> Waiting[Wave | None]:
        """The steps of `receive_sync`."""

    def __aiter__(self) -> AsyncIterator[Wave]: ...
    def __anext__(self) -> Coroutine[Any, Any, Wave]: ...
    @property
    def emitted(self) -> int:
        """What this vibrator, or an emitter of it, has emitted."""

    def mute(self) -> None:
        """Its emitters emit no more."""

    def leave_waves(self) -> None:
        """Its readers finish no more of what they have."""

    def depart(self) -> None:
        """It leaves its mailbox to the others of its group: for its own readers, that is the end."""

@final
class Waiting(Generic[_T_co]):
    """An operation that a thread drives: one thread, one step at a time."""

    def attempt(self, thread: Thread) -> tuple[_T_co] | None:
        """Tries in this thread: a tuple of the value, or `None` if it has to wait."""

    def enlist(self, lock: LockType, thread: Thread) -> bool:
        """Has a held lock released when it is worth another attempt; false: it is so already."""

    def abandon(self) -> None:
        """It will not be tried again."""

    @property
    def patience(self) -> float | None:
        """Seconds that it is ready to wait."""

    def run_out(self) -> tuple[_T_co] | None:
        """What it comes to when that is over, as a tuple; `None` if it waits on, with new patience."""

    def look(self) -> float:
        """Looks after emissions that have waited too long; returns in how many seconds to look again."""

@final
class Watcher:
    """Called with each wave of a pattern: the native half of `aether.Watch`."""

    def __new__(cls, medium: Medium, engine: Engine) -> Self: ...
    def __call__(self, wave: Wave, /) -> None:
        """Call self as a function."""

    def counters(self) -> tuple[int, int, int, int]:
        """Waves shown to the engine, waves of its own key that were not, found, and of these dropped."""

@final
class Wave(Generic[_T_co]):
    """One immutable message; the same object reaches every receiver.

    ``Wave[Order]`` says to type checkers what it carries, at no cost. A wave is always true; two
    are equal if they have the same id and count; it pickles if its payload does.

    Args:
        channel: Where it is to go: a concrete name.
        payload: Any object, carried by reference and never copied; receivers must not change it.
        amplitude: How loud it is, 0..1; values outside are clamped.
        phase: In radians, finite; wrapped to [0, 2π). Without it: 0.0.
        frequency: In hertz, finite, 0 or more. Without it: 1.0.
        source: Who emits it; a vibrator sets its own name.
        headers: Text by name, copied.
        timestamp: When it was made, in Unix seconds: finite. Without it: now.
        ttl: Seconds, 0 or more; where it waits and is older, it is dropped as `expired`.
            Without it: never.

    Raises:
        ChannelError: The channel breaks a rule, or is a pattern.
        TypeError: An argument is of the wrong type.
        ValueError: A number is NaN or out of its range.

    Example:
        >>> from aether import Wave
        >>> wave = Wave("orders.created", {"id": 7}, amplitude=0.5, headers={"tenant": "a"})
        >>> wave.channel, wave.payload, wave.amplitude, wave.sequence
        ('orders.created', {'id': 7}, 0.5, None)
        >>> wave.propagate().amplitude
        0.475
    """

    @overload
    def __new__(
        cls,
        channel: Channel[_T],
        payload: _T,
        *,
        amplitude: float = 1.0,
        phase: float | None = None,
        frequency: float | None = None,
        source: str | None = None,
        headers: Mapping[str, str] | None = None,
        timestamp: float | None = None,
        ttl: float | None = None,
    ) -> Wave[_T]: ...
    @overload
    def __new__(
        cls,
        channel: str,
        payload: _T,
        *,
        amplitude: float = 1.0,
        phase: float | None = None,
        frequency: float | None = None,
        source: str | None = None,
        headers: Mapping[str, str] | None = None,
        timestamp: float | None = None,
        ttl: float | None = None,
    ) -> Wave[_T]: ...
    @overload
    def __new__(
        cls,
        channel: str,
        payload: None = None,
        *,
        amplitude: float = 1.0,
        phase: float | None = None,
        frequency: float | None = None,
        source: str | None = None,
        headers: Mapping[str, str] | None = None,
        timestamp: float | None = None,
        ttl: float | None = None,
    ) -> Wave[None]: ...
    @overload
    @classmethod
    def builder(cls, channel: Channel[_T]) -> WaveBuilder[_T]:
        """A builder: puts a wave together field by field.

        Args:
            channel: Where the wave is to go: a concrete name. It is checked by `build`.

        Example:
            >>> from aether import Wave
            >>> Wave.builder("orders.created").payload({"id": 7}).amplitude(0.5).build().amplitude
            0.5
        """

    @overload
    @classmethod
    def builder(cls, channel: str) -> WaveBuilder[Any]: ...
    @property
    def id(self) -> str:
        """A prefix of the process and a number: fixed, kept by hops and decay, new by `replace`."""

    @property
    def sequence(self) -> int | None:
        """Its number in the medium that admitted it, from 1; `None` before."""

    @property
    def channel(self) -> Channel[_T_co]:
        """Where it goes."""

    @property
    def payload(self) -> _T_co:
        """What it carries; receivers share it and must not change it."""

    @property
    def amplitude(self) -> float:
        """How loud it is, 0..1."""

    @property
    def priority(self) -> float:
        """The amplitude that was given at the first emission, 0..1: hops and causes hand it on."""

    @property
    def phase(self) -> float:
        """In radians, [0, 2π)."""

    @property
    def frequency(self) -> float:
        """In hertz, 0 or more."""

    @property
    def source(self) -> str | None:
        """Who emitted it; `None`: the medium itself."""

    @property
    def headers(self) -> MappingProxyType[str, str]:
        """Text by name, read-only; empty if there is none."""

    @property
    def propagation_count(self) -> int:
        """How many hops it has behind it: 1 once it was emitted."""

    @property
    def timestamp(self) -> float:
        """When it was made, in Unix seconds."""

    @property
    def ttl(self) -> float | None:
        """How old it may become where it waits, in seconds; `None`: any age."""

    @property
    def delivery_count(self) -> int:
        """How often its reader has got it, this time included: above 1 where a durable cursor brings again what
        was not acknowledged in time.
        """

    @property
    def compensates(self) -> str | None:
        """The id of the wave that this one undoes: that of `compensates=`; `None` for most."""

    def age(self, now: float | None = None) -> float:
        """Seconds since the wave's timestamp, 0 or more.

        Args:
            now: In Unix seconds: finite. Without it: the machine's clock.

        Raises:
            ValueError: `now` is not finite.
        """

    def propagate(self, attenuation_factor: float = 0.95) -> Self:
        """The wave after one more hop: amplitude x factor, count + 1, the same id.

        Args:
            attenuation_factor: What is left of the amplitude: (0, 1].

        Returns:
            A new wave, which no medium has admitted.

        Raises:
            ValueError: The factor is out of range.

        Example:
            >>> from aether import Wave
            >>> wave = Wave("orders.created").propagate(0.5)
            >>> wave.amplitude, wave.priority, wave.propagation_count
            (0.5, 1.0, 1)
        """

    def apply_time_decay(
        self,
        now: float | None = None,
        *,
        attenuation_factor: float = 0.95,
        decay_interval: float = 1.0,
    ) -> Self:
        """The wave as faint as its age has made it: amplitude x factor ** (age / interval).

        Args:
            now: In Unix seconds: finite. Without it: the machine's clock.
            attenuation_factor: What is left of the amplitude after each interval: (0, 1].
            decay_interval: In seconds: finite, above 0.

        Returns:
            A new wave of the same id and count, which no medium has admitted.

        Raises:
            ValueError: A number is out of range.

        Example:
            >>> from aether import Wave
            >>> wave = Wave("orders.created", timestamp=100.0)
            >>> wave.apply_time_decay(102.0, attenuation_factor=0.5).amplitude
            0.25
        """

    @overload
    def replace(
        self,
        *,
        payload: _T,
        channel: str = ...,
        amplitude: float = ...,
        phase: float = ...,
        frequency: float = ...,
        source: str | None = ...,
        headers: Mapping[str, str] | None = ...,
        timestamp: float | None = ...,
        ttl: float | None = ...,
    ) -> Wave[_T]:
        """A wave with other fields and an id of its own, which no medium has admitted.

        The count is kept, and so is the priority, unless the amplitude changes: then it is that.

        Args:
            changes: The new values by field: `channel`, `payload`, `amplitude`, `phase`,
                `frequency`, `source`, `headers`, `timestamp`, `ttl`, as for `Wave`.

        Raises:
            ChannelError: The channel breaks a rule, or is a pattern.
            TypeError: There is no such field, or a value is of the wrong type.
            ValueError: A number is NaN or out of its range.

        Example:
            >>> from aether import Wave
            >>> wave = Wave("orders.created", {"id": 7})
            >>> louder = wave.replace(amplitude=0.9, source="shop")
            >>> louder.payload, louder.source, louder.id == wave.id
            ({'id': 7}, 'shop', False)
        """

    @overload
    def replace(
        self,
        *,
        channel: str = ...,
        amplitude: float = ...,
        phase: float = ...,
        frequency: float = ...,
        source: str | None = ...,
        headers: Mapping[str, str] | None = ...,
        timestamp: float | None = ...,
        ttl: float | None = ...,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

_Turn: TypeAlias = tuple[str, str, int, int, int]
"""From, to, calls, failed, slow."""

@final
class Bucket:
    """So many in a second, and so many at once; told the time in monotonic seconds, as all of these."""

    def __new__(cls, rate: float, burst: float) -> Self: ...
    def take(self, now: float) -> float:
        """Takes one token: 0.0; or says in how many seconds there will be one."""

    def give_back(self) -> None:
        """One that was taken is not used: another may take it."""

    def level(self, now: float) -> float:
        """How many tokens there are."""

    def change(self, rate: float, burst: float) -> None:
        """Goes on by another rate."""

@final
class Budget:
    """No more retries than a share of all attempts."""

    def __new__(cls, share: float) -> Self: ...
    def begin(self, now: float) -> None:
        """A first attempt is made."""

    def retry(self, now: float) -> bool:
        """Whether there may be one more retry; then there is."""

@final
class Permit:
    """The right to one call that a circuit has let pass."""

@final
class Circuit:
    """Nothing passes for a while, once too much has failed."""

    def __new__(
        cls,
        calls: int,
        seconds: float,
        least: int,
        failed: float,
        slow: float,
        slow_after: float,
        open_for: float,
        probes: int,
    ) -> Self:
        """A window of `calls`, or of `seconds` if that is above 0."""

    def ask(self, now: float) -> tuple[Permit | None, float, _Turn | None]:
        """A call asks: a permit, or in how many seconds it may ask again (NaN: once a probe has ended); and whether the
        circuit has changed by that."""

    def ended(self, permit: Permit, failed: bool, took: float, now: float) -> _Turn | None:
        """A call has ended; whether the circuit has changed by that."""

    def given_up(self, permit: Permit) -> bool:
        """A call has come to no end that says anything; whether another may ask for its place."""

    @property
    def phase(self) -> str:
        """closed, open or half_open."""

    def tally(self, now: float) -> tuple[int, int, int]:
        """What it has seen lately: calls, failed, slow."""

def emit_derived(
    medium: Medium,
    channel: str,
    payload: Any,
    *,
    headers: dict[str, str],
    about: Wave[Any] | None = None,
) -> bool:
    """Emits a wave on a derived channel: about another one, whose numbers it has then, or about none.

    Returns whether it went out; false: somebody is full, or the medium takes no more.
    """

def is_derived(channel: str) -> bool:
    """Whether a channel is one that the library derives, of which nothing is derived again."""

def with_header(wave: Wave[_T], name: str, value: str) -> Wave[_T]:
    """The same wave as it was admitted, with one more header: for whoever gets it once more."""

def restore_wave(
    named: tuple[str, Any, str | None, str],
    numbers: tuple[float, float, int, int | None, float],
    rare: tuple[
        float,
        float,
        float | None,
        Mapping[str, str] | None,
        tuple[str, float, float, float] | None,
    ],
) -> Wave:
    """Makes a wave again from what `__reduce__` gave."""

def undone_by(wave: Wave) -> tuple[str, float, float, float] | None:
    """Id, timestamp, amplitude and phase of the wave that this one undoes."""

@final
class Window:
    """What a field held at one moment."""

    def columns(self) -> list[memoryview]:
        """`timestamp`, `amplitude`, `phase`, `frequency`, `channel` and `sequence`, read-only."""

    def channels(self) -> tuple[Channel[Any], ...]:
        """The channels by number."""

    @property
    def naming(self) -> tuple[int, int]:
        """Windows of one field that are equal here have the same channels."""

    def __len__(self) -> int: ...
