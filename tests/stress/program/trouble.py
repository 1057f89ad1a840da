"""Trouble: a thread that opens, closes, drains, clears, removes, collects and asks, at random moments.

Whatever changes who listens, it alone does, one thing after the other, so that the ledger knows the bounds of
each change. Cancels come from the loops themselves (`canceller`).
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import TYPE_CHECKING

import anyio

import aether

from .choices import PATTERNS, listening
from .ledger import Broken
from .world import Voice, World

if TYPE_CHECKING:
    from .round import Round

CHURNED = 5
"""How many vibrators that come and go are there at a time, at most."""


class Trouble:
    """One thread of it, for a round."""

    def __init__(self, around: Round) -> None:
        self.round = around
        self.world: World = around.world
        self.rng: random.Random = self.world.rng("trouble")
        self.made = 0
        self.churned: list[Voice] = []
        self.acts: list[Callable[[], object]] = [
            *[self.open] * 4,
            *[self.close] * 3,
            *[self.retune] * 3,
            self.remove_channel,
            self.join_a_group,
            self.collect,
            self.ask,
            self.forget,
            self.add_victim,
            *([self.pass_time] * 4 if self.world.clock else []),
            *([] if self.world.plan.sighted else [self.clear] * 2),
        ]
        self.idle = False
        self.turns = 0

    def run(self) -> None:
        world, mean = self.world, self.world.plan.trouble
        try:
            while not world.ending.is_set():
                self.turns += 1
                self.idle = world.paused.is_set()
                if not self.idle:
                    self.rng.choice(self.acts)()
                time.sleep(self.rng.uniform(0.0, 2 * mean) if not self.idle else 0.001)
        except aether.Closed as error:
            if not world.ending.is_set():
                world.fail(error)
        except BaseException as error:
            world.fail(error)
        finally:
            self.idle = True

    def open(self) -> None:
        if len(self.churned) >= CHURNED:
            self.close()
            return
        self.made += 1
        plan = listening(self.rng, f"c{self.made}", len(self.world.plan.loops))
        self.churned.append(self.round.add(plan))

    def close(self) -> None:
        """Ends one of those that come and go, in one of the ways there are."""
        if not self.churned:
            return
        world, rng = self.world, self.rng
        voice = self.churned.pop(rng.randrange(len(self.churned)))
        vibrator = voice.vibrator
        assert vibrator is not None
        wait(voice.members)
        way = rng.choice(("close", "aclose", "drain", "detune"))
        before = world.sequence()
        if way == "close":
            vibrator.close()
        elif way == "detune":
            for pattern in tuple(voice.ear.spans):
                vibrator.detune(pattern)
            voice.ear.ends(before, world.sequence())
            self.drain(vibrator, 30.0)
            vibrator.close()
        elif way == "aclose":
            self.round.await_in_a_loop(vibrator.aclose)
        else:
            self.drain(vibrator, rng.choice((0.0, 0.01, 30.0)))
            vibrator.close()
        voice.ear.ends(before, world.sequence())
        voice.closed = True
        world.ledger.counts["closes"] += 1

    def drain(self, vibrator: aether.Vibrator, timeout: float) -> None:
        """Where there is time enough, its readers take everything."""
        drained = self.round.await_in_a_loop(vibrator.drain, timeout)
        if not drained and timeout > 1.0 and not self.world.ending.is_set():
            message = f"{vibrator.name} was not drained in {timeout} s: {vibrator.statistics()}"
            raise Broken(message)

    def retune(self) -> None:
        """One more pattern, or one less."""
        voices = [v for v in self.world.live_voices() if not v.plan.handler]
        if not voices:
            return
        voice, pattern = self.rng.choice(voices), self.rng.choice(PATTERNS)
        assert voice.vibrator is not None
        if pattern in voice.vibrator.patterns:
            before = self.world.sequence()
            voice.vibrator.detune(pattern)
            voice.ear.ends(before, self.world.sequence(), lambda p: p == pattern)
        else:
            voice.resonate(self.world, (pattern,))
        self.world.ledger.counts["retunes"] += 1

    def remove_channel(self) -> None:
        """Takes a family of patterns from everybody, and gives it back to some."""
        pattern = self.rng.choice(("load.a.*", "load.c.2", "relay.*", "load.*"))
        before = self.world.sequence()
        self.world.medium.remove_channel(pattern)
        after = self.world.sequence()
        for voice in tuple(self.world.voices):
            had = [p for p in voice.ear.spans if aether.Channel(pattern).covers(p)]
            voice.ear.ends(before, after, lambda p: aether.Channel(pattern).covers(p))
            if had and not voice.closed and not voice.plan.handler:
                voice.resonate(self.world, tuple(had))
        self.world.ledger.counts["removals"] += 1

    def join_a_group(self) -> None:
        """A further member takes some waves and goes."""
        groups = [voice for voice in self.world.live_voices() if voice.plan.group]
        if groups:
            self.round.add_member(self.rng.choice(groups), self.made, self.rng.randint(0, 10))
            self.made += 1

    def clear(self) -> None:
        self.world.ledger.cleared.append(self.world.medium.clear())

    def collect(self) -> None:
        gc.collect(self.rng.choice((0, 1, 2)))

    def pass_time(self) -> None:
        assert self.world.clock is not None
        self.world.clock.advance(self.rng.choice((0.0, 0.001, 0.5, 200.0)))

    def ask(self) -> None:
        """Every question that may be asked at any time."""
        medium = self.world.medium
        medium.explain(self.rng.choice(("load.a.1", "nobody")), self.rng.choice((0.0, 0.2, 1.0)))
        medium.active_channels()
        medium.health()
        repr(medium)

    def forget(self) -> None:
        """Awaitables and vibrators that nobody holds any more."""
        forgotten = self.world.medium.vibrator("forgotten", overflow="drop_oldest", buffer_size=2)
        forgotten.resonate_on("forgotten.*")
        forgotten.receive()
        forgotten.emit_wave("forgotten.wave", 1)

    def add_victim(self) -> None:
        """Something for payloads to close."""
        victim = self.world.medium.vibrator("victim", overflow="drop_oldest", buffer_size=1)
        self.world.victims.append(victim)


async def canceller(world: World, number: int) -> None:
    """Cancels a scope of an actor of this loop, again and again."""
    rng, scopes = world.rng("canceller", number), world.scopes_here()
    while not world.ending.is_set():
        await anyio.sleep(rng.choice((0.0, 0.0005, 0.002)))
        if scopes and not world.paused.is_set():
            scopes.pop(rng.randrange(len(scopes))).cancel()
            world.ledger.counts["cancels"] += 1
