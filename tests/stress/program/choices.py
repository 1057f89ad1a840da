"""What is left to chance: generators named after the seed, the round and the actor, and the plan of a round."""

from __future__ import annotations

import importlib.util
import random
from dataclasses import dataclass
from typing import Any

ORDERS = ("amplitude", "fifo", "fresh")
POLICIES = ("block", "drop_oldest", "drop_newest", "drop_faintest", "conflate", "error")
AMPLITUDES = (1.0, 1.0, 1.0, 0.7, 0.4, 0.2)
CHANNELS = tuple(f"load.{domain}.{number}" for domain in "abc" for number in (1, 2, 3))
PATTERNS = (
    "load.*",
    "*",
    "load.a.*",
    "load.+.1",
    "+.b.+",
    "load.c.2",
    "load.b.>",
    "relay.*",
    "+.+.3",
)
LOOPS = ("asyncio", "trio", *(("uvloop",) if importlib.util.find_spec("uvloop") else ()))


def generator(*names: object) -> random.Random:
    """The same names, the same choices."""
    return random.Random(":".join(map(str, names)))


@dataclass(frozen=True)
class Listening:
    """How one vibrator listens."""

    name: str
    patterns: tuple[str, ...]
    options: dict[str, Any]
    readers: tuple[tuple[str, int], ...]
    """Where it is read: the number of a loop, or of a thread, with the number of tasks."""
    handler: dict[str, Any] | None = None
    """The options of `on`, if it handles."""
    group: int = 0
    """How many further members come and go; 0: it is in no group."""

    @property
    def order(self) -> str:
        options = self.handler or {}
        return str(options.get("order") or self.options["order"])

    @property
    def overflow(self) -> str:
        options = self.handler or {}
        return str(options.get("overflow") or self.options["overflow"])


@dataclass(frozen=True)
class Plan:
    """What a round is made of."""

    seed: str
    sighted: bool
    """A witness hears every wave: requests, causes and half-done batches can be followed. Otherwise waves are
    cleared, removed and shut in, and the receipts alone have to account for them."""
    manual_clock: bool
    loops: tuple[str, ...]
    publishing_threads: int
    publishing_tasks: int
    listeners: tuple[Listening, ...]
    waves: int
    """How many attempts each publisher makes in each part."""
    parts: int
    end: str
    switch_interval: float
    gc_threshold: int
    nasty: float
    """The share of payloads that do something when they go."""
    trouble: float
    """Mean seconds between two disturbances."""


def _options(rng: random.Random) -> dict[str, Any]:
    # Who refuses while it is full, refuses for everybody else too: so it is rare.
    overflow = rng.choice((*(["block"] * 4), *(POLICIES[1:-1] * 2), "error"))
    sizes = (64,) if overflow == "error" else (1, 2, 3, 8, 64)
    options: dict[str, Any] = {
        "order": rng.choice(ORDERS),
        "overflow": overflow,
        "buffer_size": rng.choice(sizes),
    }
    if rng.random() < 0.3:
        options["noise_floor"] = rng.choice((0.1, 0.3, 0.5))
    return options


def listening(rng: random.Random, name: str, loops: int) -> Listening:
    """One vibrator of a round."""
    options = _options(rng)
    patterns = tuple(rng.sample(PATTERNS, rng.choice((1, 1, 2, 3))))
    kind = rng.choice(("loop", "loop", "thread", "handler", "handler", "group", "both"))
    if kind == "handler":
        handler: dict[str, Any] = {"concurrency": rng.choice((1, 1, 2, 5))}
        if rng.random() < 0.5:
            handler["key"] = rng.choice((1, 2, 7))
        for option in ("order", "overflow", "buffer_size"):
            if rng.random() < 0.3:
                handler[option] = _options(rng)[option]
        return Listening(name, patterns, options, (), handler)
    if kind == "thread":
        return Listening(name, patterns, options, (("thread", rng.choice((1, 2, 3))),))
    loop = str(rng.randrange(loops))
    if kind == "both":
        return Listening(name, patterns, options, ((loop, 2), ("thread", 1)))
    members = rng.choice((1, 3)) if kind == "group" else 0
    return Listening(name, patterns, options, ((loop, rng.choice((1, 1, 2, 4))),), group=members)


def planned(seed: str, *, small: bool) -> Plan:
    """The plan of the round of this name."""
    rng = generator(seed, "plan")
    loops = tuple(rng.choice(LOOPS) for _ in range(rng.choice((1, 2, 2, 3))))
    sighted = rng.random() < 0.5
    listeners = tuple(
        listening(rng, f"v{number}", len(loops)) for number in range(rng.choice((2, 4, 7)))
    )
    ends = ("aclose", "leave", "leave", "drain", "raise", "drop")
    return Plan(
        seed=seed,
        sighted=sighted,
        manual_clock=rng.random() < 0.5,
        loops=loops,
        publishing_threads=rng.choice((1, 2, 4)),
        publishing_tasks=rng.choice((0, 2, 4, 8)),
        listeners=listeners,
        waves=rng.choice((100, 200) if small else (500, 1000, 3000)),
        parts=rng.choice((1, 2, 3)),
        end=rng.choice(ends if sighted else (*ends, "storm", "storm", "storm")),
        switch_interval=rng.choice((0.005, 0.0005, 0.00002)),
        gc_threshold=rng.choice((700, 100, 20)),
        nasty=rng.choice((0.0, 0.02, 0.1)),
        trouble=rng.choice((0.002, 0.01, 0.05)),
    )
