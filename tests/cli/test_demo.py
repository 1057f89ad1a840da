"""The demo: the real history through one medium, with sums that add up, and are checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_command import aether, failure

from aether import InterferencePattern
from aether.cli import demo
from aether.cli.demo import history_path
from aether.cli.demo.job import MAILBOXES, Emission, derived, load
from aether.cli.demo.patterns import lines_of, patterns
from aether.cli.demo.queues import through_queues
from aether.cli.demo.sums import expected, faults
from aether.cli.demo.vibrators import through_medium
from aether.cli.errors import SourceError
from aether.cli.events import EventReader

EVENTS = 26_368


@pytest.fixture(scope="module")
def history() -> list[Emission]:
    with EventReader(history_path()) as reader:
        return load(reader)


def test_history_is_whole(history: list[Emission]) -> None:
    assert len(history) == EVENTS


async def test_medium_accounts_for_every_wave(history: list[Emission]) -> None:
    side = await through_medium(history, lambda done: None)
    emissions = [*(event.channel for event in history), *derived(history)]
    due = expected(emissions, MAILBOXES)
    assert faults(due, side.measured) == []
    assert side.emitted == len(emissions)
    by_name = {one.name: one for one in side.measured}
    assert [name for name, one in by_name.items() if one.missed] == ["digest"]
    assert set(by_name["digest"].dropped) == {"faintest"}
    assert side.findings.audit.domains.total() == len(emissions)
    assert side.findings.activity.commits.total() == due["activity"]
    assert side.findings.hot_files.changes.total() == due["hot files"]
    assert side.findings.desk.hops == 3


def test_patterns_are_those_of_the_history(history: list[Emission]) -> None:
    found = patterns(history)
    assert {one.pattern for one in found} == {InterferencePattern.RESONANCE}
    assert 20 <= len(found) <= 50
    first, *surest = lines_of(found)
    assert f"{len(found)} bursts" in first
    assert "no steady rhythms" in first
    assert len(surest) == 3
    assert lines_of([])[1:] == []


def test_demo_as_it_is_called(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aether.cli", "demo"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=50,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    rows = {line.split("  ")[0].strip(): line.split() for line in done.stdout.splitlines()}
    assert done.stdout.startswith("26,368 events and 404 derived waves")
    assert set(MAILBOXES) <= set(rows)
    assert "asyncio.Queue" in done.stdout
    assert "waves pile up on" in done.stdout
    assert "sums: matched = got + missed for all 8 vibrators" in done.stdout


def test_mismatch_is_named_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_too_many(*arguments: object) -> dict[str, int]:
        due = expected(*arguments)  # type: ignore[arg-type]
        return {**due, "desk": due["desk"] + 1}

    monkeypatch.setattr(demo, "expected", one_too_many)
    monkeypatch.setattr(demo, "TURNS", 1)
    result = aether("demo")
    assert result.status == 1
    assert "sums: desk: 405 matched, but 404 got + 0 missed" in result.err


def test_a_history_that_was_not_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_HISTORY", tmp_path / "none.jsonl.gz")
    line = failure(aether("demo"))
    assert line.endswith(
        "none.jsonl.gz: the history that comes with Aether is not there; try: aether demo FILE"
    )


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_both_sides_agree_on_names_that_only_look_alike() -> None:
    change = {"commit": "c", "added": 600, "removed": 0, "path": "p", "author": "a", "files": 90}
    names = [
        "file",
        "file.x",
        "repo",
        "repo.x",
        "repo.x.commit",
        "repo.x.commit.y",
        "alert",
        "alert.x",
        "other.x",
    ]
    history = [Emission(name, change, 0.5, 0.0) for name in names]
    medium = await through_medium(history, lambda done: None)
    queues = await through_queues(history, lambda done: None)
    assert medium.findings.differences(queues.findings) == []
    due = expected([*names, "alert.x.large_commit", "alert.x.wide_commit"], MAILBOXES)
    for side in (medium, queues):
        assert side.emitted == len(names) + 2
        assert faults(due, side.measured) == []
        assert [one.missed for one in side.measured] == [0] * len(MAILBOXES)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('{"ts": 1, "channel": "orders.created", "payload": {}}', "no commit and no file"),
        ('{"ts": 1, "channel": "repo.x", "payload": {}}', "no commit and no file"),
        ('{"ts": 1, "channel": "file", "payload": {}}', "no commit and no file"),
        ('{"ts": 1, "channel": "file.x", "payload": []}', "must be an object"),
        ('{"ts": 1, "channel": "file.x", "payload": {"commit": "c"}}', "needs added"),
        (
            '{"ts": 1, "channel": "file.x", "payload": {"commit": "c", "added": -1}}',
            "needs added",
        ),
        ("oops", "broken JSON"),
        ("", "no event in it"),
    ],
)
def test_file_of_another_form_is_one_line(tmp_path: Path, line: str, part: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(line)
    with EventReader(path) as reader, pytest.raises(SourceError, match=part):
        load(reader)
