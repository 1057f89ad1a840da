"""`aether waterfall`: a picture of a file, and one line where there can be none."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from aether.cli import main

pytest.importorskip("matplotlib", reason="no wheel for this platform")

HISTORY = Path(__file__).parents[2] / "examples" / "data" / "tokio-history.jsonl.gz"
PNG = b"\x89PNG"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    names = ["orders.created", "orders.paid", "users.added"] * 20
    lines = [
        json.dumps({"ts": 60.0 * at, "channel": name, "payload": None})
        for at, name in enumerate(names)
    ]
    path.write_text("\n".join(lines))
    return path


def run(*arguments: object) -> int:
    return main(["waterfall", *map(str, arguments)])


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    streams = capsys.readouterr()
    assert streams.out == ""
    (line,) = streams.err.splitlines()
    assert line.startswith("aether: ")
    return line


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_file_becomes_a_picture(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    target = tmp_path / f"picture.{kind}"
    assert run(events, "--out", target) == 0
    assert target.stat().st_size > 1_000
    streams = capsys.readouterr()
    assert streams.out.strip() == f"{target}: 60 events of 3 channels"
    assert streams.err == ""


def test_a_pattern_chooses_channels(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "picture.svg"
    assert run(events, "-o", target, "-p", "orders.*") == 0
    assert "40 events of 2 channels" in capsys.readouterr().out


def test_a_real_history_with_its_rhythms(tmp_path: Path) -> None:
    alone, both = tmp_path / "alone.png", tmp_path / "both.png"
    assert run(HISTORY, "--out", alone) == 0
    assert run(HISTORY, "--out", both, "--spectrum") == 0
    assert alone.read_bytes().startswith(PNG)
    # The height stands in the header.
    heights = [int.from_bytes(path.read_bytes()[20:24], "big") for path in (alone, both)]
    assert heights[0] < heights[1]


def test_names_of_any_letters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "$^{$.jsonl"
    names = ["注文.作成", "$x^{$.a", "😀"]
    lines = [json.dumps({"ts": 1.0, "channel": name, "payload": None}) for name in names]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert run(path, "--out", tmp_path / "picture.png", "--spectrum") == 0
    streams = capsys.readouterr()
    assert (streams.err, "3 events" in streams.out) == ("", True)


def test_bad_lines_are_reported_and_skipped(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events.write_text("oops\n" + events.read_text())
    assert run(events, "--out", tmp_path / "picture.png") == 0
    streams = capsys.readouterr()
    assert streams.err.startswith("line 1: broken JSON")
    assert "60 events" in streams.out


@pytest.mark.parametrize(
    ("out", "said"),
    [("picture", "is no picture"), ("picture.txt", "is no picture"), ("no/such/a.png", "folder")],
)
def test_a_target_that_cannot_be(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str, said: str
) -> None:
    assert run(events, "--out", tmp_path / out) in {1, 2}
    assert said in complaint(capsys)


def test_a_target_that_cannot_be_written(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "folder.png"
    target.mkdir()
    assert run(events, "--out", target) == 1
    assert "cannot be written" in complaint(capsys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no event to draw"),
        (b"[]\n", "1 bad lines"),
        (gzip.compress(b"{}\n", mtime=0)[:9], "gzip"),
    ],
)
def test_a_file_without_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    path = tmp_path / ("broken.gz" if content[:2] == b"\x1f\x8b" else "events.jsonl")
    path.write_bytes(content)
    assert run(path, "--out", tmp_path / "picture.png") == 1
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "picture.png").exists()


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none.jsonl", "--out", tmp_path / "picture.png") == 1
    assert "no such file" in complaint(capsys)


def test_a_pattern_that_is_none(
    events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(events, "--out", tmp_path / "picture.png", "--pattern", "a..b") == 2
    assert "--pattern" in complaint(capsys)


def test_without_matplotlib(
    events: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for loaded in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(events, "--out", tmp_path / "picture.png") == 2
    assert "aether-medium[plot]" in complaint(capsys)
