"""A round's world: the medium, who listens, and what all actors share."""

from __future__ import annotations

import itertools
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import anyio

import aether

from .choices import CHANNELS, Listening, Plan, generator
from .ledger import Admitted, Broken, Ear, Ledger
from .payloads import Nasty, OnPurpose, Payload

DAY_ONE = 1_000_000.0
PATIENCE = 60.0


class Voice:
    """A vibrator and the ears that it has: of its mailbox, and of its handler."""

    def __init__(self, world: World, plan: Listening) -> None:
        self.plan = plan
        options = {**plan.options, **({"group": plan.name} if plan.group else {})}
        self.vibrator: aether.Vibrator | None = world.medium.vibrator(plan.name, **options)
        self.ear = Ear(plan.name, plan.order, plan.overflow, options.get("noise_floor", 0.0))
        self.busy: Counter[object] = Counter()
        self.members: list[Future[None]] = []
        """Further members of its group, which keep the mailbox open."""
        self.closed = False

    def begin(self, world: World) -> None:
        """Has it checked from now on, with those who read it."""
        world.voices.append(self)

    def resonate(self, world: World, patterns: tuple[str, ...]) -> None:
        """Resonates in the mailbox of `receive`."""
        vibrator = self.vibrator
        assert vibrator is not None
        for pattern in patterns:
            self.ear.opens(pattern, lambda p=pattern: vibrator.resonate_on(p), world.sequence)


class World:
    """What the actors of a round share."""

    def __init__(self, plan: Plan, plant: str | None, patience: float) -> None:
        self.plan = plan
        self.plant = plant
        self.patience = patience
        self.clock = aether.ManualClock(DAY_ONE) if plan.manual_clock else None
        config = aether.AetherConfig(drain_timeout=20.0, stall_warning=0.2)
        self.medium = aether.Aether(config, clock=self.clock)
        self.ledger = Ledger()
        self.voices: list[Voice] = []
        self.witnessed: list[Admitted] = []
        self.victims: list[aether.Vibrator] = []
        self.failures: list[BaseException] = []
        self._scopes: dict[int, list[anyio.CancelScope]] = {}
        self.part = 0
        """Publishers and trouble go on while this is their part."""
        self.entered = threading.Event()
        self.paused = threading.Event()
        self.ending = threading.Event()
        self.at_gate: list[int] = []
        """An entry for each publisher that has done its part."""
        self._after = itertools.count()
        self._spoil = self._spoils(plant)

    def _spoils(self, plant: str | None) -> Callable[[Ear, str, Any], None]:
        """How readers note: soundly, or with the fault that was planted to try the checks."""
        seen: list[Any] = []

        def spoil(ear: Ear, reader: str, wave: Any) -> None:
            seen.append(None)
            if len(seen) != 100:
                ear.note(reader, wave)
            elif plant == "double":
                ear.note(reader, wave)
                ear.note(reader, wave)
            elif plant == "order":
                ear.note(reader, wave)
                ear.taken[reader].reverse()
            elif plant == "uninvited":
                ear.note(reader, wave)
                last = ear.taken[reader][-1]
                ear.taken[reader][-1] = last._replace(number=-1)

        if plant in {"loss", "double", "order", "uninvited"}:
            return spoil
        return lambda ear, reader, wave: ear.note(reader, wave)

    # What actors call

    def note(self, ear: Ear, reader: str, wave: Any) -> None:
        """A reader has got a wave."""
        self._spoil(ear, reader, wave)

    def sequence(self) -> int:
        """The number of the wave admitted last."""
        return self.medium.statistics().emitted

    def rng(self, *names: object) -> random.Random:
        """The generator of one actor."""
        return generator(self.plan.seed, *names)

    def fail(self, error: BaseException) -> None:
        """An actor has ended by an error that nobody expected."""
        self.failures.append(error)

    def check(self) -> None:
        """Raises what an actor has failed with."""
        if self.failures:
            error = self.failures[0]
            if isinstance(error, Broken):
                raise error
            message = f"an actor has failed: {error!r}"
            raise Broken(message) from error

    def scopes_here(self) -> list[anyio.CancelScope]:
        """The scopes of this thread's loop that may be cancelled."""
        return self._scopes.setdefault(threading.get_ident(), [])

    def live_voices(self) -> list[Voice]:
        """Those that are not closed."""
        return [voice for voice in tuple(self.voices) if not voice.closed]

    # Payloads

    def payload(self, rng: random.Random, who: str, number: int) -> Payload:
        """A payload for one attempt: sometimes one that does something when it goes."""
        if rng.random() >= self.plan.nasty:
            return Payload(who, number)
        acts: list[Callable[[], object]] = [
            self.emit_after,
            self.emit_after,
            self.raise_on_purpose,
            self.look_around,
            self.close_a_victim,
            self.retune_a_victim,
        ]
        return Nasty(who, number, rng.choice(acts))

    def emit_after(self) -> None:
        """What a payload emits as it goes."""
        number = next(self._after)
        channel = f"after.{number % 3 + 1}.x"
        self.ledger.attempts.append(1)
        try:
            receipt = self.medium.emit_nowait(channel, Payload("after", number))
            self.ledger.receipt(receipt, ("after", number, channel, 1.0, None))
        finally:
            self.ledger.concluded.append(1)

    @staticmethod
    def raise_on_purpose() -> None:
        raise OnPurpose

    def look_around(self) -> None:
        self.medium.statistics()
        self.medium.explain("load.a.1")
        self.medium.active_channels()

    def close_a_victim(self) -> None:
        if self.victims:
            self.victims.pop().close()

    def retune_a_victim(self) -> None:
        for victim in self.victims[-1:]:
            victim.resonate_on("victim.*", "victim.1")
            victim.detune("victim.*")

    def channel(self, rng: random.Random) -> str:
        """Where an attempt goes."""
        return rng.choice(CHANNELS)


class Records(logging.Handler):
    """The log of the library: what it says at the level of errors has to be expected."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.lines: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines[record.levelname] += 1
        if record.levelno < logging.ERROR:
            return
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, (OnPurpose, aether.AetherError, TimeoutError)):
            self.found.append(f"{record.getMessage()} {error!r}")
