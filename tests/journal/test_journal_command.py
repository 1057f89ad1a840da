"""`aether journal`: what it prints, what it exits with, and that it changes nothing."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.test_command import AETHER, Result, aether, failure
from tests.journal.writing import Segment, Written, write

from aether.cli.journal.info import size
from aether.journal import Codecs

CODECS = Codecs()
SECOND = 1_700_000_000.0


def wave(channel: str = "orders.created", payload: Any = None, **fields: Any) -> Written:
    codec, data = CODECS.encode(payload)
    return Written(channel=channel, payload=data, codec=codec, **fields)


def command(name: str, *arguments: str | Path) -> Result:
    return aether("journal", name, *arguments)


def flip(folder: Path, segment: Segment, byte: int) -> None:
    path = folder / segment.name
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def segments(folder: Path) -> list[Segment]:
    """Nine waves in three segments."""
    waves = [
        wave(
            "orders.created" if number % 3 else "users.added",
            {"n": number},
            time=SECOND + number,
            amplitude=number / 10,
            source="shop" if number % 2 else None,
            headers={"trace": str(number % 4)},
        )
        for number in range(1, 10)
    ]
    return write(folder, waves, every=3)


# -- info --------------------------------------------------------------------------------------


def test_info_says_what_there_is(folder: Path, segments: list[Segment]) -> None:
    segments[2].acknowledged("billing")
    segments[2].save(folder)
    done = command("info", folder)
    assert (done.status, done.err) == (0, "")
    rows = done.rows()
    for segment in segments:
        size = len(segment.data)
        shown = [str(size), "B"] if size < 1024 else [f"{size / 1024:.1f}", "KiB"]
        assert [segment.name, str(segment.base), *shown] in rows
    assert "9 waves, 3 segments" in done.out
    assert "first: sequence 1, made 2023-11-14T22:13:21.000Z" in done.out
    assert "last: sequence 9, made 2023-11-14T22:13:29.000Z" in done.out
    assert ["billing", "9"] in rows


def test_info_of_damage_points_to_verify(folder: Path, segments: list[Segment]) -> None:
    flip(folder, segments[1], segments[1].places[5].start)
    done = command("info", folder)
    assert done.status == 0
    assert "8 waves, 3 segments" in done.out
    assert done.err.splitlines() == [
        "1 wave missing in 1 gap, from sequence 5 to 5",
        "damaged in 1 place",
        "'aether journal verify' names each of them",
    ]


def test_info_of_many_segments_shows_the_last(folder: Path) -> None:
    segments = write(folder, [wave() for _ in range(23)], every=1)
    done = command("info", folder)
    shown = [row[0] for row in done.rows() if row[0].endswith(".segment")]
    assert shown == [segment.name for segment in segments[-20:]]
    assert "and 3 before them" in done.out
    assert "23 waves, 23 segments" in done.out


def test_info_of_a_torn_tail(folder: Path, segments: list[Segment]) -> None:
    path = folder / segments[2].name
    path.write_bytes(path.read_bytes()[:-3])
    done = command("info", folder)
    torn = len(segments[2].places[9]) - 3
    assert f"a write of {torn} bytes is under way or was cut off in {path.name}" in done.out
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 52, "4096.0 TiB"),
    ],
)
def test_sizes_in_the_unit_that_reads_best(count: int, shown: str) -> None:
    assert size(count) == shown


# -- verify ------------------------------------------------------------------------------------


def test_a_sound_journal(folder: Path, segments: list[Segment]) -> None:
    done = command("verify", folder)
    assert (done.status, done.out, done.err) == (0, "9 waves in 3 segments sound\n", "")


def test_each_damaged_range_is_named(folder: Path, segments: list[Segment]) -> None:
    first, second, _ = segments
    flip(folder, first, first.places[2].start)
    flip(folder, second, second.places[5].start + 60)
    flip(folder, second, second.places[6].start)
    done = command("verify", folder)
    assert done.status == 1
    rows = done.rows()
    two, five, six = first.places[2], second.places[5], second.places[6]
    assert [first.name, str(two.start), str(two.stop), str(len(two)), "no", "record"] in rows
    both = [str(five.start), str(six.stop), str(six.stop - five.start)]
    assert [second.name, *both, "no", "record"] in rows
    assert ["2", "2", "1"] in rows
    assert ["5", "6", "2"] in rows
    assert (
        done.out.splitlines()[-1]
        == "6 waves in 3 segments sound; 2 damaged ranges, 3 waves missing"
    )


def test_every_byte_of_a_journal_is_looked_at(tmp_path: Path) -> None:
    (segment,) = write(tmp_path / "journal", [wave(), wave()])
    segment.seal()
    segment.save(tmp_path / "journal")
    whole = bytes(segment.data)
    path = tmp_path / "journal" / segment.name
    for byte in range(128, len(whole), 5):
        path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 0x10]) + whole[byte + 1 :])
        done = command("verify", tmp_path / "journal")
        assert "no record" in done.out or "cut off" in done.out, byte


def test_a_head_that_cannot_be_used(folder: Path, segments: list[Segment]) -> None:
    path = folder / segments[1].name
    path.write_bytes(bytes(128) + path.read_bytes()[128:])
    done = command("verify", folder)
    assert done.status == 1
    assert "neither copy of its head is sound" in done.out
    assert ["4", "6", "3"] in done.rows()


def test_a_torn_tail_is_told_and_is_no_damage(folder: Path, segments: list[Segment]) -> None:
    path = folder / segments[2].name
    path.write_bytes(path.read_bytes()[:-3])
    done = command("verify", folder)
    assert done.status == 0
    start, end = segments[2].places[9].start, segments[2].places[9].stop - 3
    assert (
        f"{segments[2].name}: bytes {start:,} to {end:,} are a write that was cut off" in done.out
    )


def test_a_newer_format(tmp_path: Path) -> None:
    newer = Segment(version=2)
    newer.wave(wave())
    newer.save(tmp_path / "newer")
    assert "its format is of version 2" in command("verify", tmp_path / "newer").out
    for name in ("info", "replay", "export"):
        assert "its format is of version 2" in failure(command(name, tmp_path / "newer"))


def test_a_wave_that_is_there_twice(tmp_path: Path) -> None:
    segment = Segment()
    for sequence in (1, 2, 2, 3):
        segment.wave(wave(), sequence=sequence)
    segment.save(tmp_path / "journal")
    done = command("verify", tmp_path / "journal")
    assert done.status == 1
    assert (
        done.out
        == "3 waves in 1 segment sound; 1 wave there a second time or out of order, and passed over\n"
    )


def test_a_segment_of_another_journal(folder: Path, segments: list[Segment]) -> None:
    other = Segment(100, journal=8, identity=b"f" * 16)
    other.wave(wave())
    other.save(folder)
    done = command("verify", folder)
    assert done.status == 1
    assert [other.name, "0", str(len(other.data)), str(len(other.data))] == done.rows()[2][:4]
    assert "belongs to another journal" in done.out


# -- repair ------------------------------------------------------------------------------------


def test_a_sound_copy_has_what_can_be_read(
    folder: Path, segments: list[Segment], tmp_path: Path
) -> None:
    flip(folder, segments[1], segments[1].places[5].start)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    copy = tmp_path / "copy"
    done = command("repair", folder, copy)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[-2:] == [
        "8 waves in 3 segments sound; 1 damaged range, 1 wave missing",
        f"{copy}: 8 waves",
    ]
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    shown = command("export", copy)
    assert shown.out == command("export", folder).out
    assert shown.err.splitlines()[0] == "1 wave missing in 1 gap, from sequence 5 to 5"
    assert "no record" not in command("verify", copy).out


def test_a_head_that_is_left_in_part_is_made_anew(
    folder: Path, segments: list[Segment], tmp_path: Path
) -> None:
    flip(folder, segments[1], 0)
    flip(folder, segments[1], 64)
    done = command("repair", folder, tmp_path / "copy")
    assert f"{segments[1].name}: its head was made anew from what was left of it" in done.out
    assert command("verify", tmp_path / "copy").out == "9 waves in 3 segments sound\n"


def test_a_copy_goes_into_an_empty_folder(
    folder: Path, segments: list[Segment], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert command("repair", folder, tmp_path / "empty").status == 0
    before = sorted(folder.iterdir())
    assert "name a new or empty folder" in failure(command("repair", folder, folder))
    assert sorted(folder.iterdir()) == before
    copied = sorted((tmp_path / "empty").iterdir())
    assert "name a new or empty folder" in failure(command("repair", folder, copied[0]))
    assert "name a new or empty folder" in failure(command("repair", folder, tmp_path / "empty"))
    assert sorted((tmp_path / "empty").iterdir()) == copied
    assert "cannot open" in failure(command("repair", folder, "/proc/none/copy"))
    assert "there is no journal" in failure(command("repair", tmp_path / "none", tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


def test_a_newer_format_is_not_copied(tmp_path: Path) -> None:
    newer = Segment(version=2)
    newer.wave(wave())
    newer.save(tmp_path / "newer")
    assert "its format is of version 2" in failure(
        command("repair", tmp_path / "newer", tmp_path / "copy")
    )
    assert not (tmp_path / "copy").exists()


# -- replay ------------------------------------------------------------------------------------


def test_replay_prints_a_line_for_each_wave(folder: Path, segments: list[Segment]) -> None:
    done = command("replay", folder, "--limit", "2", "--after", "2")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "       3  2023-11-14T22:13:23.000Z  0.30  users.added  {'n': 3}",
        "       4  2023-11-14T22:13:24.000Z  0.40  orders.created  {'n': 4}",
    ]


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (None, ""),
        (b"a\nb", r"b'a\nb'"),
        ("text\nof\x1b lines", r"'text\nof\x1b lines'"),
        (np.arange(2, dtype="u1"), "array([0, 1], dtype=uint8)"),
        (float("nan"), "nan"),
        ("x" * 500, "'" + "x" * 196 + "..."),
    ],
)
def test_a_payload_is_shown_in_one_line(folder: Path, payload: Any, shown: str) -> None:
    write(folder, [wave("a", payload)])
    done = command("replay", folder)
    assert done.out == f"       1  1970-01-01T00:00:00.000Z  1.00  a  {shown}".rstrip() + "\n"


def test_a_moment_beyond_the_calendar_is_in_unix_seconds(folder: Path) -> None:
    write(folder, [wave("a", time=1e15)])
    assert command("replay", folder).out == "       1  1000000000000000.000  1.00  a\n"
    assert "made 1000000000000000.000" in command("info", folder).out


def test_a_payload_that_nobody_here_can_read(folder: Path) -> None:
    write(
        folder,
        [
            Written(payload=b"???", codec=99),
            Written(payload=b"\xc1", codec=1),
            Written(payload=b".", codec=4),
        ],
    )
    done = command("replay", folder)
    shown = [line.partition("  a  ")[2] for line in done.out.splitlines()]
    assert shown == ["<3 bytes of codec 99>", "<1 byte of codec 1>", "<1 byte of codec 4>"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-p", "users.*"], [3, 6, 9]),
        (["--after", "3", "--before", "6"], [4, 5]),
        (["-n", "0"], []),
        (["--source", "shop", "--amplitude", "0.6"], [7, 9]),
        (["--header", "trace=1"], [1, 5, 9]),
        (["--since", "2023-11-14T22:13:27"], [7, 8, 9]),
        (["--since", "2023-11-14T23:13:27+01:00", "--until", str(SECOND + 9)], [7, 8]),
        (["--since", "1h"], []),
        (["--until", "1.5d"], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
@pytest.mark.parametrize("name", ["replay", "export"])
def test_filters(
    folder: Path, segments: list[Segment], options: list[str], expected: list[int], name: str
) -> None:
    done = command(name, folder, *options, *(["--json"] if name == "replay" else []))
    assert (done.status, done.err) == (0, "")
    assert [json.loads(line)["sequence"] for line in done.out.splitlines()] == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", "yesterday"], "--since: 'yesterday' is no time; write 2026-01-31T12:00"),
        (["--until", "nan"], "--until must be a number of Unix seconds, not nan"),
        (["--since", "99999999999w"], "is longer ago than there is time"),
        (["--header", "trace"], "--header: 'trace' has no '='; write NAME=TEXT"),
        (["--amplitude", "7"], "--amplitude must be a number in 0..1, not 7.0"),
        (["-p", "a..b"], "--pattern: channel 'a..b': token 2 is empty"),
    ],
)
def test_an_option_that_makes_no_sense(
    folder: Path, segments: list[Segment], options: list[str], words: str
) -> None:
    for name in ("replay", "export"):
        assert words in failure(command(name, folder, *options), 2)


def test_what_is_missing_is_told_after_the_waves(folder: Path, segments: list[Segment]) -> None:
    flip(folder, segments[1], segments[1].places[5].start)
    for arguments in (["replay"], ["replay", "--json"], ["export"]):
        done = command(arguments[0], folder, *arguments[1:])
        assert done.status == 1
        assert len(done.out.splitlines()) == 8
        assert done.err.splitlines()[0] == "1 wave missing in 1 gap, from sequence 5 to 5"


# -- export ------------------------------------------------------------------------------------


def exported(folder: Path) -> list[dict[str, Any]]:
    done = command("export", folder)
    assert (done.status, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_line_has_all_fields(folder: Path) -> None:
    fields: dict[str, Any] = {
        "time": 5.5,
        "amplitude": 0.5,
        "priority": 0.75,
        "phase": 1.25,
        "frequency": 3.0,
        "ttl": 60.0,
        "hops": 4,
        "source": "shop",
        "id": "feedbeef-2a",
        "headers": {"größe": "数"},
        "undoes": ("feedbeef-29", 4.5, 0.25, -1.0),
    }
    write(folder, [wave("a.b", {"id": 7}, **fields), wave("a")])
    first, second = exported(folder)
    assert first == {
        "sequence": 1,
        "ts": 5.5,
        "channel": "a.b",
        "payload": {"id": 7},
        "amplitude": 0.5,
        "priority": 0.75,
        "phase": 1.25,
        "frequency": 3.0,
        "ttl": 60.0,
        "propagation_count": 4,
        "source": "shop",
        "id": "feedbeef-2a",
        "headers": {"größe": "数"},
        "compensates": {"id": "feedbeef-29", "ts": 4.5, "amplitude": 0.25, "phase": -1.0},
        "codec": 1,
    }
    assert second["compensates"] is None
    assert (second["ttl"], second["source"], second["payload"], second["codec"]) == (
        None,
        None,
        None,
        5,
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"raw",
        np.arange(3),
        float("nan"),
        {1: 2},
        {"b": b"x"},
        [1.0, {"a": [float("inf")]}],
        {(1, 2): 3},
    ],
)
def test_what_json_cannot_carry_is_there_as_it_was_written(folder: Path, payload: Any) -> None:
    codec, data = CODECS.encode(payload)
    write(folder, [wave("a", payload)])
    (line,) = exported(folder)
    assert (line["codec"], b64decode(line["encoded"])) == (codec, data)


@pytest.mark.parametrize(
    "payload", [None, {"a": [1, 1.5, True, None, "ü"]}, "", [], 0, -0.5, 2**63, 1e300]
)
@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_what_json_can_carry_stands_there_alone(folder: Path, payload: Any, codec: str) -> None:
    tag, data = Codecs(codec).encode(payload)
    write(folder, [Written(payload=data, codec=tag)])
    (line,) = exported(folder)
    assert (line["payload"], line["codec"], "encoded" in line) == (payload, tag, False)


@pytest.mark.parametrize("data", [b"{", b"\xff", b'"a"\n"b"', b"["])
def test_json_that_is_none_does_not_break_the_lines(folder: Path, data: bytes) -> None:
    write(folder, [Written(payload=data, codec=2)])
    (line,) = exported(folder)
    assert (line["payload"], b64decode(line["encoded"])) == (None, data)


@pytest.mark.parametrize("name", ["waves.jsonl", "waves.jsonl.gz"])
def test_a_file_that_replay_reads(
    folder: Path, segments: list[Segment], tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    target.write_text("an older one")
    done = command("export", folder, "--out", target)
    assert (done.status, done.out, done.err) == (0, "", f"{target}: 9 waves\n")
    data = target.read_bytes()
    lines = (gzip.decompress(data) if name.endswith(".gz") else data).splitlines()
    assert [json.loads(line)["payload"] for line in lines] == [
        {"n": number} for number in range(1, 10)
    ]
    assert sorted(tmp_path.iterdir()) == sorted([folder, target])
    assert "9 events in" in aether("replay", target).out


def test_a_target_that_cannot_be_written(
    folder: Path, segments: list[Segment], tmp_path: Path
) -> None:
    for target in (tmp_path / "none" / "waves", tmp_path):
        line = failure(command("export", folder, "-o", target))
        assert line.startswith(f"aether: --out: {str(target)!r} cannot be written: ")


def test_a_device_is_written_to_and_stays(folder: Path, segments: list[Segment]) -> None:
    assert command("export", folder, "-o", "/dev/null").status == 0
    assert Path("/dev/null").is_char_device()


def test_a_failed_export_leaves_the_older_file(tmp_path: Path) -> None:
    segments = [Segment(), Segment(2, version=2, identity=b"f" * 16)]
    for segment in segments:
        segment.wave(wave())
        segment.save(tmp_path / "journal")
    target = tmp_path / "waves.jsonl"
    target.write_text("an older one")
    assert "its format is of version 2" in failure(
        command("export", tmp_path / "journal", "-o", target)
    )
    assert target.read_text() == "an older one"
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "journal", target])


# -- All of them -------------------------------------------------------------------------------

COMMANDS = ["info", "verify", "replay", "export"]


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_journal(tmp_path: Path, name: str) -> None:
    assert "there is no journal: No such file" in failure(command(name, tmp_path / "none"))
    assert "there is no journal in it" in failure(command(name, tmp_path))
    (tmp_path / "file").write_text("text")
    assert "there is no journal: Not a directory" in failure(command(name, tmp_path / "file"))


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_changed(folder: Path, segments: list[Segment], name: str) -> None:
    flip(folder, segments[1], 200)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    command(name, folder)
    assert before == {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_journal_that_has_no_waves(folder: Path, name: str) -> None:
    write(folder, [])
    done = command(name, folder)
    assert (done.status, done.err) == (0, "")
    assert ("0 waves" in done.out) == (name in {"info", "verify"})


def test_a_closed_pipe_ends_it_without_a_word(folder: Path) -> None:
    write(folder, [wave("a", "x" * 200) for _ in range(2000)])
    for arguments in (["replay"], ["replay", "--json"], ["export"]):
        run = subprocess.Popen(
            [*AETHER, "journal", arguments[0], str(folder), *arguments[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert (run.stderr.read(), run.wait(50)) == (b"", 1)
        run.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_ctrl_c_ends_it_in_one_line(folder: Path) -> None:
    write(folder, [wave("a", "x" * 200) for _ in range(2000)])
    run = subprocess.Popen(
        [*AETHER, "journal", "export", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    run.stdout.readline()
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=50)
    assert (run.returncode, err) == (130, b"aether: interrupted\n")


def test_help_names_the_commands() -> None:
    out = aether("journal", "--help").out
    assert all(name in out for name in [*COMMANDS, "import", "repair"])
    assert "journal" in aether("--help").out
