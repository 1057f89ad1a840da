"""The end of a program by a signal: all that was taken in is accounted for, the status is right, nothing hangs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.conftest import LOOPS
from tests.probes import PATIENCE, turns

import aether
from aether import Aether, AetherConfig, Closed, Wave
from aether.journal import Journal

ROUNDS = 200 if "AETHER_TORTURE" in os.environ else 2

PROGRAM = """
import json, os, sys
from collections import Counter
import anyio
import aether
from aether import Aether, AetherConfig, Retry
from aether.journal import Journal

backend, way, path = sys.argv[1:]
journal = Journal(path) if way == "fsync" else None
medium = Aether(AetherConfig(shutdown_timeout=20.0), journal=journal)
worker, reader = medium.vibrator("worker"), medium.vibrator("reader", overflow="drop_oldest")
if way == "receive":
    reader.resonate_on("work.*")
accepted, handled, attempts = 0, Counter(), Counter()

class Again(Exception): ...

@worker.on("work.*", concurrency=4, retry=Retry(on=Again, wait_initial=0.01, wait_jitter=0.01, budget=None))
async def work(wave):
    attempts[wave.payload] += 1
    if way == "retry" and attempts[wave.payload] == 1:
        raise Again
    if way == "handler":
        await anyio.sleep(0.002)
    handled[wave.payload] += 1

async def main(medium):
    global accepted
    number = 0
    while True:
        receipt = await medium.emit_wave("work.done", number)
        accepted += bool(receipt)
        if way == "receive":
            await reader.receive()
        if number % 10 == 0:
            os.write(1, b"+\\n")
        number += 1

aether.run(main, medium=medium, backend=backend)
counts = {"accepted": accepted, "handled": len(handled), "twice": sum(n > 1 for n in handled.values())}
counts |= {"dropped": medium.statistics().dropped["abandoned"], "failed": worker.statistics().failed}
os.write(1, json.dumps(counts).encode())
"""


@pytest.mark.parametrize("backend", LOOPS)
@pytest.mark.parametrize("way", ["emit", "receive", "fsync", "retry", "handler"])
def test_all_that_was_taken_in_is_done(tmp_path: Path, backend: str, way: str) -> None:
    chance = random.Random(f"{backend} {way}")
    for round_ in range(ROUNDS):
        sent = chance.choice([signal.SIGTERM, signal.SIGINT])
        command = [sys.executable, "-c", PROGRAM, backend, way, str(tmp_path / str(round_))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 15)):
                process.stdout.readline()
            process.send_signal(sent)
            out, err = process.communicate(timeout=50)
        assert (process.returncode, err.decode()) == (0, "")
        counts = json.loads(out.splitlines()[-1])
        assert counts["accepted"] > 0
        # Of an emission that was cancelled, the journal may have the wave all the same.
        late = counts["handled"] - counts["accepted"]
        assert late in ((0, 1) if way == "fsync" else (0,)), counts
        assert (counts["twice"], counts["failed"]) == (0, 0)
        assert counts["dropped"] <= 1_000, "the reader's alone"


STUCK = """
import os, sys
import anyio
import aether
from aether import Aether, AetherConfig

medium = Aether(AetherConfig(shutdown_timeout=float(sys.argv[2])))
worker = medium.vibrator("worker")

@worker.on("work.*")
async def work(wave):
    os.write(1, b"begun\\n")
    await anyio.sleep_forever()

async def main(medium):
    for number in range(3):
        await medium.emit_wave("work.done", number)
    try:
        await anyio.sleep_forever()
    finally:
        os.write(1, b"left\\n")

try:
    aether.run(main, medium=medium, backend=sys.argv[1])
finally:
    os.write(1, b"%d\\n" % medium.statistics().dropped["abandoned"])
"""


@pytest.mark.parametrize("backend", LOOPS)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(backend: str, sent: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, backend, "3600"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(sent)
        assert process.stdout.readline() == b"left\n"
        process.send_signal(sent)
        out, err = process.communicate(timeout=50)
    assert process.returncode == 128 + sent
    assert out == b"3\n"
    assert b"3 waves abandoned, after a second signal" in err


@pytest.mark.parametrize("backend", LOOPS)
def test_what_is_not_done_in_time_is_abandoned(backend: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, backend, "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=50)
    assert process.returncode == 1
    assert out == b"left\n3\n"
    assert b"3 waves abandoned" in err


@pytest.mark.parametrize("backend", LOOPS)
def test_what_ends_the_program_in_a_group_of_tasks_is_its_status(backend: str) -> None:
    async def exits(after: int) -> None:
        await turns(after)
        sys.exit(3)

    async def main(medium: Aether) -> None:
        async with anyio.create_task_group() as outer, anyio.create_task_group() as group:
            outer.start_soon(anyio.sleep_forever)
            group.start_soon(exits, 5)
            await anyio.sleep_forever()

    medium = Aether()
    with pytest.raises(SystemExit) as raised:
        aether.run(main, medium=medium, backend=backend)
    assert (raised.value.code, medium.phase) == (3, "closed")


def test_no_other_error_is_lost_beside_it() -> None:
    async def main(medium: Aether) -> None:
        raise BaseExceptionGroup("two", [SystemExit(3), KeyError("mine")])

    with pytest.raises(BaseExceptionGroup) as raised:
        aether.run(main, medium=Aether(), backend="trio")
    assert raised.group_contains(KeyError)


async def test_the_intake_stops_and_the_block_is_left(anyio_backend: object) -> None:
    medium = Aether()
    worker, handled = medium.vibrator("worker"), list[int]()

    @worker.on("a")
    async def work(wave: Wave[int]) -> None:
        await turns(3)
        handled.append(wave.payload)

    refused = False
    async with medium.lifespan(signals=False) as life:
        for number in range(5):
            await medium.emit_wave("a", number)
        life.stop()
        try:
            await anyio.sleep_forever()
        finally:
            try:
                medium.emit_nowait("a", 5)
            except Closed:
                refused = True
    assert refused
    assert handled == [0, 1, 2, 3, 4]
    assert (medium.phase, life.abandoned, life.forced) == ("closed", 0, False)
    worker.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no journals on Windows")
async def test_the_journal_is_written_to_its_end_whatever_comes(
    anyio_backend: object, tmp_path: Path
) -> None:
    class Signalled(Journal):
        def close(self) -> None:
            seen = threading.Event()
            for _ in range(2):
                life.stop()
            life._home.soon(seen.set)
            assert seen.wait(PATIENCE)
            super().close()

    medium = Aether(journal=Signalled(tmp_path, durability="os"))
    async with medium.lifespan(signals=False) as life:
        for number in range(100):
            medium.emit_nowait("a", number)
    assert (life.forced, life.abandoned, medium.phase) == (True, 0, "closed")
    assert [wave.payload for wave in Journal(tmp_path).replay()] == list(range(100))


async def test_an_error_comes_out_as_it_was_raised_and_what_was_waiting_is_said(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    medium = Aether()
    reader = medium.vibrator("reader")
    reader.resonate_on("a")
    with pytest.raises(KeyError, match="mine"):
        async with medium.lifespan() as life:
            await medium.emit_wave("a")
            raise KeyError("mine")
    assert (medium.phase, life.abandoned) == ("closed", 1)
    said = [
        one.getMessage()
        for one in caplog.records
        if getattr(one, "event", "") == "medium.abandoned"
    ]
    assert said == [
        "the medium was closed with 1 wave abandoned, as an error came out of the block"
    ]
    reader.close()


async def test_handlers_of_signals_are_as_they_were(anyio_backend: object) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with Aether().lifespan():
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] != before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    async with Aether().lifespan(object()):
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_run_returns_what_it_should() -> None:
    seen: list[str] = []

    async def main(medium: Aether) -> None:
        seen.append(medium.phase)

    medium = Aether(AetherConfig(shutdown_timeout=1.0))
    aether.run(main, medium=medium, backend="trio")
    assert (seen, medium.phase) == (["open"], "closed")
    with pytest.raises(ValueError, match="backend must be"):
        aether.run(main, backend="twisted")


async def test_a_server_finds_the_medium_in_its_state(anyio_backend: object) -> None:
    medium = Aether()
    async with medium.lifespan(object()) as life:
        state: dict[str, object] = {"other": 1}
        state.update(life)
        assert state == {"other": 1, "medium": medium}
        assert (len(life), {**life}) == (1, {"medium": medium})
        with pytest.raises(KeyError):
            life["nonsense"]


async def test_who_emits_in_a_group_of_tasks_when_it_ends_is_no_error(
    anyio_backend: object,
) -> None:
    medium = Aether()

    async def emits(ready: anyio.Event) -> None:
        await ready.wait()
        medium.emit_nowait("a")

    async with medium.lifespan(signals=False) as life, anyio.create_task_group() as group:
        ready = anyio.Event()
        group.start_soon(emits, ready)
        await turns(5)
        life.stop()
        # Awake already when the block is cancelled, so that it goes on to emit.
        ready.set()
        await anyio.sleep_forever()
    assert (medium.phase, life.abandoned) == ("closed", 0)


async def test_any_other_error_in_the_group_comes_out(anyio_backend: object) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with Aether().lifespan(signals=False) as life:
            life.stop()
            raise ExceptionGroup("two", [Closed("the medium is closed"), KeyError("mine")])
    assert raised.group_contains(KeyError)


async def test_a_signal_while_it_drains_by_itself_is_a_first_one(anyio_backend: object) -> None:
    medium = Aether()
    worker, handled = medium.vibrator("worker"), list[bool]()

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        signal.raise_signal(signal.SIGTERM)
        await turns(10)
        handled.append(life.forced)

    async with medium.lifespan() as life:
        await medium.emit_wave("a")
    assert handled == [False]
    assert (life.signal, life.forced, life.abandoned) == (signal.SIGTERM, False, 0)
    worker.close()


@pytest.mark.parametrize("signals", [1, 2])
async def test_one_within_another_is_drained_first_and_both_end(
    anyio_backend: object, signals: int
) -> None:
    inside, outside = Aether(), Aether()
    worker, handled = inside.vibrator("worker"), list[str]()

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        await turns(10)
        handled.append(outside.phase)
        if signals == 2:
            signal.raise_signal(signal.SIGTERM)
            await anyio.sleep_forever()

    async with outside.lifespan() as outer:
        async with inside.lifespan() as inner:
            await inside.emit_wave("a")
            signal.raise_signal(signal.SIGTERM)
            await anyio.sleep_forever()
        await anyio.sleep_forever()
    assert handled == ["open"], "the outer one goes on while the inner one drains"
    assert (inner.signal, outer.signal) == (signal.SIGTERM, signal.SIGTERM)
    assert (inner.forced, outer.forced) == (signals == 2, signals == 2)
    worker.close()


@pytest.mark.parametrize("app", [7, None, "main"])
def test_what_cannot_be_run_is_refused_before_anything_runs(app: Any) -> None:
    with pytest.raises(TypeError, match="app must be a medium, or an async function"):
        aether.run(app)
