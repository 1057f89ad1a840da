"""Readers that begin with history, or fall behind: everything once, in the order of the journal, then live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.probes import PATIENCE, assert_says, payloads, take_payloads, tuned

from aether import Aether
from aether.journal import Journal

pytestmark = pytest.mark.anyio


async def history(path: Path, count: int) -> None:
    """A journal that somebody else has written."""
    async with Aether(journal=Journal(path, segment_bytes=8192)) as medium:
        await medium.emit_many([(f"orders.{number % 3}", number) for number in range(count)])


@pytest.mark.parametrize("buffer_size", [1, 7, 1000])
async def test_history_comes_first_and_then_what_is_emitted(
    tmp_path: Path, buffer_size: int
) -> None:
    await history(tmp_path, 500)
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = medium.vibrator("reader", buffer_size=buffer_size)
        await reader.resonate_on("orders.*", replay="all")
        # Nobody waits for the reader.
        await medium.emit_many([("orders.x", number) for number in range(500, 600)])
        assert await take_payloads(reader, 600) == list(range(600))
        # By now it is live.
        await medium.emit_wave("orders.x", "live")
        assert await take_payloads(reader, 1) == ["live"]
        assert reader.missed == 0


async def test_only_its_patterns_come(tmp_path: Path) -> None:
    await history(tmp_path, 300)
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium)
        await reader.resonate_on("orders.1", replay="all")
        await medium.emit_many([(f"orders.{number % 3}", number) for number in range(300, 330)])
        assert await take_payloads(reader, 110) == [
            number for number in range(330) if number % 3 == 1
        ]


async def test_a_sequence_is_the_first_that_comes(tmp_path: Path) -> None:
    await history(tmp_path, 50)
    async with Aether(journal=Journal(tmp_path)) as medium:
        for first, payload in [(1, 0), (20, 19), (50, 49)]:
            reader = tuned(medium)
            await reader.resonate_on("*", replay=first)
            wave = await reader.receive()
            assert wave is not None
            assert (wave.sequence, wave.payload) == (first, payload)
        late = tuned(medium)
        await late.resonate_on("*", replay=53)
        await medium.emit_many([("orders.x", number) for number in (50, 51, 52)])
        assert await take_payloads(late, 1) == [52]


async def test_a_moment_says_from_when_on(tmp_path: Path) -> None:
    await history(tmp_path, 10)
    async with Aether(journal=Journal(tmp_path)) as medium:
        for all_of_it in (timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)):
            reader = tuned(medium)
            await reader.resonate_on("*", replay=all_of_it)
            assert await take_payloads(reader, 10) == list(range(10))
        later = tuned(medium)
        await later.resonate_on("*", replay=datetime.now(UTC) + timedelta(hours=1))
        await medium.emit_wave("orders.x", "next")
        assert await take_payloads(later, 1) == ["next"]


async def test_emitters_are_faster_than_the_reader(tmp_path: Path) -> None:
    await history(tmp_path, 200)
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = medium.vibrator("reader", buffer_size=5)
        await reader.resonate_on("*", replay="all")

        async def emit(first: int) -> None:
            for number in range(first, first + 100):
                await medium.emit_wave("orders.x", number)

        async with anyio.create_task_group() as group:
            group.start_soon(emit, 200)
            assert await take_payloads(reader, 300) == list(range(300))
        reader.close()


async def test_many_readers_from_many_places(tmp_path: Path) -> None:
    await history(tmp_path, 200)
    async with Aether(journal=Journal(tmp_path)) as medium:
        readers = [medium.vibrator(f"reader-{number}", buffer_size=9) for number in range(10)]
        taken: dict[int, list[Any]] = {}

        async def read(index: int) -> None:
            taken[index] = await take_payloads(readers[index], 300 - 20 * index)

        async with anyio.create_task_group() as group:
            for index, reader in enumerate(readers):
                await reader.resonate_on("orders.*", replay=1 + 20 * index)
                group.start_soon(read, index)
            for number in range(200, 300):
                await medium.emit_wave("orders.x", number)
        for index in range(10):
            assert taken[index] == list(range(20 * index, 300))
        for reader in readers:
            reader.close()


async def test_a_handler_begins_with_history_by_way_of_its_vibrator(tmp_path: Path) -> None:
    await history(tmp_path, 30)
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium)
        await reader.resonate_on("orders.0", replay="all")
        await reader.resonate_on("orders.1")
        await medium.emit_wave("orders.1", "live")
        assert await take_payloads(reader, 11) == [*range(0, 30, 3), "live"]


@pytest.mark.parametrize("buffer_size", [1, 8, 64])
async def test_lag_heals_itself(tmp_path: Path, buffer_size: int) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = medium.vibrator("slow", overflow="replay", buffer_size=buffer_size)
        reader.resonate_on("orders.*")
        for turn in range(3):
            await medium.emit_many([("orders.x", 200 * turn + number) for number in range(200)])
            assert await take_payloads(reader, 200) == list(range(200 * turn, 200 * turn + 200))
        assert reader.missed == 0
        assert sum(reader.statistics().dropped.values()) == 0
        reader.close()


async def test_a_closed_reader_leaves_history_alone(tmp_path: Path) -> None:
    await history(tmp_path, 100)
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = medium.vibrator("reader", buffer_size=5)
        await reader.resonate_on("*", replay="all")
        await reader.receive()
        await reader.aclose()
        assert await reader.receive() is None
        await medium.emit_wave("orders.x", 1)


async def test_drain_gives_all_of_it(tmp_path: Path) -> None:
    await history(tmp_path, 100)
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = medium.vibrator("reader", buffer_size=5)
        await reader.resonate_on("*", replay="all")
        async with anyio.create_task_group() as group:
            group.start_soon(reader.drain, PATIENCE)
            taken = []
            with anyio.fail_after(PATIENCE):
                while waves := await reader.receive_many(7):
                    taken += [wave.payload for wave in waves]
        assert taken == list(range(100))


async def test_what_asks_for_history_needs_a_journal(tmp_path: Path) -> None:
    async with Aether() as medium:
        reader = tuned(medium)
        with pytest.raises(ValueError, match="journal"):
            reader.resonate_on("*", replay="all")
        with pytest.raises(ValueError, match="journal"):
            medium.vibrator("slow", overflow="replay")
        assert reader.patterns == ()
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = tuned(medium)
        for wrong, error in [
            ("some", TypeError),
            (1.5, TypeError),
            (0, ValueError),
            (True, TypeError),
        ]:
            with pytest.raises(error) as caught:
                reader.resonate_on("*", replay=wrong)  # type: ignore[arg-type]
            assert_says(caught.value, "replay")
        with pytest.raises(ValueError, match=r"time zone|aware"):
            reader.resonate_on("*", replay=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake
        assert reader.patterns == ()
        assert payloads(reader) == []
