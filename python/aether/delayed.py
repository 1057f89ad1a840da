"""Waves that are to go out later: `emit_wave(..., delay=seconds)`.

Contract:
- The call checks what can be checked and is done: nobody waits for the moment. Then the wave is made and emitted, as if it
  was asked for only then: timestamp, `ttl` and the rules of amplitude are of that moment, and its id is new. A wave that exists,
  which `emit` was given, keeps what it has.
- It goes by the medium's clock, in the loop that runs the medium's handlers; while none are run, in that of the caller, and when
  they are run again, there. Those of one moment go out in the order asked for.
- Where somebody is full and blocks, it waits for room, in a task of its own, for as long as its `timeout` says; on trio, those
  that have to wait at one moment begin to in any order. One of `emit_nowait` does not wait, and has failed.
- What fails then is logged and counted, and the handle says why. What still waits when the medium drains or closes is
  abandoned: counted, and logged with how many. Nothing is written down before it goes out, in a journal neither.
- In a handler, its wave is the cause for headers and trace, as of what is emitted at once.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import weakref
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aether._native import REPLY_HEADER, Wave, handling, with_header
from aether._wait import Home, is_loop_running, spawn
from aether.errors import Closed
from aether.events import said
from aether.statistics import DelayedStatistics
from aether.storms import Storm, and_more

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextlib import AbstractContextManager

    from aether._native import Receipt
    from aether._wait import Background
    from aether.running import Running
    from aether.threads import Emitting
    from aether.timers import Timer

__all__ = ["DelayedEmission", "Delays", "later"]

_log = said()

State: TypeAlias = Literal["waiting", "under_way", "emitted", "failed", "cancelled", "abandoned"]


class DelayedEmission:
    """A wave that is to be emitted later: what an emission with `delay=` gives.

    Dropping it changes nothing: the wave goes out.

    Example:
        >>> import asyncio
        >>> from aether.testing import VirtualAether
        >>> async def main():
        ...     async with VirtualAether() as medium:
        ...         reminder = await medium.emit_wave("order.overdue", 7, delay=60.0)
        ...         other = await medium.emit_wave("order.overdue", 8, delay=60.0)
        ...         await medium.clock.advance(30.0)
        ...         print(reminder.left, other.cancel())
        ...         await medium.clock.advance(30.0)
        ...         print(reminder.state, reminder.receipt.sequence, other.state)
        >>> asyncio.run(main())
        30.0 True
        emitted 1 cancelled
    """

    __slots__ = ("_call", "_delays", "_moment", "_timer", "channel", "error", "receipt", "state")

    def __init__(self, delays: Delays, channel: str, call: _Call) -> None:
        self.channel = channel
        """Where it goes to."""
        self.state: State = "waiting"
        """What has become of it: it is `waiting` for its moment, or since then `under_way`, as somebody is full or the journal
        has not told yet; at the end `emitted`, `failed`, `cancelled` or `abandoned`."""
        self.receipt: Receipt | None = None
        """What the emission did; `None`: it was not emitted."""
        self.error: Exception | None = None
        """Why it has failed."""
        self._delays = delays
        self._call: _Call | None = call
        self._moment = 0.0
        self._timer: Timer | None = None

    @property
    def left(self) -> float:
        """In how many seconds of the medium's clock it is due; 0.0 from then on."""
        return max(0.0, self._moment - self._delays.now())

    def cancel(self) -> bool:
        """Has it not go out, from any thread.

        Returns:
            Whether that was in time: it was still `waiting`.
        """
        return self._delays.cancel(self)

    def __repr__(self) -> str:
        when = f" for {self.left:g} s" if self.state == "waiting" else ""
        return f"<DelayedEmission on {self.channel!r} {self.state}{when}>"


class _Call:
    """What was asked for, to be done in the context of the call."""

    __slots__ = ("_context", "_emitter", "_keywords", "_method", "_payload", "_subject", "_task")

    def __init__(
        self,
        emitter: Emitting,
        method: str,
        subject: Any,
        payload: Any,
        keywords: dict[str, Any],
        handled: Wave[Any] | None,
    ) -> None:
        self._emitter: Any = emitter
        self._method = method
        self._subject: Any = subject
        self._payload = payload
        self._keywords = keywords
        if "headers" in keywords:
            keywords["headers"] = dict(keywords["headers"])
        if handled is not None:
            self._inherit(_handed_on(handled))
        self._context = contextvars.copy_context()
        # The handler will have ended; one that has not must not be taken for the one that emits.
        nobody: Any = None
        self._context.run(handling.set, nobody)

    def _inherit(self, headers: dict[str, str]) -> None:
        """Takes what a handler hands on to all that it emits."""
        if isinstance(self._subject, Wave):
            if self._subject.propagation_count == 0:
                for name in headers.keys() - self._subject.headers.keys():
                    self._subject = with_header(self._subject, name, headers[name])
        elif not {"cause", "compensates"} & self._keywords.keys():
            self._keywords["headers"] = headers | self._keywords.get("headers", {})

    def now(self) -> Receipt | None:
        """Emits; `None`: it has to wait for room."""
        if self._method == "emit_nowait":
            emit = partial(self._emitter.emit_nowait, **self._keywords)
        else:
            emit = partial(self._emitter.emit_if_room, keywords=self._keywords)
        receipt: Receipt | None = self._context.run(emit, self._subject, self._payload)
        return receipt

    async def emit(self) -> Receipt:
        """Emits, and waits for room."""
        given = (self._subject,) if self._method == "emit" else (self._subject, self._payload)
        receipt: Receipt = await getattr(self._emitter, self._method)(*given, **self._keywords)
        return receipt

    def spawn(
        self, run: Callable[[], Coroutine[Any, Any, None]], failed: Callable[[BaseException], None]
    ) -> None:
        """Runs this in the background."""
        # A loop keeps no task alive.
        self._task = self._context.run(spawn, run, "aether delayed", _ended, failed)


def _ended(_task: Background) -> None:
    """It has seen to all that is to be done."""


def _handed_on(handled: Wave[Any]) -> dict[str, str]:
    """The headers that a handler hands on, and its place in the trace."""
    headers = {key: value for key, value in handled.headers.items() if key != REPLY_HEADER}
    at_work = handling.get(None)
    if at_work is not None and at_work.span is not None:
        trace, span = at_work.span
        headers["traceparent"] = f"00-{trace:032x}-{span:016x}-01"
    return headers


def later(
    emitter: Emitting,
    method: str,
    subject: Any,
    payload: Any,
    keywords: dict[str, Any],
    seconds: float,
    handled: Wave[Any] | None,
) -> DelayedEmission | Coroutine[Any, Any, DelayedEmission]:
    """What an emission with `delay=` gives, once the native side has checked it.

    Raises:
        Closed: The medium is closed, or drains.
    """
    delays = emitter.delays
    channel = str(subject.channel if isinstance(subject, Wave) else subject)
    call = _Call(emitter, method, subject, payload, keywords, handled)
    one = DelayedEmission(delays, channel, call)
    delays.check(channel)
    if method == "emit_nowait":
        return delays.add(one, seconds)
    begun: Any = _begin(delays, one, seconds)
    # As of any emission, a warning that it was never awaited says which.
    begun.__qualname__ = f"{method} on {channel}"
    coroutine: Coroutine[Any, Any, DelayedEmission] = begun
    return coroutine


async def _begin(delays: Delays, one: DelayedEmission, seconds: float) -> DelayedEmission:
    return delays.add(one, seconds)


class Delays:
    """The delayed emissions of one medium. It keeps what it emits through alive, as long as they wait."""

    __slots__ = (
        "_closed",
        "_counted",
        "_home",
        "_lock",
        "_medium",
        "_storm",
        "_timers",
        "_under_way",
        "_waiting",
    )

    def __init__(self, medium: Running) -> None:
        self._medium = weakref.ref(medium)
        self._timers = medium.timers
        self._home: Home | None = None
        """The loop of the handlers."""
        self._waiting: dict[DelayedEmission, None] = {}
        self._under_way: dict[DelayedEmission, None] = {}
        self._counted: Counter[str] = Counter()
        self._closed = False
        self._storm = Storm()
        # May be asked for again in the midst of it, by the end of some object.
        self._lock = threading.RLock()

    def now(self) -> float:
        """What the clock shows, in monotonic seconds."""
        return self._timers.now()

    def statistics(self) -> DelayedStatistics:
        """What has become of them."""
        with self._lock:
            waiting, under_way = len(self._waiting), len(self._under_way)
            return DelayedStatistics(waiting=waiting, under_way=under_way, **self._counted)

    def check(self, channel: str) -> None:
        """It is taken now.

        Raises:
            Closed: Nothing is any more.
        """
        if self._closed:
            message = (
                f"emitting on {channel!r} with a delay: the medium is closed, or drains, and does not wait for the moment; "
                "emit without a delay while it drains, or make a new medium"
            )
            raise Closed(message)

    def add(self, one: DelayedEmission, seconds: float) -> DelayedEmission:
        """Has it go out in so many seconds.

        Raises:
            Closed: Nothing does any more.
            LimitExceeded: As many wait as may.
            RuntimeError: There is no loop for it.
        """
        home = self._home
        if home is None or home.is_over():
            if not is_loop_running():
                message = (
                    f"emitting on {one.channel!r} with a delay needs a loop: the medium is not entered, and no loop of asyncio or "
                    "trio runs in this thread; enter the medium first, or emit from a loop"
                )
                raise RuntimeError(message)
            home = Home()
        one._moment = self._timers.now() + seconds  # noqa: SLF001 - of this module
        # In this order: in a block of the limits, the end of some object may cancel one that waits.
        with self._room(one), self._lock:
            self.check(one.channel)
            self._waiting[one] = None
        home.run(partial(self._set, one, home))
        return one

    def _room(self, one: DelayedEmission) -> AbstractContextManager[None]:
        medium = self._medium()
        if medium is None:
            return contextlib.nullcontext()
        return medium.room_for_delayed(
            one.channel, lambda: len(self._waiting) + len(self._under_way)
        )

    def _set(self, one: DelayedEmission, here: Home) -> None:
        """Sets its timer in the running loop, unless the handlers have come to run in another one."""
        home = self._home
        if home is not None and home.key is not here.key and not home.is_over():
            home.run(partial(self._set, one, home))
        elif one in self._waiting:
            self._unset(one)
            one._timer = self._timers.at(one._moment, self._due, one)  # noqa: SLF001

    @staticmethod
    def _unset(one: DelayedEmission) -> None:
        timer, one._timer = one._timer, None  # noqa: SLF001
        if timer is not None:
            timer.cancel()

    def run_in(self, home: Home) -> None:
        """The handlers run in this loop, which is the running one, from now on."""
        self._home = home
        for one in list(self._waiting):
            self._set(one, home)

    def run_out(self) -> None:
        """They do no more. What waits there goes out there, while that loop runs."""
        self._home = None

    def cancel(self, one: DelayedEmission) -> bool:
        """Has it not go out; false: it is too late."""
        if not self._take(one):
            return False
        self._end(one, "cancelled")
        return True

    def close(self) -> None:
        """Nothing goes out any more."""
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
        self._abandon([one for one in waiting if self._take(one)])

    def _abandon(self, them: list[DelayedEmission]) -> None:
        for one in them:
            self._end(one, "abandoned")
        if them:
            _log.warning(
                "delayed waves were abandoned, as the medium drains or closes: %d",
                len(them),
                extra={"event": "delayed.abandoned", "waves": len(them)},
            )

    def _take(self, one: DelayedEmission) -> bool:
        """Takes it out of those that wait; only one does."""
        with self._lock:
            there = one in self._waiting
            if there:
                del self._waiting[one]
                self._under_way[one] = None
        return there

    def _due(self, one: DelayedEmission) -> None:
        call = one._call  # noqa: SLF001
        if call is None or not self._take(one):
            return
        one.state = "under_way"
        try:
            receipt = call.now()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from going out
            self._failed(one, error)
            return
        except BaseException:
            self._abandon([one])
            raise
        if receipt is None:
            call.spawn(partial(self._go_on, one, call.emit, None), self._raise)
        elif receipt.pending and (told := self._told(receipt)) is not None:
            call.spawn(partial(self._go_on, one, told, receipt), self._raise)
        else:
            self._end(one, "emitted", receipt)

    def _told(self, receipt: Receipt) -> Callable[[], Awaitable[Receipt]] | None:
        """What awaits that the journal has told of it."""
        medium = self._medium()
        journal = None if medium is None else medium.journal
        if journal is None or receipt.position is None:
            return None
        return partial(journal.durable, receipt.position)

    async def _go_on(
        self,
        one: DelayedEmission,
        wait: Callable[[], Awaitable[Receipt]],
        so_far: Receipt | None,
    ) -> None:
        try:
            receipt = await wait()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from going out
            self._failed(one, error)
        except BaseException:
            # The loop ends. What the journal has, it goes on with.
            if so_far is None:
                self._abandon([one])
            else:
                self._end(one, "emitted", so_far)
            raise
        else:
            self._end(one, "emitted", receipt)

    def _raise(self, error: BaseException) -> None:
        medium = self._medium()
        if medium is not None:
            medium.blocks.end(error)

    def _failed(self, one: DelayedEmission, error: Exception) -> None:
        if self._closed and isinstance(error, Closed):
            self._abandon([one])
            return
        one.error = error
        self._end(one, "failed")
        if (more := self._storm.passes_error("delayed.failed", error)) is not None:
            _log.error(
                "a delayed wave on %r was not emitted: %s%s",
                one.channel,
                error,
                and_more(more),
                exc_info=error,
                extra={"event": "delayed.failed", "channel": one.channel, "more": more},
            )

    def _end(self, one: DelayedEmission, state: State, receipt: Receipt | None = None) -> None:
        """That is what has become of it. Nothing of it is kept any more."""
        one.receipt = receipt
        one.state = state
        one._call = None  # noqa: SLF001
        self._unset(one)
        with self._lock:
            self._under_way.pop(one, None)
            self._counted[state] += 1
