"""The command as a process: what it prints, where, and what it exits with."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import get_args

import pytest
from tests.conftest import LOOPS

from aether import cli
from aether.cli import backend, main, version
from aether.cli.choices import Overflow
from aether.cli.errors import CliError

AETHER = [sys.executable, "-W", "error", "-m", "aether.cli"]


def aether(*arguments: str | Path) -> Result:
    """The command in this process, with streams of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(one) for one in arguments])
    return Result(status, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def process(*arguments: str | Path, stdin: bytes = b"") -> Result:
    """The command as a process of its own."""
    done = subprocess.run(
        [*AETHER, *map(str, arguments)], input=stdin, capture_output=True, timeout=50, check=False
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


class Result:
    """What a run of the command left behind; never a traceback."""

    def __init__(self, status: int, out: str, err: str) -> None:
        assert "Traceback" not in err, err
        self.status = status
        self.out = out
        self.err = err

    def rows(self) -> list[list[str]]:
        """The lines of its output as words."""
        return [words for line in self.out.splitlines() if (words := line.split())]


def failure(result: Result, status: int = 1) -> str:
    """The one line of a failed run."""
    assert result.status == status, result.err
    assert result.out == ""
    (line,) = result.err.splitlines()
    assert line.startswith("aether: ")
    return line


def event(channel: str, ts: float = 0.0, payload: object = None) -> str:
    return json.dumps({"ts": ts, "channel": channel, "payload": payload})


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Six events of two domains."""
    path = tmp_path / "events.jsonl"
    names = [
        "orders.created",
        "orders.paid",
        "users.added",
        "orders.created",
        "users.a.b",
        "users.added",
    ]
    path.write_text("\n".join(event(name, ts) for ts, name in enumerate(names)))
    return path


# --- the frame


@pytest.mark.parametrize("run", [aether, process])
def test_version_is_one_line(run: Callable[..., Result]) -> None:
    result = run("--version")
    assert result.status == 0
    assert result.out.startswith("aether ")
    assert len(result.out.splitlines()) == 1


def test_version_comes_before_everything_else() -> None:
    assert aether("--version", "demo", "none.jsonl").out == aether("--version").out


def test_version_of_a_source_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", missing)
    assert aether("--version").out == "aether (not installed: run from a source tree)\n"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SystemExit(3), 3, ""),
        (SystemExit("why"), 1, ""),
        (OSError(28, "No space left"), 1, "aether: No space left\n"),
        (OSError("no number"), 1, "aether: no number\n"),
        (CliError("what and why", status=2), 2, "aether: what and why\n"),
        (ExceptionGroup("odd", [ValueError("other"), CliError("why")]), 1, "aether: why\n"),
    ],
)
def test_whatever_ends_the_work_is_a_status_and_one_line(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str
) -> None:
    def work(_arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_run", work)
    result = aether("demo")
    assert (result.status, result.out, result.err) == (status, "", said)


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_arguments: list[str]) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_run", work)
    with pytest.raises(ZeroDivisionError):
        aether("demo")


def test_any_stream_of_text_will_do() -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["explain", "a.b", "a.*"]) == 0
    assert out.getvalue() == aether("explain", "a.b", "a.*").out


@pytest.mark.skipif(sys.platform == "win32", reason="has no terminals of its own")
def test_a_terminal_is_shown_how_far_it_is(history: Path) -> None:
    ours, theirs = os.openpty()
    terminal = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    terminal.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*AETHER, "replay", str(history)], stdout=theirs, stderr=theirs, env=terminal
    ) as run:
        os.close(theirs)
        shown = b""
        # At its end a terminal is an error on Linux, and nothing elsewhere.
        with suppress(OSError):
            while more := os.read(ours, 4096):
                shown += more
    os.close(ours)
    assert run.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert f"replaying {history}"[:40] in text
    assert "6 events in" in text
    assert "\x1b[2K" in shown.decode(), "the bar was not taken away"


def test_version_loads_nothing_heavy() -> None:
    code = (
        "import sys; from aether.cli import main; main(['--version']);"
        "print(sorted({'typer', 'rich', 'anyio', 'numpy', 'pydantic', 'trio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done


def test_help_names_every_command() -> None:
    result = aether("--help")
    assert result.status == 0
    assert all(name in result.out for name in ("demo", "replay", "explain", "--version"))


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_shows_the_whole_of_each_line(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = aether(flag)
    assert "..." not in result.out.replace("[ARGS]...", "")
    for name in ("demo", "replay", "explain"):
        (line,) = [line for line in result.out.splitlines() if line.startswith(f"  {name} ")]
        assert line.endswith(".")


def test_help_says_what_each_policy_does() -> None:
    text = " ".join(aether("replay", "-h").out.split())
    assert "block makes the replay wait" in text
    assert "conflate keeps only the last of each channel" in text
    assert all(policy in text for policy in get_args(Overflow))


@pytest.mark.parametrize(
    "arguments",
    [["fly"], ["--fly"], ["replay"], ["replay", "x", "--overflow", "error"], ["explain"]],
)
def test_wrong_call_is_status_2(arguments: list[str]) -> None:
    result = aether(*arguments)
    assert result.status == 2
    assert result.out == ""
    assert "Error" in result.err


# --- replay


def test_replay_counts_by_domain_and_vibrator(history: Path) -> None:
    result = aether("replay", history)
    assert result.status == 0, result.err
    assert result.err == ""
    assert ["orders", "3", "3", "0", "0"] in result.rows()
    assert ["users", "3", "3", "0", "0"] in result.rows()
    assert ["*", "6", "0"] in result.rows()
    assert "6 events in" in result.out


def test_replay_to_patterns(history: Path) -> None:
    result = aether("replay", history, "--pattern", "orders.*", "-p", "users.+", "-p", "orders.*")
    assert result.status == 0, result.err
    assert ["orders", "3", "3", "0", "0"] in result.rows()
    assert ["users", "3", "2", "0", "1"] in result.rows()
    assert [row for row in result.rows() if row[0] in ("orders.*", "users.+")] == [
        ["orders.*", "3", "0"],
        ["users.+", "2", "0"],
    ]


@pytest.mark.parametrize("loop", LOOPS)
def test_replay_on_every_loop(history: Path, loop: str) -> None:
    result = aether("replay", history, "--backend", loop)
    assert result.status == 0, result.err
    assert ["*", "6", "0"] in result.rows()


def test_a_loop_that_is_not_installed(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    line = failure(aether("replay", history, "--backend", "trio"), status=2)
    assert line == "aether: --backend trio: not installed; pip install trio"
    assert aether("replay", history).status == 0


def test_replay_says_why_waves_were_missed(tmp_path: Path) -> None:
    path = tmp_path / "burst.jsonl"
    path.write_text("\n".join(event("a.b") for _ in range(100)))
    result = aether("replay", path, "--overflow", "drop_oldest", "--buffer-size", "1")
    assert result.status == 0, result.err
    (row,) = [row for row in result.rows() if row[0] == "*"]
    got, missed, why, count = row[1:]
    assert int(got) + int(missed) == 100
    assert (why, count) == ("oldest", missed)


def test_replay_reads_gzip_and_standard_input(history: Path, tmp_path: Path) -> None:
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(history.read_bytes()))
    for result in (
        aether("replay", packed),
        process("replay", "-", stdin=history.read_bytes()),
        process("replay", "-", stdin=packed.read_bytes()),
    ):
        assert result.status == 0, result.err
        assert ["*", "6", "0"] in result.rows()


def test_replay_of_an_empty_file_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    result = aether("replay", path)
    assert result.status == 0, result.err
    assert "0 events in" in result.out


def test_replay_at_a_speed_emits_all(history: Path) -> None:
    result = aether("replay", history, "--speed", "1000")
    assert result.status == 0, result.err
    assert ["*", "6", "0"] in result.rows()


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "fast"])
def test_replay_at_a_wrong_speed(history: Path, speed: str) -> None:
    assert "--speed" in failure(aether("replay", history, "--speed", speed), status=2)


def test_replay_on_a_wrong_pattern(history: Path) -> None:
    assert "a..b" in failure(aether("replay", history, "--pattern", "a..b"), status=2)


def test_bad_lines_are_reported_counted_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(
        "\n".join([event("a"), "oops", event("a"), '{"ts": 1}', event("a.*"), event("b")])
    )
    result = aether("replay", path)
    assert result.status == 0, result.err
    assert [line.partition(": ")[0] for line in result.err.splitlines()] == [
        "line 2",
        "line 4",
        "line 5",
    ]
    assert ["*", "3", "0"] in result.rows()
    assert "3 bad lines skipped" in result.out


def test_a_file_of_bad_lines_alone_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text('milk\neggs\n\n{"ts": 1}\n')
    result = aether("replay", path)
    assert result.status == 1
    assert result.out == ""
    *faults, last = result.err.splitlines()
    assert [line.partition(": ")[0] for line in faults] == ["line 1", "line 2", "line 4"]
    assert last.startswith(f"aether: {path}: none of its lines is an event (3 bad)")


def test_bad_text_reaches_the_terminal_escaped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(event("a.\x1b[31m") + "\n" + event("[red]é"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "40"}
    done = subprocess.run(
        [*AETHER, "replay", str(path)],
        capture_output=True,
        timeout=50,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"[red]\\xe9" in done.stdout


def test_strict_stops_at_the_first_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join([event("a"), "oops", "oops", event("a")]))
    line = failure(aether("replay", path, "--strict"))
    assert f"{path}: line 2: broken JSON" in line


@pytest.mark.parametrize("command", ["replay", "demo"])
def test_file_that_cannot_be_read_is_one_line(command: str, tmp_path: Path, history: Path) -> None:
    assert "no such file" in failure(aether(command, tmp_path / "none.jsonl"))
    assert "is a folder" in failure(process(command, tmp_path))
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(history.read_bytes())
    assert "gzip" in failure(aether(command, broken))


def test_gzip_cut_short_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    whole = gzip.compress("\n".join(event("a.b", n) for n in range(20_000)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    assert "cut short" in failure(aether("replay", path))


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("loop", LOOPS)
def test_interrupt_ends_a_waiting_replay_in_one_line(loop: str) -> None:
    process = subprocess.Popen(
        [*AETHER, "replay", "-", "--backend", loop],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin
        assert process.stderr
        assert process.stdout
        # The report of a bad line tells that the replay is under way; then it waits for more.
        process.stdin.write(b"oops\n")
        process.stdin.flush()
        assert process.stderr.readline().startswith(b"line 1: ")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=50) == 130
        assert process.stderr.read() == b"aether: interrupted\n"
        assert process.stdout.read() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("loop", LOOPS)
def test_interrupt_ends_a_slow_replay_in_one_line(loop: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("oops\n" + event("a", 0) + "\n" + event("a", 1e9))
    process = subprocess.Popen(
        [*AETHER, "replay", str(path), "--speed", "1", "--backend", loop],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stderr
        assert process.stderr.readline().startswith(b"line 1: ")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=50) == 130
        assert process.stderr.read() == b"aether: interrupted\n"


# --- closed pipes


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["explain", "a.b", "a.*"], ["replay", "-"]]
)
def test_closed_pipe_ends_quietly(arguments: list[str]) -> None:
    process = subprocess.Popen(
        [*AETHER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout
        assert process.stderr
        assert process.stdin
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=50) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of a Unix shell")
def test_pipe_into_head_shows_no_traceback(history: Path) -> None:
    command = f"{shlex.join([*AETHER, 'replay', str(history)])} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=50, check=False)
    assert done.stderr == b""
    assert done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["explain", "a.b", "a.*"], ["--version"]])
def test_full_device_is_one_line(arguments: list[str], unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*AETHER, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=50,
            check=False,
            # It fails as it is written, or as it is flushed.
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("aether: ")
    assert "No space left" in line


@pytest.mark.skipif(sys.platform == "win32", reason="closes the streams in a Unix shell")
def test_streams_that_are_closed_from_the_start() -> None:
    command = f"{shlex.join([*AETHER, 'explain', 'a.b', 'a.*'])} <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, timeout=50, check=False).returncode == 0
    command = f"{shlex.join([*AETHER, 'replay', '-'])} <&-"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "aether: standard input is closed\n"


# --- explain


def test_explain_says_who_is_reached_and_why_not() -> None:
    result = aether("explain", "orders.created", "orders.*", "*.created", "users.>")
    assert result.status == 0, result.err
    assert result.err == ""
    lines = {
        pattern: line
        for pattern in ("orders.*", "*.created", "users.>")
        for line in result.out.splitlines()
        if pattern in line
    }
    assert len(lines) == 3
    assert "pattern" not in lines["orders.*"]
    assert lines["users.>"] != lines["orders.*"].replace("orders.*", "users.>")


def test_explain_takes_patterns_as_options_too() -> None:
    one = aether("explain", "orders.created", "orders.*", "users.>")
    other = aether("explain", "orders.created", "--pattern", "orders.*", "-p", "users.>")
    assert (one.status, one.out) == (0, other.out)


def test_explain_of_a_faint_wave() -> None:
    loud = aether("explain", "a.b", "a.*")
    faint = aether("explain", "a.b", "a.*", "--amplitude", "0.001")
    assert faint.status == 0
    assert faint.out != loud.out
    assert "min_amplitude" in faint.out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["a..b", "a.*"], "a..b"),
        (["a.*", "a.*"], "a.*"),
        (["a.b", "a.x*"], "a.x*"),
        (["a.b"], "no pattern"),
        (["a.b", "a.*", "--amplitude", "nan"], "--amplitude nan"),
        (["a.b", "a.*", "--amplitude", "1.5"], "--amplitude 1.5"),
        (["a.b", "a.*", "--amplitude=-0.1"], "--amplitude -0.1"),
        (["a.b", "a.*", "--amplitude", "inf"], "--amplitude inf"),
    ],
)
def test_explain_of_what_breaks_a_rule(arguments: list[str], part: str) -> None:
    assert part in failure(aether("explain", *arguments), status=2)
