"""Readers and handlers: tasks, threads and lanes that take waves and note each in the step in which they get it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from typing import Any

import anyio
import anyio.lowlevel

import aether

from .choices import Listening
from .ledger import Broken, Ear, Span
from .payloads import OnPurpose
from .publishers import on_asyncio, random_pause, world_scope
from .world import Voice, World

BATCH = 32
BEHIND = 256
TASK_WAYS = (
    "receive",
    "receive",
    "iterate",
    "iterate",
    "many",
    "many",
    "scope",
    "timeout",
    "native",
)


class TaskReader:
    """A task that reads a vibrator to its end, in every way there is, cancelled now and then."""

    def __init__(self, world: World, voice: Voice, loop: str, number: int) -> None:
        assert voice.vibrator is not None
        self.world = world
        self.ear = voice.ear
        self.ear.slack += BATCH
        self.vibrator = voice.vibrator
        self.reader = f"loop {loop}"
        self.rng = world.rng(voice.plan.name, "task", number)
        self.ended = False

    def note(self, wave: Any) -> None:
        if wave is None:
            self.ended = True
        else:
            self.world.note(self.ear, self.reader, wave)

    async def run(self) -> None:
        try:
            while not self.ended:
                await getattr(self, self.rng.choice(TASK_WAYS))()
                if pause := random_pause(self.rng):
                    await anyio.sleep(pause)
        except Exception as error:
            self.world.fail(error)

    async def receive(self) -> None:
        self.note(await self.vibrator.receive())

    async def iterate(self) -> None:
        left = self.rng.randint(1, 20)
        async for wave in self.vibrator:
            self.note(wave)
            left -= 1
            if not left:
                return
        self.ended = True

    async def many(self) -> None:
        wait = self.rng.choice((0.0, 0.0, 0.0005))
        waves = await self.vibrator.receive_many(self.rng.randint(1, BATCH), max_wait=wait)
        for wave in waves:
            self.note(wave)
        self.ended = not waves

    async def scope(self) -> None:
        with world_scope(self.world):
            self.note(await self.vibrator.receive())

    async def timeout(self) -> None:
        with anyio.move_on_after(self.rng.choice((0.0, 0.0002, 0.002))):
            if self.rng.random() < 0.5:
                await self.many()
            else:
                await self.receive()

    async def native(self) -> None:
        if not on_asyncio():
            await self.scope()
            return
        if self.rng.random() < 0.5:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.receive(), self.rng.choice((0.0, 0.0002, 0.002)))
            return
        task = asyncio.ensure_future(self.receive())
        for _ in range(self.rng.randint(0, 3)):
            await asyncio.sleep(0)
        task.cancel()
        self.world.ledger.counts["cancels"] += 1
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


class ThreadReader:
    """A thread that reads a vibrator to its end, by `receive_sync` and `receive_nowait`."""

    def __init__(self, world: World, voice: Voice, number: int) -> None:
        assert voice.vibrator is not None
        self.world = world
        self.ear = voice.ear
        self.ear.slack += 1
        self.vibrator = voice.vibrator
        self.reader = f"thread {number}"
        self.rng = world.rng(voice.plan.name, "thread", number)

    def run(self) -> None:
        try:
            while self.step():
                if pause := random_pause(self.rng):
                    time.sleep(pause)
        except aether.EndOfStream:
            pass
        except BaseException as error:
            self.world.fail(error)

    def step(self) -> bool:
        try:
            if self.rng.random() < 0.2:
                self.world.note(self.ear, self.reader, self.vibrator.receive_nowait())
                return True
            wave = self.vibrator.receive_sync(self.rng.choice((None, None, 0.0, 0.0002, 0.01)))
        except (aether.WouldBlock, TimeoutError):
            return True
        if wave is None:
            return False
        self.world.note(self.ear, self.reader, wave)
        return True


class Handled:
    """A handler that takes its time, fails, relays and answers requests."""

    def __init__(self, world: World, voice: Voice, plan: Listening) -> None:
        assert voice.vibrator is not None
        assert plan.handler is not None
        self.world = world
        self.voice = voice
        options = dict(plan.handler)
        self.keys: int = options.pop("key", 0)
        self.concurrency: int = options["concurrency"]
        # Each worker has a wave in hand; and what has come to stand behind a key since statistics looked
        # there first is counted as received in that look.
        floor = plan.options.get("noise_floor", 0.0)
        self.ear = Ear(f"{plan.name} (handler)", plan.order, plan.overflow, floor)
        self.ear.slack = self.concurrency + (BEHIND if self.keys else 0)
        self.rng = world.rng(plan.name, "handler")
        self.relayed = itertools.count()
        key = (lambda wave: wave.payload.number % self.keys) if self.keys else None
        before = world.sequence()
        register = voice.vibrator.on(*plan.patterns, key=key, **options)
        register(self.handle if self.rng.random() < 0.8 else self.handle_plainly)
        for pattern in plan.patterns:
            self.ear.spans[pattern].append(Span((before, world.sequence())))
        voice.ear = self.ear

    def begin(self, wave: Any) -> random.Random:
        """Notes the wave; with keys, the order is kept for each of them."""
        key = wave.payload.number % self.keys if self.keys else None
        self.world.note(self.ear, f"key {key}", wave)
        return self.rng

    def handle_plainly(self, wave: Any) -> Any:
        rng = self.begin(wave)
        if rng.random() < 0.03:
            raise OnPurpose
        return wave.payload.who, wave.payload.number

    async def handle(self, wave: Any) -> Any:
        rng, busy = self.begin(wave), self.voice.busy
        who, number = wave.payload.who, wave.payload.number
        key = number % self.keys if self.keys else None
        busy[key] += 1
        try:
            if busy[key] > (1 if self.keys else self.concurrency):
                message = f"{self.ear.name} handles {busy[key]} waves of key {key} at once"
                self.world.fail(Broken(message))
            for _ in range(rng.choice((0, 0, 1, 3))):
                await anyio.lowlevel.checkpoint()
            if pause := random_pause(rng):
                await anyio.sleep(pause)
            if rng.random() < 0.03:
                raise OnPurpose
            if wave.channel.startswith("load.") and rng.random() < 0.1:
                await self.relay(wave)
        except BaseException as error:
            if not isinstance(error, Exception):
                self.ear.given_up.append(1)
            raise
        finally:
            busy[key] -= 1
        return (who, number) if rng.random() < 0.9 else None

    async def relay(self, wave: Any) -> None:
        """Emits a wave of its own, which reaches its own mailbox too, perhaps: then nobody makes room."""
        number = next(self.relayed)
        who, channel = f"relay of {self.voice.plan.name}", f"relay.{number % 3 + 1}"
        payload = self.world.payload(self.rng, who, number)
        ledger = self.world.ledger
        ledger.attempts.append(1)
        # What continues a wave is fainter, which only a witness can tell, and it must live to do so.
        told = self.world.plan.sighted and not self.world.paused.is_set()
        cause = wave if told and self.rng.random() < 0.5 else None
        vibrator = self.voice.vibrator
        assert vibrator is not None
        if cause is not None:
            ledger.maybe.add((who, number))
        try:
            receipt = await vibrator.emit_wave(channel, payload, cause=cause, timeout=0.05)
            if cause is None:
                ledger.receipt(receipt, (who, number, channel, 1.0, self.voice.plan.name))
        except (aether.AetherError, TimeoutError) as error:
            ledger.counts[type(error).__name__] += 1
        finally:
            ledger.concluded.append(1)
