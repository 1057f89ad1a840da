"""Waves taken out by rules: beside a plain list, of a journal that is open and of one that is not."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.journal.writing import Segment, Written, write
from tests.probes import PATIENCE, assert_says

from aether import Aether, Channel, Closed, JournalError, _native
from aether.journal import HeldBack, Journal, Pruned, Retain

pytestmark = pytest.mark.anyio

CHANNELS = ["orders.created", "orders.paid", "metrics.load"]
HOUR = 3600.0

# -- Rules beside a plain list -----------------------------------------------------------------


@dataclass(frozen=True)
class Plain:
    """A wave, and what rules ask of it."""

    sequence: int
    channel: str
    age: float
    size: int


def fits(rule: Retain, wave: Plain) -> bool:
    return rule.pattern is None or Channel(wave.channel).matches(rule.pattern)


def first_ones(waves: Sequence[Plain], too_many: float, size: Callable[[Plain], int]) -> set[int]:
    """The first waves, until so much is gone."""
    taken = set()
    for wave in waves:
        if too_many <= 0:
            break
        taken.add(wave.sequence)
        too_many -= size(wave)
    return taken


def beyond(rule: Retain, waves: Sequence[Plain]) -> dict[str, set[int]]:
    """What is beyond each limit, wave by wave."""
    mine = [wave for wave in waves if fits(rule, wave)]
    found: dict[str, set[int]] = {}
    if rule.max_age is not None:
        assert isinstance(rule.max_age, float)
        found["max_age"] = {wave.sequence for wave in mine if wave.age > rule.max_age}
    if rule.max_count is not None:
        found["max_count"] = first_ones(mine, len(mine) - rule.max_count, lambda _: 1)
    if rule.max_bytes is not None:
        too_many = sum(wave.size for wave in mine) - rule.max_bytes
        found["max_bytes"] = first_ones(mine, too_many, lambda wave: wave.size)
    if rule.keep_last is not None:
        of = Counter(wave.channel for wave in mine)
        found["keep_last"] = set()
        for wave in mine:
            if of[wave.channel] > rule.keep_last:
                found["keep_last"].add(wave.sequence)
            of[wave.channel] -= 1
    return found


def gone(
    segments: Sequence[Sequence[Plain]], rules: Sequence[Retain], keep_after: float
) -> set[int]:
    """What rules take; the last segment stays as it is."""
    waves = [wave for segment in segments for wave in segment]
    taken: set[int] = set()
    for segment in segments[:-1]:
        mine = {wave.sequence for wave in segment}
        for rule in rules:
            for limit, found in beyond(rule, waves).items():
                if rule.pattern is not None or limit == "keep_last":
                    taken |= {one for one in mine & found if one <= keep_after}
                elif whole(limit, rule, segment, waves) and max(mine) <= keep_after:
                    taken |= mine
    return taken


def whole(limit: str, rule: Retain, segment: Sequence[Plain], waves: Sequence[Plain]) -> bool:
    """Whether everything in a segment is beyond a limit, so that without it enough is left."""
    after = [wave for wave in waves if wave.sequence > segment[-1].sequence]
    if limit == "max_count":
        assert rule.max_count is not None
        return len(after) >= rule.max_count
    if limit == "max_bytes":
        assert rule.max_bytes is not None
        return sum(wave.size for wave in after) >= rule.max_bytes
    return all(wave.sequence in beyond(rule, segment)["max_age"] for wave in segment)


def rules() -> st.SearchStrategy[list[Retain]]:
    def limit(most: int) -> st.SearchStrategy[int | None]:
        return st.one_of(st.none(), st.integers(0, most))

    given = st.fixed_dictionaries(
        {
            "pattern": st.sampled_from([None, None, "orders.*", "metrics.load", "*", "none"]),
            "max_age": st.one_of(st.none(), st.integers(0, 60).map(lambda hours: hours * HOUR)),
            "max_bytes": limit(3000),
            "max_count": limit(40),
            "keep_last": limit(6),
        }
    ).filter(lambda rule: any(rule[name] is not None for name in rule if name != "pattern"))
    return st.lists(given.map(lambda rule: Retain(**rule)), min_size=1, max_size=3)


def noted(low: int) -> bytes:
    """What a cursor says that has finished all up to a wave."""
    return b"\x01" + struct.pack("<QQQQ", low, low, 0, 0)


def found(folder: Path) -> list[int | None]:
    replay = Journal(folder).replay()
    sequences = [wave.sequence for wave in replay]
    assert (replay.gaps, replay.damage) == ([], [])
    return sequences


def sizes(folder: Path) -> dict[str, int]:
    return {
        path.name: path.stat().st_size for path in folder.iterdir() if path.suffix == ".segment"
    }


def watch_nothing(_done: int, _of: int) -> None:
    pass


@pytest.mark.timeout(600)  # shrinking takes its time
@given(
    waves=st.lists(
        st.tuples(st.sampled_from(CHANNELS), st.integers(0, 50), st.integers(0, 200)), min_size=1
    ),
    every=st.integers(1, 8),
    rules=rules(),
    low=st.one_of(st.none(), st.integers(0, 40)),
    past_cursors=st.booleans(),
)
def test_what_goes_is_what_a_plain_list_says(
    waves: list[tuple[str, int, int]],
    every: int,
    rules: list[Retain],
    low: int | None,
    past_cursors: bool,
) -> None:
    now = time.time()
    with TemporaryDirectory() as name:
        folder = Path(name, "journal")
        # Half an hour from every limit.
        written = [
            Written(channel, bytes(size), time=now - age * HOUR - HOUR / 2)
            for channel, age, size in waves
        ]
        made = write(folder, written, every=every)
        if low is not None:
            made[-1].acknowledged("billing", noted(low))
            made[-1].save(folder)
        plain = [
            [
                Plain(number, waves[number - 1][0], waves[number - 1][1] * HOUR + HOUR / 2, len(at))
                for number, at in segment.places.items()
            ]
            for segment in made
        ]
        holds = low is not None and not past_cursors
        taken = gone(plain, rules, float("inf") if not holds or low is None else low)
        held = holds and taken != gone(plain, rules, float("inf"))
        everything, before = list(range(1, len(waves) + 1)), sizes(folder)
        journal = Journal(folder)
        tried = journal.prune(*rules, dry_run=True, past_cursors=past_cursors)
        assert (found(folder), sizes(folder)) == (everything, before)
        done = journal.prune(*rules, past_cursors=past_cursors)
        left = [number for number in everything if number not in taken]
        assert found(folder) == left
        assert done.waves == tried.waves == len(taken)
        assert done.bytes == tried.bytes == sum(before.values()) - sum(sizes(folder).values())
        assert (done.dropped, done.rewritten) == (tried.dropped, tried.rewritten)
        assert set(done.removed) == before.keys() - sizes(folder).keys()
        assert set(done.written) == sizes(folder).keys() - before.keys()
        assert (done.dry_run, tried.dry_run) == (False, True)
        assert (done.held_back is not None) == held
        if held and low is not None:
            assert done.held_back == tried.held_back == HeldBack("billing", low)
        assert _native.verify_journal(folder, watch_nothing)["sound"]
        # It goes on where it was, whatever went.
        Aether(journal=journal).emit_sync("orders.paid", "next")
        journal.close()
        assert found(folder) == [*left, len(waves) + 1]


def test_what_is_damaged_is_named_and_left(tmp_path: Path) -> None:
    waves = [Written(CHANNELS[number % 3], bytes(8)) for number in range(12)]
    first, *_ = write(tmp_path / "journal", waves, every=4)
    path = tmp_path / "journal" / first.name
    data = bytearray(path.read_bytes())
    data[first.places[2].start] ^= 1
    path.write_bytes(data)
    done = Journal(path.parent).prune(Retain(pattern="metrics.*", keep_last=0))
    # The last segment is not touched.
    assert (done.waves, done.damaged) == (1, (first.name,))
    assert Journal(path.parent).prune(Retain(max_count=0)).waves == 3 + 3


# -- A journal that is open --------------------------------------------------------------------


def small(path: Path, **options: Any) -> Journal:
    return Journal(path, segment_bytes=4096, durability="os", **options)


def emitted(medium: Aether, count: int, channels: Sequence[str] = CHANNELS) -> list[int]:
    """Emits so many; their positions."""
    receipts = [
        medium.emit_sync(channels[number % len(channels)], number) for number in range(count)
    ]
    return [receipt.position or 0 for receipt in receipts]


def test_it_is_pruned_while_it_is_open(tmp_path: Path) -> None:
    journal = small(tmp_path)
    medium = Aether(journal=journal)
    reader = medium.vibrator("reader", order="fifo")
    reader.resonate_on("*")
    emitted(medium, 400)
    replay = journal.replay()
    assert next(replay).sequence == 1
    done = journal.prune(Retain(max_count=100))
    assert done.dropped > 2
    assert (done.rewritten, done.held_back, done.damaged) == (0, None, ())
    left = found(tmp_path)
    assert left == list(range(done.waves + 1, 401))
    assert 100 <= len(left) < 200
    # Who had begun goes on with what is left, and mailboxes have what they had.
    assert [wave.sequence for wave in replay][-100:] == list(range(301, 401))
    assert replay.gaps == []
    assert len([reader.receive_nowait() for _ in range(400)]) == 400
    assert journal.prune(Retain(max_count=100)).waves == 0
    assert emitted(medium, 1) == [401]
    journal.close()
    Aether(journal=small(tmp_path)).journal.close()  # type: ignore[union-attr]
    assert found(tmp_path) == [*left, 401]
    reader.close()


def test_without_rules_it_goes_by_its_own(tmp_path: Path) -> None:
    journal = small(tmp_path, retention=[Retain(pattern="metrics.*", keep_last=3)])
    assert journal.retention == (Retain(pattern="metrics.*", keep_last=3),)
    plain = small(tmp_path)
    emitted(Aether(journal=plain), 300)
    plain.close()
    done = journal.prune()
    left = Counter(str(wave.channel) for wave in journal.replay())
    assert (left["orders.created"], left["orders.paid"]) == (100, 100)
    assert done.waves == 100 - left["metrics.load"]
    assert 3 <= left["metrics.load"] < 30
    with pytest.raises(ValueError, match=r"prune needs rules, as Retain\(max_count=1000\)"):
        plain.prune()


async def test_a_cursor_holds_it_back_until_it_has_finished(tmp_path: Path) -> None:
    journal = small(tmp_path)
    async with Aether(journal=journal) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await medium.emit_many([(CHANNELS[number % 3], number) for number in range(300)])
        everything, rule = found(tmp_path), Retain(max_count=0)
        done = journal.prune(rule)
        assert (done.waves, done.held_back) == (0, HeldBack("billing", 0))
        for wave in await billing.receive_many(100):
            await billing.ack(wave)
        tried = journal.prune(rule, dry_run=True)
        assert tried.held_back is not None
        assert 0 < tried.waves <= tried.held_back.position < 160
        done = journal.prune(rule)
        assert done.waves == tried.waves
        assert found(tmp_path) == everything[done.waves :]
        # What it has still to come to comes.
        rest = [await billing.receive() for _ in range(100)]
        assert len({wave.sequence for wave in rest if wave is not None}) == 100
    # Nobody acknowledged these; nor does it matter that nobody has the journal open.
    done = journal.prune(rule)
    assert done.held_back is not None
    assert (done.waves, done.held_back.reader) == (0, "billing")
    past = journal.prune(rule, past_cursors=True)
    assert past.waves > 50
    assert past.held_back is None


async def test_what_went_past_a_cursor_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = small(tmp_path)
    async with Aether(journal=journal) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        await medium.emit_many([("orders.created", number) for number in range(200)])
    assert journal.prune(Retain(max_count=0), past_cursors=True).waves > 0
    left = found(tmp_path)
    async with Aether(journal=small(tmp_path)) as medium:
        billing = medium.vibrator("billing")
        await billing.resonate_on("orders.*", cursor="billing")
        waves = [await billing.receive() for _ in left]
        assert [wave.sequence for wave in waves if wave] == left
        await medium.emit_wave("orders.paid")
        assert await billing.receive() is not None
    assert not caplog.records


def test_somebody_else_who_writes_is_named(tmp_path: Path) -> None:
    journal = small(tmp_path)
    emitted(Aether(journal=journal), 200)
    other = Journal(tmp_path)
    with pytest.raises(JournalError, match=f"written by the process {os.getpid()}") as caught:
        other.prune(Retain(max_count=1))
    assert_says(caught.value, str(tmp_path), "retention=", "dry_run=True")
    assert other.prune(Retain(max_count=1), dry_run=True).waves > 0
    assert len(found(tmp_path)) == 200
    journal.close()
    assert other.prune(Retain(max_count=1)).waves > 0
    with pytest.raises(JournalError, match="no folder"):
        Journal(tmp_path / "none").prune(Retain(max_count=1))
    assert not (tmp_path / "none").exists()


# -- Watching, stopping, closing ---------------------------------------------------------------


def large(path: Path) -> Journal:
    """An open journal of some MiB, so that one is told how far it is."""
    journal = Journal(path, segment_bytes=1 << 20, durability="os")
    medium = Aether(journal=journal)
    for _ in range(40):
        medium.emit_sync("big.one", bytes(200_000))
    return journal


def test_it_tells_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    journal = large(tmp_path)
    told: list[tuple[int, int]] = []
    rule = Retain(pattern="*", max_count=3)
    journal.prune(rule, dry_run=True, watch=lambda done, of: told.append((done, of)))
    assert len(told) > 4
    assert all(0 <= done <= of for done, of in told)
    assert told[-1][0] == told[-1][1]
    before = sizes(tmp_path)

    def stop(_done: int, _of: int) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        journal.prune(rule, watch=stop)
    assert sizes(tmp_path) == before
    assert journal.prune(rule).waves > 30
    journal.close()


def test_one_prunes_at_a_time(tmp_path: Path) -> None:
    journal = large(tmp_path)
    errors: list[str] = []

    def again(_done: int, _of: int) -> None:
        with pytest.raises(JournalError, match="being pruned by another call") as caught:
            journal.prune(Retain(max_count=1))
        errors.append(str(caught.value))
        with pytest.raises(RuntimeError, match="being pruned by this thread"):
            journal.close()
        assert journal.is_open

    assert journal.prune(Retain(max_count=3), watch=again).waves > 30
    assert errors
    journal.close()
    assert not journal.is_open


def test_a_close_stops_it_and_waits_for_that(tmp_path: Path) -> None:
    journal = large(tmp_path)
    closing = threading.Thread(target=journal.close)

    def close_meanwhile(_done: int, _of: int) -> None:
        if not closing.is_alive():
            closing.start()
        for _ in range(1_000_000):
            try:
                journal.prune(Retain(max_count=1))
            except Closed:
                return
            except JournalError:
                # The other thread has not got there yet.
                time.sleep(0)

    with pytest.raises(Closed, match="closed before it was pruned"):
        journal.prune(Retain(max_count=3), watch=close_meanwhile)
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert not journal.is_open
    assert len(found(tmp_path)) == 40
    assert journal.prune(Retain(max_count=3)).waves > 30


# -- What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said", "rule"),
    [
        (ValueError, "Retain needs a limit", {}),
        (ValueError, "Retain needs a limit", {"pattern": "a.*"}),
        (ValueError, "channel", {"pattern": "a..b", "max_count": 1}),
        (TypeError, "int", {"pattern": 7, "max_count": 1}),
        (ValueError, "max_age must be a finite number of seconds", {"max_age": -1}),
        (ValueError, "max_age must be a finite number of seconds", {"max_age": float("nan")}),
        (ValueError, "max_age must be a finite number of seconds", {"max_age": 10**400}),
        (ValueError, "max_age must be a finite number", {"max_age": timedelta(seconds=-1)}),
        (TypeError, "max_age must be seconds or a timedelta, not str", {"max_age": "7d"}),
        (ValueError, "max_bytes must be in 0..", {"max_bytes": -1}),
        (TypeError, "max_count must be an int, not float", {"max_count": 1.5}),
        (TypeError, "keep_last must be an int, not bool", {"keep_last": True}),
    ],
)
def test_a_rule_is_checked(error: type[Exception], said: str, rule: dict[str, Any]) -> None:
    with pytest.raises(error, match=said):
        Retain(**rule)


def test_rules_are_plain_frozen_data() -> None:
    rule = Retain(max_age=timedelta(days=7))
    assert rule == Retain(max_age=604_800)
    assert hash(rule) == hash(Retain(max_age=604_800.0))
    with pytest.raises(AttributeError):
        rule.max_age = 1.0  # type: ignore[misc]


def test_options_are_checked(tmp_path: Path) -> None:
    wrong: Any
    with pytest.raises(TypeError, match=r"retention must be a list of Retain, not a single one"):
        wrong = Retain(max_count=1)
        Journal(tmp_path, retention=wrong)
    for wrong in (7, ["week"]):
        with pytest.raises(TypeError, match=r"retention must be"):
            Journal(tmp_path, retention=wrong)
    for wrong in (0, -1.0, float("nan"), 2_678_401):
        with pytest.raises(ValueError, match="retention_interval must be above 0"):
            Journal(tmp_path, retention_interval=wrong)
    wrong = "1s"
    with pytest.raises(TypeError, match="retention_interval must be seconds, not str"):
        Journal(tmp_path, retention_interval=wrong)
    with pytest.raises(TypeError, match="rules must be of Retain, not str"):
        Journal(tmp_path).prune(wrong)
    with pytest.raises(TypeError, match="watch must be a function"):
        Journal(tmp_path).prune(Retain(max_count=1), watch=wrong)


def test_what_was_done_is_plain_frozen_data(tmp_path: Path) -> None:
    done = Journal(tmp_path).prune(Retain(max_count=1))
    assert done == Pruned(0, 0, 0, 0, (), (), (), None, dry_run=False)
    segment = Segment()
    segment.save(tmp_path)
    assert Journal(tmp_path).prune(Retain(max_count=1)) == done


def test_a_journal_of_more_segments_than_files_may_be_open_is_pruned(tmp_path: Path) -> None:
    source = """
import resource, sys
from aether import Aether
from aether.journal import Journal, Retain
journal = Journal(sys.argv[1], segment_bytes=4096, durability="os")
medium = Aether(journal=journal)
for number in range(300):
    medium.emit_sync("a.b", bytes(3_000))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
print(journal.prune(Retain(max_count=10)).dropped, len(list(Journal(sys.argv[1]).replay())))
"""
    done = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(map(int, done.stdout.split())) == [290, 10]
