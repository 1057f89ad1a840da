"""Vibrators: the named participants. Each emits, and resonates through a mailbox or through handlers.

Contract:
- A vibrator hears a wave whose channel one of its patterns matches, once for its mailbox and once for each
  handler (see `aether.lane`). What it does not take waits, up to `buffer_size`; then `overflow` decides.
- Cancelling a receive loses nothing, at any moment: a wave leaves the mailbox only in the hands of the task
  that resumes with it.
- `close` and `aclose` count what is left as abandoned; `drain` lets readers take it. After that, `receive`
  returns `None` and `async for` ends.
- One event loop at a time awaits on a vibrator (`WrongLoop` otherwise). Emitting, the `_nowait` and the
  `_sync` forms work from any thread.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar

from aether import _native
from aether._wait import checked_timeout, shielded
from aether.errors import Closed, ForkedMedium
from aether.journaled import Ack, Replayed, cursor_settings, history_after
from aether.lane import Lane, checked_handler, others_idle
from aether.run import OnError, Run
from aether.statistics import VibratorStatistics, by_reason
from aether.threads import Emitting, block

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Mapping
    from types import TracebackType
    from typing import Self, Unpack

    from aether._native import Mailbox, Wave
    from aether.medium import Aether
    from aether.requests import RequestOptions

Order: TypeAlias = Literal["amplitude", "fifo", "fresh"]
Overflow: TypeAlias = Literal[
    "block", "drop_oldest", "drop_newest", "drop_faintest", "conflate", "error", "replay"
]
_Handler = TypeVar("_Handler", bound="Callable[..., Any]")


class Options(TypedDict):
    """How a mailbox of a vibrator is made."""

    order: Order
    overflow: Overflow
    buffer_size: int
    noise_floor: float
    ignored: int
    """Whose waves it does not hear: an identity, or 0."""


class Done(int):
    """What a call has done already: a count, which can be awaited for symmetry and then is itself."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, int]:
        return int(self)
        yield  # makes this a generator, which never gives way


class Created:
    """A vibrator that was just made: `await` gives it, `async with` also closes it at the end."""

    __slots__ = ("_vibrator",)

    def __init__(self, vibrator: Vibrator) -> None:
        self._vibrator = vibrator

    def __await__(self) -> Generator[Any, None, Vibrator]:
        return self._vibrator
        yield  # makes this a generator, which never gives way

    async def __aenter__(self) -> Vibrator:
        return self._vibrator

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await shielded(self._vibrator.aclose())


class Vibrator(Emitting, _native.Vibrator):
    """A named participant of a medium. Made by `Vibrator.create` or `medium.vibrator`.

    Example:
        >>> import asyncio
        >>> from aether import Aether, Vibrator
        >>> async def main():
        ...     async with Aether() as medium:
        ...         async with Vibrator.create("audit", medium) as audit:
        ...             audit.resonate_on("orders.*")
        ...             await medium.emit_wave("orders.created", {"id": 7})
        ...             wave = await audit.receive()
        ...             return wave.channel, wave.payload
        >>> asyncio.run(main())
        ('orders.created', {'id': 7})
    """

    __slots__ = (
        "_closed",
        "_ending",
        "_group",
        "_identity",
        "_lanes",
        "_medium",
        "_name",
        "_options",
        "_ordinals",
        "_runs",
        "_shares",
        "_to_end",
    )

    def __init__(  # pyright: ignore[reportInconsistentConstructor] - the native half takes any medium
        self,
        medium: Aether,
        name: str,
        mailbox: Mailbox,
        identity: int,
        options: Options,
        group: str | None,
    ) -> None:
        del mailbox  # the native half holds it
        self._medium = medium
        self._name = name
        self._options = options
        self._group = group
        self._identity = identity
        self._lanes: list[Lane] = []
        self._runs: list[Run] = []
        self._shares: list[object] = []
        self._ordinals: dict[tuple[str, ...], int] = {}
        self._to_end: list[Mailbox] = []
        # Taken for good by the first who closes it. Nobody waits for it, in the child of a fork neither.
        self._ending = threading.Lock()
        self._closed = False

    @classmethod
    def create(
        cls,
        name: str,
        medium: Aether,
        *,
        order: Order = "amplitude",
        overflow: Overflow | None = None,
        buffer_size: int | None = None,
        noise_floor: float = 0.0,
        ignore_own: bool = False,
        group: str | None = None,
    ) -> Created:
        """Makes a vibrator: `v = await Vibrator.create(...)`, or `async with Vibrator.create(...) as v`.

        Args:
            name: A label for messages and statistics; also the `source` of what it emits.
            medium: Where it resonates.
            order: Which waiting wave is received first: `amplitude` (highest priority first, in order of
                arrival among equals), `fifo`, or `fresh` (loudest now: waves fade while they wait).
            overflow: What happens when its mailbox is full: `block` (emitters wait), `drop_oldest`,
                `drop_newest`, `drop_faintest`, `conflate` (only the last wave of each channel is kept),
                `error` (emitters get `WouldBlock`) or, in a medium with a journal, `replay` (what it has no room
                for it reads from there, in order). `None`: what the configuration says.
            buffer_size: How many waves may wait: 1 or more. `None`: what the configuration says.
            noise_floor: Fainter waves are not heard: 0..1.
            ignore_own: It does not hear what it emits itself.
            group: Vibrators of a group share one mailbox and its patterns; each wave goes to one of them.

        Raises:
            ValueError: An option is out of range, or differs from those of the first of its group.
            Closed: The medium is closed.
        """
        from aether.medium import Aether

        if not isinstance(medium, Aether):
            message = f"the medium of a vibrator must be an Aether, not {type(medium).__name__}"
            raise TypeError(message)
        return Created(
            medium.vibrator(
                name,
                order=order,
                overflow=overflow,
                buffer_size=buffer_size,
                noise_floor=noise_floor,
                ignore_own=ignore_own,
                group=group,
            )
        )

    @property
    def name(self) -> str:
        """Its label."""
        return self._name

    @property
    def group(self) -> str | None:
        """The group that it shares a mailbox with."""
        return self._group

    @property
    def identity(self) -> int:
        """What `ignore_own` goes by: a number of its own, or of its group."""
        return self._identity

    @property
    def closed(self) -> bool:
        """Whether it was closed or drained."""
        return self._closed

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<Vibrator {self._name!r}{state}>"

    # Resonating

    def resonate_on(
        self,
        *patterns: str,
        replay: Replayed | None = None,
        last: bool = False,
        cursor: str | None = None,
        ack: Ack = "manual",
        ack_timeout: float = 30.0,
        max_deliveries: int = 5,
    ) -> Done:
        """Hears these patterns from now on, in its mailbox: all of them, or none if one is wrong.

        It acts at the call, awaited or not. A pattern that it resonates on already changes nothing.

        Args:
            patterns: What to hear: one or more.
            replay: In a medium with a journal, from where on: ``"all"``, a sequence (that wave is the first), an
                aware `datetime`, or a `timedelta` ago. What the journal has comes first, then what is emitted, with
                no gap and nothing twice; emitters do not wait for it. Waves of the journal have the name of their
                source, and no identity: `ignore_own` does not know them.
            last: Begins with the last wave of each channel, then what is emitted, with no gap and nothing twice. The last
                waves stand ahead of its mailbox, in the order of their sequences: they come before whatever waits
                there, under every `order`, take no room, and no `overflow` drops them. They need a journal, or a
                medium that retains the patterns (`AetherConfig.retain`); see `medium.last`. Those that it has by
                another pattern already do not come again.
            cursor: In a medium with a journal, the name of a durable cursor, which remembers across restarts what
                was finished here: what was not comes again, as waves of their own with a `delivery_count` above 1.
                It begins where `replay` says, or now, if nobody has used that name before; later starts go on from
                where it is. It keeps count of the whole mailbox, so all patterns are given with it, in one call. It
                has one reader at a time, or one group. See `ack` for what it takes to finish a wave.
            ack: With a cursor: ``"manual"``, a wave is finished by `ack(wave)`; or ``"next"``, by asking for more:
                then all that this vibrator has received before is.
            ack_timeout: With a cursor: after so many seconds a wave that is not finished comes again: above 0.
            max_deliveries: With a cursor: how often a wave comes, 1 or more. Then it goes to `dead.<channel>`, with
                the headers `aether-reason` (`max_deliveries`), `aether-id`, `aether-deliveries` and `aether-cursor`.

        Raises:
            ChannelError: A pattern is no pattern; the message points at the token.
            TypeError: One is no `str`, or an option is of the wrong type.
            ValueError: No pattern, an option out of range, or the medium has no journal and does not retain what
                `last` needs; `last` together with `replay` or `cursor`; the cursor has a reader already; or the
                mailbox resonates already, or drops waves when it is full.
            JournalError: The journal cannot be read.
            Closed: The vibrator or its medium is closed.

        Example:
            >>> import asyncio, tempfile
            >>> from aether import Aether
            >>> from aether.journal import Journal
            >>> async def start(folder, *, emit):
            ...     async with Aether(journal=Journal(folder)) as medium:
            ...         billing = medium.vibrator("billing")
            ...         billing.resonate_on("orders.*", cursor="billing")
            ...         await medium.emit_many([("orders.created", id) for id in emit])
            ...         first, second = await billing.receive(), await billing.receive()
            ...         await billing.ack(first)
            ...     return [(wave.payload, wave.delivery_count) for wave in (first, second)]
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     asyncio.run(start(folder, emit=[1, 2, 3]))
            ...     asyncio.run(start(folder, emit=[]))
            [(1, 1), (2, 1)]
            [(2, 2), (3, 1)]
        """
        self._check_open()
        _check_patterns(patterns, "resonate_on")
        if last and (replay is not None or cursor is not None):
            other = "replay" if cursor is None else "cursor"
            message = (
                f"last=True begins with the last wave of each channel, and {other}= with history: give one of them, or"
                " resonate twice, with two vibrators"
            )
            raise ValueError(message)
        after = None if replay is None else history_after(self._medium.journal, replay)
        if cursor is not None:
            settings = cursor_settings(cursor, ack, ack_timeout, max_deliveries)
            return Done(self.mailbox.resonate_by_cursor(list(patterns), cursor, after, *settings))
        if (known := self.mailbox.cursor_name) is not None:
            message = (
                f"vibrator {self._name!r} resonates by cursor {known!r}, which keeps count of the whole mailbox: give"
                " all patterns with the cursor, in one call, or make another vibrator for these"
            )
            raise ValueError(message)
        if last:
            return Done(self.mailbox.resonate_last(list(patterns)))
        added: list[str] = []
        try:
            for pattern in patterns:
                if after is None:
                    fresh = self.mailbox.resonate(pattern)
                else:
                    fresh = self.mailbox.resonate_after(pattern, after)
                if fresh:
                    added.append(pattern)
        except BaseException:
            for pattern in added:
                self.mailbox.detune(pattern)
            raise
        return Done(len(added))

    def detune(self, pattern: str) -> Done:
        """Takes a pattern back, in any spelling: from its mailbox and from its handlers.

        What waits already stays. Returns in how many of them it was; 0 changes nothing.

        Raises:
            ChannelError: The pattern is no pattern.
        """
        mailboxes = (self.mailbox, *(lane.mailbox for lane in self._lanes))
        return Done(sum(mailbox.detune(pattern) for mailbox in mailboxes))

    @property
    def patterns(self) -> tuple[str, ...]:
        """What its mailbox resonates on, as spelled."""
        return tuple(self.mailbox.patterns())

    def on(
        self,
        *patterns: str,
        concurrency: int = 1,
        key: Callable[[Wave[Any]], Hashable] | None = None,
        order: Order | None = None,
        overflow: Overflow | None = None,
        buffer_size: int | None = None,
    ) -> Callable[[_Handler], _Handler]:
        """Has a function, async or plain, handle the waves of these patterns.

        Each `on` is a lane of its own with a mailbox of its own: every matching handler gets the wave. It
        hears from the call on, and runs while the medium is entered or under `run`, also one that has begun.
        What it returns, if not `None`, answers a request.

        Args:
            patterns: What to handle: one or more.
            concurrency: How many waves may be handled at once: 1 or more.
            key: Waves of one key are handled in order, one after the other; other keys go on.
            order: As for the vibrator, whose order holds otherwise.
            overflow: As for the vibrator, whose policy holds otherwise.
            buffer_size: As for the vibrator, whose size holds otherwise.

        Raises:
            ChannelError: A pattern is no pattern.
            TypeError: One is no `str`, an option is of the wrong type, or the handler is no function or has
                a `yield` in it.
            ValueError: No pattern, or an option out of range.
            Closed: The vibrator or its medium is closed.
        """
        self._check_open()
        _check_patterns(patterns, "on")
        if isinstance(concurrency, bool) or not isinstance(concurrency, int):
            message = f"concurrency must be an int, not {type(concurrency).__name__}"
            raise TypeError(message)
        if not 1 <= concurrency <= sys.maxsize:
            message = f"concurrency must be a number of handlers, 1 or more, not {concurrency}"
            message += "" if concurrency < 1 else f"; at most {sys.maxsize}"
            raise ValueError(message)
        if key is not None and not callable(key):
            message = f"key must be a function of a wave, not {type(key).__name__}"
            raise TypeError(message)
        options = self._options.copy()
        if order is not None:
            options["order"] = order
        if overflow is not None:
            options["overflow"] = overflow
        if buffer_size is not None:
            options["buffer_size"] = buffer_size
        mailbox = self._medium.lane_mailbox(self, patterns, options, concurrency)

        def register(handler: _Handler) -> _Handler:
            try:
                checked_handler(handler)
            except TypeError:
                mailbox.leave()
                raise
            lane = Lane(
                self._medium,
                self._name,
                mailbox,
                handler,
                concurrency=concurrency,
                key=key,
                limit=options["buffer_size"],
            )
            self._add(lane)
            return handler

        return register

    def _add(self, lane: Lane) -> None:
        self._lanes.append(lane)
        self._medium.adopt(lane, self)
        for run in tuple(self._runs):
            run.add(lane)

    async def run(
        self,
        *,
        on_error: OnError = "log",
    ) -> None:
        """Runs its handlers, also those that it gets meanwhile, until it is closed, drained or this is cancelled.

        Where the medium is entered and runs them already, this only waits, and `on_error` holds meanwhile.
        Without a handler it returns at once.

        Args:
            on_error: What happens when a handler raises: `log` it, `raise` it here (which ends the handlers,
                unless the medium runs them), or call this function, async or plain, with the error and
                the wave.

        Raises:
            TypeError: `on_error` is no function.
            ValueError: `on_error` is another word.
            Exception: With `raise`, what the handler raised.
        """
        run = Run(on_error)
        self._runs.append(run)
        try:
            with self._medium.blocks.open():
                for lane in tuple(self._lanes):
                    run.add(lane)
                await run.until_over()
        finally:
            self._runs.remove(run)
            run.leave()

    def receive_sync(self, timeout: float | None = None) -> Wave | None:
        """Waits for the next wave in a thread without a loop; Ctrl-C works meanwhile.

        Args:
            timeout: Seconds to wait, 0 or more. Without it: for ever.

        Returns:
            The wave; `None` at the end, as for `receive`.

        Raises:
            TimeoutError: No wave came in time; none is lost.
            ValueError: The timeout is NaN or negative.
            RuntimeError: A loop runs in this thread, which would stand still: await `receive` there.
            ForkedMedium: The medium was used before this process was forked.
        """
        return block(self.begin_receive_sync(timeout), "receive_sync", "await receive()")

    # Requests

    async def request(
        self,
        channel: str,
        payload: Any = None,
        *,
        timeout: float | None = 1.0,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Wave[Any]:
        """Emits a request and awaits the first answer: see `Aether.request`, under this vibrator's name."""
        return await self._medium.requests.ask(
            self._medium, self, channel, payload, timeout=timeout, headers=headers, options=options
        )

    async def reply(self, wave: Wave[Any], payload: Any = None) -> bool:
        """Answers a request that was received.

        Returns:
            True if this was the first answer and somebody still waits for it.

        Raises:
            ValueError: The wave is no request.
        """
        return self._medium.requests.reply(wave, payload, self._name)

    # The end

    def statistics(self) -> VibratorStatistics:
        """Its counters now, of its mailbox and its handlers together."""
        used = receive = send = received = failed = 0
        dropped: Counter[str] = Counter()
        # Lanes first: what they have taken is counted as received by their mailboxes when those are asked.
        for lane in self._lanes:
            used, failed = used + lane.behind, failed + lane.failed
            dropped.update(lane.dropped)
        received -= used + dropped.total()
        # A mailbox beside handlers that hears nothing is no place where waves could wait.
        size = -self.mailbox.counters()[1] if self._lanes and not self.mailbox.patterns() else 0
        mailboxes = [self.mailbox, *(lane.mailbox for lane in self._lanes)]
        for one in [mailbox.counters() for mailbox in mailboxes]:
            used, size = used + one[0], size + one[1]
            receive, send, received = receive + one[2], send + one[3], received + one[4]
            dropped.update(one[5])
        return VibratorStatistics(
            current_buffer_used=used,
            max_buffer_size=size,
            tasks_waiting_receive=receive,
            tasks_waiting_send=send,
            received=received,
            emitted=self.emitted,
            missed=dropped.total(),
            dropped=by_reason(dropped),
            failed=failed,
        )

    async def drain(self, timeout: float | None = None) -> bool:
        """Detunes, and lets its readers and handlers take what waits; then they get the end.

        A handler that calls this is not waited for.

        Args:
            timeout: Seconds to wait for that; `None`: for ever.

        Returns:
            Whether everything was taken. What was not stays for them, until `close`.
        """
        timeout = checked_timeout(timeout)
        mailboxes = self._detach()
        for mailbox in mailboxes:
            mailbox.finish()
        return await self._medium.until_empty(mailboxes, others_idle(self._lanes), timeout)

    def close(self) -> None:
        """Ends it at once: detunes, and counts what waits as abandoned. A second time does nothing.

        A handler that runs goes on; `aclose` waits for it, and so does leaving the medium. A request that
        waits here fails with `RequestFailed`.
        """
        self.mute()
        self._end()

    def _end(self) -> None:
        mailboxes = self._detach()
        for mailbox in mailboxes:
            mailbox.finish()
        own = [mailbox for mailbox in mailboxes if mailbox is self.mailbox]
        others = [mailbox for mailbox in mailboxes if mailbox is not self.mailbox]
        with self._medium.requests.dropping("abandoned", own, others):
            for mailbox in mailboxes:
                mailbox.close()
        for lane in self._lanes:
            lane.close()
        self._medium.disown(self)

    def _detach(self) -> list[Mailbox]:
        """Leaves its mailboxes, and returns those that are its own to end: no other member reads them."""
        # In one step: a second thread that closes it now would take another member out of its group.
        if self._ending.acquire(blocking=False):
            self._closed = True
            mailboxes = [self.mailbox, *(lane.mailbox for lane in self._lanes)]
            self._to_end = [mailbox for mailbox in mailboxes if mailbox.resign()]
            if self.mailbox not in self._to_end:
                self.depart()
        return self._to_end

    async def aclose(self) -> None:
        """Ends it as `close` does, and waits for its handlers that run, but not for the one that calls."""
        self.close()
        for lane in self._lanes:
            if lane.is_running and not lane.is_current():
                await lane.ended.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await shielded(self.aclose())

    def __del__(self) -> None:
        # Half made, or at the interpreter's end, there is nothing to say.
        if getattr(self, "_closed", True) or sys.is_finalizing():
            return
        with contextlib.suppress(ForkedMedium):
            patterns = self.mailbox.patterns()
            # Its emitters go on: they never needed it.
            self._end()
            if patterns and self.mailbox in self._to_end and self._medium.phase == "open":
                warnings.warn(
                    f"vibrator {self._name!r} was dropped without being closed and is detuned from "
                    f"{', '.join(patterns)}; use 'async with', or close() it",
                    ResourceWarning,
                    stacklevel=2,
                    source=self,
                )

    def share(self, shared: object, patterns: tuple[str, ...] = ()) -> None:
        """Keeps what it shares with its group: its mailbox, or that of a handler for these patterns."""
        self._shares.append(shared)
        if patterns:
            self._ordinals[patterns] = self.count_shared(patterns) + 1

    def count_shared(self, patterns: tuple[str, ...]) -> int:
        """How many handlers it has had for these patterns."""
        return self._ordinals.get(patterns, 0)

    def _check_open(self) -> None:
        if self._closed:
            message = f"vibrator {self._name!r} is closed and resonates no more; make a new one"
            raise Closed(message)


def _check_patterns(patterns: tuple[object, ...], method: str) -> None:
    """Says what to write instead, where these are no names at all; the names are checked one by one."""
    if not patterns:
        message = f"{method}() takes patterns, one or more, such as {method}('orders.*')"
        raise ValueError(message)
    for pattern in patterns:
        kind = type(pattern).__name__
        if isinstance(pattern, (list, tuple, set, frozenset)):
            message = (
                f"{method}() takes the patterns one by one, not in a {kind}; "
                f"unpack it: {method}(*patterns)"
            )
            raise TypeError(message)
        if callable(pattern):
            message = f"{method}() takes patterns, not a function; write @v.on('orders.*') above it"
            raise TypeError(message)
