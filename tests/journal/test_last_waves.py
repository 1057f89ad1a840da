"""The last wave of each channel of a journal: asked for, and what a reader begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.journal.writing import Segment, Written
from tests.probes import PATIENCE, last, payloads, take_payloads
from tests.vibrators.lasting import STEPS, Step, begin_while_threads_emit, follow

from aether import Aether, AetherConfig
from aether.journal import Journal

pytestmark = pytest.mark.anyio
DURABILITIES: list[Any] = ["fsync", "os", "none"]


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_they_are_there_after_a_restart(tmp_path: Path, durability: Any) -> None:
    expected: list[list[Any]] = []
    for start in range(3):
        async with Aether(journal=Journal(tmp_path, durability=durability)) as medium:
            assert last(medium) == expected
            await medium.emit_many([("a", "gone"), ("a", ["a", start]), ("b", ["b", start])])
            expected = [["a", start], ["b", start]]
            waves = medium.last("*")
            assert [wave.payload for wave in waves] == expected
            assert [wave.sequence for wave in waves] == [3 * start + 2, 3 * start + 3]
            assert last(medium, "b") == expected[1:]


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_a_reader_begins_with_them(tmp_path: Path, durability: Any) -> None:
    async with Aether(journal=Journal(tmp_path, durability=durability)) as medium:
        await medium.emit_many([("a", 1), ("b", 2), ("a", 3)])
        reader = medium.vibrator("reader", buffer_size=1)
        assert await reader.resonate_on("*", last=True) == 1
        # They take no room.
        await medium.emit_wave("b", 4, timeout=PATIENCE)
        assert await take_payloads(reader, 3) == [2, 3, 4]
        await medium.emit_wave("a", 5)
        assert await take_payloads(reader, 1) == [5]
        assert reader.missed == 0


async def test_what_is_pending_is_no_last_wave_before_it_is_delivered(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        onlooker = medium.vibrator("onlooker")
        onlooker.resonate_on("*")
        for number in range(50):
            pending = medium.emit_nowait("a", number)
            (*_, newest) = [-1, *last(medium)]
            heard = [-1, *payloads(onlooker)]
            # What is the last wave was delivered before the call has returned.
            assert newest <= number
            assert newest in heard or newest == -1 or newest < number
            assert (await medium.journal.durable(pending.position)).pending is False
            assert last(medium) == [number]
            payloads(onlooker)


async def test_a_retained_one_is_the_very_object(tmp_path: Path) -> None:
    config = AetherConfig(retain=["kept"])
    async with Aether(config, journal=Journal(tmp_path)) as medium:
        payload = {"a": (1, 2)}
        await medium.emit_many([("kept", payload), ("other", (1, 2)), ("kept.not", 1)])
        kept, other, _ = medium.last("*")
        assert kept.payload is payload
        assert other.payload == [1, 2]
        reader = medium.vibrator("reader")
        reader.resonate_on("*", last=True)
        assert await reader.receive() is kept
        reader.close()
    async with Aether(config, journal=Journal(tmp_path)) as medium:
        assert last(medium) == [{"a": [1, 2]}, [1, 2], 1]


async def test_what_retention_took_is_not_there(tmp_path: Path) -> None:
    front = Segment(identity=b"0" * 16)
    front.removed(1, 3)
    front.next = 4
    front.seal()
    rest = Segment(4, identity=b"1" * 16)
    for channel in ("b", "c", "b"):
        rest.wave(Written(channel, channel.encode(), codec=0))
    for segment in (front, rest):
        segment.save(tmp_path)
    async with Aether(journal=Journal(tmp_path)) as medium:
        assert [(wave.channel, wave.sequence) for wave in medium.last("*")] == [("c", 5), ("b", 6)]


async def test_a_segment_that_goes_while_it_is_open(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        await medium.emit_wave("a", 1)
    (first,) = tmp_path.glob("*.segment")
    async with Aether(journal=Journal(tmp_path)) as medium:
        await medium.emit_wave("b", 2)
        assert last(medium) == [1, 2]
        first.unlink()
        assert last(medium) == [2]
        reader = medium.vibrator("reader")
        reader.resonate_on("*", last=True)
        assert await take_payloads(reader, 1) == [2]
        reader.close()


async def test_what_cannot_be_read_is_logged_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segment = Segment()
    segment.wave(Written("bad", b"\xc1", codec=1))
    segment.wave(Written("good", b"x", codec=0))
    segment.save(tmp_path)
    async with Aether(journal=Journal(tmp_path)) as medium:
        assert last(medium) == [b"x"]
        assert "wave 1 on" in caplog.text
        caplog.clear()
        reader = medium.vibrator("reader")
        reader.resonate_on("*", last=True)
        assert payloads(reader) == [b"x"]
        assert "wave 1 on" in caplog.text
        reader.close()


async def test_one_whose_time_is_over_is_nobodys(tmp_path: Path) -> None:
    segment = Segment()
    segment.wave(Written("a", b"older", codec=0))
    segment.wave(Written("a", b"over", codec=0, time=1.0, ttl=1.0))
    segment.save(tmp_path)
    async with Aether(journal=Journal(tmp_path)) as medium:
        reader = medium.vibrator("reader")
        reader.resonate_on("*", last=True)
        assert last(medium) == payloads(reader) == []
        assert reader.statistics().missed == 0
        reader.close()


async def test_by_two_patterns_a_wave_comes_once(tmp_path: Path) -> None:
    async with Aether(journal=Journal(tmp_path)) as medium:
        await medium.emit_many([("a.x", 1), ("b", 2), ("c", 3)])
        reader = medium.vibrator("reader")
        assert await reader.resonate_on("a.*", "*", "a.x", last=True) == 3
        assert await reader.resonate_on("+.x", "b", last=True) == 2
        await medium.emit_wave("a.x", 4)
        assert await take_payloads(reader, 4) == [1, 2, 3, 4]
        await medium.emit_wave("b", 5)
        assert await take_payloads(reader, 1) == [5]
        assert len(reader.mailbox) == 0


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("retain", [[], ["s.0"], ["*"]])
async def test_threads_that_emit_while_readers_begin(
    tmp_path: Path, durability: Any, retain: list[str]
) -> None:
    config, journal = AetherConfig(retain=retain), Journal(tmp_path, durability=durability)
    async with Aether(config, journal=journal) as medium:
        await begin_while_threads_emit(medium, emitters=3, each=400)


@given(steps=STEPS, restart=st.integers(0, 30), retain=st.sampled_from([[], ["a"], ["*"]]))
def test_against_a_plain_list(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], restart: int, retain: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    emitted: list[str] = []

    async def run(some: list[Step]) -> None:
        config, journal = AetherConfig(retain=retain), Journal(folder, durability="os")
        async with Aether(config, journal=journal) as medium:
            await follow(medium, some, emitted)

    anyio.run(run, steps[:restart])
    anyio.run(run, steps[restart:])


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_the_thread_that_commits_does_not_wait_for_itself(
    tmp_path: Path, durability: Any
) -> None:
    async with Aether(journal=Journal(tmp_path, durability=durability)) as medium:
        seen: list[Any] = []
        readers = []

        def watch(_: object) -> None:
            seen.append(last(medium))
            reader = medium.vibrator("reader")
            reader.resonate_on("a", last=True)
            readers.append(reader)

        tap = medium.tap("a", watch)
        with anyio.fail_after(PATIENCE):
            for number in range(20):
                await medium.emit_wave("a", number)
        tap.close()
        assert last(medium) == [19]
        assert len(seen) == 20
        await medium.emit_wave("a", "end")
        for number, reader in enumerate(readers):
            got: list[Any] = []
            while "end" not in got:
                got += await take_payloads(reader, 1)
            # Never older than the wave before the one that is delivered, which it may know or not.
            assert got[:-1] == list(range(got[0], 20))
            assert number - 1 <= got[0] <= number + 1
            reader.close()
