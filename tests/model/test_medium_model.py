"""The medium against the model of `oracle.py`, in any order of steps.

Two drivers share one world: a hypothesis state machine, which shrinks what it finds, and a long
random walk, which gets further into strange states. `AETHER_TORTURE=1` multiplies both,
`AETHER_SEED` repeats a walk.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.model.oracle import AMPLITUDES, CHANNELS, ORDERS, PATTERNS, POLICIES, Member, World

pytestmark = pytest.mark.timeout(600)  # shrinking takes its time
TORTURE = bool(os.environ.get("AETHER_TORTURE"))
GROUPS = (None, None, None, "g", "h")
FLOORS = (0.0, 0.0, 0.3, 0.6)
KINDS = {
    "emit": 40,
    "receive": 30,
    "cause": 6,
    "again": 6,
    "advance": 5,
    "tune": 5,
    "create": 3,
    "detune": 2,
    "drain": 2,
    "explain": 1,
    "close": 0.6,
    "remove": 0.5,
    "clear": 0.3,
}
TTLS = (None, None, None, 1.0, 4.0)


class MediumMachine(RuleBasedStateMachine):
    """Every public synchronous step, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    def pick(self, number: int) -> Member:
        return self.world.members[number % len(self.world.members)]

    @precondition(lambda self: len(self.world.live) < 6)
    @rule(
        order=st.sampled_from(ORDERS),
        overflow=st.sampled_from(POLICIES),
        capacity=st.integers(1, 4),
        floor=st.sampled_from(FLOORS),
        ignore_own=st.booleans(),
        group=st.sampled_from(GROUPS),
        patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
    )
    def create(self, patterns: list[str], **options: Any) -> None:
        self.world.resonate(self.world.create(**options), *patterns)

    @precondition(lambda self: self.world.members)
    @rule(who=st.integers(0, 31), pattern=st.sampled_from(PATTERNS))
    def resonate(self, who: int, pattern: str) -> None:
        self.world.resonate(self.pick(who), pattern)

    @precondition(lambda self: self.world.members)
    @rule(who=st.integers(0, 31), pattern=st.sampled_from(PATTERNS))
    def detune(self, who: int, pattern: str) -> None:
        self.world.detune(self.pick(who), pattern)

    @rule(pattern=st.sampled_from(PATTERNS))
    def remove_channel(self, pattern: str) -> None:
        self.world.remove_channel(pattern)

    @precondition(lambda self: self.world.members)
    @rule(who=st.integers(0, 31))
    def refuse_other_options(self, who: int) -> None:
        self.world.join_with_other_options(self.pick(who))

    @rule(
        who=st.none() | st.integers(0, 31),
        how=st.sampled_from(["nowait", "emitter"]),
        channel=st.sampled_from(CHANNELS),
        amplitude=st.sampled_from([None, *AMPLITUDES, 0.005]),
        ttl=st.sampled_from(TTLS),
        require=st.sampled_from([None, None, None, 1, 2]),
    )
    def emit(self, who: int | None, channel: str, **options: Any) -> None:
        emitter = self.pick(who) if who is not None and self.world.members else None
        self.world.emit(emitter, channel, **options)

    @precondition(lambda self: self.world.held)
    @rule(
        who=st.none() | st.integers(0, 31),
        channel=st.sampled_from(CHANNELS),
        amplitude=st.sampled_from([None, None, *AMPLITUDES]),
        number=st.integers(0, 7),
    )
    def emit_because(
        self, who: int | None, channel: str, amplitude: float | None, number: int
    ) -> None:
        emitter = self.pick(who) if who is not None else None
        cause = self.world.held[number % len(self.world.held)]
        self.world.emit(emitter, channel, amplitude, cause=cause)

    @precondition(lambda self: self.world.held)
    @rule(who=st.none() | st.integers(0, 31), number=st.integers(0, 7))
    def emit_again(self, who: int | None, number: int) -> None:
        emitter = self.pick(who) if who is not None else None
        again = self.world.held[number % len(self.world.held)]
        if again[0].ttl is None:
            self.world.emit(emitter, again[0].channel, again=again)

    @precondition(lambda self: self.world.members)
    @rule(who=st.integers(0, 31))
    def receive(self, who: int) -> None:
        self.world.receive(self.pick(who))

    @precondition(lambda self: self.world.members)
    @rule(who=st.integers(0, 31))
    def drain(self, who: int) -> None:
        self.world.drain(self.pick(who))

    @rule(ticks=st.integers(1, 12))
    def advance(self, ticks: int) -> None:
        self.world.advance(ticks)

    @precondition(lambda self: self.world.members)
    @rule(who=st.integers(0, 31))
    def close(self, who: int) -> None:
        self.world.close(self.pick(who))

    @rule()
    def clear(self) -> None:
        self.world.clear()

    @rule(channel=st.sampled_from(CHANNELS), amplitude=st.sampled_from(AMPLITUDES))
    def explain(self, channel: str, amplitude: float) -> None:
        self.world.explain(channel, amplitude)

    @invariant()
    def counters_add_up(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        with self.world:
            self.world.finish()


TestMediumMachine = MediumMachine.TestCase
TestMediumMachine.settings = settings(
    max_examples=2000 if TORTURE else 120,
    stateful_step_count=80 if TORTURE else 50,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def step(world: World, rng: random.Random) -> None:
    """One random step; emissions and receives are most of them."""
    who = rng.choice(world.members) if world.members else None
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    held = rng.choice(world.held) if world.held else None
    emitter = rng.choice([who, None])
    if kind == "emit":
        world.emit(
            emitter,
            rng.choice(CHANNELS),
            rng.choice([None, *AMPLITUDES]),
            how=rng.choice(["nowait", "emitter"]),
            ttl=rng.choice(TTLS),
        )
    elif kind == "cause" and held:
        world.emit(emitter, rng.choice(CHANNELS), rng.choice([None, 0.5]), cause=held)
    elif kind == "again" and held and held[0].ttl is None:
        world.emit(emitter, held[0].channel, again=held)
    elif kind == "create" and len(world.live) < 8:
        member = world.create(
            rng.choice(ORDERS),
            rng.choice(POLICIES),
            rng.choice([1, 2, 3, 8]),
            rng.choice(FLOORS),
            rng.random() < 0.3,
            rng.choice(GROUPS),
        )
        world.resonate(member, *rng.choices(PATTERNS, k=2))
    elif kind == "advance":
        world.advance(rng.randint(1, 6))
    elif kind == "remove":
        world.remove_channel(rng.choice(PATTERNS))
    elif kind == "clear":
        world.clear()
    elif kind == "explain":
        world.explain(rng.choice(CHANNELS), rng.choice(AMPLITUDES))
    elif who is not None:
        if kind == "receive":
            world.receive(who)
        elif kind == "drain":
            world.drain(who)
        elif kind == "tune":
            world.resonate(who, rng.choice(PATTERNS))
        elif kind == "detune":
            world.detune(who, rng.choice(PATTERNS))
        elif kind == "close":
            world.close(who)


@pytest.mark.parametrize("round_", range(40 if TORTURE else 6))
def test_random_walk_agrees_with_the_model(round_: int) -> None:
    seed = int(os.environ.get("AETHER_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    rng = random.Random(seed)
    with World() as world:
        for number in range(2000):
            step(world, rng)
            if number % 10 == 0:
                world.check()
        world.finish()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("overflow", POLICIES)
@pytest.mark.parametrize("capacity", [1, 3])
def test_one_mailbox_of_each_kind_agrees_with_the_model(
    order: str, overflow: str, capacity: int
) -> None:
    """The whole matrix, each pair for itself: five hundred emits and receives."""
    seed = int(os.environ.get("AETHER_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    rng = random.Random(seed)
    with World() as world:
        floor = rng.choice([0.0, 0.4])
        member = world.create(order, overflow, capacity, floor)
        world.resonate(member, "*")
        for _ in range(500):
            kind = rng.random()
            if kind < 0.5:
                world.emit(None, rng.choice(CHANNELS), rng.choice(AMPLITUDES), ttl=rng.choice(TTLS))
            elif kind < 0.9:
                world.receive(member)
            elif kind < 0.98:
                world.advance(rng.randint(1, 4))
            else:
                world.drain(member)
            world.check()
        world.finish()


def test_awaited_receives_agree_with_the_model() -> None:
    """`receive` and `receive_many` finish in place and take what `receive_nowait` would take."""
    seed = int(os.environ.get("AETHER_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    rng = random.Random(seed)

    async def walk() -> None:
        with World() as world:
            members = [
                world.create(order, overflow, 8)
                for order in ORDERS
                for overflow in ("block", "drop_oldest", "drop_faintest", "conflate")
            ]
            for member in members:
                world.resonate(member, rng.choice(["*", "a.*", "a.+", "+"]))
            for _ in range(3000):
                member = rng.choice(members)
                kind = rng.random()
                if kind < 0.5:
                    world.emit(None, rng.choice(CHANNELS), rng.choice(AMPLITUDES))
                elif kind < 0.7:
                    await world.await_receive(member)
                elif kind < 0.8:
                    await world.await_many(member, rng.randint(1, 10))
                elif kind < 0.98:
                    world.drain(member, rng.randint(1, 12))
                else:
                    world.advance(rng.randint(1, 3))
            world.finish()
            for member in members:
                await world.await_receive(member)
                await world.await_many(member, 3)

    asyncio.run(walk())
