"""Publishers: threads that emit without a loop, and tasks that emit in one and are cancelled.

Each is one actor with a name and a numbered row of attempts. It notes the receipt of each in the very step in
which it gets it, so that what was cancelled is known to have gone nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel

import aether

from .choices import AMPLITUDES
from .ledger import Broken
from .payloads import Payload
from .world import World

REFUSED = (aether.WouldBlock, aether.Closed, aether.NoReceiver, TimeoutError)
"""What may become of an attempt; it then has gone nowhere."""


class Publisher:
    """What threads and tasks have in common."""

    def __init__(self, world: World, who: str) -> None:
        self.world = world
        self.who = who
        self.rng = world.rng(who)
        self.number = 0
        own = self.rng.random() < 0.5
        self.vibrator = world.medium.vibrator(who) if own else None
        hands = [world.medium, world.medium.emitter()]
        hands = [self.vibrator, self.vibrator.emitter()] if self.vibrator is not None else hands
        self.hand: Any = self.rng.choice(hands)
        self.source = who if own else None

    def attempt(self) -> tuple[tuple[str, int, str, float, str | None], Payload, dict[str, Any]]:
        """What to emit next: what is noted of it, its payload, and its options."""
        rng, number = self.rng, self.number
        self.number += 1
        amplitude = rng.choice(AMPLITUDES)
        options: dict[str, Any] = {"amplitude": amplitude}
        if rng.random() < 0.1:
            options["ttl"] = rng.choice((0.0, 0.001, 1.0, 100.0))
        if rng.random() < 0.05:
            options["require"] = rng.choice((0, 1, 2))
        payload = self.world.payload(rng, self.who, number)
        wave = (self.who, number, self.world.channel(rng), amplitude, self.source)
        return wave, payload, options

    @contextlib.contextmanager
    def attempting(self, most: int = 1) -> Iterator[None]:
        """Around one attempt: what refuses it is counted, what must not happen is raised."""
        ledger = self.world.ledger
        ledger.attempts.extend([1] * most)
        try:
            yield
        except REFUSED as error:
            ledger.counts[type(error).__name__] += 1
            if isinstance(error, aether.Closed) and not self.world.ending.is_set():
                raise
        except aether.Deadlock as error:
            message = f"{self.who} reads nothing, and yet: {error}"
            raise Broken(message) from error
        finally:
            ledger.concluded.extend([1] * most)

    def close(self) -> None:
        """Ends its vibrator."""
        if self.vibrator is not None:
            self.vibrator.close()


class Thread(Publisher):
    """Emits by `emit_sync` and `emit_nowait`."""

    def run(self) -> None:
        world = self.world
        try:
            for part in range(world.plan.parts):
                while world.part <= part and not world.ending.is_set():
                    time.sleep(0.001)
                for _ in range(world.plan.waves):
                    if world.ending.is_set() or world.paused.is_set():
                        break
                    self.step()
                world.at_gate.append(1)
        except BaseException as error:
            world.fail(error)

    def step(self) -> None:
        if self.world.plant == "stall" and self.number == 50:
            threading.Event().wait()
        wave, payload, options = self.attempt()
        with self.attempting():
            if self.rng.random() < 0.4:
                receipt = self.hand.emit_nowait(wave[2], payload, **options)
            else:
                timeout = self.rng.choice((None, None, None, 0.0, 0.0002, 0.01))
                receipt = self.hand.emit_sync(wave[2], payload, timeout=timeout, **options)
            self.world.ledger.receipt(receipt, wave)


class Task(Publisher):
    """Emits by what is awaited, and is cancelled now and then."""

    async def run(self) -> None:
        world = self.world
        try:
            for part in range(world.plan.parts):
                while world.part <= part and not world.ending.is_set():
                    await anyio.sleep(0.001)
                done = 0
                while done < world.plan.waves:
                    if world.ending.is_set() or world.paused.is_set():
                        break
                    before = self.number
                    await self.step()
                    done += self.number - before
                world.at_gate.append(1)
        except Exception as error:
            world.fail(error)

    async def step(self) -> None:
        rng, world = self.rng, self.world
        way = rng.random()
        if way < 0.45:
            await self.put()
        elif way < 0.60:
            with world_scope(world):
                await self.put()
        elif way < 0.70:
            with anyio.move_on_after(rng.choice((0.0, 0.0, 0.0005, 0.002))):
                await self.put()
        elif way < 0.80:
            await self.cancelled_natively()
        elif way < 0.85:
            self.forget()
        elif way < 0.92:
            await self.many()
        elif way < 0.95 and world.plan.sighted:
            await self.ask()
        else:
            wave, payload, options = self.attempt()
            with self.attempting():
                world.ledger.receipt(self.hand.emit_nowait(wave[2], payload, **options), wave)
        if rng.random() < 0.1:
            await anyio.lowlevel.checkpoint()

    async def put(self) -> None:
        wave, payload, options = self.attempt()
        with self.attempting():
            timeout = self.rng.choice((None, None, None, 0.0, 0.001, 0.01))
            if self.rng.random() < 0.3:
                require = options.pop("require", None)
                ready = aether.Wave(wave[2], payload, source=self.source, **options)
                del payload
                receipt = await self.hand.emit(ready, timeout=timeout, require=require)
            else:
                receipt = await self.hand.emit_wave(wave[2], payload, timeout=timeout, **options)
            self.world.ledger.receipt(receipt, wave)

    async def cancelled_natively(self) -> None:
        """By `task.cancel` and `wait_for`, which only asyncio has."""
        rng = self.rng
        if not on_asyncio():
            await self.put()
            return
        if rng.random() < 0.5:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.put(), rng.choice((0.0001, 0.001, 0.01)))
            return
        task = asyncio.ensure_future(self.put())
        for _ in range(rng.randint(0, 3)):
            await asyncio.sleep(0)
        task.cancel()
        self.world.ledger.counts["cancels"] += 1
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    def forget(self) -> None:
        """An emission that nobody awaits goes nowhere."""
        wave, payload, options = self.attempt()
        self.hand.emit_wave(wave[2], payload, **options)

    async def many(self) -> None:
        """Several at once; where they are cut short, nobody is told how many went out."""
        rng, world = self.rng, self.world
        made = [self.attempt() for _ in range(rng.randint(1, 6))]
        waves = [wave for wave, _, _ in made]
        items: list[Any] = [
            aether.Wave(wave[2], payload, source=self.source, amplitude=wave[3])
            for wave, payload, _ in made
        ]
        del made
        told = False
        with self.attempting(len(waves)):
            # Without a witness, it is neither cancelled nor refused halfway.
            if not world.plan.sighted:
                for item, wave in zip(items, waves, strict=True):
                    world.ledger.receipt(await self.hand.emit(item), wave)
                return
            try:
                with anyio.move_on_after(rng.choice((0.0, 0.001, 1.0))):
                    receipts = await self.hand.emit_many(items)
                    for receipt, wave in zip(receipts, waves, strict=True):
                        world.ledger.receipt(receipt, wave)
                    told = True
            finally:
                if not told:
                    world.ledger.maybe.update(wave[:2] for wave in waves)

    async def ask(self) -> None:
        """A request: answered rightly, or one of the errors that it may end with."""
        wave, payload, _ = self.attempt()
        self.world.ledger.maybe.add(wave[:2])
        with self.attempting(), contextlib.suppress(aether.RequestFailed):
            with anyio.move_on_after(self.rng.choice((0.001, 0.1))):
                answer = await self.hand_for_requests().request(
                    wave[2], payload, amplitude=wave[3], timeout=self.rng.choice((0.001, 0.05))
                )
                self.world.ledger.counts["answers"] += 1
                if answer.payload not in {None, wave[:2]}:
                    message = f"a request of {wave[:2]} was answered with {answer.payload!r}"
                    raise Broken(message)

    def hand_for_requests(self) -> Any:
        """Emitters do not ask."""
        return self.vibrator if self.vibrator is not None else self.world.medium


@contextlib.contextmanager
def world_scope(world: World) -> Iterator[None]:
    """A scope that the canceller of the loop may cancel."""
    scopes = world.scopes_here()
    with anyio.CancelScope() as scope:
        scopes.append(scope)
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):  # the canceller had it
                scopes.remove(scope)


def on_asyncio() -> bool:
    """Whether the running loop is asyncio's, or uvloop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def random_pause(rng: random.Random) -> float:
    """A pause of a reader or handler: mostly none."""
    return rng.choice((0.0, 0.0, 0.0, 0.0, 0.0005, 0.002))
