"""The job on a medium: eight vibrators on one `Aether`, and a replayer that knows none of them.

Readers that pull (`receive`, `async for`) run as tasks beside the medium; what reacts (`on`) is run by the medium. The
replay ends in order: all events emitted, then the medium settles (the chain of alerts has run), then it is left, which
gives the readers what is queued and then the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from aether import Aether, Wave

from ..errors import CliError
from ..metrics import measuring
from .job import (
    ACTIVITY_LANES,
    AT_ONCE,
    MAILBOXES,
    ROOM,
    SLOW_MAILBOX,
    SLOW_PAUSE,
    URGENT_AT_ONCE,
    Commit,
    Emission,
    Findings,
    escalate,
    raise_alert,
)
from .measure import Measured, Side

if TYPE_CHECKING:
    from aether import AetherConfig
    from aether.metrics.server import MetricsServer

__all__ = ["through_medium"]

_PATIENCE = 30.0
"""Seconds for the chain to come to rest; a healthy one takes milliseconds."""
_TICK = 512


async def through_medium(
    history: Sequence[Emission],
    tick: Callable[[int], None],
    server: MetricsServer | None = None,
    config: AetherConfig | None = None,
) -> Side:
    """Do the job on a medium.

    Args:
        history: what to emit, in order.
        tick: told now and then how many were emitted.
        server: what shows its metrics, if anything does.
        config: of the medium.

    Raises:
        CliError: the medium does not come to rest.
    """
    medium = Aether(measuring("demo", server, config))
    if server is not None:
        server.add(medium)
    side = _MediumSide(medium)
    # The readers outlive the medium: leaving it gives them what is queued, and then the end.
    async with anyio.create_task_group() as tasks, medium:
        for reader in side.readers():
            tasks.start_soon(reader)
        side.started = time.time()
        for number, event in enumerate(history):
            await medium.emit_wave(event.channel, event.payload, amplitude=event.amplitude)
            if number % _TICK == 0:
                tick(number)
        if not await medium.settle(_PATIENCE):
            raise CliError(
                f"demo: the medium did not settle within {_PATIENCE:.0f} s of the last event"
            )
    return Side("Aether", side.started, len(history) + side.derived, side.results(), side.findings)


class _MediumSide:
    """The vibrators, what they measure and what they find."""

    def __init__(self, medium: Aether) -> None:
        self.findings = Findings()
        self.derived = 0
        self.started = 0.0
        self._measured = {name: Measured(name) for name in MAILBOXES}
        self._vibrators = {
            name: medium.vibrator(name, order="fifo", buffer_size=ROOM)
            for name in ("audit", "hot files", "activity", "sentry", "escalation", "desk")
        }
        self._vibrators["urgent"] = medium.vibrator("urgent", order="amplitude", buffer_size=ROOM)
        self._vibrators["digest"] = medium.vibrator(
            "digest", buffer_size=SLOW_MAILBOX, overflow="drop_faintest"
        )
        for name in ("audit", "hot files", "urgent", "desk", "digest"):
            self._vibrators[name].resonate_on(*MAILBOXES[name])
        self._react()

    def readers(self) -> list[Callable[[], Coroutine[object, object, None]]]:
        """The tasks that pull until the end."""
        return [self._audit, self._hot_files, self._urgent, self._desk, self._digest]

    def results(self) -> list[Measured]:
        """The measurements, with what each vibrator says it missed."""
        for name in MAILBOXES:
            statistics = self._vibrators[name].statistics()
            self._measured[name].dropped = {
                why: count for why, count in statistics.dropped.items() if count
            }
            self._measured[name].received = statistics.received
        return list(self._measured.values())

    def _react(self) -> None:
        activity, sentry, escalation = (
            self._vibrators[name] for name in ("activity", "sentry", "escalation")
        )
        measured, findings = self._measured, self.findings

        @activity.on(
            *MAILBOXES["activity"],
            key=lambda wave: wave.payload["author"],
            concurrency=ACTIVITY_LANES,
        )
        async def count_author(wave: Wave[Commit]) -> None:
            measured["activity"].note(wave.timestamp)
            findings.activity.take(wave.payload)

        @sentry.on(*MAILBOXES["sentry"])
        async def look_at_size(wave: Wave[Commit]) -> None:
            measured["sentry"].note(wave.timestamp)
            if alert := raise_alert(wave.channel, wave.payload):
                await sentry.emit_wave(alert, wave.payload, cause=wave)
                self.derived += 1

        @escalation.on(*MAILBOXES["escalation"])
        async def look_at_width(wave: Wave[Commit]) -> None:
            measured["escalation"].note(wave.timestamp)
            if alert := escalate(wave.channel, wave.payload):
                await escalation.emit_wave(alert, wave.payload, cause=wave)
                self.derived += 1

    async def _audit(self) -> None:
        measured, work = self._measured["audit"], self.findings.audit
        while waves := await self._vibrators["audit"].receive_many(AT_ONCE):
            for wave in waves:
                measured.note(wave.timestamp)
                work.take(wave.channel, wave.payload)

    async def _hot_files(self) -> None:
        measured, work = self._measured["hot files"], self.findings.hot_files
        while waves := await self._vibrators["hot files"].receive_many(AT_ONCE):
            for wave in waves:
                measured.note(wave.timestamp)
                work.take(wave.payload)

    async def _urgent(self) -> None:
        measured, work = self._measured["urgent"], self.findings.urgent
        while waves := await self._vibrators["urgent"].receive_many(URGENT_AT_ONCE):
            for wave in waves:
                work.take(wave.priority, measured.note(wave.timestamp))
            await anyio.lowlevel.checkpoint()

    async def _desk(self) -> None:
        measured, work = self._measured["desk"], self.findings.desk
        async for wave in self._vibrators["desk"]:
            measured.note(wave.timestamp)
            work.take(wave.channel, wave.propagation_count)

    async def _digest(self) -> None:
        measured, work = self._measured["digest"], self.findings.digest
        async for wave in self._vibrators["digest"]:
            measured.note(wave.timestamp)
            work.take(wave.priority)
            await anyio.sleep(SLOW_PAUSE)
