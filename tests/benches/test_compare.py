"""`benches/compare.py` runs, makes its table, document and picture, and finds out who loses a message.

What the figures are, no test asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMPARE = ROOT / "benches" / "compare.py"
ROWS = ("burst 1:1, awaited", "bytes of 1 KiB", "ping-pong")

# A scenario of two ways: the medium, and a queue that goes wrong as it is told.
SCENARIO = '''
"""Going wrong: a peer that does."""
import asyncio
from collections.abc import AsyncIterator
from aether import Aether
from harness import Row, Run, Way, check, shape

@shape
async def good() -> AsyncIterator[Run]:
    async with Aether() as medium:
        v = medium.vibrator("reader")
        v.resonate_on("a")
        async def run() -> float:
            for n in range(10):
                medium.emit_nowait("a", n)
            check([(await v.receive()).payload for _ in range(10)], range(10))
            return 1.0
        yield run

@shape
async def bad() -> AsyncIterator[Run]:
    queue = asyncio.Queue()
    async def run() -> float:
        for n in {numbers}:
            queue.put_nowait(n)
        got = [await queue.get() for _ in {taken}]
        check(got, range(10))
        return 2.0
    yield run

ROWS = (
    Row("row", "message", (Way("aether", good), Way("bad queue", bad, 4, 2, needs={needs!r})),
        fresh={fresh}, patience=10.0 if {fresh} else 2.0),
)
'''


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, COMPARE, *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
    )


def scenario(
    folder: Path,
    *,
    numbers: str = "range(10)",
    taken: str = "range(10)",
    needs: str = "",
    fresh: bool = False,
) -> Path:
    text = SCENARIO.format(numbers=numbers, taken=taken, needs=needs, fresh=fresh)
    (folder / "bench_wrong.py").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and the output of one quick run of a few rows."""
    folder = tmp_path_factory.mktemp("docs")
    only = [argument for row in ROWS for argument in ("--only", row)]
    done = compare("--quick", *only, "--docs", folder, "--json", folder / "figures.json")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return found


def test_the_table_has_each_row_with_its_peers_and_goals(quick: tuple[Path, str]) -> None:
    _, out = quick
    for row in ROWS:
        assert f"{row}, per " in out
    (line,) = [line for line in out.splitlines() if "anyio stream" in line]
    assert "x1.3" in line
    assert line.endswith(("goal met", "floor met", "MISSED"))
    assert f"{len(ROWS)} rows in" in out


def test_the_document_has_the_setting_the_targets_and_each_table(quick: tuple[Path, str]) -> None:
    folder, _ = quick
    text = (folder / "benchmarks.md").read_text(encoding="utf-8")
    for chapter in ("How to read it", "Machine and versions", "Targets", "Not measured"):
        assert f"## {chapter}\n" in text
    assert "| ping-pong | asyncio.Queue | x1.2 | x0.95 |" in text
    for row in ROWS:
        assert f"**{row}**, per " in text
    assert "(benchmarks.svg)" in text


def test_the_picture_has_a_dot_for_each_way_of_its_rows(quick: tuple[Path, str]) -> None:
    folder, _ = quick
    shown = [entry for entry in figures(folder)["entries"] if entry["picture"]]
    picture = ET.parse(folder / "benchmarks.svg")
    dots = picture.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == len(shown) > 3


def test_a_missed_target_is_told_with_the_reason_that_is_kept(
    quick: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = quick
    found = figures(folder)
    for entry in found["entries"]:
        if entry["goal"] is not None:
            entry["ratio"], entry["verdict"] = 0.5, "missed"
    (tmp_path / "figures.json").write_text(json.dumps(found), encoding="utf-8")
    done = compare("--from", tmp_path / "figures.json", "--docs", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| ping-pong | asyncio.Queue | x1.2 | x0.95 | x0.50 | **missed** |" in text
    assert "the goal is x1.2 and the floor x0.95: the floor is missed too" in text
    assert "Two loop turns and two tasks woken are nearly all of a round trip" in text
    assert "Why is not known yet" in text  # of a row that nothing is written about


def test_each_reason_is_about_a_row() -> None:
    import tomllib

    reasons = tomllib.loads((COMPARE.parent / "reasons.toml").read_text(encoding="utf-8"))
    rows = compare("--list").stdout.splitlines()
    assert len(rows) > len(ROWS)
    linux_only = {"idle vibrator with one pattern", "queued wave, one receiver"}
    linux_only |= {"queued wave, 100 receivers"}
    ignored = set() if sys.platform == "linux" else linux_only
    assert set(reasons["rows"]) - set(rows) - ignored == set()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"numbers": "range(9)", "taken": "range(9)"}, "9 messages came out of 10"),
        ({"numbers": "(0, 1, 1, *range(3, 10))"}, "message 2 of 10 is 1, not 2"),
        ({"numbers": "(1, 0, *range(2, 10))"}, "message 0 of 10 is 1, not 0"),
        ({"numbers": "range(9)"}, "a message never came"),
        ({"numbers": "range(9)", "taken": "range(9)", "fresh": True}, "9 messages came out of 10"),
    ],
    ids=["lost", "doubled", "out of place", "never came", "lost in a process of its own"],
)
def test_a_peer_that_loses_a_message_is_found_out(
    wrong: dict[str, Any], said: str, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    done = compare("--quick", "--scenarios", scenario(tmp_path, **wrong), "--docs", docs)
    assert done.returncode == 1
    assert "LOST: wrong: row: bad queue: " in done.stderr
    assert said in done.stderr
    assert not docs.exists()


def test_a_peer_that_is_not_installed_is_named_as_left_out(tmp_path: Path) -> None:
    folder = scenario(tmp_path, needs="no_such_peer")
    done = compare("--quick", "--scenarios", folder, "--docs", tmp_path)
    assert done.returncode == 0, done.stderr
    line = "row: bad queue (no_such_peer is not installed)"
    assert f"left out: {line}" in done.stdout
    assert f"## Left out\n\n- {line}\n" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_a_part_of_the_run_leaves_the_document_of_the_repository_alone(tmp_path: Path) -> None:
    done = compare("--quick", "--scenarios", scenario(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "written" not in done.stdout
