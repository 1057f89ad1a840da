"""Replay: every wave as it was, filters beside a plain oracle, errors in their place."""

from __future__ import annotations

import gc
import pickle
import threading
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.journal.writing import Segment, Written, crc32c, write

from aether import Channel, ChannelError, JournalError, PayloadError, Wave, _native
from aether.journal import Codecs, Journal, Replay

CODECS = Codecs()


def wave(channel: str = "a", payload: Any = None, **fields: Any) -> Written:
    codec, data = CODECS.encode(payload)
    return Written(channel=channel, payload=data, codec=codec, **fields)


def sequences(replay: Replay) -> list[int | None]:
    return [one.sequence for one in replay]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


# -- Waves as they were ------------------------------------------------------------------------


def test_the_check_is_the_one_of_the_document() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_a_wave_comes_back_with_all_of_its_fields(folder: Path) -> None:
    write(
        folder,
        [
            wave(
                "orders.created",
                {"id": 7, "tags": ["a"]},
                time=1.7e9,
                amplitude=0.5,
                priority=0.75,
                phase=1.25,
                frequency=3.0,
                ttl=60.0,
                hops=4,
                source="shop",
                id="feedbeef-2a",
                headers={"trace": "7", "größe": "数"},
                undoes=("feedbeef-29", 1.6e9, 0.25, -1.0),
            )
        ],
    )
    (one,) = Journal(folder).replay()
    assert type(one) is Wave
    assert type(one.channel) is Channel
    assert one.channel == "orders.created"
    assert one.payload == {"id": 7, "tags": ["a"]}
    assert (one.id, one.sequence, one.propagation_count) == ("feedbeef-2a", 1, 4)
    assert (one.timestamp, one.ttl, one.source) == (1.7e9, 60.0, "shop")
    assert (one.amplitude, one.priority, one.phase, one.frequency) == (0.5, 0.75, 1.25, 3.0)
    assert dict(one.headers) == {"trace": "7", "größe": "数"}
    assert one.compensates == "feedbeef-29"
    assert _native.undone_by(one) == ("feedbeef-29", 1.6e9, 0.25, -1.0)


def test_what_was_not_written_is_what_is_usual(folder: Path) -> None:
    write(folder, [wave("a", amplitude=0.5)])
    (one,) = Journal(folder).replay()
    assert (one.priority, one.phase, one.frequency, one.ttl) == (0.5, 0.0, 1.0, None)
    assert (one.source, dict(one.headers), one.payload) == (None, {}, None)
    assert (one.compensates, _native.undone_by(one)) == (None, None)


def test_a_source_may_be_the_empty_text(folder: Path) -> None:
    write(folder, [wave("a", source=""), wave("a")])
    assert [one.source for one in Journal(folder).replay()] == ["", None]


def test_an_id_of_this_process_is_the_same_wave(folder: Path) -> None:
    mine = Wave("a")
    write(
        folder,
        [wave("a", id=mine.id, hops=0), wave("a", id=mine.id, hops=1), wave("a", id="other-1")],
    )
    again, hopped, other = Journal(folder).replay()
    assert (again == mine, hash(again) == hash(mine)) == (True, True)
    assert hopped != mine
    assert other.id == "other-1"
    assert again.propagate() == hopped


def test_a_wave_of_a_replay_pickles(folder: Path) -> None:
    write(folder, [wave("a", [1], id="feedbeef-1", headers={"a": "b"}, phase=1.0)])
    (one,) = Journal(folder).replay()
    again = pickle.loads(pickle.dumps(one))
    assert (again, again.sequence, again.payload, again.phase) == (one, 1, [1], 1.0)


def test_payloads_of_every_codec(folder: Path) -> None:
    payloads: list[Any] = [None, b"", b"raw", {"a": 1}, np.arange(6.0).reshape(2, 3)]
    write(folder, [wave("a", payload) for payload in payloads])
    none, empty, raw, plain, array = (one.payload for one in Journal(folder).replay())
    assert (none, empty, raw, plain) == (None, b"", b"raw", {"a": 1})
    assert (array.dtype, array.shape, array.tolist()) == ("f8", (2, 3), [[0, 1, 2], [3, 4, 5]])


def test_channels_longer_than_people_write(folder: Path) -> None:
    name = "dead." + "x" * 1024
    write(folder, [wave(name)])
    (one,) = Journal(folder).replay()
    assert one.channel == name


def test_more_channels_and_sources_than_are_remembered(folder: Path) -> None:
    names = [f"c.{number % 5_000}" for number in range(6_000)]
    write(folder, [wave(name, source=name) for name in names])
    assert [(str(one.channel), one.source) for one in Journal(folder).replay()] == list(
        zip(names, names, strict=True)
    )


# -- Filters, beside an oracle -----------------------------------------------------------------

NAMES = ["orders.created", "orders.paid", "orders.a.b", "users.added", "orders"]
PATTERNS = ["*", "orders.*", "orders.+", "+.added", "orders", "none.*", "*.created", "orders.>"]
FIELDS = st.fixed_dictionaries(
    {
        "channel": st.sampled_from(NAMES),
        "time": st.sampled_from([10.0, 20.0, 30.0, 40.0]),
        "amplitude": st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        "source": st.sampled_from([None, "", "shop", "web"]),
        "headers": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
    }
)
SEQUENCE = st.integers(0, 25)
MOMENT = st.sampled_from(
    [5.0, 10.0, 20.0, 30.5, 40.0, 99.0, float("-inf"), float("inf"), 10, 2**2000]
)
FILTER = st.fixed_dictionaries(
    {},
    optional={
        "pattern": st.sampled_from(PATTERNS),
        "since": MOMENT,
        "until": MOMENT,
        "after": SEQUENCE,
        "before": SEQUENCE,
        "limit": st.integers(0, 8),
        "amplitude": st.sampled_from([0, 0.25, 0.3, 1.0]),
        "source": st.sampled_from(["", "shop", "none"]),
        "headers": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        "where": st.just(lambda one: one.sequence % 3 != 0),
    },
)


def wanted(
    waves: list[Written],
    pattern: str = "*",
    since: float | None = None,
    until: float | None = None,
    after: int | None = None,
    before: int | None = None,
    limit: int | None = None,
    amplitude: float | None = None,
    source: str | None = None,
    headers: dict[str, str] | None = None,
    where: Any = None,
) -> list[int]:
    """The sequences that should come, in the plainest words."""
    found = []
    for number, one in enumerate(waves, 1):
        if not Channel(pattern).covers(one.channel):
            continue
        if (since is not None and one.time < since) or (until is not None and one.time >= until):
            continue
        if (after is not None and number <= after) or (before is not None and number >= before):
            continue
        if amplitude is not None and one.amplitude < amplitude:
            continue
        if source is not None and one.source != source:
            continue
        if any(one.headers.get(name) != text for name, text in (headers or {}).items()):
            continue
        if where is not None and number % 3 == 0:
            continue
        found.append(number)
    return found if limit is None else found[:limit]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.lists(FIELDS, max_size=20), every=st.sampled_from([None, 1, 3]), asked=FILTER)
def test_what_comes_is_what_an_oracle_says(
    tmp_path_factory: pytest.TempPathFactory,
    fields: list[dict[str, Any]],
    every: int | None,
    asked: dict[str, Any],
) -> None:
    folder = tmp_path_factory.mktemp("oracle")
    waves = [wave(**one) for one in fields]
    write(folder, waves, every=every)
    expected = wanted(waves, **asked)
    replay = Journal(folder).replay(**asked)
    assert sequences(replay) == expected
    columns = Journal(folder).replay(**asked).to_columns()
    assert columns.sequence.tolist() == expected
    chosen = [waves[number - 1] for number in expected]
    assert columns.timestamp.tolist() == [one.time for one in chosen]
    assert columns.amplitude.tolist() == [one.amplitude for one in chosen]
    assert [columns.channels[number] for number in columns.channel] == [
        one.channel for one in chosen
    ]
    assert len(set(columns.channels)) == len(columns.channels)
    assert replay.gaps == []
    assert replay.damage == []


# -- Moments -----------------------------------------------------------------------------------


@pytest.fixture
def by_the_hour(folder: Path) -> Journal:
    write(folder, [wave("a", time=3600.0 * hour) for hour in range(1, 6)])
    return Journal(folder)


def test_moments_with_a_time_zone(by_the_hour: Journal) -> None:
    since = datetime(1970, 1, 1, 2, tzinfo=UTC)
    until = datetime.fromisoformat("1970-01-01T05:00:00+01:00")
    assert sequences(by_the_hour.replay(since=since, until=until)) == [2, 3]


def test_so_long_ago(by_the_hour: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 5.5 * 3600.0)
    ago = timedelta(hours=2)
    assert sequences(by_the_hour.replay(since=ago)) == [4, 5]
    assert sequences(by_the_hour.replay(until=ago)) == [1, 2, 3]


# -- Wrong arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"pattern": "a..b"}, ChannelError, "a..b"),
        ({"pattern": 3}, TypeError, "a channel must be a str, not int"),
        ({"since": "yesterday"}, TypeError, r"since must be Unix seconds, a datetime .* not str"),
        ({"until": True}, TypeError, "until must be Unix seconds"),
        ({"since": float("nan")}, ValueError, "since must be a number of Unix seconds, not nan"),
        ({"since": datetime(2026, 1, 1)}, ValueError, "with a time zone"),  # noqa: DTZ001 - naive on purpose
        ({"after": -1}, ValueError, "after must be 0 or more, not -1"),
        ({"before": 1.5}, TypeError, "before must be an int, not float"),
        ({"after": True}, TypeError, "after must be an int, not bool"),
        ({"reverse": 1}, TypeError, "reverse must be True or False, not int"),
        ({"limit": -1}, ValueError, "limit must be 0 or more, not -1"),
        ({"where": 3}, TypeError, "where must be a function of a wave, not int"),
        ({"amplitude": 1.5}, ValueError, r"amplitude must be a number in 0..1, not 1.5"),
        ({"amplitude": float("nan")}, ValueError, r"amplitude must be a number in 0..1, not nan"),
        ({"amplitude": "loud"}, TypeError, "amplitude must be a number, not str"),
        ({"source": 3}, TypeError, "source must be a str, not int"),
        ({"headers": ["a"]}, TypeError, "headers must be a mapping of str to str, not list"),
        ({"headers": {"a": 1}}, TypeError, r"headers\['a'\] must be a str to a str, not int"),
    ],
)
def test_a_wrong_argument_is_told_at_the_call(
    folder: Path, asked: dict[str, Any], error: type[Exception], words: str
) -> None:
    write(folder, [wave()])
    with pytest.raises(error, match=words):
        Journal(folder).replay(**asked)


def test_an_async_predicate_is_refused(folder: Path) -> None:
    async def where(_: Wave) -> bool:
        return True

    with pytest.raises(TypeError, match="where must be a plain function, not an async one"):
        Journal(folder).replay(where=where)


def test_sequences_beyond_all(folder: Path) -> None:
    write(folder, [wave()])
    assert sequences(Journal(folder).replay(after=2**100)) == []
    assert sequences(Journal(folder).replay(before=2**100, limit=2**100)) == [1]


@pytest.mark.parametrize("path", [3, None, b"bytes"])
def test_a_path_that_is_none(path: Any) -> None:
    with pytest.raises(TypeError, match="path must be"):
        Journal(path)


def test_to_read_makes_no_folder(folder: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no journal, since that is no folder"):
        Journal(folder).replay()
    assert not folder.exists()
    folder.write_bytes(b"")
    with pytest.raises(JournalError, match="no folder"):
        Journal(folder).replay()


def test_an_empty_folder_has_no_waves(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("none of the journal's")
    assert sequences(Journal(folder).replay()) == []
    assert Journal(folder).replay().to_columns().sequence.tolist() == []
    assert [*folder.iterdir()] == [folder / "notes.txt"]


# -- Going on ----------------------------------------------------------------------------------


def test_a_replay_goes_on_where_it_was_left(folder: Path) -> None:
    write(folder, [wave() for _ in range(6)])
    replay = Journal(folder).replay()
    for one in replay:
        if one.sequence == 2:
            break
    assert next(replay).sequence == 3
    assert sequences(replay) == [4, 5, 6]
    assert sequences(replay) == []
    with pytest.raises(StopIteration):
        next(replay)


def test_next_ends_where_a_loop_does(folder: Path) -> None:
    write(folder, [wave() for _ in range(1100)])
    replay = Journal(folder).replay(where=lambda one: one.sequence % 500 == 0)
    assert [next(replay).sequence, next(replay).sequence] == [500, 1000]
    for _ in range(2):
        assert next(replay, None) is None


def test_columns_begin_at_the_first_wave(folder: Path) -> None:
    write(folder, [wave() for _ in range(3)])
    replay = Journal(folder).replay(limit=2)
    assert next(replay).sequence == 1
    assert replay.to_columns().sequence.tolist() == [1, 2]
    assert sequences(replay) == [2]


def test_a_limit_counts_what_the_predicate_takes(folder: Path) -> None:
    write(folder, [wave("a", number) for number in range(2000)])
    asked: list[int] = []

    def where(one: Wave) -> bool:
        asked.append(one.payload)
        return one.payload % 700 == 0

    assert sequences(Journal(folder).replay(where=where, limit=2)) == [1, 701]
    assert asked == list(range(701))


def test_nothing_is_read_behind_the_last_wave_that_is_wanted(folder: Path) -> None:
    write(folder, [wave(), Written(payload=b"?", codec=99)])
    assert sequences(Journal(folder).replay(limit=1)) == [1]
    assert sequences(Journal(folder).replay(where=bool, limit=1)) == [1]


def test_an_error_of_the_predicate_passes_over_its_wave(folder: Path) -> None:
    write(folder, [wave("a", number) for number in (1, 0, 2)])
    replay = Journal(folder).replay(where=lambda one: 1 / one.payload)
    assert next(replay).sequence == 1
    with pytest.raises(ZeroDivisionError):
        next(replay)
    assert sequences(replay) == [3]


def test_a_payload_that_cannot_be_read_is_told_in_its_place(folder: Path) -> None:
    odd = Written(channel="odd.one", payload=b"???", codec=99)
    write(folder, [wave(), odd, odd, wave()])
    replay = Journal(folder).replay()
    assert next(replay).sequence == 1
    for number in (2, 3):
        with pytest.raises(
            PayloadError, match=f'wave {number} on "odd.one": there is no codec for the tag 99'
        ):
            next(replay)
    assert sequences(replay) == [4]
    assert Journal(folder).replay().to_columns().sequence.tolist() == [1, 2, 3, 4]


def test_what_interrupts_the_decoding_loses_no_wave(folder: Path) -> None:
    class Interrupted:
        name, tag, left = "interrupted", 20, 1

        def encode(self, payload: Any) -> bytes:
            raise NotImplementedError

        def decode(self, data: bytes) -> Any:
            if data == b"2" and self.left:
                self.left -= 1
                raise KeyboardInterrupt
            return data

    write(folder, [Written(payload=data, codec=20) for data in (b"1", b"2", b"3")])
    replay = Journal(folder, also=[Interrupted()]).replay()
    with pytest.raises(KeyboardInterrupt):
        next(replay)
    assert [one.payload for one in replay] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"channel": "a..b"}, "token 2 is empty"),
        ({"channel": "a.*"}, "wildcard"),
        ({"channel": ""}, "empty"),
        ({"amplitude": 1.5}, "its amplitude is 1.5"),
        ({"amplitude": float("nan")}, "its amplitude is NaN"),
        ({"priority": -0.5}, "its priority is -0.5"),
        ({"time": float("inf")}, "its timestamp is inf"),
        ({"phase": float("nan")}, "its phase is NaN"),
        ({"frequency": -1.0}, "its frequency is -1"),
        ({"ttl": -1.0}, "its ttl is -1"),
    ],
)
def test_a_sound_record_that_is_no_wave_is_told_and_passed_over(
    folder: Path, fields: dict[str, Any], words: str
) -> None:
    write(folder, [wave(), wave(**{"channel": "a", **fields}), wave()])
    replay = Journal(folder).replay()
    assert next(replay).sequence == 1
    with pytest.raises(JournalError, match=words) as told:
        next(replay)
    assert str(told.value).startswith("wave 2 on ")
    assert sequences(replay) == [3]


def test_what_comes_meanwhile_is_read_too(folder: Path) -> None:
    segment = Segment()
    for _ in range(1000):
        segment.wave(wave("a", bytes(2000)))
    segment.save(folder)
    replay = Journal(folder).replay()
    assert next(replay).sequence == 1
    segment.wave(wave())
    segment.save(folder)
    assert sequences(replay) == list(range(2, 1002))


def test_threads_share_a_replay(folder: Path) -> None:
    write(folder, [wave() for _ in range(3000)])
    replay = Journal(folder).replay()
    seen: list[int | None] = []
    threads = [threading.Thread(target=lambda: seen.extend(sequences(replay))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number or 0 for number in seen) == list(range(1, 3001))


def test_few_waves_are_held_at_once(folder: Path) -> None:
    class Counting:
        name, tag, read = "counting", 20, 0

        def encode(self, payload: Any) -> bytes:
            raise NotImplementedError

        def decode(self, data: bytes) -> Any:
            self.read += 1
            return len(data)

    codec = Counting()
    write(folder, [Written(payload=bytes(100_000), codec=20) for _ in range(40)])
    replay = Journal(folder, also=[codec]).replay()
    assert next(replay).payload == 100_000
    assert codec.read == 11  # one MiB
    assert len(sequences(replay)) == 39


def test_a_replay_in_a_cycle_is_collected(folder: Path) -> None:
    class Holding:
        name, tag, replay = "holding", 20, None

        def encode(self, payload: Any) -> bytes:
            raise NotImplementedError

        def decode(self, data: bytes) -> Any:
            return data

    write(folder, [Written(payload=b"x", codec=20)] * 3)
    codec = Holding()
    codec.replay = Journal(folder, also=[codec]).replay()  # type: ignore[assignment]
    next(codec.replay)  # type: ignore[call-overload]
    gone = weakref.ref(codec)
    del codec
    gc.collect()
    assert gone() is None


def test_payloads_go_with_their_waves(folder: Path) -> None:
    class Thing:
        name, tag = "thing", 20

        def encode(self, payload: Any) -> bytes:
            raise NotImplementedError

        def decode(self, data: bytes) -> Any:
            return Thing()

    write(folder, [Written(payload=b"x", codec=20)] * 3)
    replay = Journal(folder, also=[Thing()]).replay()
    refs = [weakref.ref(one.payload) for one in replay]
    assert [ref() for ref in refs] == [None] * 3


def test_what_a_replay_is_called(folder: Path) -> None:
    write(folder, [wave()])
    replay = Journal(folder).replay("orders.*", after=3, limit=0)
    assert repr(replay) == f"<Replay of {str(folder)!r}, 'orders.*', after=3, limit=0>"
    assert repr(Journal(folder)) == f"<Journal {str(folder)!r}>"
    assert Journal(str(folder)).path == folder
