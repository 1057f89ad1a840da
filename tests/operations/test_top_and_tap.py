"""`aether top` and `aether tap`, from a real running demo."""

from __future__ import annotations

import io
import json
import math
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from types import NoneType, SimpleNamespace
from typing import IO, Any

import msgspec
import pytest

from aether.cli import main
from aether.cli.errors import CliError
from aether.cli.seen import asked, end_of
from aether.cli.tap import line
from aether.cli.top import parts, size
from aether.console import server
from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import (
    Answer,
    HandlerView,
    HealthView,
    Hello,
    MailboxView,
    MediumView,
    Snapshot,
    Tap,
    Watch,
    WaveView,
)

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")

# `aether.cli` has a function of this name.
top_module = import_module("aether.cli.top")
tap_module = import_module("aether.cli.tap")

AETHER = [sys.executable, "-W", "error", "-m", "aether.cli"]
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for sockets that is this test's alone, with a short name."""
    folder = tmp_path_factory.mktemp("r")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def aether(*arguments: str) -> tuple[int, str, str]:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(list(arguments))
    return status, out.getvalue(), err.getvalue()


def _feed(pipe: IO[bytes], ended: threading.Event) -> None:
    """Events, one each 2 ms."""
    for number in count(1):
        event = {"ts": number, "channel": "orders.created", "payload": {"id": number}}
        with suppress(OSError):
            pipe.write(json.dumps(event).encode() + b"\n")
        if ended.wait(0.002):
            return


def _until_it_is_seen() -> None:
    deadline = time.monotonic() + 30
    while True:
        with suppress(ConsoleError), Client(find()) as client:
            first = next(client.ask(Watch()))
            if isinstance(first, Snapshot) and first.media:
                return
        assert time.monotonic() < deadline, "nothing is seen"
        time.sleep(0.05)


@pytest.fixture
def running() -> Iterator[subprocess.Popen[bytes]]:
    """A replay that goes on for as long as the test wants."""
    patterns = ["--pattern", "orders.*", "--pattern", "users.*"]
    with subprocess.Popen(
        [*AETHER, "replay", "-", "--console", *patterns],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        bufsize=0,
    ) as process:
        assert process.stdin
        ended = threading.Event()
        feeding = threading.Thread(target=_feed, args=(process.stdin, ended))
        feeding.start()
        try:
            _until_it_is_seen()
            yield process
        finally:
            ended.set()
            feeding.join()
            process.kill()


def test_top_shows_a_running_replay(running: subprocess.Popen[bytes]) -> None:
    status, out, err = aether("top", "--once")
    assert (status, err) == (0, "")
    assert f"process {running.pid}" in out.splitlines()[0]
    assert re.search(r"^open, ready; each second [\d,]+ emitted, ", out, re.MULTILINE)
    assert re.search(r"^memory [\d.]+ MB, .* threads, .* files", out, re.MULTILINE)
    rows = {
        line.split()[0]: line.split()
        for line in out.splitlines()
        if line.startswith(("orders", "users"))
    }
    assert int(rows["orders.*"][-2].replace(",", "")) > 0, "received"
    assert rows["users.*"][-2] == "0"


def test_top_finds_it_by_its_number_and_by_its_socket(running: subprocess.Popen[bytes]) -> None:
    for option in (("--pid", str(running.pid)), ("--socket", str(find()))):
        status, out, _ = aether("top", "--once", *option)
        assert status == 0
        assert f"process {running.pid}" in out
    status, out, err = aether("top", "--once", "--pid", str(running.pid), "--socket", "x")
    assert (status, out) == (2, "")
    assert err == "aether: --socket and --pid: give one of them\n"


def test_tap_prints_waves_as_they_pass(running: subprocess.Popen[bytes]) -> None:
    status, out, _ = aether("tap", "orders.*", "--count", "3")
    assert status == 0
    lines = out.splitlines()
    assert len(lines) == 3
    for one in lines:
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} #\d+ orders\.created 1\.00: \{'id': \d+\}", one)


def test_tap_prints_json_for_programs(running: subprocess.Popen[bytes]) -> None:
    status, out, _ = aether("tap", "*", "-n", "2", "--json")
    assert status == 0
    for one in map(json.loads, out.splitlines()):
        assert (one["type"], one["channel"], one["headers"]) == ("wave", "orders.created", 0)


def test_ctrl_c_ends_both_in_one_line(running: subprocess.Popen[bytes]) -> None:
    for command in (["top"], ["tap", "*"]):
        with subprocess.Popen(
            [*AETHER, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stderr
            assert process.stdout.readline(), "it has begun"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            assert (process.returncode, err) == (130, "aether: interrupted\n")


def test_both_end_with_the_process(running: subprocess.Popen[bytes]) -> None:
    commands = [["top"], ["tap", "*"]]
    begun = [
        subprocess.Popen([*AETHER, *one], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for one in commands
    ]
    for process in begun:
        assert process.stdout
        assert process.stdout.readline()
    running.kill()
    for process in begun:
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert err.endswith(f"process {running.pid} has ended, or shows nothing any more\n")


def test_without_a_process_it_says_how_to_turn_it_on() -> None:
    for command in (["top"], ["top", "--once"], ["tap", "*"]):
        status, out, err = aether(*command)
        assert (status, out) == (1, "")
        assert re.fullmatch(r"aether: no process shows anything: .*ConsoleConfig.*--console\n", err)
    status, _, err = aether("tap", "*", "--socket", "/none/s")
    assert status == 1
    assert err.startswith("aether: /none/s: No such file or directory; a process is seen once")


def test_a_pattern_that_is_none_is_refused() -> None:
    holding = server.hold()
    try:
        status, out, err = aether("tap", "a..b")
    finally:
        holding.close()
    assert (status, out) == (1, "")
    assert err == "aether: channel 'a..b': token 2 is empty; write a name between every two dots\n"


def _medium(emitted: int, received: int) -> MediumView:
    counted = dict.fromkeys(("emitted", "delivered", "received"), emitted)
    return MediumView(
        number=1,
        phase="open",
        statistics={**counted, "waiting": 1204, "dropped": {"oldest": 3, "full": 0}},
        mailboxes=[
            MailboxView(1, "desk", None, 1204, 4000, received, 3, 0),
            MailboxView(2, "clerk", None, 0, 1000, 0, 0, 0),
            MailboxView(3, "clerk", "handle", 0, 1000, received, 0, 2),
        ],
        more=2,
        handlers=[HandlerView(3, "clerk", "handle", 8, 5, 1)],
        health=HealthView(True, False, ("the process uses too much",), ("it grows",)),
        resources={
            "rss": 41_300_000,
            "waiting_bytes": 512,
            "threads": 3,
            "open_files": 9,
            "loop_lag": 0.002,
            "panics": 1,
            "allocated": None,
        },
        journal={"path": "history", "last": 100, "safe": 90},
    )


def _text(before: Snapshot | None, now: Snapshot) -> list[str]:
    from aether.cli.console import Screen

    out = io.StringIO()
    Screen(out=out).print(*parts(Hello(1, 7, "shop.py", "0.1.0"), before, now))
    return out.getvalue().splitlines()


def test_a_screen_line_by_line() -> None:
    before = Snapshot(0.0, 10.0, [_medium(100, 10)])
    now = Snapshot(0.0, 12.0, [_medium(2100, 2010)])
    assert _text(before, now) == [
        "shop.py, process 7, aether 0.1.0",
        "",
        "open, not ready; each second 1,000 emitted, 1,000 delivered, 1,000 received; 1,204 waiting",
        "  ! the process uses too much",
        "  ? it grows",
        "lost: oldest 3",
        "memory 41.3 MB, waiting payloads 512 bytes, 3 threads, 9 files, loop 2.0 ms late, 1 panics",
        "journal history: 100 waves, 10 not safe yet",
        "",
        "vibrator   handler   full       waiting      of      /s   received   lost   busy   failed",
        "─────────────────────────────────────────────────────────────────────────────────────────",
        "clerk      handle    ········         0   1,000   1,000      2,010      0    5/8        1",
        "desk                 ███·····     1,204   4,000   1,000      2,010      3",
        "and 2 more, in which less waits",
    ]


def test_a_first_screen_has_no_rates_and_one_without_media_says_so() -> None:
    assert "- emitted" in _text(None, Snapshot(0.0, 0.0, [_medium(1, 1)]))[2]
    assert _text(None, Snapshot(0.0, 0.0, []))[1:] == ["no medium is entered"]


def _answer_with(monkeypatch: pytest.MonkeyPatch, module: Any, *answers: Answer | None) -> None:
    """Has a command ask a process that tells these."""

    @contextmanager
    def asked(*_: object) -> Iterator[tuple[Hello, Iterator[Answer | None]]]:
        yield Hello(1, 7, "shop.py", "0.1.0"), iter(answers)

    monkeypatch.setattr(module, "asked", asked)


def test_an_old_screen_says_how_old_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from aether.cli.console import Screen

    clock = iter([0.0, 10.0, 13.0])
    monkeypatch.setattr(top_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    _answer_with(monkeypatch, top_module, Snapshot(0.0, 1.0, [_medium(1, 1)]), None)
    out = io.StringIO()
    top_module.top(Screen(out=out))
    first, second = out.getvalue().split("shop.py, process 7, aether 0.1.0\n")[1:]
    assert "answered" not in first
    assert second.startswith("! it has not answered for 3 s: this is what there was before\n")
    assert first.strip() in second


def test_once_of_a_process_that_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from aether.cli.console import Screen

    _answer_with(monkeypatch, top_module, Snapshot(0.0, 1.0, []), None)
    with pytest.raises(CliError, match="process 7 does not answer: it may be stopped"):
        top_module.top(Screen(), once=True)


def test_silence_is_told_to_whoever_asks_for_it() -> None:
    holding = server.hold()
    try:
        with Client(find()) as client:
            answers = client.ask(Watch(3600.0), 0.05)
            assert [type(next(answers)) for _ in range(3)] == [Snapshot, NoneType, NoneType]
    finally:
        holding.close()


def test_whoever_is_let_go_of_is_told_that_the_process_goes_on() -> None:
    holding = server.hold()
    try:
        with asked(Tap("*"), None, None) as (hello, answers):
            (made,) = server._servers.values()
            while not made._clients:
                time.sleep(0.01)
            made._safely(next(iter(made._clients)), _refused)
            assert list(answers) == []
            with pytest.raises(
                CliError, match=f"process {hello.pid} goes on, and has let go of this"
            ):
                end_of(hello, None)
    finally:
        holding.close()
    assert end_of(hello, None) == f"process {hello.pid} has ended, or shows nothing any more"


def _refused(_: object) -> None:
    raise ConnectionResetError


def _once(monkeypatch: pytest.MonkeyPatch, *snapshots: Snapshot) -> list[str]:
    """What is shown once of a process that tells these."""
    from aether.cli.console import Screen

    _answer_with(monkeypatch, top_module, *snapshots)
    out = io.StringIO()
    top_module.top(Screen(out=out), once=True)
    return out.getvalue().splitlines()


def _later(number: int, emitted: int) -> MediumView:
    return msgspec.structs.replace(_medium(emitted, 0), number=number)


def test_once_waits_for_a_medium_that_is_there_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one comes after the other, as in the demo."""
    seen = [
        Snapshot(0.0, 1.0, []),
        Snapshot(0.0, 1.1, [_later(1, 5)]),
        Snapshot(0.0, 1.2, [_later(2, 10)]),
        Snapshot(0.0, 1.3, []),
        Snapshot(0.0, 2.0, [_later(3, 20)]),
        Snapshot(0.0, 2.25, [_later(3, 30)]),
    ]
    stays = [Snapshot(0.0, 2.5, [_later(3, 90)]), Snapshot(0.0, 2.6, [_later(3, 999)])]
    assert "each second 140 emitted" in _once(monkeypatch, *seen, *stays)[2]
    assert "each second 40 emitted" in _once(monkeypatch, *seen, Snapshot(0.0, 2.3, []))[2]


def test_once_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = [Snapshot(0.0, float(one), []) for one in range(4)]
    assert _once(monkeypatch, *nothing)[-1] == "no medium is entered"
    never_twice = [Snapshot(0.0, 1.0 + one, [_later(one, 5)]) for one in range(100)]
    assert "each second - emitted" in _once(monkeypatch, *never_twice)[2]
    with pytest.raises(CliError, match="process 7 has ended"):
        _once(monkeypatch, *nothing[:2])


def test_a_wave_is_one_line_whatever_is_in_it() -> None:
    wave = WaveView(1, None, 0.25, "a", 1.0, "two\nlines", 1, "'\x1b[31m\n'")
    text = line(wave)
    assert text.endswith(r"#None a 1.00 from two\nlines, 1 header: '\x1b[31m\n'")
    assert text.isprintable()


@pytest.mark.parametrize("moment", [1e20, -1e20, 1e12, math.nan, math.inf])
def test_a_wave_may_be_of_any_time(moment: float) -> None:
    text = line(WaveView(1, 7, moment, "a", 1.0, None, 0, "1"))
    assert text.endswith(" #7 a 1.00: 1")


NAMES = "\x1b[2J\x1b]0;owned\x07bad\nline\u202e\x7f\x9b\ud800\U000e0001"


def test_what_others_call_themselves_moves_no_terminal() -> None:
    view = _medium(100, 10)
    named = msgspec.structs.replace(
        view,
        mailboxes=[msgspec.structs.replace(one, vibrator=NAMES) for one in view.mailboxes],
        handlers=[msgspec.structs.replace(one, handler=NAMES) for one in view.handlers],
        health=HealthView(True, False, (NAMES,), (NAMES,)),
        journal={"path": NAMES, "last": 1, "safe": 1},
    )
    plain = _text(None, Snapshot(0.0, 12.0, [view]))
    shown = _text(None, Snapshot(0.0, 12.0, [named]))
    assert all(one.isprintable() for one in shown)
    # Nothing looks like a line of its own, but where a cell is folded.
    at = next(number for number, one in enumerate(plain) if one.startswith("vibrator"))
    assert [one[:4] for one in shown[:at]] == [one[:4] for one in plain[:at]]


def test_json_of_a_wave_is_json_and_moves_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from aether.cli.console import Screen

    wave = WaveView(1, 7, 0.0, "a", 1.0, NAMES.replace("\ud800", ""), 0, "1")
    _answer_with(monkeypatch, tap_module, wave)
    out = io.StringIO()
    tap_module.tap(Screen(out=out), "*", count=1, as_json=True)
    (shown,) = out.getvalue().splitlines()
    assert shown.isprintable()
    assert json.loads(shown)["source"] == wave.source


def test_sizes_in_their_unit() -> None:
    assert [size(one) for one in (0, 999, 1000, 2_500_000, 7e15)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "2.5 MB",
        "7,000.0 TB",
    ]


def test_the_readme_shows_a_screen_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The piece in the README has the columns and vibrators of a real demo's screen."""
    # Wide enough for names, however many digits there are.
    monkeypatch.setenv("COLUMNS", "120")
    shown = _screen_of_a_demo()
    block = re.search(
        r"\$ aether top --once\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL
    )
    assert block, "the README shows it"
    assert _shape(block[1]) == _shape(shown)


def _screen_of_a_demo() -> str:
    """A screen with a medium in it which was there twice: those of a demo are there for a second or two."""
    for _ in range(8):
        with subprocess.Popen([*AETHER, "demo", "--console"], stdout=subprocess.DEVNULL) as demo:
            try:
                while demo.poll() is None:
                    status, out, _ = aether("top", "--once")
                    rates = re.search(r"each second \d[\d,]* emitted", out)
                    if status == 0 and "digest" in out and rates:
                        return out
            finally:
                demo.kill()
    pytest.fail("eight demos have ended, and nothing of them was seen")


def _shape(screen: str) -> tuple[list[str], list[str]]:
    """The columns of its table, and who is in the first and second."""
    lines = screen.splitlines()
    at = next(number for number, one in enumerate(lines) if one.startswith("vibrator "))
    rows = [re.split(r" {2,}", one) for one in lines[at + 2 :] if one.strip()]
    named = [f"{row[0]} {row[1] if not set(row[1]) & set('█·') else ''}".strip() for row in rows]
    return lines[at].split(), [one for one in named if not one.startswith("and ")]
