"""How a medium is entered, runs its handlers, and ends.

Contract:
- Entering (`async with medium`) runs the handlers; leaving drains: no more waves from outside (`Closed`),
  handlers finish what waits for them and may still emit, for at most `drain_timeout`; readers get what is
  queued, and then the end. Left by an exception, or cancelled while it drains, it ends at once, counted.
- `running()` runs the handlers without closing afterwards, and can be entered again.
- `SystemExit` and `KeyboardInterrupt` out of a handler end the program: asyncio lets them out of the loop, and on trio
  these blocks are cancelled and raise them, as a nursery does with what its tasks raise. So a block is left there
  in the task that entered it.
- Everything else works without a loop: at import time, in threads, before the medium is entered.
- A medium belongs to the process that uses it first: in the child of a fork it raises `ForkedMedium`.
"""

from __future__ import annotations

import contextlib
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from aether._wait import Blocks, Home, checked_timeout, checkpoint, loop_time, shielded
from aether.delayed import Delays
from aether.errors import Closed, JournalError, WrongLoop
from aether.events import said
from aether.handled import introduce
from aether.lane import others_idle
from aether.lanes import Lanes
from aether.limited import Limiting
from aether.timers import Timers
from aether.traced import Traced

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import TracebackType
    from typing import Self

    from aether._native import ManualClock
    from aether.journal import Journal
    from aether.lifespan import Lifespan
    from aether.medium import Aether
    from aether.ticking import Ticker
    from aether.vibrator import Vibrator

_log = said()

# How often `settle` lets everybody run before it believes that nobody wants to.
_SETTLING_TURNS = 5


class Running(Traced):
    """The part of a medium that runs its handlers, waits for them, and ends."""

    __slots__ = (
        "_blocks",
        "_delays",
        "_entered",
        "_home",
        "_journal",
        "_lanes",
        "_limiting",
        "_runs",
        "_tickers",
        "_timers",
        "_vibrators",
    )

    _journal: Journal | None

    def _begin_running(self, clock: ManualClock | None) -> None:
        self._blocks = Blocks()
        self._timers = Timers(clock)
        if clock is not None:
            self.wait_by(self._timers)
        self._tickers: dict[Ticker, None] = {}
        self._limiting = Limiting(self._timers)
        self._delays = Delays(self)
        self._lanes = Lanes()
        self._vibrators: weakref.WeakValueDictionary[int, Vibrator] = weakref.WeakValueDictionary()
        self._home: Home | None = None
        self._runs = 0
        self._entered: contextlib.AsyncExitStack | None = None
        introduce(cast("Aether", self))

    @property
    def journal(self) -> Journal | None:
        """Where each wave is written down before it is delivered; `None`: nowhere."""
        return self._journal

    @property
    def blocks(self) -> Blocks:
        """The blocks that run its handlers; for what ends the program."""
        return self._blocks

    @property
    def timers(self) -> Timers:
        """What is to happen at a moment of its clock; for what waits for one."""
        return self._timers

    @property
    def limiting(self) -> Limiting:
        """Its emitters with limits; for what makes and shows them."""
        return self._limiting

    @property
    def delays(self) -> Delays:
        """Its delayed emissions; for what makes and shows them."""
        return self._delays

    def shut(self, phase: Literal["draining", "closed"], at_once: bool) -> None:  # noqa: FBT001 - as the native one
        """Takes no more waves: from outside, or from nobody."""
        self.check_process()
        # First: what waits for room and is refused now was abandoned with the others.
        self._delays.close()
        super().shut(phase, at_once=at_once)
        if phase == "closed":
            # Who waits for a turn is refused, and need not wait for that.
            self._limiting.open()

    @property
    def lanes(self) -> Lanes:
        """Its handlers; for what shows them."""
        return self._lanes

    def room_for_vibrator(self, name: str) -> AbstractContextManager[None]:
        """There is one more vibrator, as far as the limits go."""
        return self.admission.of(
            "vibrators",
            None if self.limits is None else self.limits.vibrators,
            1,
            lambda: sum(not vibrator.closed for vibrator in self._alive()),
            f"the vibrator {name!r}",
            "close those that are not needed",
        )

    def room_for_patterns(
        self, name: str, fresh: Callable[[], int], there: Callable[[], int]
    ) -> AbstractContextManager[None]:
        """A vibrator has so many more patterns, as far as the limits go."""
        return self.admission.of(
            "patterns",
            None if self.limits is None else self.limits.patterns,
            fresh,
            there,
            f"what vibrator {name!r} is to resonate on",
            "detune it from others, or use a pattern that covers several",
        )

    def room_for_tasks(self, name: str, concurrency: int) -> AbstractContextManager[None]:
        """There is a handler more, with so many tasks, as far as the limits go."""
        return self.admission.of(
            "tasks",
            None if self.limits is None else self.limits.tasks,
            concurrency,
            self._lanes.tasks,
            f"a handler of vibrator {name!r} with concurrency={concurrency}",
            "give it less concurrency",
        )

    def room_for_delayed(
        self, channel: str, there: Callable[[], int]
    ) -> AbstractContextManager[None]:
        """One more wave waits for its moment, as far as the limits go."""
        return self.admission.of(
            "delayed",
            None if self.limits is None else self.limits.delayed,
            1,
            there,
            f"a delayed wave on {channel!r}",
            "cancel others, or delay less",
        )

    def _alive(self) -> list[Vibrator]:
        """The vibrators of this moment: others may come meanwhile, in other threads."""
        # Taken in one step, which an iteration is not.
        references = self._vibrators.valuerefs()
        return [alive for one in references if (alive := one()) is not None]

    async def __aenter__(self) -> Self:
        if self._entered is not None or self.phase != "open":
            message = (
                f"the medium is {self.phase}; make a new one"
                if self.phase != "open"
                else "the medium is entered already, and its handlers run: use it as it is there; what is to be "
                "entered more than once is 'async with medium.running()'"
            )
            raise Closed(message)
        self._start()
        self._entered = contextlib.AsyncExitStack()
        self._entered.enter_context(self._blocks.open())
        self._entered.push_async_exit(self._leave)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._entered is not None:
            await self._entered.__aexit__(kind, error, traceback)

    async def _leave(self, kind: object, _error: object, _traceback: object) -> None:
        if kind is None:
            await self.aclose()
        else:
            await shielded(self._end_at_once())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[Self]:
        """Runs the handlers inside, and does not close afterwards: it can be entered again.

        Leaving lets handlers that run finish, for at most `drain_timeout`; what waits for them stays.

        Raises:
            Closed: The medium is closed.
        """
        if self.phase != "open":
            message = f"the medium is {self.phase} and runs no handlers; make a new one"
            raise Closed(message)
        self._start()
        with self._blocks.open():
            try:
                yield self
            except BaseException:
                self._runs -= 1
                if not self._runs:
                    await shielded(self._stop(at_once=True))
                raise
            self._runs -= 1
            if not self._runs:
                await self._stop(at_once=False)

    def _start(self) -> None:
        if self._runs and self._home is not None and not self._home.is_here():
            message = "the handlers of this medium run in another event loop already; enter it in one loop at a time"
            raise WrongLoop(message)
        self._runs += 1
        self._home = Home()
        for lane in self._lanes:
            lane.start()
        for ticker in list(self._tickers):
            ticker.start()
        self._delays.run_in(self._home)

    async def _stop(self, *, at_once: bool) -> None:
        """Ends the workers: at once, or after the waves that they handle."""
        for ticker in list(self._tickers):
            ticker.stop()
        self._delays.run_out()
        lanes = [lane for lane in self._lanes if lane.is_running]
        if not at_once:
            for lane in lanes:
                lane.stop()

            def idle() -> bool:
                return all(lane.working == 0 for lane in lanes)

            await self.until_empty([], idle, self._drain_timeout)
        for lane in lanes:
            lane.cancel()
        for lane in lanes:
            if not lane.is_current():
                await lane.ended.wait()

    def every(
        self,
        seconds: float,
        channel: str,
        payload: Any = None,
        *,
        make: Callable[[], Any] | None = None,
        amplitude: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Ticker:
        """Emits a wave every so many seconds, by the medium's clock, while its handlers run.

        Times that are missed are skipped, and so are those at which somebody is full: it waits for nobody. It needs no loop:
        made at import time, it begins when the medium is entered.

        Args:
            seconds: The interval, above 0; the first wave goes out after one.
            channel: Where to: a concrete name.
            payload: What each wave carries.
            make: A function that makes the payload each time, in the loop of the handlers, instead of `payload`.
            amplitude: As for `emit_wave`.
            headers: As for `emit_wave`.

        Returns:
            A handle with `emitted` and `skipped`; `close` ends it, and so does leaving its `with` block.

        Raises:
            ChannelError: The channel breaks a rule, or is a pattern.
            TypeError: An argument is of the wrong type, or there are both `payload` and `make`.
            ValueError: `seconds` is out of range.

        Example:
            >>> import asyncio
            >>> from aether import Aether, ManualClock
            >>> clock = ManualClock()
            >>> medium = Aether(clock=clock)
            >>> async def main():
            ...     async with medium:
            ...         ticker = medium.every(60.0, "reports.due")
            ...         clock.advance(60.0)
            ...         await asyncio.sleep(0.01)
            ...         return ticker.emitted
            >>> asyncio.run(main())
            1
        """
        from aether.ticking import Ticker

        if make is not None and (payload is not None or not callable(make)):
            message = "every() takes a payload, or with make= a function that makes one"
            raise TypeError(message)
        made = (lambda: payload) if make is None else make
        ticker = Ticker(cast("Aether", self), seconds, channel, made, amplitude, headers)
        self._tickers[ticker] = None
        if self._runs and self._home is not None:
            self._home.run(partial(self._begin_ticker, ticker))
        return ticker

    def _begin_ticker(self, ticker: Ticker) -> None:
        # From another thread this may come late: the handlers may be stopped by now, or run in another loop.
        if self._runs and self._home is not None and self._home.is_here():
            ticker.start()

    def forget_ticker(self, ticker: Ticker) -> None:
        """Keeps it no longer; for the ticker itself."""
        self._tickers.pop(ticker, None)

    async def drain(self, timeout: float | None = None) -> bool:
        """Takes no more waves from outside, and lets handlers and readers take what waits; then the end.

        Args:
            timeout: Seconds to wait for that; `None`: the configuration's `drain_timeout`.

        Returns:
            Whether everything was taken. What was not stays for them until the medium is closed.
        """
        timeout = self._drain_timeout if timeout is None else checked_timeout(timeout)
        self.shut("draining", at_once=False)
        deadline = None if timeout is None else loop_time() + timeout
        await self._until_written()
        await self._until_handled(timeout)
        idle = others_idle(self._lanes)
        mailboxes = [vibrator.mailbox for vibrator in self._alive()]
        for mailbox in mailboxes:
            mailbox.finish()
        mailboxes += [lane.mailbox for lane in self._lanes]
        left = None if deadline is None else max(0.0, deadline - loop_time())
        return await self.until_empty(mailboxes, idle, left)

    async def settle(self, timeout: float | None = None) -> bool:
        """Waits until no handler runs and nothing waits for a handler or for a reader that waits.

        For tests, and for "is it done?". What runs outside handlers and readers is not known to the medium.

        Args:
            timeout: Seconds to wait, by the clock of the loop; `None`: for ever.

        Returns:
            Whether it has settled.

        Raises:
            RuntimeError: Called by a handler of this medium, which would wait for itself.
        """
        timeout = checked_timeout(timeout)
        if self._is_handling():
            message = "settle() was called by a handler, which would wait for its own end; call it outside"
            raise RuntimeError(message)
        deadline = None if timeout is None else loop_time() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - loop_time())
            if not await self.until_quiet(left):
                return False
            before = self.progress()
            for _ in range(_SETTLING_TURNS):
                await checkpoint()
            if self.progress() == before and await self.until_quiet(0.0):
                return True

    def lifespan(
        self, app: object = None, *, signals: bool | None = None, timeout: float | None = None
    ) -> AbstractAsyncContextManager[Lifespan]:
        """The medium for the length of a program: entered until SIGTERM or SIGINT comes, then drained and closed.

        A signal stops the intake and cancels the block at its next wait; a second one cancels handlers at once. What is not done
        within `timeout` is abandoned, counted and logged. Then a journal is written to its end, however long the disk takes. A
        server that has a lifespan of its own, such as that of FastAPI and
        Starlette, takes this method for it.

        Args:
            app: What such a server gives: it sees to signals itself then.
            signals: Whether signals end it; `None`: unless there is an `app`. Only the main thread gets them.
            timeout: Seconds for draining and closing, 0 or more; `None`: the configuration's `shutdown_timeout`.

        Returns:
            A context manager, which gives a `Lifespan`.

        Raises:
            Closed: The medium is closed, or entered already.
            TypeError: `timeout` is no number.
            ValueError: `timeout` is negative or NaN.

        Example:
            >>> import asyncio
            >>> from aether import Aether
            >>> medium = Aether()
            >>> async def main():
            ...     async with medium.lifespan() as life:
            ...         life.stop()  # as a signal would
            ...         await life.stopped()
            ...     return life.abandoned
            >>> asyncio.run(main())
            0
        """
        from aether.lifespan import lifespan

        listens = app is None if signals is None else signals
        return lifespan(cast("Aether", self), signals=listens, timeout=checked_timeout(timeout))

    async def aclose(self, timeout: float | None = None) -> None:
        """Ends the medium as leaving `async with` does. A second time does nothing.

        Args:
            timeout: Seconds in which handlers may finish, 0 or more; `None`: the configuration's `drain_timeout`.

        Raises:
            TypeError: `timeout` is no number.
            ValueError: `timeout` is negative or NaN.
        """
        if self.phase == "closed":
            return
        timeout = self._drain_timeout if timeout is None else checked_timeout(timeout)
        try:
            self.shut("draining", at_once=False)
            await self._until_written()
            if self._runs:
                await self._until_handled(timeout)
        except BaseException:
            await shielded(self._end_at_once())
            raise
        self._runs = 0
        for lane in self._lanes:
            lane.mailbox.close()
        self.shut("closed", at_once=False)
        self._end_configured()
        await shielded(self._stop(at_once=True))
        await shielded(self._close_journal())
        await shielded(self._close_tracing())

    async def _until_handled(self, timeout: float | None) -> None:
        """Waits until the handlers have done what waits for them; the one that calls this is left out."""
        if self._is_handling():
            mailboxes = [lane.mailbox for lane in self._lanes if not lane.is_current()]
            await self.until_empty(mailboxes, others_idle(self._lanes), timeout)
        else:
            await self.until_quiet(timeout)

    async def _end_at_once(self) -> None:
        self._runs = 0
        self.shut("closed", at_once=True)
        self._end_configured()
        await self._stop(at_once=True)
        await self._close_journal()
        await self._close_tracing()

    async def _until_written(self) -> None:
        """Waits until all that the journal has taken is delivered, or refused."""
        if self._journal is not None:
            await self.until_delivered()

    async def _close_journal(self) -> None:
        if self._journal is not None and self._journal.is_open:
            from anyio import to_thread

            try:
                await to_thread.run_sync(self._journal.close)
            except JournalError:
                _log.exception(
                    "the journal %s was closed, and not all of it is safe",
                    self._journal.path,
                    extra={"event": "journal.closed_unsafe", "journal": str(self._journal.path)},
                )

    def _is_handling(self) -> bool:
        return any(lane.is_current() for lane in self._lanes)
