"""Threads that do the same thing at once: it is done once, and all of them see that.

Each thread goes through the same rounds. Who is first has more to do, so that the others catch up with it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import anyio
import pytest
from tests.probes import turns

from aether import Aether

pytestmark = [pytest.mark.stress, pytest.mark.timeout(400)]
SCALE = 10 if os.environ.get("AETHER_TORTURE") else 1
THREADS = 4
T = TypeVar("T")


def together(act: Callable[[int], T], rounds: int) -> list[tuple[T, ...]]:
    """What the threads got, round by round."""
    begin = threading.Barrier(THREADS)

    def go() -> list[T]:
        begin.wait()
        return [act(number) for number in range(rounds)]

    with ThreadPoolExecutor(THREADS) as pool:
        going = [pool.submit(go) for _ in range(THREADS)]
        return list(zip(*(one.result() for one in going), strict=True))


def test_a_group_that_threads_found_at_once_is_one() -> None:
    medium, rounds = Aether(), 2_000 * SCALE
    founded = together(lambda n: medium.vibrator("member", group=f"group {n}"), rounds)
    for number, members in enumerate(founded):
        for member in members:
            member.resonate_on(f"a.{number}")
        assert medium.emit_nowait(f"a.{number}").delivered == 1
        for member in members:
            member.close()


def test_a_member_that_threads_close_at_once_leaves_once() -> None:
    medium, rounds = Aether(), 4_000 * SCALE
    groups = [
        [medium.vibrator("member", group=f"group {n}") for _ in range(3)] for n in range(rounds)
    ]
    together(lambda n: groups[n][0].close(), rounds)
    for number, (_, second, third) in enumerate(groups):
        second.close()
        third.resonate_on(f"a.{number}")
        assert medium.emit_nowait(f"a.{number}").delivered == 1
        third.close()


def test_the_default_medium_of_threads_is_one() -> None:
    def end() -> None:
        asyncio.run(Aether.default().aclose())

    closed = threading.Barrier(THREADS, end)

    def ask(_number: int) -> Aether:
        closed.wait()
        return Aether.default()

    for media in together(ask, 1_000 * SCALE):
        assert len({id(medium) for medium in media}) == 1


def test_the_physics_of_a_medium_are_one() -> None:
    media = [Aether() for _ in range(2_000 * SCALE)]
    for engines in together(lambda n: media[n].physics, len(media)):
        assert len({id(engine) for engine in engines}) == 1


def test_what_handlers_have_dropped_is_counted_when_threads_close_them_at_once() -> None:
    medium = Aether()
    vibrators = [medium.vibrator(f"v{n}") for n in range(2_000 * SCALE)]

    async def fill() -> int:
        gate = anyio.Event()

        async def handle(_wave: Any) -> None:
            await gate.wait()

        for vibrator in vibrators:
            vibrator.on("a", key=lambda _wave: None, concurrency=2)(handle)
        async with medium.running():
            for _ in range(3):
                medium.emit_nowait("a")
            await turns(10)
            cleared = medium.clear()
            gate.set()
        return cleared

    cleared = asyncio.run(fill())
    assert cleared == 2 * len(vibrators)
    open_ones = list(vibrators)
    together(lambda _number: open_ones.pop().close(), len(vibrators) // THREADS)
    assert medium.statistics().dropped["cleared"] == cleared
