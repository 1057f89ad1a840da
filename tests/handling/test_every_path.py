"""Faults on every way a wave may go with a handler: whatever stands around it, and however the medium ends, each wave has
exactly one end, and it is counted.

The oracle is the list of what was accepted: of each wave, one of these is true: a handler has ended well with it, or its
fallback has; a dead letter was made of it; a fault has dropped it; or it was abandoned at the end. One wave is handled twice
only if a fault has doubled it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import pytest
from hypothesis import given, settings, strategies as st
from tests.conftest import LOOPS

from aether import AetherConfig, CircuitBreaker, Rate, Retry, Wave
from aether.testing import VirtualAether, faults

WAVES = 25
TARGETS = 3


class Down(Exception):
    """What a handler fails with."""


@dataclass(frozen=True)
class Plan:
    """One run: what stands around the handler, what goes wrong, and how it ends."""

    seed: int
    concurrency: int
    by_key: bool
    attempts: int | None
    budget: float | None
    timeout: float | None
    when_open: Literal["wait", "refuse", "fallback"] | None
    by_target: bool
    rate: float | None
    error: float
    slow: float
    drop: float
    delay: float
    duplicate: float
    pause: float
    """Between two waves."""
    after: float
    """Between the last of them and the end."""
    end: Literal["drain", "close", "stop"]
    patience: float
    """How long the medium drains, by its clock."""


PLANS = st.builds(
    Plan,
    seed=st.integers(0, 10_000),
    concurrency=st.integers(1, 4),
    by_key=st.booleans(),
    attempts=st.none() | st.integers(1, 4),
    budget=st.none() | st.sampled_from([0.1, 1.0]),
    timeout=st.none() | st.sampled_from([0.3, 2.0]),
    when_open=st.none() | st.sampled_from(["wait", "refuse", "fallback"]),
    by_target=st.booleans(),
    rate=st.none() | st.sampled_from([0.5, 20.0]),
    error=st.sampled_from([0.0, 0.3, 0.9]),
    slow=st.sampled_from([0.0, 0.4]),
    drop=st.sampled_from([0.0, 0.2]),
    delay=st.sampled_from([0.0, 0.2]),
    duplicate=st.sampled_from([0.0, 0.2]),
    pause=st.sampled_from([0.0, 0.1, 1.0]),
    after=st.sampled_from([0.0, 0.5, 30.0]),
    end=st.sampled_from(["drain", "close", "stop"]),
    patience=st.sampled_from([0.0, 0.4, 1e6]),
)


@dataclass
class Account:
    """What has become of the waves, by their numbers."""

    accepted: list[int] = field(default_factory=list)
    done: Counter[int] = field(default_factory=Counter)
    dead: Counter[int] = field(default_factory=Counter)
    dropped: Counter[int] = field(default_factory=Counter)
    doubled: set[int] = field(default_factory=set)
    abandoned: int = 0
    at_once: int = 0
    overlaps: list[int] = field(default_factory=list)
    begun: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


async def run(plan: Plan) -> Account:
    """Plays a plan."""
    account = Account()
    medium = VirtualAether(
        AetherConfig(drain_timeout=plan.patience, shutdown_timeout=plan.patience)
    )
    undertaker = medium.vibrator("undertaker", buffer_size=10_000)

    @undertaker.on("dead.*")
    def bury(wave: Wave[int]) -> None:
        account.dead[wave.payload] += 1

    worker = medium.vibrator("worker", buffer_size=10_000)
    running: Counter[int] = Counter()

    def handled(wave: Wave[int]) -> None:
        account.done[wave.payload] += 1

    def circuit() -> CircuitBreaker | None:
        if plan.when_open is None:
            return None
        return CircuitBreaker(
            "bank",
            calls=6,
            minimum=3,
            open_for=2.0,
            probes=2,
            by=(lambda wave: str(wave.payload % TARGETS)) if plan.by_target else None,
            when_open=handled if plan.when_open == "fallback" else plan.when_open,
        )

    pauses: dict[str, Any] = {"wait_initial": 0.2, "wait_max": 3.0, "budget": plan.budget}

    @worker.on(
        "work",
        concurrency=plan.concurrency,
        key=(lambda wave: wave.payload % TARGETS) if plan.by_key else None,
        retry=None
        if plan.attempts is None
        else Retry(on=Exception, attempts=plan.attempts, **pauses),
        timeout=plan.timeout,
        circuit=circuit(),
        rate=None if plan.rate is None else Rate(plan.rate, burst=2),
        dead_letter=True,
    )
    async def work(wave: Wave[int]) -> None:
        number = wave.payload
        target = number % TARGETS
        running[target] += 1
        account.at_once = max(account.at_once, running.total())
        if running[target] > 1:
            account.overlaps.append(number)
        account.begun[target].append(number)
        try:
            await medium.clock.sleep(0.05)
            handled(wave)
        finally:
            running[target] -= 1

    with faults(medium, plan.seed) as injected:
        injected.error("work", Down("on purpose"), probability=plan.error)
        injected.slow("work", (0.0, 1.0), probability=plan.slow)
        injected.drop("work", probability=plan.drop)
        injected.delay("work", (0.0, 1.0), probability=plan.delay)
        injected.duplicate("work", probability=plan.duplicate)
        async with medium.lifespan(signals=False) as life:
            for number in range(WAVES):
                if await medium.emit_wave("work", number):
                    account.accepted.append(number)
                await medium.clock.advance(plan.pause)
            await medium.clock.advance(plan.after)
            if plan.end == "close":
                await medium.aclose()
            elif plan.end == "stop":
                life.stop()
                await life.stopped()
        for one in injected.injected:
            number = one.wave.payload
            if one.kind == "drop":
                account.dropped[number] += 1
            elif one.kind == "duplicate":
                account.doubled.add(number)
    account.abandoned = medium.statistics().dropped["abandoned"]
    return account


def check(plan: Plan, account: Account) -> None:
    """Each wave has one end."""
    assert account.accepted == list(range(WAVES)), "there was room"
    ends = {
        number: account.done[number] + account.dead[number] + account.dropped[number]
        for number in account.accepted
    }
    doubled = {number for number, count in ends.items() if count > 1}
    assert doubled <= account.doubled
    assert all(ends[number] == 2 for number in doubled)
    ended = sum(count > 0 for count in ends.values())
    if plan.patience == 1e6 and plan.end != "close":
        assert (ended, account.abandoned) == (WAVES, 0)
    # One that was handled may be abandoned besides, while it is handled a second time.
    missing = WAVES - ended
    assert missing <= account.abandoned <= missing + len(account.doubled)
    assert account.at_once <= plan.concurrency
    if plan.by_key:
        assert account.overlaps == []
        for numbers in account.begun.values():
            # Attempts and doubles of one wave stand beside each other: none comes between.
            assert numbers == sorted(numbers)


@pytest.mark.parametrize("backend", LOOPS)
def test_each_wave_has_one_end(backend: str) -> None:
    @given(PLANS)
    @settings(max_examples=40)
    def whatever(plan: Plan) -> None:
        name, options = ("asyncio", {"use_uvloop": True}) if backend == "uvloop" else (backend, {})
        check(plan, anyio.run(run, plan, backend=name, backend_options=options))

    whatever()
