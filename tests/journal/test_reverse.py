"""Reading backwards, and passing over what nobody asks for: beside the same list forwards."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from tests.journal.writing import Segment, Written, write

from aether import Aether, _native
from aether.journal import Gap, Journal, Replay, Retain

pytestmark = pytest.mark.anyio

CHANNELS = ["orders.created", "orders.paid", "metrics.load"]


def sequences(replay: Replay) -> list[int | None]:
    return [wave.sequence for wave in replay]


def written(folder: Path, count: int = 10, every: int | None = 4) -> list[Segment]:
    waves = [
        Written(CHANNELS[number % 3], bytes([number]), time=float(number), amplitude=number / count)
        for number in range(1, count + 1)
    ]
    return write(folder, waves, every=every)


wishes = st.fixed_dictionaries(
    {},
    optional={
        "pattern": st.sampled_from(["*", "orders.*", "metrics.load", "none"]),
        "since": st.integers(-1, 40),
        "until": st.integers(-1, 40),
        "after": st.integers(0, 40),
        "before": st.integers(0, 40),
        "amplitude": st.floats(0, 1),
        "source": st.sampled_from(["shop", "other"]),
        "headers": st.sampled_from([{}, {"trace": "1"}]),
    },
)


@pytest.mark.timeout(600)  # shrinking takes its time
@given(
    waves=st.lists(
        st.tuples(
            st.sampled_from(CHANNELS),
            st.integers(0, 40),
            st.floats(0, 1),
            st.sampled_from([None, "shop"]),
            st.sampled_from(["1", "2"]),
        ),
        max_size=40,
    ),
    every=st.integers(1, 9),
    lost=st.sets(st.integers(1, 40), max_size=3),
    asked=wishes,
    limit=st.one_of(st.none(), st.integers(0, 10)),
    odd=st.booleans(),
)
def test_it_is_the_same_list_backwards(
    waves: list[tuple[str, int, float, str | None, str]],
    every: int,
    lost: set[int],
    asked: dict[str, Any],
    limit: int | None,
    odd: bool,
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name, "journal")
        made = write(
            folder,
            [
                Written(channel, b"x", time=time, amplitude=amplitude, source=source,
                        headers={"trace": trace})
                for channel, time, amplitude, source, trace in waves
            ],
            every=every,
        )  # fmt: skip
        # A last one, so that what is lost before it is a gap and no torn tail.
        made[-1].wave(Written("end"))
        for segment in made:
            for number in lost & segment.places.keys():
                segment.data[segment.places[number].start] ^= 1
            segment.save(folder)
        journal = Journal(folder)
        where = (lambda wave: wave.sequence % 2 == 1) if odd else None
        forwards = journal.replay(**asked, where=where)
        expected = sequences(forwards)[::-1][:limit]
        backwards = journal.replay(**asked, where=where, limit=limit, reverse=True)
        assert sequences(backwards) == expected
        columns = journal.replay(**asked, where=where, limit=limit, reverse=True).to_columns()
        assert columns.sequence.tolist() == expected
        if limit is None:
            whole = journal.replay(**asked, reverse=True)
            list(whole)
            assert missing(whole) == missing(forwards)
            # A segment without an index is looked through as a whole, beyond the bounds too.
            assert set(whole.damage) >= set(forwards.damage)
            if not asked.keys() & {"after", "before"}:
                assert whole.damage == forwards.damage


def missing(replay: Replay) -> list[int]:
    assert replay.gaps == sorted(replay.gaps)
    return [number for first, last in replay.gaps for number in range(first, last + 1)]


def test_the_newest_come_first(tmp_path: Path) -> None:
    written(tmp_path)
    journal = Journal(tmp_path)
    assert sequences(journal.replay(reverse=True)) == list(range(10, 0, -1))
    assert sequences(journal.replay("metrics.*", limit=2, reverse=True)) == [8, 5]
    assert sequences(journal.replay(limit=2, reverse=True, before=6)) == [5, 4]
    assert sequences(journal.replay(limit=0, reverse=True)) == []
    columns = journal.replay("orders.*", reverse=True).to_columns()
    assert columns.sequence.tolist() == [10, 9, 7, 6, 4, 3, 1]
    assert np.array_equal(columns.timestamp, columns.sequence.astype(float))
    assert str(journal.replay(reverse=True)).endswith("reverse=True>")


async def test_async_too(tmp_path: Path) -> None:
    written(tmp_path)
    replay = Journal(tmp_path).replay(limit=7, reverse=True)
    assert [wave.sequence async for wave in replay] == [10, 9, 8, 7, 6, 5, 4]


def test_a_gap_is_told_backwards_as_forwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, _ = written(tmp_path)
    for segment, number in ((first, 3), (second, 6), (second, 7)):
        segment.data[segment.places[number].start] ^= 1
        segment.save(tmp_path)
    replay = Journal(tmp_path).replay(reverse=True)
    assert sequences(replay) == [10, 9, 8, 5, 4, 2, 1]
    assert replay.gaps == [Gap(3, 3), Gap(6, 7)]
    (line,) = caplog.messages
    assert "3 in 2 gaps from sequence 3 to 7" in line


def test_what_comes_meanwhile_does_not_come(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=4096, durability="os")
    medium = Aether(journal=journal)
    for number in range(600):
        medium.emit_sync("a.b", number)
    replay = journal.replay(reverse=True)
    assert next(replay).sequence == 600
    for number in range(600):
        medium.emit_sync("a.b", number)
    journal.prune(Retain(pattern="a.*", max_count=900))
    rest = sequences(replay)
    journal.close()
    # What was taken out meanwhile may come or not.
    assert rest[:299] == list(range(599, 300, -1))
    assert rest == sorted(rest, key=lambda number: -(number or 0))
    assert replay.gaps == []


def test_only_a_word_of_truth_says_which_way(tmp_path: Path) -> None:
    written(tmp_path)
    wrong: Any = "yes"
    with pytest.raises(TypeError, match="reverse must be True or False, not str"):
        Journal(tmp_path).replay(reverse=wrong)


# -- Not read ----------------------------------------------------------------------------------


def indexed(folder: Path) -> Journal:
    """Waves of a KiB, a second apart, in some sixty segments, each with its index."""
    journal = Journal(folder, segment_bytes=16_384, durability="os")
    with_time = _native.Medium(journal=journal.open())
    for number in range(1, 1001):
        channel = "rare" if number == 500 else "common"
        with_time.emit_nowait(channel, bytes(1024), headers={"n": str(number)})
    journal.close()
    return journal


def looked_at(journal: Journal, **asked: Any) -> tuple[list[int | None], int]:
    """The waves that come, and how many bytes of waves were looked at for them."""
    reader = _native.JournalReader(str(journal.path), lambda _tag, data: data, **asked)
    waves: list[int | None] = []
    while (batch := reader.next_batch(512)) is not None:
        waves += [wave.sequence for wave in batch]
    return waves, reader.counted[1]


@pytest.mark.parametrize("reverse", [False, True])
def test_segments_without_what_is_asked_for_are_not_read(tmp_path: Path, reverse: bool) -> None:
    journal = indexed(tmp_path)
    times = [wave.timestamp for wave in journal.replay()]
    a_few = 2 * 16_384 + 2_000
    waves, read = looked_at(journal, pattern="rare", reverse=reverse)
    assert (waves, read < a_few) == ([500], True)
    waves, read = looked_at(journal, after=300, before=304, reverse=reverse)
    assert (sorted(waves, key=lambda one: one or 0), read < a_few) == ([301, 302, 303], True)
    # The clock may stand still for some waves.
    since, until = times[700], times[703]
    expected = [number for number, time in enumerate(times, 1) if since <= time < until]
    waves, read = looked_at(journal, since=since, until=until, reverse=reverse)
    assert waves == (expected[::-1] if reverse else expected)
    assert read < a_few + 1100 * len(expected)
    waves, read = looked_at(journal, since=times[-1] + 1, reverse=reverse)
    assert (waves, read) == ([], 0)
    everything, read = looked_at(journal, pattern="*", reverse=reverse)
    assert (len(everything), read > 1_000_000) == (1000, True)
