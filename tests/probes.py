"""What the contract tests share: start a call, wait until something holds, look into a mailbox.

Nothing here sleeps. `until` polls at checkpoints of the running loop and fails after `PATIENCE` seconds, so a test that would hang says where.
"""

import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel

from aether import Aether, Vibrator, Wave, WouldBlock

PATIENCE = 10.0
"""Seconds after which a wait in a test is a failure."""

KEPT: deque[Vibrator] = deque(maxlen=1000)
"""The latest vibrators of the tests: one whose last handle goes while it is open gives a warning."""


def shown(value: object) -> str:
    """The id of a parameter: the same in each process, as they share the work (pytest-xdist)."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:60]


class Later:
    """A call that runs in a task group: its value, its error, and a way to cancel it."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self.finished = anyio.Event()
        self.scope = anyio.CancelScope()
        self.value: Any = None
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether the call has returned, raised or been cancelled."""
        return self.finished.is_set()

    async def result(self) -> Any:
        """Wait for the call and give its value, or raise its error."""
        with anyio.fail_after(PATIENCE):
            await self.finished.wait()
        if self.error is not None:
            raise self.error
        return self.value

    async def cancel(self) -> None:
        """Cancel the call and wait until it has ended."""
        self.scope.cancel()
        with anyio.fail_after(PATIENCE):
            await self.finished.wait()


def begin(group: anyio.abc.TaskGroup, call: Callable[[], Awaitable[Any]]) -> Later:
    """Start `await call()` in a task of its own."""
    later = Later()

    async def run() -> None:
        try:
            with later.scope:
                later.value = await call()
        except Exception as error:
            later.error = error
        finally:
            later.finished.set()

    group.start_soon(run)
    return later


async def until(holds: Callable[[], bool]) -> None:
    """Give way to the other tasks until `holds()`."""
    with anyio.fail_after(PATIENCE):
        while not holds():
            await anyio.lowlevel.checkpoint()


async def until_receiving(vibrator: Vibrator, tasks: int = 1) -> None:
    """Wait until that many tasks are parked in a receive of this vibrator."""
    await until(lambda: vibrator.statistics().tasks_waiting_receive == tasks)


async def until_sending(vibrator: Vibrator, tasks: int = 1) -> None:
    """Wait until that many emissions are parked before this vibrator's mailbox."""
    await until(lambda: vibrator.statistics().tasks_waiting_send == tasks)


async def turns(count: int = 20) -> None:
    """Let every other ready task run that often: for asserting that something does NOT happen."""
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


def tuned(medium: Aether, *patterns: str, name: str = "reader", **options: Any) -> Vibrator:
    """A vibrator that resonates on the patterns, kept alive though the test drops its handle."""
    vibrator = medium.vibrator(name, **options)
    if len(KEPT) == KEPT.maxlen:
        KEPT.popleft().close()  # else its warning would be that of a test which has nothing to do with it
    KEPT.append(vibrator)
    if patterns:
        vibrator.resonate_on(*patterns)
    return vibrator


def taken(vibrator: Vibrator) -> list[Wave[Any]]:
    """Every wave that waits now, in the order a reader gets them."""
    waves: list[Wave[Any]] = []
    while True:
        try:
            waves.append(vibrator.receive_nowait())
        except WouldBlock:
            return waves


def payloads(vibrator: Vibrator) -> list[Any]:
    """The payloads of every wave that waits now."""
    return [wave.payload for wave in taken(vibrator)]


async def receive(vibrator: Vibrator) -> Wave[Any]:
    """The next wave, which comes."""
    with anyio.fail_after(PATIENCE):
        wave = await vibrator.receive()
    assert wave is not None
    return wave


async def take(vibrator: Vibrator, count: int) -> list[Wave[Any]]:
    """The next so many waves."""
    return [await receive(vibrator) for _ in range(count)]


async def take_payloads(vibrator: Vibrator, count: int) -> list[Any]:
    """The payloads of the next so many waves, as many at a time as there are."""
    gathered: list[Any] = []
    with anyio.fail_after(PATIENCE):
        while len(gathered) < count:
            waves = await vibrator.receive_many(count - len(gathered))
            assert waves, f"it ended after {len(gathered)} waves, and {count} were to come"
            gathered += [wave.payload for wave in waves]
    return gathered


def last(medium: Aether, pattern: str = "*") -> list[Any]:
    """The payloads of the last waves that the medium tells of."""
    return [wave.payload for wave in medium.last(pattern)]


def assert_waiting(vibrator: Vibrator, count: int) -> None:
    """So many waves lie in the mailbox."""
    assert vibrator.statistics().current_buffer_used == count


def assert_dropped(counts: Vibrator | Aether, **reasons: int) -> None:
    """Exactly these losses were counted."""
    dropped = {reason: count for reason, count in counts.statistics().dropped.items() if count}
    assert dropped == reasons


def assert_receipt(receipt: Any, matched: int, delivered: int, **reasons: int) -> None:
    """The receipt says this, and its parts fit together."""
    assert (receipt.matched, receipt.delivered, dict(receipt.reasons)) == (
        matched,
        delivered,
        reasons,
    )
    assert receipt.matched == receipt.delivered + receipt.dropped
    assert bool(receipt) is (delivered > 0)


def assert_says(error: BaseException, *parts: object) -> None:
    """The message names these parts and is more than a bare value."""
    message = str(error)
    for part in parts:
        assert str(part) in message, f"{part!r} is missing in {message!r}"
    assert len(message.split()) >= 5, f"{message!r} does not say what to do"


def assert_works_sync(medium: Aether) -> None:
    """A wave still goes through the medium."""
    probe, payload = tuned(medium, "probe.works", name="probe"), object()
    try:
        assert medium.emit_nowait("probe.works", payload)
        assert probe.receive_nowait().payload is payload
    finally:
        probe.close()


async def assert_works(medium: Aether) -> None:
    """A wave still goes through the medium, awaited at both ends."""
    probe, payload = tuned(medium, "probe.works", name="probe"), object()
    try:
        with anyio.fail_after(PATIENCE):
            assert await medium.emit_wave("probe.works", payload)
            wave = await probe.receive()
        assert wave is not None
        assert wave.payload is payload
    finally:
        probe.close()


def messages(records: Sequence[Any], *parts: str) -> list[str]:
    """The log messages that name all the parts."""
    return [
        text
        for text in (record.getMessage() for record in records)
        if all(part in text for part in parts)
    ]
