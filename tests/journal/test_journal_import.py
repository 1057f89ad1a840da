"""`aether journal import`: what was exported comes back as it was, and bad lines are told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.test_command import Result, failure
from tests.journal.test_journal_command import command, exported, wave
from tests.journal.writing import Written, write

from aether.journal import Codecs, Journal


def imported(tmp_path: Path, *lines: str | bytes, strict: bool = False) -> Result:
    source = tmp_path / "lines.jsonl"
    source.write_bytes(
        b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    )
    return command("import", tmp_path / "new", source, *(["--strict"] if strict else []))


def event(**fields: Any) -> str:
    return json.dumps({"ts": 1.5, "channel": "a.b", "payload": 1, **fields})


@pytest.mark.parametrize("name", ["waves.jsonl", "waves.jsonl.gz"])
def test_what_was_exported_is_imported_as_it_was(tmp_path: Path, name: str) -> None:
    payloads: list[Any] = [
        {"n": 1},
        None,
        b"raw",
        np.arange(3),
        float("nan"),
        {1: 2},
        "ü",
        [],
        2**63,
    ]
    fields: dict[str, Any] = {
        "time": 5.5,
        "amplitude": 0.5,
        "priority": 0.75,
        "phase": 1.25,
        "frequency": 3.0,
        "ttl": 60.0,
        "hops": 4,
        "source": "",
        "id": "feedbeef-2a",
        "headers": {"größe": "数"},
        "undoes": ("feedbeef-29", 4.5, 0.25, -1.0),
    }
    waves = [wave("a.b", payload, **fields) for payload in payloads]
    tag, data = Codecs("json").encode({"a": [None]})
    waves += [Written(payload=b"???", codec=99), Written(payload=data, codec=tag)]
    write(tmp_path / "journal", waves)
    target = tmp_path / name
    command("export", tmp_path / "journal", "-o", target)
    done = command("import", tmp_path / "new", target)
    assert (done.status, done.out, done.err) == (0, f"{tmp_path / 'new'}: 11 waves\n", "")
    assert command("export", tmp_path / "new").out == command("export", tmp_path / "journal").out
    assert command("verify", tmp_path / "new").out == "11 waves in 1 segment sound\n"
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "journal", tmp_path / "new", target])


def test_sequences_are_given_anew(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    write(
        folder,
        [wave("a" if number % 3 else "users.added", {"n": number}) for number in range(1, 10)],
    )
    target = tmp_path / "some.jsonl"
    command("export", folder, "-o", target, "-p", "users.*")
    assert command("import", tmp_path / "new", target).status == 0
    assert [(one["sequence"], one["payload"]) for one in exported(tmp_path / "new")] == [
        (1, {"n": 3}),
        (2, {"n": 6}),
        (3, {"n": 9}),
    ]


def test_an_event_file_will_do(tmp_path: Path) -> None:
    assert imported(tmp_path, event(payload={"a": 1}), "", event(payload=None)).status == 0
    first, second = exported(tmp_path / "new")
    assert (first["channel"], first["ts"], first["payload"], first["codec"]) == (
        "a.b",
        1.5,
        {"a": 1},
        1,
    )
    assert (first["amplitude"], first["priority"], first["propagation_count"]) == (1.0, 1.0, 1)
    assert (first["phase"], first["frequency"], first["ttl"], first["source"]) == (
        0.0,
        1.0,
        None,
        None,
    )
    assert (second["payload"], second["codec"]) == (None, 5)
    assert first["id"] != second["id"]


@pytest.mark.parametrize("codec", [1, 2])
def test_null_may_be_written_with_a_codec(tmp_path: Path, codec: int) -> None:
    assert imported(tmp_path, event(payload=None, codec=codec)).status == 0
    (line,) = exported(tmp_path / "new")
    assert (line["payload"], line["codec"]) == (None, codec)
    (written,) = Journal(tmp_path / "new").replay()
    assert written.payload is None


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of a file's size")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "lines.jsonl"
    source.write_text("\n".join(event(payload="x" * 200_000) for _ in range(200)))
    limited = (
        "import resource, signal, sys; from aether.cli import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY));"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "journal", "import", str(tmp_path / "new"), str(source)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("aether: ")
    assert "File too large" in line or "no room" in line
    assert [*tmp_path.iterdir()] == [source]


REFUSED = """
import resource, signal, sys
from aether import JournalFull
from aether._native import JournalImport

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
journal = JournalImport(sys.argv[1])

def append(payload):
    journal.append(("a", None, "1"), (1.0, 1.0, 1.0, 0.0, 1.0, None, 0), [], None, 0, payload)

append(b"x" * 2_000_000)
try:
    # For the small ones there is room, once the disk has refused the large one.
    for _ in range(5_000):
        append(b"x")
except JournalFull:
    print("told")
try:
    journal.close()
except JournalFull:
    print("told at the end")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of a file's size")
def test_what_was_refused_before_the_disk_took_more_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(tmp_path / "new")],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1:] == ["told at the end"]


def test_many_waves_are_imported(tmp_path: Path) -> None:
    text = "x" * 200_000
    done = imported(tmp_path, *(event(payload=text) for _ in range(200)))
    assert done.status == 0
    assert command("verify", tmp_path / "new").out == "200 waves in 1 segment sound\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\xff", "not UTF-8"),
        ("{", "broken JSON"),
        (event(channel="a.*"), "is a pattern"),
        (event(amplitude=1.5), "amplitude must not be 1.5"),
        (event(amplitude="loud"), "amplitude must be a number, not str"),
        (event(priority=-1), "priority must not be -1"),
        (event(phase=float("nan")), "phase must not be NaN"),
        (event(frequency=-1), "frequency must not be -1"),
        (event(frequency=10**400), "frequency is too large"),
        (event(ttl=-1), "ttl must not be -1"),
        (event(propagation_count=-1), "propagation_count must be a whole number in 0..65535"),
        (event(propagation_count=True), "propagation_count must be a whole number"),
        (
            event(compensates="a-1"),
            "compensates must be an object of id, ts, amplitude, phase; an id",
        ),
        (event(compensates={"ts": 1}), "compensates must be an object of id, ts, amplitude, phase"),
        (event(compensates={"id": "a", "t": 1}), "compensates must be an object of id, ts"),
        (
            event(compensates={"id": "a", "amplitude": 2}),
            "amplitude of what it undoes must not be 2",
        ),
        (event(source=3), "source must be a text, not int"),
        (event(source="x" * 70_000), "its source has 70000 bytes"),
        (event(id=[]), "id must be a text, not list"),
        (event(headers=["a"]), "headers must be an object of texts"),
        (event(headers={"a": 1}), "headers must be an object of texts"),
        (event(headers={"a": "\ud800"}), "surrogates not allowed"),
        (event(codec=256), "codec must be a whole number in 0..255"),
        (event(codec=99), "a payload of codec 99 has to be there as encoded, in base64"),
        (event(codec=0), "a payload of codec 0 has to be there as encoded"),
        (event(encoded="?"), "encoded is no base64"),
        (event(payload=2**64), "cannot be written with the codec 'msgpack'"),
        (event(codec=2, payload=float("nan")), "NaN or an infinity"),
    ],
)
def test_a_bad_line_is_told_counted_and_skipped(
    tmp_path: Path, line: str | bytes, why: str
) -> None:
    done = imported(tmp_path, event(), line, event())
    assert (done.status, done.out) == (0, f"{tmp_path / 'new'}: 2 waves; 1 bad line skipped\n")
    assert done.err.startswith("line 2: ")
    assert why in done.err
    assert len(exported(tmp_path / "new")) == 2


def test_strict_leaves_nothing(tmp_path: Path) -> None:
    line = failure(imported(tmp_path, event(), event(amplitude=2), event(), strict=True))
    assert line.endswith("lines.jsonl: line 2: amplitude must not be 2")
    assert [*tmp_path.iterdir()] == [tmp_path / "lines.jsonl"]


def test_a_file_of_bad_lines_leaves_nothing(tmp_path: Path) -> None:
    done = imported(tmp_path, "{", "[]")
    assert done.status == 1
    assert done.err.splitlines()[-1].endswith(
        "none of its lines is a wave (2 bad); each is an object with ts, channel and payload"
    )
    assert [*tmp_path.iterdir()] == [tmp_path / "lines.jsonl"]


def test_an_empty_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert imported(tmp_path).out == f"{tmp_path / 'new'}: 0 waves\n"


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    write(folder, [wave()])
    source = tmp_path / "lines.jsonl"
    source.write_text(event())
    before = sorted(folder.iterdir())
    assert failure(command("import", folder, source)).endswith(
        ": is there already; name a new folder"
    )
    assert failure(command("import", source, source)).endswith(
        ": is there already; name a new folder"
    )
    assert sorted(folder.iterdir()) == before
    part = tmp_path / "new.part"
    part.mkdir()
    assert "left by an import that was cut off; remove it first" in failure(
        command("import", tmp_path / "new", source)
    )
    assert "the journal cannot be made" in failure(
        command("import", tmp_path / "no" / "folder", source)
    )
    assert "no such file" in failure(command("import", tmp_path / "other", tmp_path / "nothing"))


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    assert imported(tmp_path, event()).status == 0
    assert len(exported(tmp_path / "new")) == 1
