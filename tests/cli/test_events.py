"""Event files: what is an event, what is a fault, and what ends the reading."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from aether.cli import events
from aether.cli.errors import SourceError
from aether.cli.events import Event, EventReader, Fault

GOOD = b'{"ts": 1, "channel": "a.b", "payload": {"n": 1}}'


def read(path: Path) -> list[Event | Fault]:
    with EventReader(path) as reader:
        return list(reader)


def read_bytes(tmp_path: Path, content: bytes, name: str = "events.jsonl") -> list[Event | Fault]:
    path = tmp_path / name
    path.write_bytes(content)
    return read(path)


def only_fault(tmp_path: Path, line: bytes) -> str:
    """The reason of a bad line, which does not touch its neighbours."""
    before, bad, after = read_bytes(tmp_path, b"\n".join([GOOD, line, GOOD]))
    assert isinstance(before, Event)
    assert isinstance(after, Event)
    assert isinstance(bad, Fault)
    assert (before.line, bad.line, after.line) == (1, 2, 3)
    assert "\n" not in bad.reason
    return bad.reason


def test_event_has_its_line_and_fields(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, GOOD + b"\n") == [Event(1, 1.0, "a.b", {"n": 1})]


@pytest.mark.parametrize("payload", [None, 0, "text", [1, 2], {"a": {}}, 1.5, True])
def test_any_json_value_is_a_payload(tmp_path: Path, payload: object) -> None:
    line = json.dumps({"ts": 0.5, "channel": "a", "payload": payload}).encode()
    assert read_bytes(tmp_path, line) == [Event(1, 0.5, "a", payload)]


def test_other_keys_are_ignored(tmp_path: Path) -> None:
    (event,) = read_bytes(tmp_path, b'{"ts": 1, "channel": "a", "payload": 0, "host": "x"}')
    assert event == Event(1, 1.0, "a", 0)


def test_blank_lines_count_but_are_nothing(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, b"\n" + GOOD + b"\n\n  \r\n" + GOOD + b"\n\n")
    assert [item.line for item in found] == [2, 5]


def test_line_ends_of_windows_and_a_byte_order_mark(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, b"\xef\xbb\xbf" + GOOD + b"\r\n" + GOOD + b"\r\n")
    assert [type(item) for item in found] == [Event, Event]


def test_last_line_needs_no_line_end(tmp_path: Path) -> None:
    assert len(read_bytes(tmp_path, GOOD + b"\n" + GOOD)) == 2


def test_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, b"") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"ts": 1, "channel"', "broken JSON"),
        (b"oops", "broken JSON: Expecting value at column 1"),
        (b"{'ts': 1}", "broken JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"ts": ' + b"9" * 10_000 + b', "channel": "a", "payload": 0}', "broken JSON"),
        (b'{"ts": 1, "channel": "\xff", "payload": 0}', "not UTF-8: byte 0xff at column 23"),
        (b"[1, 2]", "must be an object"),
        (b'"text"', "must be an object"),
        (b"null", "must be an object"),
        (b"{}", "missing: ts, channel, payload"),
        (b'{"channel": "a", "payload": 0}', "missing: ts"),
        (b'{"ts": 1, "payload": 0}', "missing: channel"),
        (b'{"ts": 1, "channel": "a"}', "missing: payload"),
        (b'{"ts": "1", "channel": "a", "payload": 0}', 'ts must be a number of seconds, not "1"'),
        (b'{"ts": true, "channel": "a", "payload": 0}', "ts must be a number of seconds, not true"),
        (b'{"ts": null, "channel": "a", "payload": 0}', "ts must be a number of seconds, not null"),
        (b'{"ts": NaN, "channel": "a", "payload": 0}', "ts must be finite"),
        (b'{"ts": -Infinity, "channel": "a", "payload": 0}', "ts must be finite"),
        (b'{"ts": 1e999, "channel": "a", "payload": 0}', "ts must be finite"),
        (b'{"ts": 1' + b"0" * 400 + b', "channel": "a", "payload": 0}', "ts must be finite"),
        (b'{"ts": 1, "channel": 7, "payload": 0}', "channel must be a string, not 7"),
        (b'{"ts": 1, "channel": ["a"], "payload": 0}', 'channel must be a string, not ["a"]'),
    ],
)
def test_bad_line_is_a_fault_with_its_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    assert reason in only_fault(tmp_path, line)


def test_a_value_too_large_to_be_quoted_is_named_by_its_kind() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert events._quote(nested) == "a huge list"
    assert events._quote(10**10_000) == "a huge int"
    assert events._quote("x" * 100) == '"' + "x" * 56 + "..."
    # Piece by piece: at once, its end would go as deep.
    while nested:
        nested = nested.pop()  # type: ignore[assignment]


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "a.", "a b", "a.\\u0007", "a.x*", "\\ud800", "a\\nb", "x" * 2000]
)
def test_bad_channel_is_a_fault(tmp_path: Path, name: str) -> None:
    line = b'{"ts": 1, "channel": "%s", "payload": 0}' % name.encode()
    assert only_fault(tmp_path, line)


@pytest.mark.parametrize("name", ["*", "a.*", "a.>", "+.b"])
def test_pattern_is_no_channel_of_an_event(tmp_path: Path, name: str) -> None:
    line = b'{"ts": 1, "channel": "%s", "payload": 0}' % name.encode()
    assert only_fault(tmp_path, line) == (
        f'channel "{name}" is a pattern; an event needs a concrete channel'
    )


def test_channel_is_looked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([GOOD] * 5))
    asked: list[str] = []
    with EventReader(path, check=asked.append) as reader:
        assert len(list(reader)) == 5
    assert asked == ["a.b"]


def test_of_endlessly_many_channels_only_some_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_KNOWN_CHANNELS", 2)
    lines = [
        b'{"ts": 1, "channel": "%s", "payload": 0}' % name
        for name in (b"a", b"b", b"c", b"a", b"a.*")
    ]
    *good, bad = read_bytes(tmp_path, b"\n".join(lines))
    assert [item.channel for item in good if isinstance(item, Event)] == ["a", "b", "c", "a"]
    assert isinstance(bad, Fault)


def test_line_too_long_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_LINE", 100)
    long = b'"' + b"x" * 300_000 + b'"'
    assert only_fault(tmp_path, long) == "longer than 100 bytes"
    assert read_bytes(tmp_path, long) == [Fault(1, "longer than 100 bytes")]


@pytest.mark.parametrize("name", ["events.jsonl.gz", "events.jsonl"])
def test_gzip_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    found = read_bytes(tmp_path, gzip.compress(GOOD + b"\n" + GOOD), name)
    assert [type(item) for item in found] == [Event, Event]


def test_joined_gzips_are_one_file(tmp_path: Path) -> None:
    half = gzip.compress(GOOD + b"\n")
    assert len(read_bytes(tmp_path, half + half, "events.jsonl.gz")) == 2


def test_lines_across_pieces_of_the_file(tmp_path: Path) -> None:
    lines = [b'{"ts": %d, "channel": "a.b", "payload": "%s"}' % (n, b"x" * n) for n in range(2000)]
    found = read_bytes(tmp_path, gzip.compress(b"\n".join(lines)), "events.jsonl.gz")
    assert [item.ts for item in found if isinstance(item, Event)] == list(range(2000))
    assert [item.line for item in found] == list(range(1, 2001))


def source_error(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    assert source_error(tmp_path / "none.jsonl").endswith("no such file")


def test_folder(tmp_path: Path) -> None:
    assert source_error(tmp_path).endswith("is a folder, not a file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "locked.jsonl"
    path.touch(mode=0)
    assert source_error(path).endswith("Permission denied")


def test_a_name_longer_than_names_may_be(tmp_path: Path) -> None:
    assert source_error(tmp_path / ("x" * 300)).endswith("File name too long")


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="has no file that fails when it is read"
)
def test_a_file_that_cannot_be_read_on() -> None:
    failed = pytest.raises(SourceError, match=r"^/proc/self/mem: .*Input/output error$")
    with EventReader("/proc/self/mem") as reader, failed:
        reader.read()


def test_name_of_a_gzip_without_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(GOOD)
    assert "does not begin as gzip" in source_error(path)
    path.write_bytes(b"")
    assert "is empty" in source_error(path)


def test_gzip_cut_short_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    lines = b"".join(GOOD + b" " * (n % 91) + b"\n" for n in range(20_000))
    whole = gzip.compress(lines)
    path.write_bytes(whole[: len(whole) // 2])
    seen = 0
    cut = pytest.raises(SourceError, match=r"after line \d+: the gzip is cut short")
    with cut, EventReader(path) as reader:
        for _ in reader:
            seen += 1
    assert 0 < seen < 20_000


@pytest.mark.parametrize("where", ["header", "body", "checksum", "after"])
def test_broken_gzip(tmp_path: Path, where: str) -> None:
    path = tmp_path / "events.jsonl.gz"
    whole = bytearray(gzip.compress(GOOD + b"\n"))
    if where == "header":
        whole[2] = 99
    elif where == "body":
        whole[12:20] = b"\xff" * 8
    elif where == "checksum":
        whole[-6] ^= 0xFF
    else:
        whole += b"rubbish"
    path.write_bytes(whole)
    assert "the gzip is broken" in source_error(path)


def test_position_reaches_the_size(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join([GOOD] * 5000)))
    with EventReader(path) as reader:
        assert not reader.may_wait
        assert reader.size == path.stat().st_size
        assert reader.position == 0
        assert len(list(reader)) == 5000
        assert reader.position == reader.size
        assert reader.read() is None
