"""`async for` over a replay, on every loop: read in a thread, nothing lost when cancelled, the loop goes on."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.journal.writing import Written, write
from tests.probes import until

from aether import PayloadError
from aether.journal import Gap, Journal, Replay

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


class Watched:
    """A codec whose reading waits until it may, and says in which thread it was done."""

    name = "watched"
    tag = 40

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()
        self.begun = threading.Event()
        self.threads: set[int] = set()

    def encode(self, payload: Any) -> bytes:
        raise NotImplementedError

    def decode(self, data: bytes) -> Any:
        self.threads.add(threading.get_ident())
        self.begun.set()
        self.may.wait()
        if data == b"bad":
            raise ValueError("it is bad")
        return data


def watched(folder: Path, payloads: list[bytes]) -> tuple[Replay, Watched]:
    codec = Watched()
    write(folder, [Written(payload=payload, codec=codec.tag) for payload in payloads])
    return Journal(folder, also=[codec]).replay(), codec


async def sequences(replay: Replay) -> list[int | None]:
    return [wave.sequence async for wave in replay]


async def test_all_waves_come(folder: Path) -> None:
    write(folder, [Written() for _ in range(1500)], every=400)
    assert await sequences(Journal(folder).replay()) == list(range(1, 1501))


async def test_filters_limits_and_predicates(folder: Path) -> None:
    write(folder, [Written(channel="a" if number % 2 else "b") for number in range(2000)])
    replay = Journal(folder).replay("a", where=lambda wave: wave.sequence % 4 == 0, limit=300)
    assert await sequences(replay) == list(range(4, 1201, 4))
    assert await sequences(replay) == []


async def test_it_is_read_in_another_thread(folder: Path) -> None:
    replay, codec = watched(folder, [b"x"] * 10)
    assert len(await sequences(replay)) == 10
    assert threading.get_ident() not in codec.threads


async def test_gaps_are_there_after_the_end(folder: Path) -> None:
    (segment,) = write(folder, [Written() for _ in range(3)])
    path = folder / segment.name
    data = bytearray(path.read_bytes())
    data[segment.places[2].start] ^= 1
    path.write_bytes(data)
    replay = Journal(folder).replay()
    assert await sequences(replay) == [1, 3]
    assert replay.gaps == [Gap(2, 2)]


async def test_others_run_between(folder: Path) -> None:
    write(folder, [Written() for _ in range(500)])
    replay = Journal(folder).replay()
    turns = 0
    seen: list[int] = []

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(count)
        async for _ in replay:
            seen.append(turns)
        group.cancel_scope.cancel()
    in_a_row = max(seen.count(turn) for turn in set(seen))
    # trio runs those that are ready in any order: another may have its turn before and after two of ours.
    assert in_a_row <= 2 * 128


async def test_a_cancelled_read_loses_nothing(folder: Path) -> None:
    replay, codec = watched(folder, [b"x"] * 10)
    codec.may.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(sequences, replay)
        await until(codec.begun.is_set)
        # The thread is not done, and is not waited for.
        group.cancel_scope.cancel()
    codec.may.set()
    assert await sequences(replay) == list(range(1, 11))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_task_of_asyncio_loses_nothing(folder: Path) -> None:
    replay, codec = watched(folder, [b"x"] * 10)
    codec.may.clear()
    task = asyncio.ensure_future(sequences(replay))
    await until(codec.begun.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    codec.may.set()
    assert await sequences(replay) == list(range(1, 11))


async def test_cancelled_between_waves_loses_nothing(folder: Path) -> None:
    write(folder, [Written() for _ in range(1000)])
    replay = Journal(folder).replay()
    seen: list[int | None] = []

    async def read() -> None:
        async for wave in replay:
            seen.append(wave.sequence)

    while len(seen) < 1000:
        before = len(seen)
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await until(lambda before=before: len(seen) > before)
            group.cancel_scope.cancel()
    assert seen == list(range(1, 1001))


async def test_an_error_is_told_in_its_place(folder: Path) -> None:
    replay, _ = watched(folder, [b"a", b"bad", b"c"])
    assert (await anext(replay)).sequence == 1
    with pytest.raises(PayloadError, match=r'wave 2 on "a": .* it is bad'):
        await anext(replay)
    assert await sequences(replay) == [3]


async def test_an_error_that_nobody_waited_for_is_told_to_who_comes_next(folder: Path) -> None:
    replay, codec = watched(folder, [b"bad", b"b"])
    codec.may.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(sequences, replay)
        await until(codec.begun.is_set)
        group.cancel_scope.cancel()
    codec.may.set()
    with pytest.raises(PayloadError, match='wave 1 on "a"'):
        await sequences(replay)
    assert await sequences(replay) == [2]


async def test_tasks_share_a_replay(folder: Path) -> None:
    write(folder, [Written() for _ in range(2000)])
    replay = Journal(folder).replay()
    seen: list[int | None] = []

    async def read() -> None:
        async for wave in replay:
            seen.append(wave.sequence)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(read)
    assert sorted(number or 0 for number in seen) == list(range(1, 2001))


async def test_a_replay_goes_on_from_one_way_to_the_other(folder: Path) -> None:
    write(folder, [Written() for _ in range(5)])
    replay = Journal(folder).replay()
    assert next(replay).sequence == 1
    assert (await anext(replay)).sequence == 2
    assert [wave.sequence for wave in replay] == [3, 4, 5]
