"""How a vibrator hears: by patterns of its mailbox, and by handlers, each with patterns and a mailbox of its own.

Contract:
- What it resonates on, it hears from the call on. A call takes all of its patterns, or none if one is wrong.
- Handlers run while the medium is entered, or under `run`; both take those in that come meanwhile.
- Once it is closed or drained it resonates on nothing more (`Closed`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aether import _native
from aether.errors import Closed
from aether.handling.guard import Guards
from aether.journaled import Ack, Replayed, cursor_settings, history_after
from aether.lane import Lane, checked_handler
from aether.runs import OnError, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable
    from contextlib import AbstractContextManager

    from aether._native import Wave
    from aether.handling import CircuitBreaker, Rate, Retry
    from aether.medium import Aether
    from aether.options import Options, Order, Overflow
    from aether.vibrator import Vibrator

_Handler = TypeVar("_Handler", bound="Callable[..., Any]")


class Done(int):
    """What a call has done already: a count, which can be awaited for symmetry and then is itself."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, int]:
        return int(self)
        yield  # makes this a generator, which never gives way


class Resonating(_native.Vibrator):
    """The part of a vibrator that hears."""

    __slots__ = ("_closed", "_lanes", "_medium", "_name", "_options", "_runs")

    def _begin_resonating(self, medium: Aether, name: str, options: Options) -> None:
        self._medium = medium
        self._name = name
        self._options = options
        self._lanes: list[Lane] = []
        self._runs: list[Run] = []
        self._closed = False

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
        with self._room_for(patterns, known=self.mailbox.patterns()):
            return self._resonate(
                patterns, replay, cursor, (ack, ack_timeout, max_deliveries), last=last
            )

    def _room_for(
        self, patterns: tuple[str, ...], known: list[str]
    ) -> AbstractContextManager[None]:
        """There are these patterns more, as far as the limits go."""
        # Two spellings of one count twice here, and are refused a little early.
        fresh = len(set(patterns).difference(known))
        return self._medium.room_for_patterns(self._name, fresh, self._count_patterns)

    def _count_patterns(self) -> int:
        mailboxes = (self.mailbox, *(lane.mailbox for lane in self._lanes))
        return sum(len(mailbox.patterns()) for mailbox in mailboxes)

    def _resonate(
        self,
        patterns: tuple[str, ...],
        replay: Replayed | None,
        cursor: str | None,
        acknowledging: tuple[Ack, float, int],
        *,
        last: bool,
    ) -> Done:
        if last and (replay is not None or cursor is not None):
            other = "replay" if cursor is None else "cursor"
            message = (
                f"last=True begins with the last wave of each channel, and {other}= with history: give one of them, or"
                " resonate twice, with two vibrators"
            )
            raise ValueError(message)
        after = None if replay is None else history_after(self._medium.journal, replay)
        if cursor is not None:
            settings = cursor_settings(cursor, *acknowledging)
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
        retry: Retry | None = None,
        timeout: float | None = None,
        circuit: CircuitBreaker | None = None,
        rate: Rate | float | None = None,
        dead_letter: bool | None = None,
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
            retry: When a wave whose handler failed is handled again. Meanwhile its worker waits with it.
            timeout: Seconds that each attempt may take, above 0; then it is cancelled and has failed. Async ones only.
            circuit: Nothing is handled for a while once too much has failed.
            rate: So many in a second, as a number or a `Rate` with a burst.
            dead_letter: Whether a wave that has failed for good goes out on `dead.<channel>`; by default it does if it has
                `retry`, `timeout` or `circuit`.

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
        guards = Guards.checked(retry, timeout, circuit, rate, dead_letter)
        options = self._options.copy()
        if order is not None:
            options["order"] = order
        if overflow is not None:
            options["overflow"] = overflow
        if buffer_size is not None:
            options["buffer_size"] = buffer_size
        with (
            self._room_for(patterns, known=[]),
            self._medium.room_for_tasks(self._name, concurrency),
        ):
            mailbox = self._medium.lane_mailbox(
                cast("Vibrator", self), patterns, options, concurrency
            )

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
                guards=guards,
            )
            self._add(lane)
            return handler

        return register

    def _add(self, lane: Lane) -> None:
        self._lanes.append(lane)
        self._medium.adopt(lane, cast("Vibrator", self))
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
