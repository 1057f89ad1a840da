"""Where waiting meets the event loops: with `aether._alarm`, all that knows asyncio and trio.

Neither library is imported before it runs. Whatever waits here loses nothing when it is cancelled: it
waits for wake-ups, and what they announce stays where it is.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
from typing import TYPE_CHECKING, Any, Protocol

from aether.events import said

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    import trio

_log = said()

endless: set[int] = set()
"""The threads that wait with no end in sight: at the end of the program nobody is left to wake them."""


def running_asyncio_loop() -> asyncio.AbstractEventLoop | None:
    """The asyncio loop that runs in this thread; `None` under trio and where no loop runs."""
    # A module that another thread is importing has no such name yet.
    ask: Any = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    loop: asyncio.AbstractEventLoop | None = None if ask is None else ask()
    return loop


def is_loop_running() -> bool:
    """Whether asyncio or trio runs in this thread."""
    if running_asyncio_loop() is not None:
        return True
    lowlevel: Any = getattr(sys.modules.get("trio"), "lowlevel", None)
    return lowlevel is not None and bool(lowlevel.in_trio_run())


def set_if_pending(future: asyncio.Future[None]) -> None:
    """Wakes whoever awaits a future, unless it was cancelled or woken meanwhile."""
    if not future.done():
        future.set_result(None)


def set_each_pending(futures: list[asyncio.Future[None]]) -> None:
    """Wakes whoever awaits these futures."""
    for future in futures:
        set_if_pending(future)


class TrioSleeper:
    """A task of trio that sleeps until it is woken, from any thread, once."""

    __slots__ = ("_asleep", "_task", "_token", "_woken")

    def __init__(self) -> None:
        import trio

        self._task = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()
        self._asleep = False
        self._woken = False

    async def sleep_until(self, deadline: float | None) -> None:
        """Returns when woken, or at the deadline in trio's time."""
        import trio

        if self._woken:
            return

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._asleep = False
            return trio.lowlevel.Abort.SUCCEEDED

        self._asleep = True
        if deadline is None:
            await trio.lowlevel.wait_task_rescheduled(abort)
            return
        with trio.CancelScope(deadline=deadline):
            await trio.lowlevel.wait_task_rescheduled(abort)

    def wake(self) -> None:
        """Wakes it from a task of the same loop."""
        import trio

        self._woken = True
        if self._asleep:
            self._asleep = False
            trio.lowlevel.reschedule(self._task)

    def wake_soon(self) -> None:
        """Wakes it from anywhere; `RuntimeError` if its loop has ended."""
        self._token.run_sync_soon(self.wake)


class Look(Protocol):
    """What `every` calls: false ends it."""

    def __call__(self) -> bool: ...
    def lost(self) -> None:
        """The loop has ended first."""


class _Ticker:
    """Calls a look from an asyncio loop; collected with the loop's timers, it says so."""

    __slots__ = ("_interval", "_look", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float, look: Look) -> None:
        self._loop = loop
        self._interval = interval
        self._look = look
        loop.call_later(interval, self)

    def __call__(self) -> None:
        if self._look():
            self._loop.call_later(self._interval, self)

    def __del__(self) -> None:
        self._look.lost()


def every(interval: float, look: Look) -> None:
    """Calls `look` every `interval` seconds in the loop that runs, until it returns false."""
    loop = running_asyncio_loop()
    if loop is not None:
        _Ticker(loop, interval, look)
        return

    import trio

    async def tick() -> None:
        try:
            while True:
                await trio.sleep(interval)
                if not look():
                    return
        except Exception:  # noqa: BLE001 - a system task that raises would end trio
            _log.exception(
                "looking after emissions that wait has failed", extra={"event": "stalls.failed"}
            )
        finally:
            look.lost()

    trio.lowlevel.spawn_system_task(tick, name="aether stalls", context=contextvars.copy_context())


def loop_time() -> float:
    """The seconds of the running loop's clock, which timeouts go by, unless their medium has a clock of its own."""
    loop = running_asyncio_loop()
    if loop is not None:
        return loop.time()
    import trio

    return trio.current_time()


async def checkpoint() -> None:
    """Lets every other task that is ready run once."""
    if running_asyncio_loop() is not None:
        import asyncio

        await asyncio.sleep(0)
    else:
        import trio

        await trio.lowlevel.checkpoint()


class Flag:
    """Something to wait for that is set once, from anywhere."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Whether it has been set."""
        return self._is_set

    def set(self) -> None:
        """Sets it, and wakes whoever waits."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            # A loop that has ended waits no more.
            with contextlib.suppress(RuntimeError):
                wake()

    async def wait(self) -> None:
        """Returns once it is set."""
        while not self._is_set:
            loop = running_asyncio_loop()
            if loop is not None:
                future: asyncio.Future[None] = loop.create_future()

                def wake(
                    loop: asyncio.AbstractEventLoop = loop,
                    future: asyncio.Future[None] = future,
                ) -> None:
                    loop.call_soon_threadsafe(set_if_pending, future)

                self._waiting.append(wake)
                # Another thread may have set it since it was looked at.
                if not self._is_set:
                    await future
            else:
                sleeper = TrioSleeper()
                self._waiting.append(sleeper.wake_soon)
                if not self._is_set:
                    await sleeper.sleep_until(None)


class Background(Protocol):
    """A task in the background of the loop that spawned it."""

    def cancel(self) -> None:
        """Has it end at its next wait."""

    def is_current(self) -> bool:
        """Whether the running code belongs to it."""
        ...


class _AsyncioTask:
    __slots__ = ("_ended", "_task")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        function: Callable[[], Coroutine[Any, Any, None]],
        name: str,
        ended: Callable[[Background], object],
    ) -> None:
        self._ended = ended
        self._task = loop.create_task(function(), name=name)
        # Not at the end of the function: of a task that is cancelled before it begins, nothing runs.
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._ended(self)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The loop has let this one out already; once more, it would stop the cleaning up after it.
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                return
            raise error

    def cancel(self) -> None:
        self._task.cancel()

    def is_current(self) -> bool:
        import asyncio

        return running_asyncio_loop() is not None and asyncio.current_task() is self._task


class _TrioTask:
    __slots__ = ("_scope", "_task")

    def __init__(
        self,
        function: Callable[[], Coroutine[Any, Any, None]],
        name: str,
        ended: Callable[[Background], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        import trio

        self._scope = trio.CancelScope()

        async def run() -> None:
            try:
                with self._scope:
                    await function()
            except Exception:  # noqa: BLE001 - what is raised here, trio takes for an error of its own
                _log.exception(
                    "%r has failed while it was cancelled", name, extra={"event": "task.failed"}
                )
            except BaseException as error:
                if not _ends_the_program(error):
                    raise
                failed(error)
            finally:
                ended(self)

        self._task: trio.lowlevel.Task = trio.lowlevel.spawn_system_task(
            run, name=name, context=contextvars.copy_context()
        )

    def cancel(self) -> None:
        self._scope.cancel()

    def is_current(self) -> bool:
        import trio

        return trio.lowlevel.in_trio_task() and trio.lowlevel.current_task() is self._task


def _ends_the_program(error: BaseException) -> bool:
    return _is_or_holds(error, (SystemExit, KeyboardInterrupt))


def _is_or_holds(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Whether it is of these, or a group in which there is one."""
    return isinstance(error, kinds) or (
        isinstance(error, BaseExceptionGroup) and error.subgroup(kinds) is not None
    )


class Blocks:
    """The blocks of code that something in the background runs for, and that it can end with an error.

    Only on trio, where an error out of a task in the background would be an internal error of the loop:
    each block is cancelled, and then raises it. asyncio lets out what ends the program by itself.
    """

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: list[Callable[[BaseException], object]] = []

    @contextlib.contextmanager
    def open(self) -> Generator[None]:
        """One such block, in one task."""
        if running_asyncio_loop() is not None:
            yield
            return
        import trio

        home, raised, scope = Home(), list[BaseException](), trio.CancelScope()

        def end(error: BaseException) -> None:
            raised.append(error)
            home.run(scope.cancel)

        self._ends.append(end)
        try:
            with scope:
                yield
        finally:
            self._ends.remove(end)
            if raised:
                raise raised[0]

    def end(self, error: BaseException) -> None:
        """Ends all blocks that are open, from any thread."""
        if not self._ends:
            _log.critical(
                "nobody is left to raise what came out of a handler",
                exc_info=error,
                extra={"event": "handler.unraised"},
            )
        for end in tuple(self._ends):
            end(error)


def spawn(
    function: Callable[[], Coroutine[Any, Any, None]],
    name: str,
    ended: Callable[[Background], object],
    failed: Callable[[BaseException], object],
) -> Background:
    """Runs an async function in the background of the running loop.

    `ended` is called with the task when it has ended, however it did; on trio, `failed` before that with what
    came out of it and ends the program. asyncio does so itself.
    """
    loop = running_asyncio_loop()
    if loop is None:
        return _TrioTask(function, name, ended, failed)
    return _AsyncioTask(loop, function, name, ended)


def checked_timeout(timeout: float | None) -> float | None:
    """A timeout that was given, in seconds; `None` for ever. The error names it."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        message = f"timeout must be a number of seconds, not {type(timeout).__name__}"
        raise TypeError(message)
    if not timeout >= 0:
        message = f"timeout must be a number of seconds, 0 or more, not {timeout}"
        raise ValueError(message)
    # An int may be beyond any float.
    return None if timeout > sys.float_info.max else float(timeout)


class Home:
    """The loop that a medium was entered in: things can be run in it from other threads."""

    __slots__ = ("_loop", "_token")

    def __init__(self) -> None:
        self._loop = running_asyncio_loop()
        self._token: trio.lowlevel.TrioToken | None = None
        if self._loop is None:
            import trio

            self._token = trio.lowlevel.current_trio_token()

    def is_here(self) -> bool:
        """Whether this thread runs that loop now."""
        if self._loop is not None:
            return running_asyncio_loop() is self._loop
        import trio

        return trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is self._token

    @property
    def key(self) -> object:
        """What is the same for all who are at home in one loop."""
        return self._loop or self._token

    def is_over(self) -> bool:
        """Whether that loop has ended."""
        if self._loop is not None:
            return self._loop.is_closed()
        return not self._soon(lambda: None)

    def run(self, function: Callable[[], object]) -> None:
        """Runs a function in that loop: at once if that is here, soon otherwise; never if it has ended."""
        if self.is_here():
            function()
        else:
            self._soon(function)

    def soon(self, function: Callable[[], object]) -> None:
        """Runs a function in that loop, outside of all tasks; never if it has ended."""
        self._soon(function)

    def _soon(self, function: Callable[[], object]) -> bool:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)
            elif self._token is not None:
                self._token.run_sync_soon(function)
        except RuntimeError:
            return False
        return True


def is_failure(error: BaseException) -> bool:
    """Whether what was called has failed with it, whatever its class: it ends neither the running task nor the program.

    asyncio's cancellation is one where nobody cancels this task: it came out of something that was awaited, or was raised.
    """
    if isinstance(error, Exception):
        return True
    if isinstance(error, GeneratorExit) or _ends_the_program(error):
        return False
    if running_asyncio_loop() is None:
        # A handler that is dropped without a loop needs no trio to be there.
        trio: Any = sys.modules.get("trio")
        return trio is None or not _is_or_holds(error, (trio.Cancelled,))
    import asyncio

    task = asyncio.current_task()
    cancelled = task is None or bool(task.cancelling())
    return not (cancelled and _is_or_holds(error, (asyncio.CancelledError,)))


def is_cancellation(error: BaseException) -> bool:
    """Whether it is asyncio's cancellation; that of trio comes from the scopes around a task alone."""
    asyncio: Any = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def is_loop_ending() -> bool:
    """Whether all tasks of the running loop are being cancelled, as asyncio does at its end."""
    loop = running_asyncio_loop()
    if loop is None:
        return True
    import asyncio

    return all(task.cancelling() for task in asyncio.all_tasks(loop))


async def shielded(awaitable: Awaitable[None]) -> None:
    """Awaits something short that must be finished, also where the task is cancelled already."""
    if running_asyncio_loop() is not None:
        # asyncio cancels once, so that a wait that begins after that is not disturbed; the scopes of
        # anyio cancel each wait.
        scope: Any = getattr(sys.modules.get("anyio"), "CancelScope", None)
        with contextlib.nullcontext() if scope is None else scope(shield=True):
            await awaitable
        return
    import trio

    with trio.CancelScope(shield=True):
        await awaitable
