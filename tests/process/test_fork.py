"""After a fork: a used medium is `ForkedMedium` in the child, an unused one works, nothing hangs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest
from tests.conftest import LOOPS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

FORK = """
import warnings
# CPython 3.12 and newer warn of a fork beside threads, which is what is tried here.
warnings.filterwarnings("ignore", ".*is multi-threaded, use of fork", DeprecationWarning)

def in_child(body):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            body()
        except BaseException as error:
            say("child:", type(error).__name__)
            os._exit(3)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    say("status", os.waitstatus_to_exitcode(status))

medium = aether.Aether()
"""
USE = """
v = medium.vibrator("reader", buffer_size=4)
v.resonate_on("a")
field = medium.field("a")
medium.emit_nowait("a", "from the parent")

async def take():
    await v.receive()

async def put():
    await medium.emit_wave("a", 1)

async def end():
    await medium.aclose()
"""


@pytest.mark.parametrize(
    "act",
    [
        "medium.emit_nowait('a', 1)",
        "medium.emit_sync('a', 1, timeout=5)",
        "v.receive_nowait()",
        "v.receive_sync(timeout=5)",
        "v.emit_nowait('a', 1)",
        "v.emitter().emit_nowait('a', 1)",
        "v.resonate_on('b')",
        "medium.vibrator('another')",
        "medium.statistics()",
        "medium.clear()",
        "medium.last('a')",
        "v.resonate_on('b', last=True)",
        "medium.field('a')",
        "medium.tap('a', print)",
        "field.columns()",
        "field.energy()",
        "len(field)",
        "run(take)",
        "run(put)",
        "run(end)",
    ],
)
def test_first_use_of_a_used_medium_in_the_child(program: Callable[..., Any], act: str) -> None:
    source = f"""
def body():
    try:
        {act}
    except aether.ForkedMedium as error:
        assert isinstance(error, RuntimeError) and str(error)
        say("forked")

in_child(body)
say(v.receive_sync(timeout=5).payload)
medium.emit_nowait("a", "again")
say(v.receive_nowait().payload)
v.close()
"""
    ended = program(FORK + USE + source).exited()
    assert ended.out == ["forked", "status 0", "from the parent", "again"]


def test_columns_stay_readable_in_the_child_and_its_field_lets_go_in_peace(
    program: Callable[..., Any],
) -> None:
    source = """
columns, tap = field.columns(), medium.tap("a", print)

def body():
    global field, tap
    field = tap = None
    say(columns.sequence.tolist())
    say(len(aether.Aether().field("a")))

in_child(body)
medium.emit_nowait("a")
say(field.recorded)
tap.close()
v.close()
"""
    ended = program(FORK + USE + source).exited()
    assert ended.out == ["[1]", "0", "status 0", ANY, "2"]


@pytest.mark.parametrize(
    "use",
    [
        "medium.field('a')",
        "medium.emit_nowait('a', 1)",
        "medium.emit_nowait('a', 1, ttl=1.0)",
        "medium.emitter().emit_nowait('a', 1)",
        "medium.emit_sync('a', 1)",
        "run(put)",
        "run(batch)",
        "medium.vibrator('reader').close()",
    ],
)
def test_whatever_the_first_use_was_it_is_a_use(program: Callable[..., Any], use: str) -> None:
    """Also where nobody listens, and where the emission takes the short way."""
    source = f"""
async def put():
    await medium.emit_wave("a", 1)

async def batch():
    await medium.emit_many([("a", 1)])

def body():
    for act in (medium.emit_nowait, medium.emitter().emit_nowait):
        try:
            act("a", 2)
        except aether.ForkedMedium:
            say("forked")

{use}
in_child(body)
say(medium.emit_nowait("a", 3).matched)
"""
    assert program(FORK + source).exited().out == ["forked", "forked", "status 0", "0"]


@pytest.mark.parametrize("look", ["medium.phase", "medium.reconfigure(tuned)"])
def test_what_only_looks_or_configures_is_no_use(program: Callable[..., Any], look: str) -> None:
    source = f"""
tuned = aether.AetherConfig(max_propagation=3)
{look}
in_child(lambda: say(medium.emit_nowait("a").matched))
in_child(lambda: (medium.phase, in_child(lambda: say(medium.emit_nowait("a").matched))))
medium.emit_nowait("a")

def body():
    try:
        {look}
    except aether.ForkedMedium:
        say("forked")

in_child(body)
"""
    out = ["0", "status 0", "0", "status 0", "status 0", "forked", "status 0"]
    assert program(FORK + source).exited().out == out


def test_a_hook_of_others_that_runs_first_in_the_child_sees_the_fork(
    program: Callable[..., Any],
) -> None:
    """It was registered before aether was imported, as `logging` and `random` register theirs."""
    first = """
import os

def hook():
    try:
        medium.emit_nowait("a", "from the hook")
    except aether.ForkedMedium:
        say("forked")
    say(aether.Wave("a").id != before.id)

os.register_at_fork(after_in_child=hook)
"""
    source = """
before = aether.Wave("a")
in_child(lambda: None)
say(v.receive_nowait().payload)
v.close()
"""
    ended = program(FORK + USE + source, first=first).exited()
    assert (ended.out, ended.err) == (["forked", "True", "status 0", "from the parent"], "")


def test_every_use_in_the_child_says_so_not_only_the_first(program: Callable[..., Any]) -> None:
    source = """
def body():
    for _ in range(3):
        try:
            medium.emit_nowait("a", 1)
        except aether.ForkedMedium:
            say("forked")

in_child(body)
v.close()
"""
    assert program(FORK + USE + source).exited().out == ["forked"] * 3 + ["status 0"]


def test_child_drops_the_handles_of_a_used_medium_quietly(program: Callable[..., Any]) -> None:
    """Collecting what was inherited neither raises nor hangs nor warns the child."""
    source = """
def body():
    global v, medium
    del v, medium
    gc.collect()
    say("gone")

in_child(body)
v.close()
"""
    ended = program(FORK + USE + source).exited()
    assert ended.out == ["gone", "status 0"]
    assert "Traceback" not in ended.err


def test_unused_medium_works_in_the_child_and_in_the_parent(program: Callable[..., Any]) -> None:
    source = """
def body():
    v = medium.vibrator("reader")
    v.resonate_on("a.*")
    medium.emit_nowait("a.b", os.getpid())
    assert v.receive_nowait().payload == os.getpid()

    async def main():
        await medium.emit_wave("a.c", 2)
        say((await v.receive()).payload)

    run(main)
    v.close()

in_child(body)
body()
"""
    assert program(FORK + source).exited().out == ["2", "status 0", "2"]


def test_fresh_medium_in_the_child_beside_a_used_one(program: Callable[..., Any]) -> None:
    source = """
def body():
    mine = aether.Aether()
    v2 = mine.vibrator("reader")
    v2.resonate_on("a")
    mine.emit_sync("a", "mine")
    say(v2.receive_sync(timeout=5).payload)
    wave = aether.Wave("a", 1)
    assert wave.propagate().propagation_count == 1
    v2.close()

in_child(body)
v.close()
"""
    assert program(FORK + USE + source).exited().out == ["mine", "status 0"]


def test_ids_differ_between_parent_and_child(program: Callable[..., Any]) -> None:
    source = """
aether.Wave("a").id
in_child(lambda: say(*sorted(aether.Wave("a").id for _ in range(3))))
say(*sorted(aether.Wave("a").id for _ in range(3)))
"""
    ended = program(FORK + source).exited()
    child, _, parent = ended.out
    assert not set(child.split()) & set(parent.split()), ended.out


def test_forking_under_load_never_hangs(program: Callable[..., Any]) -> None:
    """Threads emit and receive all the while; forty children look in and are told."""
    source = """
v = medium.vibrator("reader", overflow="drop_oldest", buffer_size=64)
v.resonate_on("a")
done = threading.Event()

def emit():
    while not done.is_set():
        medium.emit_nowait("a", 1)

def receive():
    while not done.is_set():
        try:
            v.receive_sync(timeout=0.01)
        except TimeoutError:
            pass

threads = [threading.Thread(target=t) for t in (emit, emit, receive)]
for t in threads:
    t.start()

def body():
    try:
        medium.emit_nowait("a", 1)
    except aether.ForkedMedium:
        pass
    else:
        os._exit(4)
    own = aether.Aether()
    w = own.vibrator("w")
    w.resonate_on("a")
    own.emit_nowait("a", 1)
    w.receive_nowait()
    w.close()

for _ in range(40):
    in_child(body)
done.set()
for t in threads:
    t.join()
v.close()
"""
    assert program(FORK + source).exited().out == ["status 0"] * 40


@pytest.mark.parametrize("backend", LOOPS)
def test_forking_beside_a_parked_reader(program: Callable[..., Any], backend: str) -> None:
    """The parent's reader stays parked over the fork and gets its wave; the child starts a new loop."""
    source = f"""
import anyio
v = medium.vibrator("reader")
v.resonate_on("a")

def body():
    async def main():
        mine = aether.Aether()
        w = mine.vibrator("w")
        w.resonate_on("a")
        await mine.emit_wave("a", "child")
        say((await w.receive()).payload)
        w.close()
        try:
            await medium.emit_wave("a", 1)
        except aether.ForkedMedium:
            say("forked")

    thread = threading.Thread(target=run, args=(main, "{backend}"))
    thread.start()  # not in the frames of the parent's loop
    thread.join()

async def main():
    async def read():
        say((await v.receive()).payload)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        while not v.statistics().tasks_waiting_receive:
            await anyio.lowlevel.checkpoint()
        in_child(body)
        await medium.emit_wave("a", "parent")

import anyio.lowlevel
run(main, "{backend}")
v.close()
"""
    out = program(FORK + source).exited().out
    assert out == ["child", "forked", "status 0", "parent"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(program: Callable[..., Any], tmp_path: Any, method: str) -> None:
    """Each start method: the child has a medium of its own; waves and their errors travel pickled."""
    script = tmp_path / "job.py"
    script.write_text(
        """
import multiprocessing, os, sys
import aether

medium = aether.Aether()

def work(wave):
    mine = aether.Aether()
    v = mine.vibrator("reader")
    v.resonate_on("a.*")
    mine.emit_nowait(wave.channel, wave.payload * 2, headers=dict(wave.headers))
    got = v.receive_nowait()
    v.close()
    try:
        medium.emit_nowait("a", 1)
        told = "works"
    except aether.ForkedMedium:
        told = "forked"
    return got, told

if __name__ == "__main__":
    v = medium.vibrator("parent")
    v.resonate_on("a.*")
    medium.emit_nowait("a.b", 21, headers={"k": "v"})
    wave = v.receive_nowait()
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool:
        for got, told in pool.map(work, [wave] * 8):
            assert (got.payload, got.channel, dict(got.headers)) == (42, "a.b", {"k": "v"})
            assert told == ("forked" if sys.argv[1] == "fork" else "works"), told
    v.close()
    print("done")
"""
    )
    ended = program(
        """
        import subprocess
        done = subprocess.run([sys.executable, *sys.argv[1:]], timeout=50)
        sys.exit(done.returncode)
        """,
        str(script),
        method,
    )
    assert ended.exited().out == ["done"]
