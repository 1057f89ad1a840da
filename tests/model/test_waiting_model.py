"""Waiting receivers and emitters on one loop that is stepped by hand.

The machine starts, cancels and lets run in any order, several steps within one tick included. The
model is the list of admissions, by their sequence numbers: a receiver of a FIFO mailbox sees exactly
the admitted waves of its channels, in that order, and a cancelled emission nowhere.
"""

from __future__ import annotations

import asyncio
import os
import types
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import aether

pytestmark = pytest.mark.timeout(600)  # shrinking takes its time
TORTURE = bool(os.environ.get("AETHER_TORTURE"))
READERS = {"x": ("a.*", "c.x"), "y": ("b.*",), "z": ("a.both", "b.*", "c.*")}
CHANNELS = {
    "a.one": ("x",),
    "a.both": ("x", "z"),
    "b.one": ("y", "z"),
    "c.x": ("x", "z"),
    "c.z": ("z",),
}


@dataclass(eq=False)
class Emission:
    channel: str
    payload: int
    task: asyncio.Task[None] | None = None
    start: int | None = None
    receipt: Any = None


class WaitingMachine(RuleBasedStateMachine):
    """Three readers with small blocking mailboxes, and everything that can wait on them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.medium = aether.Aether()
        self.readers = {}
        for capacity, (name, patterns) in enumerate(READERS.items(), 1):
            reader = self.medium.vibrator(
                name, order="fifo", overflow="block", buffer_size=capacity
            )
            reader.resonate_on(*patterns)
            self.readers[name] = reader
        self.emissions: list[Emission] = []
        self.receives: list[tuple[str, asyncio.Task[None]]] = []
        self.got: dict[str, list[Any]] = {name: [] for name in READERS}
        self.starts = 0

    # -- what the tasks do

    async def take(self, name: str) -> None:
        wave = await self.readers[name].receive()
        assert wave is not None
        self.got[name].append(wave)

    async def put(self, emission: Emission) -> None:
        self.begin(emission)
        emission.receipt = await self.emitted(emission)

    @types.coroutine
    def emitted(self, emission: Emission) -> Any:
        """Awaits the emission. One in 128 gives way to the loop first, and is tried only after that."""
        call = self.medium.emit_wave(emission.channel, emission.payload)
        try:
            waits_for = call.send(None)
            while True:
                try:
                    woken = yield waits_for
                except BaseException as error:
                    waits_for = call.throw(error)
                else:
                    if waits_for is None:
                        self.begin(emission)
                    waits_for = call.send(woken)
        except StopIteration as end:
            return end.value

    def begin(self, emission: Emission) -> None:
        emission.start = self.starts = self.starts + 1

    def pending(self) -> list[Emission]:
        return [e for e in self.emissions if e.task and e.start and not e.task.done()]

    # -- steps

    @rule(name=st.sampled_from(sorted(READERS)), n=st.integers(1, 3))
    def start_receivers(self, name: str, n: int) -> None:
        for _ in range(n):
            self.receives.append((name, self.loop.create_task(self.take(name))))

    @rule(channel=st.sampled_from(sorted(CHANNELS)), n=st.integers(1, 4))
    def start_emitters(self, channel: str, n: int) -> None:
        for _ in range(n):
            emission = Emission(channel, len(self.emissions))
            emission.task = self.loop.create_task(self.put(emission))
            self.emissions.append(emission)

    @rule(channel=st.sampled_from(sorted(CHANNELS)))
    def emit_nowait(self, channel: str) -> None:
        emission = Emission(channel, len(self.emissions))
        try:
            emission.receipt = self.medium.emit_nowait(channel, emission.payload)
        except aether.WouldBlock:
            return
        self.begin(emission)
        self.emissions.append(emission)

    @rule(name=st.sampled_from(sorted(READERS)))
    def receive_nowait(self, name: str) -> None:
        try:
            self.got[name].append(self.readers[name].receive_nowait())
        except aether.WouldBlock:
            assert self.readers[name].statistics().current_buffer_used == 0

    @rule(number=st.integers(0, 1000))
    def cancel_a_receiver(self, number: int) -> None:
        live = [task for _, task in self.receives if not task.done()]
        if live:
            live[number % len(live)].cancel()

    @rule(number=st.integers(0, 1000))
    def cancel_an_emitter(self, number: int) -> None:
        live = [e.task for e in self.emissions if e.task and not e.task.done()]
        if live:
            live[number % len(live)].cancel()

    @rule(n=st.integers(1, 3))
    def tick(self, n: int) -> None:
        self.run_ticks(n)

    @rule()
    def clear(self) -> None:
        used = sum(r.statistics().current_buffer_used for r in self.readers.values())
        assert self.medium.clear() == used
        # Emitters that waited may be let in at once; what they bring was not cleared.

    @rule()
    def settle(self) -> None:
        waiting = sum(not task.done() for _, task in self.receives) + len(self.pending())
        self.run_ticks(12 + 4 * waiting)  # a hand-over in a row takes a few turns each
        full = set()
        for name, reader in self.readers.items():
            s = reader.statistics()
            parked = sum(1 for n, task in self.receives if n == name and not task.done())
            assert s.tasks_waiting_receive == parked, (name, s)
            assert not (parked and s.current_buffer_used), "a reader is parked beside a wave"
            if s.current_buffer_used == s.max_buffer_size:
                full.add(name)
        pending = self.pending()
        for emission in pending:
            assert full & set(CHANNELS[emission.channel]), (emission, "waits for nothing")
        for name, reader in self.readers.items():
            stuck = [set(CHANNELS[e.channel]) & full for e in pending]
            only = sum(1 for names in stuck if names == {name})
            any_ = sum(1 for names in stuck if name in names)
            assert only <= reader.statistics().tasks_waiting_send <= any_, (name, stuck)
        self.check_order()

    def run_ticks(self, n: int) -> None:
        async def ticks() -> None:
            for _ in range(n):
                await asyncio.sleep(0)

        self.loop.run_until_complete(ticks())

    def check_order(self) -> None:
        for name, waves in self.got.items():
            sequences = [wave.sequence for wave in waves]
            assert sequences == sorted(set(sequences)), (name, sequences)
        done = [e for e in self.emissions if e.receipt is not None]
        for channel in CHANNELS:
            same = [e for e in done if e.channel == channel]
            same.sort(key=lambda e: e.start or 0)
            sequences = [e.receipt.sequence for e in same]
            assert sequences == sorted(set(sequences)), (channel, sequences)

    def teardown(self) -> None:
        try:
            self.settle()
            self.cancel_all()
            self.check_sum()
        finally:
            self.cancel_all()
            for reader in self.readers.values():
                reader.close()
            self.loop.close()

    def cancel_all(self) -> None:
        tasks = [e.task for e in self.emissions if e.task] + [task for _, task in self.receives]
        for task in tasks:
            task.cancel()
        self.run_ticks(5)

    def check_sum(self) -> None:
        for name, reader in self.readers.items():
            assert reader.statistics().tasks_waiting_receive == 0
            assert reader.statistics().tasks_waiting_send == 0
            while reader.statistics().current_buffer_used:
                self.got[name].append(reader.receive_nowait())
        self.check_order()
        for emission in self.emissions:
            if emission.task is not None and emission.receipt is None:
                assert emission.task.cancelled()
        for name, reader in self.readers.items():
            admitted = {
                e.receipt.sequence: e.payload
                for e in self.emissions
                if e.receipt is not None and name in CHANNELS[e.channel]
            }
            got = {wave.sequence: wave.payload for wave in self.got[name]}
            s = reader.statistics()
            assert got.items() <= admitted.items(), "a wave of nobody"
            assert len(admitted) - len(got) == s.missed == s.dropped.get("cleared", 0), (name, s)
            assert s.received == len(got)


TestWaitingMachine = WaitingMachine.TestCase
TestWaitingMachine.settings = settings(
    max_examples=2000 if TORTURE else 150,
    stateful_step_count=60 if TORTURE else 40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
