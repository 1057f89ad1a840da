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
from typing import TYPE_CHECKING, Any

from aether._wait import checked_timeout, shielded
from aether.errors import ForkedMedium
from aether.lane import others_idle
from aether.options import Options, Order, Overflow
from aether.resonating import Resonating
from aether.statistics import VibratorStatistics, by_reason
from aether.threads import Emitting, block

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from types import TracebackType
    from typing import Self, Unpack

    from aether._native import Mailbox, Wave
    from aether.delayed import Delays
    from aether.limited import Limiting
    from aether.medium import Aether
    from aether.requests import RequestOptions


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


class Vibrator(Emitting, Resonating):
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

    __slots__ = ("_ending", "_group", "_identity", "_ordinals", "_shares", "_to_end")

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
        self._group = group
        self._identity = identity
        self._shares: list[object] = []
        self._ordinals: dict[tuple[str, ...], int] = {}
        self._to_end: list[Mailbox] = []
        # Taken for good by the first who closes it. Nobody waits for it, in the child of a fork neither.
        self._ending = threading.Lock()
        # Last: one that is not open yet, or never was, has no end.
        self._begin_resonating(medium, name, options)

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
    def limiting(self) -> Limiting:
        """What its medium knows of emitters with limits; for what makes them."""
        return self._medium.limiting

    @property
    def delays(self) -> Delays:
        """The delayed emissions of its medium; for what makes them."""
        return self._medium.delays

    @property
    def closed(self) -> bool:
        """Whether it was closed or drained."""
        return self._closed

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<Vibrator {self._name!r}{state}>"

    # Receiving

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
        waiting = self.begin_receive_sync(timeout)
        return block(waiting, self._medium.timers, "receive_sync", "await receive()")

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
            handlers=tuple(lane.statistics() for lane in self._lanes),
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

        A handler that runs goes on, for as long as it takes: `aclose` waits for it, and so does leaving the medium, for at
        most `drain_timeout`. A request that waits here fails with `RequestFailed`.
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
        self.leave_waves()
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
        """Ends it as `close` does, and waits for its handlers that run, however long, but not for the one that calls."""
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
