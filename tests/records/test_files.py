"""Records in files: whole lines, whatever happens meanwhile."""

from __future__ import annotations

import errno
import gzip
import json
from pathlib import Path

import pytest

from aether import Aether, ManualClock, Wave
from aether.records.files import RecordFile, load
from aether.records.lines import line_of
from aether.testing import record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def written(path: Path, *payloads: object) -> bytes:
    """A record with these payloads, and one wave that is missing."""
    with RecordFile(path, "a.*", 100.0, program="shop.py") as file:
        file.write(line_of(Wave("a.b", payload)) for payload in payloads)
        file.miss(3)
        file.end(160.0)
        assert (file.waves, file.missed) == (len(payloads), 3)
    return path.read_bytes()


def test_what_is_written_is_read(path: Path) -> None:
    lines = [json.loads(line) for line in written(path, 1, 2).splitlines()]
    assert [line.get("record") for line in lines] == ["begin", None, None, "missed", "end"]
    assert lines[0] | {"aether": ""} == {
        "record": "begin",
        "version": 1,
        "aether": "",
        "program": "shop.py",
        "pattern": "a.*",
        "ts": 100.0,
    }
    assert lines[-1] == {"record": "end", "ts": 160.0, "waves": 2, "missed": 3}
    read = load(path)
    assert [one.payload for one in read] == [1, 2]
    assert (len(read), read.pattern, read.missed, read.complete, read.end) == (
        2,
        "a.*",
        3,
        True,
        160.0,
    )
    assert repr(read) == "<Record of 'a.*': 2 waves>"


def test_wherever_it_is_cut_off_all_full_lines_are_sound(path: Path) -> None:
    whole = written(path, *range(5))
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        read = load(path)
        # A line is whole also where only its end is missing.
        lines = whole[:cut].split(b"\n")
        full = sum(b'"sequence"' in line and line.endswith(b'"codec":1}') for line in lines)
        assert [one.payload for one in read] == list(range(full))
        assert read.complete == (cut == 0 or cut == len(whole) - 1), "else it has no end"


def test_a_bad_line_within_is_named(path: Path) -> None:
    whole = written(path, 1)
    path.write_bytes(whole.replace(b'"a.b"', b"7"))
    with pytest.raises(ValueError, match=r"run.jsonl: line 2 is no wave: .*channel"):
        load(path)


def test_a_later_version_is_refused(path: Path) -> None:
    path.write_bytes(written(path).replace(b'"version":1', b'"version":2'))
    with pytest.raises(ValueError, match="is a record of version 2, and this library reads up to"):
        load(path)


def test_event_files_are_read_too_and_packed_ones(path: Path) -> None:
    line = b'{"ts": 1, "channel": "a", "payload": {"record": "of the year"}, "record": "x"}\n'
    path.write_bytes(b"\n" + line)
    assert [one.payload for one in load(path)] == [{"record": "of the year"}]
    assert load(path).complete
    packed = gzip.compress(line * 1_000)
    path.write_bytes(packed)
    assert len(load(path)) == 1_000
    path.write_bytes(packed[:-9])
    assert len(load(path)) == 1_000
    assert not load(path).complete
    path.write_bytes(packed[:20] + b"\xff\xff" + packed[22:])
    with pytest.raises((ValueError, OSError)):
        load(path)


def test_an_event_file_that_is_cut_off_is_not_complete(path: Path) -> None:
    path.write_bytes(b'{"ts": 1, "channel": "a", "payload": 1}\n{"ts": 2, "chan')
    read = load(path)
    assert (len(read), read.complete) == (1, False)


def test_a_file_of_one_line_that_is_no_wave_is_no_record(path: Path) -> None:
    path.write_bytes(b'[{"ts": 1, "channel": "a", "payload": 1}]')
    with pytest.raises(ValueError, match="line 1 is no wave"):
        load(path)


def test_nobody_has_missed_less_than_nothing(path: Path) -> None:
    path.write_bytes(written(path).replace(b'"count":3', b'"count":-3'))
    with pytest.raises(ValueError, match="line 2 is no wave"):
        load(path)


def test_a_file_that_is_there_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        RecordFile(path, "*", 0.0)
    assert path.read_text() == "mine"
    RecordFile(path, "*", 0.0, replace=True).close()
    assert load(path).complete is False


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match=r".") as raised:
        RecordFile("/dev/full", "*", 0.0, replace=True)
    assert raised.value.errno == errno.ENOSPC


def test_a_recording_saves_what_it_has(path: Path) -> None:
    clock = ManualClock(start=50.0)
    medium = Aether(clock=clock)
    with record(medium, "a.*") as seen:
        medium.emit_nowait("a.b", {"id": 1})
        medium.emit_nowait("b", 2)
        clock.advance(5.0)
        seen.save(path)
        with pytest.raises(FileExistsError):
            seen.save(path)
        medium.emit_nowait("a.c", 3)
        seen.save(path, replace=True)
    read = load(path)
    assert [(one.channel, one.payload, one.ts) for one in read] == [
        ("a.b", {"id": 1}, 50.0),
        ("a.c", 3, 55.0),
    ]
    assert (read.pattern, read.end, read.complete) == ("a.*", 55.0, True)
