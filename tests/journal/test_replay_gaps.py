"""Replay of what is damaged: gaps, damage and torn tails; and waves as columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.journal.test_replay import sequences, wave
from tests.journal.writing import Segment, write

from aether import Channel, JournalError
from aether.journal import Damage, Gap, Journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


# -- What is missing ---------------------------------------------------------------------------


def broken(folder: Path, segment: Segment, sequence: int) -> None:
    """Turns one bit in the head of a record."""
    path = folder / segment.name
    data = bytearray(path.read_bytes())
    data[segment.places[sequence].start] ^= 1
    path.write_bytes(data)


def test_a_gap_and_its_damage_are_told_and_logged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = write(folder, [wave() for _ in range(8)], every=4)
    broken(folder, first, 3)
    broken(folder, second, 6)
    broken(folder, second, 7)
    replay = Journal(folder).replay()
    assert sequences(replay) == [1, 2, 4, 5, 8]
    assert replay.gaps == [Gap(3, 3), Gap(6, 7)]
    places = (second.places[6].start, second.places[7].stop)
    assert replay.damage == [
        Damage(first.name, first.places[3].start, first.places[3].stop, "no record"),
        Damage(second.name, *places, "no record"),
    ]
    assert replay.torn_tail is None
    (line,) = caplog.messages
    assert line.startswith(f"{folder}: waves are missing, 3 in 2 gaps from sequence 3 to 7")


def test_gaps_are_known_as_far_as_was_read(folder: Path) -> None:
    (segment,) = write(folder, [wave("a", bytes(1 << 20)) for _ in range(4)])
    broken(folder, segment, 3)
    replay = Journal(folder).replay()
    assert (next(replay).sequence, replay.gaps) == (1, [])
    assert sequences(replay) == [2, 4]
    assert replay.gaps == [Gap(3, 3)]


@pytest.mark.parametrize(
    ("after", "before", "gaps"),
    [(3, 6, [Gap(4, 5)]), (0, 4, [Gap(3, 3)]), (5, None, []), (0, 3, [])],
)
def test_gaps_end_where_the_bounds_do(
    folder: Path, after: int, before: int | None, gaps: list[Gap]
) -> None:
    (segment,) = write(folder, [wave() for _ in range(8)])
    for number in (3, 4, 5):
        broken(folder, segment, number)
    replay = Journal(folder).replay(after=after, before=before)
    list(replay)
    assert replay.gaps == gaps
    columns = Journal(folder).replay(after=after, before=before)
    columns.to_columns()
    assert columns.gaps == gaps


def test_what_was_taken_out_is_no_gap(folder: Path) -> None:
    segment = Segment()
    segment.wave(wave())
    segment.removed(2, 4)
    segment.wave(wave(), sequence=5)
    segment.seal()
    segment.save(folder)
    replay = Journal(folder).replay()
    assert sequences(replay) == [1, 5]
    assert replay.gaps == []


def test_a_torn_tail_is_no_damage(folder: Path) -> None:
    (segment,) = write(folder, [wave() for _ in range(3)])
    path = folder / segment.name
    size = segment.places[3].stop - 5
    path.write_bytes(path.read_bytes()[:size])
    replay = Journal(folder).replay()
    assert sequences(replay) == [1, 2]
    assert (replay.gaps, replay.damage) == ([], [])
    assert replay.torn_tail == Damage(
        segment.name, segment.places[3].start, size, "a write that was cut off"
    )


def test_a_segment_whose_head_is_lost(folder: Path) -> None:
    _, second, _ = write(folder, [wave() for _ in range(6)], every=2)
    path = folder / second.name
    path.write_bytes(bytes(128) + path.read_bytes()[128:])
    replay = Journal(folder).replay()
    assert sequences(replay) == [1, 2, 5, 6]
    assert replay.gaps == [Gap(3, 4)]
    assert replay.damage == [Damage(second.name, 0, 128, "neither copy of its head is sound")]


def test_a_newer_format_is_an_error_and_no_damage(folder: Path) -> None:
    newer = Segment(version=2)
    newer.wave(wave())
    newer.save(folder)
    words = "its format is of version 2, and this library reads version 1; read it with a newer one"
    with pytest.raises(JournalError, match=words):
        next(Journal(folder).replay())
    with pytest.raises(JournalError, match=words):
        Journal(folder).replay().to_columns()


# -- Columns -----------------------------------------------------------------------------------


def test_the_columns_are_arrays_of_their_types(folder: Path) -> None:
    write(
        folder, [wave("b", priority=0.25, phase=1.0, frequency=2.0), wave("a"), wave("b", time=9.0)]
    )
    columns = Journal(folder).replay().to_columns()
    kinds = {name: str(getattr(columns, name).dtype) for name in columns._fields[:-1]}
    assert kinds == {
        "timestamp": "float64",
        "amplitude": "float64",
        "priority": "float64",
        "phase": "float64",
        "frequency": "float64",
        "channel": "uint32",
        "sequence": "uint64",
    }
    assert columns.channels == ("b", "a")
    assert type(columns.channels[0]) is Channel
    assert columns.channel.tolist() == [0, 1, 0]
    assert columns.priority.tolist() == [0.25, 1.0, 1.0]
    assert columns.phase.tolist() == [1.0, 0.0, 0.0]
    assert columns.frequency.tolist() == [2.0, 1.0, 1.0]
    assert columns.timestamp.tolist() == [0.0, 0.0, 9.0]


def test_columns_with_a_predicate_are_the_same(folder: Path) -> None:
    write(
        folder, [wave("b", priority=0.25, phase=1.0, frequency=2.0), wave("a"), wave("b", time=9.0)]
    )
    plain = Journal(folder).replay().to_columns()
    chosen = Journal(folder).replay(where=lambda _: True).to_columns()
    for name in plain._fields[:-1]:
        one, other = getattr(plain, name), getattr(chosen, name)
        assert (one.dtype, one.tolist()) == (other.dtype, other.tolist())
    assert plain.channels == chosen.channels


def test_a_table_of_arrow(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    write(folder, [wave("b"), wave("a"), wave("b")])
    table = Journal(folder).replay().to_arrow()
    assert table.column_names == list(Journal(folder).replay().to_columns()._fields[:-1])
    assert table["channel"].to_pylist() == ["b", "a", "b"]
    assert table["sequence"].to_pylist() == [1, 2, 3]


def test_without_pyarrow_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, [wave()])
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'aether-medium\[arrow\]'"):
        Journal(folder).replay().to_arrow()
