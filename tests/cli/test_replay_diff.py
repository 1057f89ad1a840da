"""`aether replay --diff`: two records, or a record and what a program makes of it; what is wrong with the call."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.test_command import aether, failure

from aether import Aether
from aether.testing import record

GOOD = '''
import anyio
from aether import Wave


def build(medium):
    desk = medium.vibrator("desk")

    @desk.on("in")
    async def handle(wave):
        await desk.emit_wave("out", wave.payload, cause=wave)


async def main(medium):
    """A reader, as `aether.run` has it: it goes on for ever."""
    reader = medium.vibrator("reader")
    reader.resonate_on("in")
    async for wave in reader:
        await reader.emit_wave("out", wave.payload, cause=wave)


def own(medium):
    desk = medium.vibrator("desk")

    @desk.on("in")
    async def handle(wave):
        await desk.emit_wave("out", wave.payload)


def broken(medium):
    raise KeyError("no bank")


async def ends(medium):
    raise ValueError("no more")


def deaf(medium):
    deaf = medium.vibrator("deaf", buffer_size=1)
    deaf.resonate_on("in")
    return deaf


NUMBER = 7
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a program that no other test has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "desk_app.py").write_text(GOOD)
    yield tmp_path
    for name in ("desk_app", "broken_app"):
        sys.modules.pop(name, None)


@pytest.fixture
def run() -> str:
    """A record of three inputs, and of what they led to; the second was lost."""
    medium = Aether()
    desk = medium.vibrator("desk")
    desk.resonate_on("in")
    with record(medium) as seen:
        for number in range(3):
            medium.emit_nowait("in", {"id": number})
            wave = desk.receive_nowait()
            if number != 1:
                desk.emit_nowait("out", wave.payload, cause=wave)
        seen.save("run.jsonl")
    desk.close()
    return "run.jsonl"


def test_two_records_are_compared(run: str) -> None:
    assert aether("replay", "--diff", run, run).out == "no difference in 5 waves\n"
    lines = Path(run).read_text().splitlines()
    swapped = [*lines[:1], lines[3], *lines[2:3], lines[1], *lines[6:]]
    Path("again.jsonl").write_text("\n".join(swapped))
    done = aether("replay", "--diff", run, "again.jsonl")
    assert done.status == 1
    assert done.out.splitlines() == [
        "moved   in #1 to #2: {'id': 0}",
        "missing in #3: {'id': 2}",
        "missing out #2: {'id': 2}",
        "3 differences in 2 channels (2 missing, 1 moved); 5 waves before, 3 after",
    ]
    short = aether("replay", "--diff", run, "again.jsonl", "--any-order")
    assert short.out.splitlines()[-1].startswith("2 differences in 2 channels (2 missing);")


@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
@pytest.mark.parametrize("function", ["build", "main"])
def test_a_program_is_asked_once_more(run: str, function: str, backend: str) -> None:
    pytest.importorskip(backend)
    done = aether(
        *("replay", "--diff", run, "--app", f"desk_app:{function}", "--backend", backend),
        *("--ignore", "source"),
    )
    assert (done.status, done.err) == (1, "")
    assert done.out.splitlines() == [
        "added   out #2: {'id': 1}",
        "1 difference in 1 channel (1 added); 2 waves before, 3 after",
    ]


def test_inputs_can_be_named(run: str) -> None:
    replay = ("replay", "--diff", run, "--app", "desk_app:own")
    noted = aether(*replay, "--input", "*")
    assert noted.err.splitlines() == [
        "! the record has nothing but inputs to compare",
        "! the program emits itself what is also an input: out; leave them out of the inputs",
    ]
    done = aether(
        *replay, "--input", "in", "--ignore", "amplitude", "--ignore", "propagation_count"
    )
    assert (done.status, done.err) == (1, "")
    assert done.out.splitlines()[0] == "added   out #2: {'id': 1}"


def test_a_cut_off_record_is_told(run: str) -> None:
    whole = Path(run).read_text()
    Path("cut.jsonl").write_text(whole[: whole.index('{"record":"end"')])
    done = aether("replay", "--diff", run, "cut.jsonl")
    assert (done.status, done.err) == (0, "! cut.jsonl: was cut off before its end\n")


def test_a_record_without_waves_is_told(run: str) -> None:
    Path("blank.jsonl").write_text("")
    done = aether("replay", "--diff", "blank.jsonl", "blank.jsonl")
    assert (done.status, done.err) == (0, 2 * "! blank.jsonl: has no waves\n")
    assert done.out == "no difference in 0 waves\n"


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["--diff", "run.jsonl"], 2, r"--diff: name what to compare with, .* one of them"),
        (["--diff", "run.jsonl", "run.jsonl", "--app", "a:b"], 2, r"--diff: name what .*"),
        (["--diff", "run.jsonl", "run.jsonl", "--input", "a"], 2, r"--input: goes with --app, .*"),
        (["run.jsonl", "run.jsonl"], 2, r"AGAIN, --app, .* go with --diff"),
        (["run.jsonl", "--ignore", "a"], 2, r"AGAIN, --app, .* go with --diff"),
        (["--diff", "none.jsonl", "run.jsonl"], 1, r"none\.jsonl: no such file"),
        (["--diff", ".", "run.jsonl"], 1, r"\.: Is a directory"),
        (["--diff", "desk_app.py", "run.jsonl"], 1, r"desk_app\.py: line 2 is no wave: .*"),
        (["--diff", "run.jsonl", "--app", "shop"], 2, r"--app shop: must be module:function, .*"),
        (["--diff", "run.jsonl", "--app", "no.shop:b"], 2, r"--app .*: there is no module 'no' .*"),
        (["--diff", "run.jsonl", "--app", "desk_app:no"], 2, r"--app .*: the module has no no; .*"),
        (
            ["--diff", "run.jsonl", "--app", "desk_app:NUMBER"],
            2,
            r".* cannot be called: NUMBER; .*",
        ),
        (
            ["--diff", "run.jsonl", "--app", "desk_app:broken"],
            1,
            r"--app .*: KeyError at desk_app\.py:\d+: 'no bank'",
        ),
        (
            ["--diff", "run.jsonl", "--app", "desk_app:ends"],
            1,
            r"--app .*: ValueError at desk_app\.py:\d+: no more",
        ),
        (
            ["--diff", "run.jsonl", "--app", "desk_app:deaf"],
            1,
            r"--app .*: 2 inputs still wait for a full mailbox .*",
        ),
        (["--diff", "run.jsonl", "--app", "broken_app:b"], 1, r"--app .*: SyntaxError.*"),
        (
            ["--diff", "run.jsonl", "--app", "desk_app:build", "--input", "a..b"],
            2,
            r"--input: channel 'a\.\.b'.*",
        ),
    ],
)
def test_what_is_wrong_is_one_line(run: str, arguments: list[str], status: int, line: str) -> None:
    Path("broken_app.py").write_text("def b(:\n")
    said = failure(aether("replay", *arguments), status)
    assert re.fullmatch(f"aether: {line}", said), said


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            [{"channel": "a..b", "payload": 1, "sequence": 7}],
            r"wave 7 of the record, on 'a\.\.b': .*",
        ),
        (
            [{"channel": "in", "payload": 1, "ts": ts} for ts in (-1e308, 1e308)],
            r"seconds must be a finite number .*",
        ),
    ],
)
def test_inputs_that_cannot_be_are_one_line(lines: list[dict[str, object]], why: str) -> None:
    Path("odd.jsonl").write_text("".join(json.dumps({"ts": 1} | line) + "\n" for line in lines))
    said = failure(aether("replay", "--diff", "odd.jsonl", "--app", "desk_app:build"))
    assert re.fullmatch(f"aether: --app desk_app:build: {why}", said), said


def test_a_record_whose_inputs_nobody_can_tell_is_refused(run: str) -> None:
    medium = Aether()
    desk = medium.vibrator("desk")
    with record(medium) as seen:
        desk.emit_nowait("out", 1)
        seen.save("own.jsonl")
    desk.close()
    said = failure(aether("replay", "--diff", "own.jsonl", "--app", "desk_app:own"))
    assert "waves without a cause may be inputs or the program's own" in said
    assert "'out' of 'desk'" in said
    assert run
