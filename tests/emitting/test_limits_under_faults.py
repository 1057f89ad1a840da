"""Emitters with limits, in a medium with limits, whose readers are slow, fail and are cancelled: nothing is lost or doubled.

Beside each run stands an oracle that knows the contract alone: a bucket that is filled by the clock and emptied by those who
were let in, and what became of each call.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from typing import Any

import anyio
import pytest
from tests.probes import Later, begin, turns

from aether import AetherConfig, LimitsConfig, Retry, Wave, WouldBlock
from aether.limited import Entrance, LimitedEmitter
from aether.testing import VirtualAether, faults

RATE, BURST, BULKHEAD = 2.0, 3, 4


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Handlers fail on purpose here."""
    caplog.set_level(logging.CRITICAL, "aether")


class Bucket:
    """The turns that there are, by who was let in."""

    def __init__(self, medium: VirtualAether, patch: pytest.MonkeyPatch) -> None:
        self._clock = medium.clock
        self.level, self._seen = float(BURST), 0.0
        self.entered = 0
        self.wrong: list[str] = []
        enter, enter_now = Entrance.enter, Entrance.enter_now

        async def waits(entrance: Entrance, channel: str) -> None:
            await enter(entrance, channel)
            self._take()

        def at_once(entrance: Entrance, channel: str) -> None:
            enter_now(entrance, channel)
            self._take()

        patch.setattr(Entrance, "enter", waits)
        patch.setattr(Entrance, "enter_now", at_once)

    def fill(self) -> float:
        now = self._clock.now()
        self.level = min(float(BURST), self.level + RATE * (now - self._seen))
        self._seen = now
        return self.level

    def _take(self) -> None:
        if self.fill() < 1 - 1e-6:
            self.wrong.append(f"a turn that is not there, at {self._seen}")
        self.level -= 1
        self.entered += 1


class Run:
    """One random program."""

    def __init__(self, medium: VirtualAether, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.medium = medium
        self.dice = random.Random(seed)
        self.bucket = Bucket(medium, patch)
        emitter = medium.emitter(rate=RATE, burst=BURST, bulkhead=BULKHEAD, timeout=5.0)
        assert isinstance(emitter, LimitedEmitter)
        self.emitter = emitter
        self.calls: list[Later] = []
        self.outcomes: Counter[str] = Counter()
        self.sequences: list[int] = []

    async def emit(self) -> None:
        channel = self.dice.choice(["orders.created", "free"])
        amplitude = self.dice.choice([0.3, 1.0, 1.0])
        outcome = "cancelled"
        try:
            receipt = await self.emitter.emit_wave(channel, b"x" * 10, amplitude=amplitude)
            self.sequences.append(receipt.sequence)
            outcome = "shed" if receipt.reasons else "emitted"
        except TimeoutError:
            outcome = "gave up"
        except WouldBlock:
            outcome = "refused"
        finally:
            self.outcomes[outcome] += 1

    def emit_now(self) -> None:
        try:
            receipt = self.emitter.emit_nowait("orders.paid", b"x" * 10)
        except WouldBlock:
            self.outcomes["refused"] += 1
        else:
            self.sequences.append(receipt.sequence)
            self.outcomes["emitted"] += 1

    async def step(self, group: anyio.abc.TaskGroup) -> None:
        match self.dice.randrange(8):
            case 0 | 1 | 2:
                self.calls.append(begin(group, self.emit))
                # Before it has begun, while it waits, and after.
                await turns(self.dice.randrange(5))
            case 3 | 4 if self.calls:
                for call in self.dice.sample(self.calls, min(2, len(self.calls))):
                    call.scope.cancel()
                await turns(self.dice.randrange(3))
            case 5:
                self.emit_now()
                self.calls.append(begin(group, anyio.lowlevel.checkpoint))
            case _:
                await self.medium.clock.advance(self.dice.choice([0.25, 0.5, 1.0, 3.0]))
                self.check()

    def check(self) -> None:
        """Everybody waits for something now."""
        counted = self.emitter.statistics()
        assert 0 <= counted.under_way <= BULKHEAD
        if counted.waiting and counted.under_way < BULKHEAD:
            assert self.bucket.fill() < 1 + 1e-6, "a turn that nobody has got"
        waiting, size, floor, _, _ = self.medium.pressure()
        # One wave may be in the hand of a worker, between the mailbox and its busy key.
        assert waiting <= 6 + 1
        assert size <= 60 + 10
        assert (floor > 0) == (waiting > 3)
        assert self.bucket.wrong == []


@pytest.mark.parametrize("seed", range(12))
async def test_no_turn_is_lost_and_no_wave(
    anyio_backend: object, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = LimitsConfig(queued=6, queued_bytes=60, soft=0.5)
    handled: list[int] = []
    async with VirtualAether(AetherConfig(limits=limits)) as medium:
        run = Run(medium, seed, monkeypatch)
        shop = medium.vibrator("shop", buffer_size=2)
        retry = Retry(on=ConnectionError, attempts=2, wait_initial=1, wait_jitter=0, budget=None)

        @shop.on(
            "orders.*", timeout=3.0, retry=retry, dead_letter=False, concurrency=2, key=lambda _: 1
        )
        async def book(wave: Wave[Any]) -> None:
            handled.append(wave.sequence or 0)

        with faults(medium, seed) as injected:
            injected.slow("orders.*", (0.5, 6.0), probability=0.5)
            injected.error("orders.*", ConnectionError("down"), probability=0.3)
            injected.error("orders.*", ValueError("wrong"), probability=0.1)
            async with anyio.create_task_group() as group:
                for _ in range(120):
                    await run.step(group)
                await medium.clock.advance(200)
            run.check()
        assert sum(run.outcomes.values()) + len(run.calls) >= 60
        counted, said = run.emitter.statistics(), medium.statistics()
        assert (counted.under_way, counted.waiting) == (0, 0)
        assert said.emitted == len(run.sequences) == len(set(run.sequences))
        assert said.delivered == said.received + said.dropped["abandoned"]
        assert said.dropped["shed"] <= run.outcomes["shed"]
        assert medium.pressure()[:3] == (0, 0, 0.0)
        # Each that was let in has come to an end that is counted, and who was not has none.
        assert run.bucket.entered >= len(run.sequences)
        assert len(set(handled)) <= said.delivered
        # All turns are there again, as many as there may be.
        for _ in range(BURST):
            assert run.emitter.emit_nowait("free") is not None
        with pytest.raises(WouldBlock, match="limit rate"):
            run.emitter.emit_nowait("free")
