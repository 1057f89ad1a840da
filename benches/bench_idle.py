"""What it costs to stand idle: bytes for each vibrator, pattern and waiting wave; and the import.

Each figure is the growth of the resident memory of a fresh process, divided by
5,000 listeners, 100,000 patterns (of 100 readers) or 100,000 messages, so that
allocators and tables are in it. Of each kind some are made first, as warm-up. Names and
payloads stand ready before and are not counted. A vibrator waits without a
task; since a peer's listener is a task on a queue, one with a task stands
beside it. Linux only.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from aether import Aether
from harness import Lost, Measure, Row, Run, Shape, Way, check, shape
from peers import TopicTrie
from queues import PIPES, Pipe

LISTENERS = 5_000
PATTERNS = 100_000
READERS = 100
MESSAGES = 100_000
WARM = 100


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@shape
async def vibrators(task: bool) -> AsyncIterator[Run]:
    """Idle vibrators with a pattern each, with or without a task that waits for it."""
    medium = Aether()
    names = [f"idle-{i}" for i in range(WARM + LISTENERS)]
    patterns = [f"idle.n{i}" for i in range(WARM + LISTENERS)]
    held: list[Any] = [None] * len(names)
    tasks: list[Any] = [None] * len(names)

    async def make(places: range) -> None:
        for i in places:
            held[i] = v = medium.vibrator(names[i])
            v.resonate_on(patterns[i])
            if task:
                tasks[i] = asyncio.create_task(v.receive())
        await asyncio.sleep(0)

    async def run() -> float:
        await make(range(WARM))
        before = resident()
        await make(range(WARM, WARM + LISTENERS))
        each = (resident() - before) / LISTENERS
        for i in range(0, len(names), 1_000):  # they do work
            medium.emit_nowait(patterns[i], i)
            check([(await (tasks[i] or held[i].receive())).payload], [i])
        return each

    yield run
    for i, v in enumerate(held):
        v.close()
        if tasks[i] is not None:
            await tasks[i]


@shape
async def tasks_on(pipe: Pipe) -> AsyncIterator[Run]:
    """Idle tasks, each waiting on a queue of its own."""
    async with AsyncExitStack() as stack:
        ends: list[Any] = [None] * (WARM + LISTENERS)
        tasks: list[Any] = [None] * len(ends)

        async def wait(get: Callable[[], Any]) -> Any:
            return await get()

        async def make(places: range) -> None:
            for i in places:
                ends[i] = await stack.enter_async_context(pipe.open())
                tasks[i] = asyncio.create_task(wait(ends[i][1]))
            await asyncio.sleep(0)

        async def run() -> float:
            await make(range(WARM))
            before = resident()
            await make(range(WARM, len(ends)))
            each = (resident() - before) / LISTENERS
            for i, (put, _) in enumerate(ends):
                put(i)
            check(await asyncio.gather(*tasks), range(len(ends)))
            return each

        yield run


def names(count: int) -> list[str]:
    """80 % literal, the others with a wildcard at the end."""
    return [
        f"area{i % 50}.kind{i % 1_000}.n{i}" + (".*" if i % 5 == 0 else "") for i in range(count)
    ]


@shape
async def medium_patterns() -> AsyncIterator[Run]:
    medium = Aether()
    readers = [medium.vibrator(f"reader-{i}") for i in range(READERS)]
    patterns = names(WARM + PATTERNS)

    async def run() -> float:
        for v, pattern in zip(readers, patterns, strict=False):
            v.resonate_on(pattern)
        before = resident()
        for i, pattern in enumerate(patterns[WARM:]):
            readers[i % READERS].resonate_on(pattern)
        each = (resident() - before) / PATTERNS
        literal = [p for p in patterns[::1_001] if not p.endswith("*")]
        check([medium.emit_nowait(name).delivered for name in literal], [1] * len(literal))
        return each

    yield run
    for v in readers:
        v.close()


@shape
async def trie_patterns() -> AsyncIterator[Run]:
    topics, got = TopicTrie(), list[int]()
    patterns = names(WARM + PATTERNS)

    async def run() -> float:
        for pattern in patterns[:WARM]:
            topics.subscribe(pattern, got.append)
        before = resident()
        for pattern in patterns[WARM:]:
            topics.subscribe(pattern, got.append)
        each = (resident() - before) / PATTERNS
        literal = [p for p in patterns[::1_001] if not p.endswith("*")]
        check([topics.publish(name, 1) for name in literal], [1] * len(literal))
        return each

    yield run


@shape
async def paho_patterns() -> AsyncIterator[Run]:
    from paho.mqtt.matcher import MQTTMatcher

    matcher, got = MQTTMatcher(), list[int]()
    patterns = [n.replace(".", "/").replace("*", "+/#") for n in names(WARM + PATTERNS)]

    async def run() -> float:
        for pattern in patterns[:WARM]:
            matcher[pattern] = got.append
        before = resident()
        for pattern in patterns[WARM:]:
            matcher[pattern] = got.append
        each = (resident() - before) / PATTERNS
        literal = [p for p in patterns[::1_001] if not p.endswith("#")]
        check([len(list(matcher.iter_match(name))) for name in literal], [1] * len(literal))
        return each

    yield run


@shape
async def medium_waves(readers: int) -> AsyncIterator[Run]:
    """Waves that wait, each for `readers`; bytes for each wave, all receivers in it."""
    waves = MESSAGES // readers
    medium = Aether()
    vibrators_ = [medium.vibrator(f"r{i}", buffer_size=WARM + waves) for i in range(readers)]
    for v in vibrators_:
        v.resonate_on("idle.wave")
    payloads = list(range(WARM + waves))

    async def run() -> float:
        for n in payloads[:WARM]:
            medium.emit_nowait("idle.wave", n)
        before = resident()
        for n in payloads[WARM:]:
            medium.emit_nowait("idle.wave", n)
        each = (resident() - before) / waves
        for v in vibrators_:
            check([w.payload for w in await v.receive_many(len(payloads))], payloads)
        return each

    yield run
    for v in vibrators_:
        v.close()


@dataclass(frozen=True, slots=True)
class Message:
    """The least that a program puts around a payload to say where it came from and when."""

    channel: str
    payload: object
    priority: float
    timestamp: float


@shape
async def queue_messages(wrapped: bool) -> AsyncIterator[Run]:
    from time import time

    queue: asyncio.Queue[Any] = asyncio.Queue()
    payloads = list(range(WARM + MESSAGES))

    def put(n: int) -> None:
        queue.put_nowait(Message("idle.wave", n, 1.0, time()) if wrapped else n)

    async def run() -> float:
        for n in payloads[:WARM]:
            put(n)
        before = resident()
        for n in payloads[WARM:]:
            put(n)
        each = (resident() - before) / MESSAGES
        got = [await queue.get() for _ in payloads]
        check([m.payload for m in got] if wrapped else got, payloads)
        return each

    yield run


@shape
async def imported(module: str) -> AsyncIterator[Run]:
    code = (
        "import time; t = time.perf_counter_ns(); "
        f"import {module}; print(time.perf_counter_ns() - t)"
    )

    async def run() -> float:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=False, text=True
        )
        if done.returncode:
            raise Lost(done.stderr)
        return float(done.stdout)

    yield run


def of(a_shape: Callable[..., object], *arguments: object) -> Shape:
    return partial(a_shape, *arguments)  # type: ignore[return-value]


IDLE = tuple(
    Row(name, unit, ways, measure="B", limit=limit, fresh=True, most_rounds=3, picture=picture)
    for name, unit, ways, limit, picture in (
        (
            "idle vibrator with one pattern",
            "listener",
            (
                Way("aether", of(vibrators, False)),
                Way("aether, with a task", of(vibrators, True)),
                *(
                    Way(f"a task on {pipe.name}", of(tasks_on, pipe), needs=pipe.needs)
                    for pipe in PIPES
                    if pipe.loop == "asyncio"
                ),
            ),
            (1024.0, 2048.0),
            True,
        ),
        (
            "pattern",
            "pattern",
            (
                Way("aether", medium_patterns),
                Way("Python trie", trie_patterns),
                Way("paho's matcher", paho_patterns, needs="paho"),
            ),
            None,
            False,
        ),
        (
            "queued wave, one receiver",
            "wave",
            (
                Way("aether", of(medium_waves, 1)),
                Way("asyncio.Queue, the payload alone", of(queue_messages, False)),
                Way("asyncio.Queue, a dataclass of 4", of(queue_messages, True)),
            ),
            (96.0, 152.0),
            False,
        ),
        (
            "queued wave, 100 receivers",
            "wave",
            (Way("aether", of(medium_waves, 100)),),
            (888.0, 2528.0),  # 88 B shared and 8 B a receiver; 128 B and 24 B
            False,
        ),
    )
)
ROWS = (
    *(IDLE if sys.platform == "linux" else ()),
    Row(
        "import",
        "import",
        (Way("aether", of(imported, "aether")), Way("asyncio", of(imported, "asyncio"), 0.5, 0.5)),
    ),
)


def test_idle(measure: Measure) -> None:
    measure()
