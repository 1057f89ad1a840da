"""A record, put into a program once more: what came from outside is emitted, and what it leads to is kept.

Contract:
- Inputs are emitted in the order of the record, at their moments of the virtual clock; after each, all that follows from it is
  done before time goes on. At the end, what handlers are still at is waited for, for at most `drain_timeout` of that clock.
- Inputs are waves with one hop behind them: nothing has led to them by `cause=`. What a handler, a reader or a timer of the
  program emits without a cause looks the same, and would be there twice: name the channels of the inputs then. Where a vibrator
  that resonates has emitted such waves in the record, it has to be said: nobody could tell a change from an input.
- A request is emitted as one that nobody waits for. Payloads of classes that the program has imported are made objects of them.
- An input that the medium refuses, as the program does by `overflow="error"`, is told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aether._native import Wave
from aether.channel import Channel
from aether.errors import AetherError
from aether.records.entries import Entry
from aether.records.files import Record
from aether.records.lines import line_of
from aether.testing.diffing import Diff, diff
from aether.testing.recording import Recording, record
from aether.testing.virtual import VirtualAether

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Rerun", "rerun"]


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a record has led to, then and now.

    Attributes:
        inputs: What was emitted.
        before: All other waves of the record.
        after: All other waves that were emitted now.
        notes: What makes it prove less, each in a line.
    """

    inputs: tuple[Entry, ...]
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    def diff(self, *, ignore: Collection[str] = (), order: bool = True) -> Diff:
        """What has changed; see `aether.testing.diff`."""
        return diff(self.before, self.after, ignore=ignore, order=order)


async def rerun(
    medium: VirtualAether,
    before: Record | Iterable[Wave[Any] | Entry],
    *,
    inputs: Collection[str] | None = None,
) -> Rerun:
    """Emits what came from outside in a record, and gives what the program makes of it now, beside what it made of it then.

    Args:
        medium: That of the program under test, which is entered and has its handlers.
        before: A record that `load` has read, a `Recording`, or any waves.
        inputs: The patterns of the channels that are inputs; `None`: waves to which no other has led.

    Raises:
        ChannelError: One of `inputs` is no pattern.
        RuntimeError: The medium is not entered; or inputs wait for room that nobody makes.
        TimeoutError: Handlers wait for something that does not come, and no timer is to.
        TypeError: The medium has no virtual clock, or `inputs` is one text.
        ValueError: It cannot be told which waves are inputs; or one breaks a rule, is at no possible moment, or has a payload
            that is not of its class any more.

    Example:
        >>> import asyncio
        >>> from aether.testing import Entry, VirtualAether, rerun
        >>> async def run(price, before):
        ...     async with VirtualAether() as medium:
        ...         shop = medium.vibrator("shop")
        ...         @shop.on("orders.created")
        ...         async def book(wave):
        ...             await shop.emit_wave("booked", price * wave.payload, cause=wave)
        ...         return await rerun(medium, before)
        >>> before = [
        ...     Entry("orders.created", 3),
        ...     Entry("booked", 6, source="shop", amplitude=0.95, propagation_count=2),
        ... ]
        >>> print(asyncio.run(run(2, before)).diff())
        no difference in 1 wave
        >>> print(asyncio.run(run(3, before)).diff())
        changed booked #1: payload was 6, is 9
        1 difference in 1 channel (1 changed); 1 wave before, 1 after
    """
    if not isinstance(medium, VirtualAether):
        message = f"rerun takes the VirtualAether of a test, not {type(medium).__name__}"
        raise TypeError(message)
    if isinstance(inputs, str):
        message = f"inputs is a list of patterns; write [{inputs!r}]"
        raise TypeError(message)
    lanes = list(medium.lanes)
    if lanes and not any(lane.is_running for lane in lanes):
        message = "no handler runs: enter the medium first, with 'async with medium'"
        raise RuntimeError(message)
    entries = [one if isinstance(one, Entry) else Entry.of_line(line_of(one)) for one in before]
    put_in, others = _split(medium, entries, inputs)
    pattern = str(before.pattern) if isinstance(before, Record | Recording) else "*"
    run = _Run(medium)
    with record(medium, pattern) as seen:
        await run.emit(put_in, entries)
    after = [Entry.of_line(line_of(wave)) for wave in seen if wave.id not in run.own]
    notes = [*_said_of(before, put_in, others), *run.notes(), *_twice(put_in, after, inputs)]
    return Rerun(tuple(put_in), tuple(others), tuple(after), tuple(notes))


class _Run:
    """The emission of all inputs."""

    def __init__(self, medium: VirtualAether) -> None:
        self.own: set[str] = set()
        """The ids of what was put in."""
        self._medium = medium
        self._refused: list[AetherError] = []
        self._waiting = 0
        self._is_at_work = False

    async def emit(self, put_in: list[Entry], entries: list[Entry]) -> None:
        """Emits them at their moments, and waits for what follows."""
        import anyio

        clock = self._medium.clock
        begun, first = clock.now(), min((one.ts for one in entries), default=0.0)
        last = max((one.ts for one in entries), default=0.0)
        waves = [_wave_of(entry) for entry in put_in]
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            try:
                for entry, wave in zip(put_in, waves, strict=True):
                    await self._until(begun + entry.ts - first)
                    await self._put(tasks, wave)
                await self._until(begun + last - first)
                await self._finish()
            except (RuntimeError, TimeoutError, ValueError) as error:
                # Not in the group of a task group.
                failure = error
            if failure or self._waiting:
                tasks.cancel_scope.cancel()
        if failure:
            raise failure
        if self._waiting:
            message = f"{self._waiting} inputs still wait for a full mailbox that nobody reads; give it a reader, or let it drop"
            raise RuntimeError(message)

    async def _until(self, moment: float) -> None:
        clock = self._medium.clock
        if (left := moment - clock.now()) > 0:
            await clock.advance(left)

    async def _put(self, tasks: TaskGroup, made: Wave[Any]) -> None:
        wave = made.replace(timestamp=self._medium.clock.now())
        self.own.add(wave.id)
        self._waiting += 1
        # A task of its own: it may wait for a handler that waits for the clock.
        tasks.start_soon(self._emit, wave)
        await self._medium.clock.advance(0)
        if self._medium.clock.next is None:
            # Whoever is at work now waits for something else, such as a thread.
            await self._calm()

    async def _emit(self, wave: Wave[Any]) -> None:
        try:
            await self._medium.emit(wave)
        except AetherError as error:
            self._refused.append(error)
        self._waiting -= 1

    async def _finish(self) -> None:
        clock = self._medium.clock
        end = clock.now() + self._medium.config.drain_timeout
        while self._waiting or not await self._medium.settle(0.0):
            moment = clock.next
            if moment is None or moment > end:
                break
            await clock.advance_to_next()
        await self._calm()
        self._is_at_work = not await self._medium.settle(0.0)

    async def _calm(self) -> None:
        """Waits for handlers that no timer holds up."""
        if not await self._medium.settle(0.0) and self._medium.clock.next is None:
            await self._medium.settle()

    def notes(self) -> list[str]:
        """What was refused, and whether it came to an end."""
        notes: list[str] = []
        if self._refused:
            count = _inputs(len(self._refused))
            notes.append(f"{count} refused by the medium, first: {self._refused[0]}")
        if self._is_at_work:
            seconds = self._medium.config.drain_timeout
            notes.append(f"handlers were still at work {seconds:g} s after the end of the record")
        return notes


def _wave_of(entry: Entry) -> Wave[Any]:
    try:
        return entry.wave()
    except ValueError as error:
        message = f"wave {entry.sequence or '?'} of the record, on {entry.channel!r}: {error}"
        raise ValueError(message) from None


def _split(
    medium: VirtualAether, entries: list[Entry], inputs: Collection[str] | None
) -> tuple[list[Entry], list[Entry]]:
    """Inputs, and all others."""
    if inputs is None:
        own = _own(medium, entries)
        if own:
            listed = ", ".join(f"{channel!r} of {source!r}" for channel, source in own[:3])
            message = (
                f"waves without a cause may be inputs or the program's own, as their vibrators resonate too: {listed}"
                f"{', ...' if own[3:] else ''}; name the patterns of the inputs, or emit with cause= and record again"
            )
            raise ValueError(message)
        return [one for one in entries if not one.is_led_to], [
            one for one in entries if one.is_led_to
        ]
    patterns = [Channel(one) for one in inputs]
    chosen = {
        channel: any(Channel(channel).matches(pattern) for pattern in patterns)
        for channel in {one.channel for one in entries}
    }
    return [one for one in entries if chosen[one.channel]], [
        one for one in entries if not chosen[one.channel]
    ]


def _own(medium: VirtualAether, entries: list[Entry]) -> list[tuple[str, str]]:
    """Channel and vibrator of waves that somebody has emitted who gets waves too."""
    sources = {
        (one.channel, one.source) for one in entries if one.source is not None and not one.is_led_to
    }
    if not sources:
        return []
    resonating = {row.vibrator for row in medium.explain("a").rows if row.patterns}
    return sorted((channel, source) for channel, source in sources if source in resonating)


def _said_of(before: object, put_in: list[Entry], others: list[Entry]) -> list[str]:
    notes: list[str] = []
    if isinstance(before, Record):
        if before.missed:
            notes.append(
                f"{before.missed:,} waves are missing in the record, as they came too fast"
            )
        if not before.complete:
            notes.append("the record was cut off before its end")
    if not put_in:
        notes.append("the record has no inputs; name their patterns")
    elif not others:
        notes.append("the record has nothing but inputs to compare")
    plain = sum(not one.is_whole for one in put_in)
    if plain:
        notes.append(
            f"{_inputs(plain)} emitted with payloads unlike those recorded: their classes are not imported, or cannot be written"
        )
    return notes


def _twice(put_in: list[Entry], after: list[Entry], inputs: Collection[str] | None) -> list[str]:
    """What the program has emitted itself on channels of inputs."""
    own = {one.channel for one in after if not one.is_led_to} & {one.channel for one in put_in}
    if not own:
        return []
    channels = ", ".join(sorted(own)[:3])
    remedy = "name the patterns of the inputs" if inputs is None else "leave them out of the inputs"
    return [f"the program emits itself what is also an input: {channels}; {remedy}"]


def _inputs(count: int) -> str:
    return "1 input was" if count == 1 else f"{count:,} inputs were"
