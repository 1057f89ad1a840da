"""The same job as one would write it by hand on asyncio: a queue for each consumer, and the routing spelled out.

It is meant to be good code of its kind, not a straw man: one message object is shared by all queues, the routing looks
at a name once, the author's commits keep their order by a queue for each of eight lanes, the urgent queue is an
`asyncio.PriorityQueue`, and the slow reader's queue keeps the loudest in a sorted list. What the medium does for
nothing and this leaves out: wildcards from outside, counters, hops that end, receipts, threads, and a consumer that
comes or goes while it runs.
"""

from __future__ import annotations

import asyncio
import time
from bisect import insort
from collections.abc import Callable, Coroutine, Sequence
from itertools import count
from typing import Any

from .job import (
    ACTIVITY_LANES,
    AT_ONCE,
    MAILBOXES,
    ROOM,
    SLOW_MAILBOX,
    SLOW_PAUSE,
    URGENT_AT_ONCE,
    Emission,
    Findings,
    escalate,
    raise_alert,
)
from .measure import Measured, Side

__all__ = ["LoudestQueue", "Message", "through_queues"]

_ATTENUATION = 0.95
_TICK = 512
_COMMIT = 4
"""Tokens of repo.<repository>.commit.<action>, at least."""
_ALERT = 3
"""Tokens of alert.<repository>.<kind>."""
_LAST = 1.0
"""Sorts behind every message: their keys are amplitudes, negated."""


class Message:
    """What travels: one object, shared by every queue that it is put into."""

    __slots__ = ("amplitude", "channel", "hops", "payload", "priority", "timestamp")

    def __init__(
        self, channel: str, payload: Any, amplitude: float, cause: Message | None = None
    ) -> None:
        self.channel: str = channel
        self.payload: Any = payload
        self.amplitude: float = amplitude if cause is None else cause.amplitude * _ATTENUATION
        self.priority: float = amplitude if cause is None else cause.priority
        self.hops: int = 1 if cause is None else cause.hops + 1
        self.timestamp: float = time.time()


Ranked = tuple[float, int, Message | None]
"""Negated amplitude, number of arrival, message: sorts the loudest first, and equals in order."""


class LoudestQueue:
    """Keeps the loudest `room` messages and hands out the loudest first; what it cannot keep is counted."""

    def __init__(self, room: int) -> None:
        self.dropped: int = 0
        self._room: int = room
        self._kept: list[Ranked] = []
        self._ended: bool = False
        self._changed: asyncio.Event = asyncio.Event()

    def offer(self, item: Ranked) -> None:
        """Put without waiting; the faintest goes where there is no room, and that may be this one."""
        if len(self._kept) == self._room:
            self.dropped += 1
            if item > self._kept[-1]:
                return
            self._kept.pop()
        insort(self._kept, item)
        self._changed.set()

    def end(self) -> None:
        """Say that no more comes."""
        self._ended = True
        self._changed.set()

    async def get(self) -> Message | None:
        """The loudest; None when no more comes and all is taken. For one reader."""
        while not self._kept:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._kept.pop(0)[2]


async def through_queues(history: Sequence[Emission], tick: Callable[[int], None]) -> Side:
    """Do the job on hand-written queues.

    Args:
        history: what to emit, in order.
        tick: told now and then how many were emitted.
    """
    side = _QueueSide()
    async with asyncio.TaskGroup() as consumers:
        for consumer in side.consumers():
            consumers.create_task(consumer)
        started = time.time()
        for number, event in enumerate(history):
            await side.emit(Message(event.channel, event.payload, event.amplitude))
            if number % _TICK == 0:
                tick(number)
        await side.finish()
    return Side(
        "asyncio.Queue", started, len(history) + side.derived, side.results(), side.findings
    )


class _QueueSide:
    """The queues, what their consumers measure and what they find."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.derived = 0
        self._measured = {name: Measured(name) for name in MAILBOXES}
        self._number = count()
        self._audit: asyncio.Queue[Message | None] = asyncio.Queue(ROOM)
        self._hot_files: asyncio.Queue[Message | None] = asyncio.Queue(ROOM)
        self._activity: list[asyncio.Queue[Message | None]] = [
            asyncio.Queue(ROOM) for _ in range(ACTIVITY_LANES)
        ]
        self._urgent: asyncio.PriorityQueue[Ranked] = asyncio.PriorityQueue(ROOM)
        self._sentry: asyncio.Queue[Message | None] = asyncio.Queue(ROOM)
        self._escalation: asyncio.Queue[Message | None] = asyncio.Queue(ROOM)
        self._desk: asyncio.Queue[Message | None] = asyncio.Queue(ROOM)
        self._digest = LoudestQueue(SLOW_MAILBOX)

    def consumers(self) -> list[Coroutine[object, object, None]]:
        """One for each queue."""
        lanes = [self._count_author(lane) for lane in self._activity]
        return [
            self._keep_books(),
            self._count_files(),
            *lanes,
            self._review(),
            self._look_at_size(),
            self._look_at_width(),
            self._file_alerts(),
            self._read_slowly(),
        ]

    async def emit(self, message: Message) -> None:
        """Put a message into every queue that it belongs in."""
        await self._audit.put(message)
        tokens = message.channel.split(".")
        domain = tokens[0]
        if domain == "file":
            if len(tokens) > 1:
                await self._hot_files.put(message)
        elif domain == "repo":
            if len(tokens) > 1:
                self._digest.offer((-message.amplitude, next(self._number), message))
            if len(tokens) >= _COMMIT and tokens[2] == "commit":
                await self._activity[hash(message.payload["author"]) % ACTIVITY_LANES].put(message)
                await self._urgent.put((-message.priority, next(self._number), message))
                await self._sentry.put(message)
        elif domain == "alert" and len(tokens) > 1:
            self._digest.offer((-message.amplitude, next(self._number), message))
            await self._desk.put(message)
            if len(tokens) == _ALERT and tokens[2] == "large_commit":
                await self._escalation.put(message)

    async def finish(self) -> None:
        """Wait until the chain has run, then tell every consumer that this was all."""
        await self._sentry.join()
        await self._escalation.join()
        plain = [
            self._audit,
            self._hot_files,
            *self._activity,
            self._sentry,
            self._escalation,
            self._desk,
        ]
        for queue in plain:
            await queue.put(None)
        await self._urgent.put((_LAST, next(self._number), None))
        self._digest.end()

    def results(self) -> list[Measured]:
        """The measurements."""
        if self._digest.dropped:
            self._measured["digest"].dropped = {"faintest": self._digest.dropped}
        return list(self._measured.values())

    async def _keep_books(self) -> None:
        measured, work = self._measured["audit"], self.findings.audit
        while messages := await get_many(self._audit):
            for message in messages:
                measured.note(message.timestamp)
                work.take(message.channel, message.payload)

    async def _count_files(self) -> None:
        measured, work = self._measured["hot files"], self.findings.hot_files
        while messages := await get_many(self._hot_files):
            for message in messages:
                measured.note(message.timestamp)
                work.take(message.payload)

    async def _count_author(self, lane: asyncio.Queue[Message | None]) -> None:
        measured, work = self._measured["activity"], self.findings.activity
        while (message := await lane.get()) is not None:
            measured.note(message.timestamp)
            work.take(message.payload)

    async def _review(self) -> None:
        measured, work = self._measured["urgent"], self.findings.urgent
        reviewed = 0
        while (message := (await self._urgent.get())[2]) is not None:
            work.take(message.priority, measured.note(message.timestamp))
            reviewed += 1
            if reviewed % URGENT_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _look_at_size(self) -> None:
        measured = self._measured["sentry"]
        while (message := await self._sentry.get()) is not None:
            measured.note(message.timestamp)
            if alert := raise_alert(message.channel, message.payload):
                await self.emit(Message(alert, message.payload, 1.0, message))
                self.derived += 1
            self._sentry.task_done()

    async def _look_at_width(self) -> None:
        measured = self._measured["escalation"]
        while (message := await self._escalation.get()) is not None:
            measured.note(message.timestamp)
            if alert := escalate(message.channel, message.payload):
                await self.emit(Message(alert, message.payload, 1.0, message))
                self.derived += 1
            self._escalation.task_done()

    async def _file_alerts(self) -> None:
        measured, work = self._measured["desk"], self.findings.desk
        while (message := await self._desk.get()) is not None:
            measured.note(message.timestamp)
            work.take(message.channel, message.hops)

    async def _read_slowly(self) -> None:
        measured, work = self._measured["digest"], self.findings.digest
        while (message := await self._digest.get()) is not None:
            measured.note(message.timestamp)
            work.take(message.priority)
            await asyncio.sleep(SLOW_PAUSE)


async def get_many(queue: asyncio.Queue[Message | None]) -> list[Message]:
    """At least one message and what else waits, up to `AT_ONCE`; [] at the end."""
    message = await queue.get()
    messages: list[Message] = []
    while message is not None:
        messages.append(message)
        if len(messages) == AT_ONCE or queue.empty():
            return messages
        message = queue.get_nowait()
    if messages:
        # The end is kept for the next call; a place is free, since it was just taken.
        queue.put_nowait(None)
    return messages
