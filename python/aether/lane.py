"""Lanes: what `@vibrator.on(...)` makes. A mailbox, a handler, and the workers that bring them together.

Contract:
- At most `concurrency` handlers of a lane run at once. Each worker takes a wave only when it is free, so what
  waits is in the mailbox, under its order and its overflow policy.
- With `key`, waves of one key are handled one after the other, in the order in which they were taken. A wave
  whose key is busy stands behind it, and the worker goes on with others, while fewer than `buffer_size`
  waves stand so; then the lane takes no more until one of them is done.
- A handler that raises is logged and counted and stops nobody, unless `run(on_error=...)` says otherwise.
- A worker that is cancelled ends its handler; the wave and those that stand behind its key are counted as
  abandoned.
"""

from __future__ import annotations

import logging
from collections import deque
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeAlias

from aether._native import REPLY_HEADER, handling
from aether._wait import Background, Flag, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from aether._native import Mailbox, Wave
    from aether.medium import Aether

_log = logging.getLogger("aether")

Handler: TypeAlias = "Callable[[Wave[Any]], Any]"
OnError: TypeAlias = "Callable[[BaseException, Wave[Any]], object] | None"
"""What is called with each error of a handler; `None`: it is logged."""


class Lane:
    """One handler of a vibrator, with its mailbox and workers."""

    __slots__ = (
        "_behind",
        "_busy",
        "_limit",
        "_medium",
        "_room",
        "_stopping",
        "_workers",
        "abandoned",
        "concurrency",
        "ended",
        "failed",
        "handler",
        "key",
        "mailbox",
        "name",
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
    ) -> None:
        self._medium = medium
        self.name = name
        self.mailbox = mailbox
        self.handler = handler
        self.concurrency = concurrency
        self.key = key
        self.on_error: OnError = None
        self.working = 0
        """Waves that are being handled or stand behind a busy key."""
        self.failed = 0
        self.abandoned = 0
        self.ended = Flag()
        """Set when the last worker has ended."""
        self._limit = limit
        self._busy: dict[Hashable, deque[tuple[Wave[Any], object]]] = {}
        self._behind = 0
        self._room = Flag()
        self._stopping = False
        self._workers: set[Background] = set()

    @property
    def is_running(self) -> bool:
        """Whether it has workers."""
        return bool(self._workers)

    def start(self) -> None:
        """Starts the workers in the running loop, unless they are there."""
        if self._workers:
            return
        self._stopping = False
        self.ended = Flag()
        for number in range(1, self.concurrency + 1):
            name = self.name if self.concurrency == 1 else f"{self.name}-{number}"
            self._spawn(name)

    def _spawn(self, name: str) -> None:
        async def work() -> None:
            await (self._work() if self.key is None else self._work_by_key(self.key))

        def ended(worker: Background) -> None:
            self._workers.discard(worker)
            if not self._workers:
                self.ended.set()

        self._workers.add(spawn(work, name, ended))

    def stop(self) -> None:
        """Has the workers end: at once those that wait for a wave, the others after the one they handle."""
        self._stopping = True
        if self.working == 0:
            self.cancel()

    def cancel(self) -> None:
        """Has the workers end at once."""
        self._stopping = True
        for worker in tuple(self._workers):
            worker.cancel()

    def is_current(self) -> bool:
        """Whether the running code is a handler of this lane."""
        return any(worker.is_current() for worker in self._workers)

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
            while self._behind >= self._limit:
                self._room = Flag() if self._room.is_set() else self._room
                await self._room.wait()
            wave = await receive()
            if wave is None:
                return
            begun = self._begin(wave)
            try:
                key = key_of(wave)
                line = self._busy.get(key)
            except Exception as error:  # noqa: BLE001 - whatever a key raises
                self._failed(error, wave)
                self._end()
            else:
                if line is None:
                    await self._handle_line(key, wave, begun)
                else:
                    line.append((wave, begun))
                    self._behind += 1
                del key, line
            del wave, begun

    async def _handle_line(self, key: Hashable, wave: Wave[Any], begun: object) -> None:
        """Handles a wave, and then those that have come to stand behind its key."""
        line = self._busy[key] = deque()
        try:
            await self._handle(wave, begun)
            while line:
                wave, begun = line.popleft()
                self._behind -= 1
                self._room.set()
                await self._handle(wave, begun)
        finally:
            del self._busy[key]
            for _ in line:
                self._behind -= 1
                self.abandoned += 1
                self._end()
            self._room.set()

    def _begin(self, wave: Wave[Any]) -> object:
        self.working += 1
        return self._medium.handling(wave)

    def _end(self) -> None:
        self.working -= 1
        self._medium.handled()
        if self._stopping and self.working == 0:
            for worker in tuple(self._workers):
                if not worker.is_current():
                    worker.cancel()

    async def _handle(self, wave: Wave[Any], begun: object) -> None:
        token = handling.set(begun)
        ended = False
        try:
            answer: Any = self.handler(wave)
            if type(answer) is CoroutineType or hasattr(answer, "__await__"):
                answer = await answer  # pyright: ignore[reportUnknownVariableType]
            ended = True
            if REPLY_HEADER in wave.headers:
                self._medium.requests.answered(wave, answer, self.name)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises
            ended = True
            self._failed(error, wave)
        finally:
            if not ended:
                self.abandoned += 1
            handling.reset(token)
            self._end()

    def _failed(self, error: Exception, wave: Wave[Any]) -> None:
        self.failed += 1
        self._medium.requests.failed(wave, error)
        if self.on_error is not None:
            try:
                self.on_error(error, wave)
            except Exception:  # noqa: BLE001 - a worker outlives its report
                _log.exception("on_error of %r has failed", self.name)
            return
        _log.error(
            "a handler of %r failed on a wave of %r",
            self.name,
            str(wave.channel),
            exc_info=error,
            extra={"vibrator": self.name, "channel": str(wave.channel), "wave_id": wave.id},
        )
