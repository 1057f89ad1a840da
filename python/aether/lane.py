"""Lanes: what `@vibrator.on(...)` makes. A mailbox, a handler, and the workers that bring them together.

Contract:
- At most `concurrency` handlers of a lane run at once. Each worker takes a wave only when it is free, so what
  waits is in the mailbox, under its order and its overflow policy.
- With `key`, waves of one key are handled one after the other, in the order in which they were taken. A wave
  whose key is busy stands behind it, and the worker goes on with others, while fewer than `buffer_size`
  waves stand so; then the lane takes no more until one of them is done.
- What stands around a handler, such as retries and a time limit, is in `aether.handling`. Its waiting is the worker's.
- A handler that raises is counted and stops nobody, whatever the class of its error. It is logged, ten times a second for
  each kind of error, unless `run(on_error=...)` says otherwise.
- What stands behind a key still waits: it is counted so, and `clear` drops it.
- A worker that is cancelled ends its handler; the wave and those that stand behind its key are counted as
  abandoned. Where it was not its lane that cancelled it, such as a handler that cancels its own task, another
  takes its place, and that is logged.
- `SystemExit` and `KeyboardInterrupt` out of a handler come out of the loop; on trio, out of the blocks that run
  the handlers: `async with` of the medium, and `run`.
"""

from __future__ import annotations

import inspect
import threading
from collections import Counter, deque
from functools import partial
from itertools import count
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeAlias

from aether._native import reply_address
from aether._wait import (
    Background,
    Flag,
    Home,
    is_cancellation,
    is_failure,
    is_loop_ending,
    spawn,
)
from aether.events import said
from aether.handling.guard import Guard
from aether.statistics import REASONS, HandlerStatistics
from aether.storms import Storm, and_more

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from aether._native import Handling, Mailbox, Wave
    from aether.handling.guard import Guards
    from aether.medium import Aether

_log = said()

Standing: TypeAlias = "tuple[Wave[Any], Handling, int, bool]"
"""A wave that was taken, the value of `handling` for it, a number of its own in its lane, and whether it counts as waiting
for the limits of the medium."""
Handler: TypeAlias = "Callable[[Wave[Any]], Any]"
OnError: TypeAlias = "Callable[[BaseException, Wave[Any]], object] | None"
"""What is called with each error of a handler; `None`: it is logged."""


def checked_handler(handler: object) -> None:
    """Refuses what cannot handle a wave.

    Raises:
        TypeError: It is no function, or one that yields.
    """
    if not callable(handler):
        message = f"a handler must be a function of a wave, not {type(handler).__name__}"
        raise TypeError(message)
    for function in (handler, type(handler).__call__):
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(handler, "__qualname__", type(handler).__name__)
            message = (
                f"handler {name!r} has a 'yield' in it, so that calling it would run nothing; emit what it "
                "yields, or return the one answer"
            )
            raise TypeError(message)


def others_idle(lanes: Iterable[Lane]) -> Callable[[], bool]:
    """A test whether no handler of these lanes works, but for the one that calls this."""
    own = {lane: int(lane.is_current()) for lane in lanes}
    return lambda: all(lane.working <= mine for lane, mine in own.items())


class Lane:
    """One handler of a vibrator, with its mailbox and workers."""

    __slots__ = (
        "_busy",
        "_call",
        "_closed",
        "_counting",
        "_home",
        "_limit",
        "_medium",
        "_numbers",
        "_room",
        "_stopping",
        "_storm",
        "_workers",
        "concurrency",
        "dropped",
        "ended",
        "failed",
        "guard",
        "handler",
        "key",
        "mailbox",
        "name",
        "on_ended",
        "on_error",
        "working",
    )

    def __init__(
        self,
        medium: Aether,
        name: str,
        mailbox: Mailbox,
        handler: Handler,
        *,
        concurrency: int,
        key: Callable[[Wave[Any]], Hashable] | None,
        limit: int,
        guards: Guards | None = None,
    ) -> None:
        self._medium = medium
        self.name = name
        self.mailbox = mailbox
        self.handler = handler
        self.guard = None if guards is None else Guard(medium, name, handler, guards)
        """What stands around the handler, if it has options."""
        self._call: Handler = handler if self.guard is None else self.guard
        self.concurrency = concurrency
        self.key = key
        self.on_error: OnError = None
        self.working = 0
        """Waves that are being handled or stand behind a busy key."""
        self.failed = 0
        self.dropped = Counter(dict.fromkeys(REASONS, 0))
        """Waves that were taken and not handled to the end, by reason; other threads look at it."""
        # May be asked for again in the midst of it, by the end of some object.
        self._counting = threading.RLock()
        self.ended = Flag()
        """Set when the last worker has ended."""
        self._limit = limit
        self._storm: Storm | None = None
        """What is said of failures; there once one has failed."""
        self._busy: dict[Hashable, deque[Standing]] = {}
        self._numbers = count()
        self._room = Flag()
        self._stopping = False
        self._closed = False
        self._workers: set[Background] = set()
        self._home: Home | None = None
        self.on_ended: list[Callable[[Lane], object]] = []
        """What is called with this lane when the last worker has ended."""

    @property
    def handler_name(self) -> str:
        """The name of its handler's function."""
        name: str = getattr(self.handler, "__qualname__", type(self.handler).__name__)
        return name

    @property
    def is_running(self) -> bool:
        """Whether it has workers."""
        return bool(self._workers)

    @property
    def behind(self) -> int:
        """How many waves stand behind busy keys."""
        return sum(map(len, list(self._busy.values())))

    @property
    def handling(self) -> int:
        """How many waves its handlers work on; other threads may ask."""
        return min(max(0, self.working - self.behind), self.concurrency)

    def lines(self) -> list[deque[Standing]]:
        """What stands behind each busy key; its loop takes from them meanwhile."""
        return [line for line in list(self._busy.values()) if line]

    def statistics(self) -> HandlerStatistics:
        """Its counters now."""
        incidents = self.incidents()
        guard = self.guard
        return HandlerStatistics(
            name=self.handler_name,
            patterns=tuple(self.mailbox.patterns()),
            working=self.working,
            failed=self.failed,
            retried=incidents["retried"],
            over_budget=incidents["over_budget"],
            timed_out=incidents["timed_out"],
            refused=incidents["refused"],
            dead_letters=incidents["dead_letter"],
            waiting_for_turn=0 if guard is None or guard.turns is None else guard.turns.waiting,
            circuits={} if guard is None else guard.phases,
        )

    def incidents(self) -> Counter[str]:
        """What has happened around its handler, by kind: see `aether.handling.guard`."""
        return Counter() if self.guard is None else self.guard.incidents()

    def enclose(self, around: Callable[[Handler, Wave[Any]], Any]) -> None:
        """Has a function called with the handler and the wave, where the handler was called with the wave."""
        self._call = partial(around, self._call)

    def start(self) -> None:
        """Starts the workers in the running loop, unless they are there or it is closed."""
        if self._workers or self._closed:
            return
        self._stopping = False
        self.ended = Flag()
        self._home = Home()
        for number in range(1, self.concurrency + 1):
            name = self.name if self.concurrency == 1 else f"{self.name}-{number}"
            self._spawn(name)

    def _spawn(self, name: str) -> None:
        lost: list[BaseException] = []

        async def work() -> None:
            try:
                await (self._work() if self.key is None else self._work_by_key(self.key))
            except BaseException as error:
                if is_cancellation(error) and not self._stopping:
                    lost.append(error)
                raise
            finally:
                if self.guard is not None:
                    self.guard.leave()

        def ended(worker: Background) -> None:
            self._workers.discard(worker)
            if lost and not self._stopping and not is_loop_ending():
                self._replace(name, lost.pop())
            if not self._workers:
                self.ended.set()
                for call in tuple(self.on_ended):
                    call(self)

        self._workers.add(spawn(work, name, ended, self._medium.blocks.end))

    def _replace(self, name: str, cancelled: BaseException) -> None:
        """A worker was cancelled by somebody else: who waits in the mailbox must not wait for ever."""
        self._spawn(name)
        if (more := self._passes("worker.cancelled", cancelled)) is not None:
            _log.warning(
                "a worker of %r was cancelled, and not by the medium: what it worked on is abandoned, and another takes its"
                " place; cancel what a handler awaits, not the task that it runs in%s",
                self.name,
                and_more(more),
                extra={"event": "worker.cancelled", "vibrator": self.name, "more": more},
            )

    def close(self) -> None:
        """Ends it for good, from any thread, as `stop` does."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """Has the workers end, from any thread: at once, or after the wave that they handle."""
        self._stopping = True
        if self._home is not None and self._workers:
            self._home.run(self._stop)

    def _stop(self) -> None:
        self.drop_behind("abandoned")
        if self.working == 0:
            self._cancel()

    def drop_behind(self, reason: str) -> int:
        """Drops what stands behind busy keys, from any thread; returns how many waves."""
        standing = [one for line in list(self._busy.values()) for one in self._taken(line)]
        waves = len(standing)
        if waves and self._home is not None:
            self._drop(reason, waves)
            # The rest belongs to the loop of the workers.
            self._home.run(partial(self._let_go, standing, reason))
        return waves

    def _taken(self, line: deque[Standing]) -> Iterator[Standing]:
        """Takes from a line until it is empty. Another thread may do so at the same time."""
        while True:
            try:
                standing = line.popleft()
            except IndexError:
                return
            if standing[-1]:
                self._medium.stands_no_more(standing[0])
            yield standing

    def _drop(self, reason: str, waves: int) -> None:
        """Counts waves that were dropped, in any thread."""
        with self._counting:
            self.dropped[reason] += waves

    def _let_go(self, standing: list[Standing], reason: str) -> None:
        for wave, begun, *_ in standing:
            begun.abandon(reason)
            self._medium.requests.dropped(wave, reason)
            self._end(begun)
        self._room.set()

    def cancel(self) -> None:
        """Has the workers end at once, from any thread; one that calls this goes on to its next wave."""
        self._stopping = True
        if self._home is not None and self._workers:
            self._home.run(self._cancel)

    def _cancel(self) -> None:
        for worker in list(self._workers):
            if not worker.is_current():
                worker.cancel()

    def is_current(self) -> bool:
        """Whether the running code is a handler of this lane."""
        # Another thread may ask while workers end in their loop.
        return any(worker.is_current() for worker in list(self._workers))

    async def _work(self) -> None:
        receive = self.mailbox.receive
        while not self._stopping:
            wave = await receive()
            if wave is None:
                return
            await self._handle(wave, self._begin(wave))
            # An idle lane keeps nothing alive.
            del wave

    async def _work_by_key(self, key_of: Callable[[Wave[Any]], Hashable]) -> None:
        receive = self.mailbox.receive
        while not self._stopping:
            if self.behind >= self._limit:
                self._room = Flag() if self._room.is_set() else self._room
                await self._room.wait()
                continue
            wave = await receive()
            if wave is None:
                return
            begun = self._begin(wave)
            try:
                key = key_of(wave)
                line = self._busy.get(key)
            except Exception as error:  # noqa: BLE001 - whatever a key raises
                await self._failed(error, wave, begun)
                self._end(begun)
            else:
                if line is None:
                    await self._handle_line(key, wave, begun)
                else:
                    counts = self._medium.counts_standing
                    if counts:
                        self._medium.stands(wave)
                    line.append((wave, begun, next(self._numbers), counts))
                del key, line
            del wave, begun

    async def _handle_line(self, key: Hashable, wave: Wave[Any], begun: Handling) -> None:
        """Handles a wave, and then those that have come to stand behind its key."""
        line = self._busy[key] = deque()
        try:
            self._medium.handling_begins(begun)
            await self._handle(wave, begun)
            for standing in self._taken(line):
                wave, begun, *_ = standing
                self._room.set()
                if wave.ttl is not None and wave.age(self._medium.now()) > wave.ttl:
                    self._drop("expired", 1)
                    self._let_go([standing], "expired")
                else:
                    self._medium.handling_begins(begun)
                    await self._handle(wave, begun)
        finally:
            del self._busy[key]
            if left := list(self._taken(line)):
                self._drop("abandoned", len(left))
                self._let_go(left, "abandoned")
            self._room.set()

    def _begin(self, wave: Wave[Any]) -> Handling:
        self.working += 1
        return self._medium.handling(wave, self.mailbox, self.key is None)

    def _end(self, begun: Handling) -> None:
        self.working -= 1
        self._medium.handled(begun)
        if self._stopping and self.working == 0:
            self._cancel()

    async def _handle(self, wave: Wave[Any], begun: Handling) -> None:
        entered = self._medium.enter_handler(begun)
        ended = False
        try:
            answer: Any = self._call(wave)
            if type(answer) is CoroutineType or hasattr(answer, "__await__"):
                answer = await answer  # pyright: ignore[reportUnknownVariableType]
            ended = True
            if reply_address(wave) is not None:
                self._medium.requests.answered(wave, answer, self.name)
        except BaseException as error:
            # What neither ends this worker nor the program is an error of the handler, whatever its class.
            if not is_failure(error):
                raise
            ended = True
            await self._failed(error, wave, begun)
        finally:
            if not ended:
                begun.abandon("abandoned")
                self._drop("abandoned", 1)
                self._medium.requests.dropped(wave, "abandoned")
            self._medium.leave_handler(entered)
            self._end(begun)

    async def _failed(self, error: BaseException, wave: Wave[Any], begun: Handling) -> None:
        self.failed += 1
        self.mailbox.handler_failed()
        begun.fail(error)
        self._medium.requests.failed(wave, error)
        if self.on_error is not None:
            try:
                reported: Any = self.on_error(error, wave)
                if hasattr(reported, "__await__"):
                    await reported
            except BaseException as again:  # a worker outlives its report
                if not is_failure(again):
                    raise
                if (more := self._passes("on_error.failed", again)) is not None:
                    _log.exception(
                        "on_error of %r has failed%s",
                        self.name,
                        and_more(more),
                        extra={"event": "on_error.failed", "vibrator": self.name, "more": more},
                    )
            return
        if (more := self._passes("handler.failed", error)) is not None:
            _log.error(
                "a handler of %r failed on a wave of %r%s",
                self.name,
                str(wave.channel),
                and_more(more),
                exc_info=error,
                extra={
                    "event": "handler.failed",
                    "vibrator": self.name,
                    "channel": str(wave.channel),
                    "wave_id": wave.id,
                    "more": more,
                },
            )

    def _passes(self, event: str, error: BaseException) -> int | None:
        """How many such were not said since the last one that was; `None`: nor is this one."""
        if self._storm is None:
            self._storm = Storm()
        return self._storm.passes_error(event, error)
