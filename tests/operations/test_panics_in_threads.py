"""A panic in a thread of the library ends nothing but what it was about: the threads of the refill, of the retention and of
wake-ups, and the thread that commits where it wakes others. See `panicking` for how one is had.

Which allocation is the one that panics depends on the interpreter, so each of the first few fails in turn; what raises an
error instead is seen to, too.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tests.operations.panicking import run

# Without the interpreter's lock, the memory that fails may be that of any thread.
pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="needs the interpreter's lock"
)

PRELUDE = """
import functools, os, sys, tempfile, threading, time
from aether.journal import Journal, Retain

# A thread that is to panic does so before another one takes the memory that fails.
sys.setswitchinterval(60)
HERE = threading.get_ident()

def fails(start):
    "The so many-th allocation from now on fails."
    _testcapi.set_nomemory(start, start + 1)

def events(name, thread=None):
    return [one for one in told if one.event == name and thread in (None, getattr(one, "native_thread", None))]

class Arming:
    "A codec: in the thread that reads the journal, memory fails after it has decoded a payload, so often."
    name, tag = "arming", 16

    def __init__(self, payload=None, start=0, times=1):
        self.payload, self.start, self.times = payload, start, times

    def encode(self, payload):
        return b"%09d" % payload

    def decode(self, data):
        payload = int(data)
        if payload == self.payload and self.times and threading.get_ident() != HERE:
            self.times -= 1
            fails(self.start)
        return payload

async def ten(folder):
    async with Aether(journal=Journal(folder, codec=Arming())) as medium:
        await medium.emit_many([("orders.new", number) for number in range(10)])

async def until(holds):
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)
"""


def threaded(program: str) -> list[str]:
    """Runs a program; the threads that have panicked."""
    told: dict[str, Any] = run(PRELUDE + program)
    panicked = [
        thread for event, _, _, _, thread, _ in told["events"] if event == "native.panicked"
    ]
    assert len(panicked) == told["panics"], "each is counted, and told of"
    return panicked


def test_the_refill_begins_anew_and_nothing_is_lost() -> None:
    panicked = threaded(
        """
async def main(start):
    folder = tempfile.mkdtemp()
    await ten(folder)
    config = AetherConfig(metrics=MetricsConfig())
    async with Aether(config, journal=Journal(folder, codec=Arming(4, start))) as medium:
        desk = medium.vibrator("desk")
        await desk.resonate_on("orders.*", replay="all", cursor="desk")
        got = []
        # What raises is passed over, and logged.
        while len(got) + len(events("journal.unreadable")) < 10:
            async with asyncio.timeout(20):
                wave = await desk.receive()
            got.append(wave.payload)
            await desk.ack(wave)
        _testcapi.remove_mem_hooks()
        assert len(got) >= 9 and got == sorted(set(got)), got
        # It lives, and its cursor moves on.
        await medium.emit_wave("orders.new", 10)
        wave = await desk.receive()
        assert wave.payload == 10
        await desk.ack(wave)
        assert dict(medium.figures()["cursors"]) == {"desk": 0}
        desk.close()

for start in range(4):
    panics = _native.panics()
    asyncio.run(main(start))
    if _native.panics() > panics:
        assert not events("journal.unreadable")
        break
    told.clear()
say([])
"""
    )
    assert panicked == ["aether-refill"]


def test_a_wave_that_panics_each_time_is_passed_over() -> None:
    panicked = threaded(
        """
async def main(start):
    folder = tempfile.mkdtemp()
    await ten(folder)
    async with Aether(journal=Journal(folder, codec=Arming(4, start, times=2))) as medium:
        desk, other = medium.vibrator("desk"), medium.vibrator("other")
        await desk.resonate_on("orders.*", replay="all")
        got = []
        while len(got) + len(events("journal.unreadable")) < 10:
            async with asyncio.timeout(20):
                got.append((await desk.receive()).payload)
        _testcapi.remove_mem_hooks()
        assert medium.health().ready
        desk.close(), other.close()
        return got

for start in range(4):
    told.clear()
    got = asyncio.run(main(start))
    if len(events("native.panicked")) == 2:
        break
(lost,) = events("journal.unreadable")
(sequence,) = [number + 1 for number in range(10) if number not in got]
assert f"wave {sequence} is passed over" in lost.getMessage(), lost.getMessage()
told[:] = [one for one in told if one is not lost]
base = _native.panics() - 2
_native_panics = _native.panics
_native.panics = lambda: _native_panics() - base
say([])
"""
    )
    assert panicked == ["aether-refill"] * 2


def test_the_retention_begins_anew_and_says_so_meanwhile() -> None:
    panicked = threaded(
        """
# What the thread logs when it fails asks for the logger first.
starts, ask = [], logging.getLogger
def arming(name=None):
    if starts and threading.get_ident() != HERE:
        fails(starts.pop())
    return ask(name)
logging.getLogger = arming

async def main(start):
    folder = tempfile.mkdtemp()
    # It would clear away a file of that name, and cannot: it is a folder.
    in_the_way = os.path.join(folder, "00000000000000000001-00000000.segment.new")
    os.mkdir(in_the_way)
    journal = Journal(folder, segment_bytes=4096, retention=[Retain(max_count=10)], retention_interval=0.001)
    async with Aether(journal=journal) as medium:
        before = _native.panics()
        starts.append(start)
        await medium.emit_many([("a.b", number) for number in range(200)])
        await until(lambda: not starts and journal.retention_trouble is not None)
        if _native.panics() > before:
            await until(lambda: "panicked" in journal.retention_trouble)
            assert "tried again" in journal.retention_trouble
        _testcapi.remove_mem_hooks()
        assert (await medium.emit_wave("a.b", 200)).position == 201
        os.rmdir(in_the_way)
        await until(lambda: journal.retention_trouble is None and len(list(journal.replay())) < 100)
        return _native.panics() > before

assert any(asyncio.run(main(start)) for start in range(4))
say([])
"""
    )
    assert panicked == ["aether-retention"]


WAKING = """
# After the first wake-up memory fails once, so much later; from the next one on it does not.
starts, raising, raised = [], [], []

class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, callback, *args, **options):
        _testcapi.remove_mem_hooks()
        if raising:
            raise raising.pop()
        called = super().call_soon_threadsafe(callback, *args, **options)
        if starts:
            fails(starts.pop())
        return called

def beside(read):
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread

def spin(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)

def all_wake(medium, emit, count=3):
    "All readers of a wave get it, in loops of their own; the second has none, but waits in its thread."
    got = []
    async def read(desk):
        got.append((await desk.receive()).payload)
    def read_in(desk):
        if desk.name == "desk1":
            got.append(desk.receive_sync(10).payload)
            return
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(read(desk))
    desks = [medium.vibrator(f"desk{number}") for number in range(count)]
    for desk in desks:
        desk.resonate_on("orders.*")
    threads = [beside(functools.partial(read_in, desk)) for desk in desks]
    spin(lambda: all(desk.statistics().tasks_waiting_receive for desk in desks))
    try:
        emit("orders.new", 7)
        spin(lambda: True)
    except (MemoryError, OSError) as error:
        # What is raised where it cannot be is, in the main thread, at its next step.
        raised.append(error)
    for thread in threads:
        thread.join(10)
    _testcapi.remove_mem_hooks()
    assert not any(thread.is_alive() for thread in threads)
    assert got == [7] * count
    for desk in desks:
        desk.close()
"""


def test_a_reader_is_woken_though_it_panics_to_wake_another() -> None:
    panicked = threaded(
        WAKING
        + """
medium = Aether()
for start in range(6):
    starts.append(start)
    all_wake(medium, medium.emit_nowait)
say([])
"""
    )
    assert panicked
    assert set(panicked) <= {"a thread of the program", "main"}


def test_so_it_is_by_the_thread_that_commits() -> None:
    panicked = threaded(
        WAKING
        + """
medium = Aether(journal=Journal(tempfile.mkdtemp()))
for start in range(6):
    starts.append(start)
    all_wake(medium, medium.emit_sync)
assert medium.health().ready
say([])
"""
    )
    assert panicked
    assert set(panicked) == {"aether-journal"}


def test_who_cannot_be_woken_at_once_is_tried_again_and_again() -> None:
    panicked = threaded(
        WAKING
        + """
sys.unraisablehook = lambda said: raised.append(said.exc_value)
medium = Aether()
raising.extend(OSError(number) for number in range(5))
all_wake(medium, medium.emit_nowait, 1)
assert [error.args for error in raised] == [(number,) for number in reversed(range(5))], raised
say([])
"""
    )
    assert panicked == []
