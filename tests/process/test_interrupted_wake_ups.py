"""An error in the midst of a wake-up, as a signal handler raises it: who sleeps wakes, and the error is heard of.

What the emission did cannot be undone, so the error comes in the main thread at its next step, and the
wake-up is made once more from elsewhere.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import LOOPS

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX signals")
ON_EACH_LOOP = pytest.mark.parametrize("backend", LOOPS)

# A reader in a loop of its own thread. `fail_once(error)` has the next wake-up of that loop fail.
SETUP = """
backend = sys.argv[1]
medium = aether.Aether()
v = medium.vibrator("reader")
v.resonate_on("a")
got = []
loops = []

async def read():
    if backend != "trio":
        loops.append(asyncio.get_running_loop())
    got.append((await v.receive()).payload)

def start(body=read):
    thread = threading.Thread(target=run, args=(body, backend), daemon=True)
    thread.start()
    until(lambda: v.statistics().tasks_waiting_receive)
    return thread

def fail_once(error):
    if backend == "trio":
        import trio
        owner, name = trio.lowlevel.TrioToken, "run_sync_soon"
    else:
        owner, name = loops[-1], "call_soon_threadsafe"
    real = getattr(owner, name)

    def once(*args, **options):
        setattr(owner, name, real)
        raise error("on purpose")

    setattr(owner, name, once)

def steps():
    for _ in range(1000):
        pass
"""


@ON_EACH_LOOP
def test_the_reader_wakes_and_the_error_is_raised(
    program: Callable[..., Any], backend: str
) -> None:
    source = """
for error in (KeyboardInterrupt, SystemExit, RecursionError, LookupError):
    reader = start()
    fail_once(error)
    try:
        medium.emit_nowait("a", error.__name__)
        steps()
    except error as caught:
        assert str(caught) == "on purpose"
    else:
        say("nothing raised")
    reader.join(10)
    say(*got)
    got.clear()
assert medium.statistics().emitted == v.statistics().received == 4
v.close()
"""
    ended = program(SETUP + source, backend).exited()
    assert ended.out == ["KeyboardInterrupt", "SystemExit", "RecursionError", "LookupError"]
    assert ended.err == ""


@ON_EACH_LOOP
def test_in_another_thread_the_error_is_reported(program: Callable[..., Any], backend: str) -> None:
    """No signal handler runs there, and the thread is somebody else's."""
    source = """
sys.unraisablehook = lambda unraisable: say("reported", unraisable.exc_type.__name__)
reader = start()
fail_once(LookupError)
emitter = threading.Thread(target=medium.emit_nowait, args=("a", "woken"))
emitter.start()
emitter.join()
reader.join(10)
say(*got)
steps()
v.close()
"""
    assert program(SETUP + source, backend).exited().out == ["reported LookupError", "woken"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_on_a_stack_that_is_as_deep_as_may_be(program: Callable[..., Any], backend: str) -> None:
    """The wake-up has no room: neither is the reader passed over nor the loop taken for a dead one."""
    source = """
emitted = []

def deep(left):
    try:
        if left:
            deep(left - 1)
    except RecursionError:
        pass
    if not emitted:
        try:
            emitted.append(medium.emit_nowait("a", "woken").delivered)
        except RecursionError:
            pass

reader = start()
deep(10_000)
reader.join(10)
say(*emitted, *got[:1])
v.close()
"""
    assert program(SETUP + source, backend).exited().out == ["1 woken"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_signal_handler_that_raises_at_each_wake_up(
    program: Callable[..., Any], moment: str
) -> None:
    """Each error arrives, and no wave waits for a reader that sleeps."""
    source = f"""
class Alarm(Exception):
    pass

def on_alarm(number, frame):
    raise Alarm

class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *args, **options):
        mine = threading.current_thread() is threading.main_thread()
        if mine and "{moment}" == "before":
            signal.raise_signal(signal.SIGALRM)
        super().call_soon_threadsafe(*args, **options)
        if mine:
            signal.raise_signal(signal.SIGALRM)

async def read():
    while (wave := await v.receive()) is not None:
        got.append(wave.payload)

signal.signal(signal.SIGALRM, on_alarm)
reader = threading.Thread(target=lambda: Loop().run_until_complete(read()))
reader.start()
caught = 0
for number in range(100):
    sleeps = lambda: len(got) == number and v.statistics().tasks_waiting_receive
    deadline = time.monotonic() + 10
    while not sleeps() and time.monotonic() < deadline:
        time.sleep(0.0001)
    if not sleeps():
        break
    try:
        medium.emit_nowait("a", number)
        steps()
    except Alarm:
        caught += 1
say(caught, got[:99] == list(range(99)))
os._exit(0)
"""
    ended = program(SETUP + source, "asyncio").exited()
    assert (ended.out, ended.err) == (["100 True"], "")


@pytest.mark.skipif(
    "AETHER_TORTURE" not in os.environ,
    reason="chance decides where an alarm comes: run with AETHER_TORTURE=1",
)
@ON_EACH_LOOP
def test_a_storm_of_alarms_among_wake_ups(program: Callable[..., Any], backend: str) -> None:
    """They come wherever they come: each is caught, none is swallowed, and the last wave is read."""
    source = """
class Alarm(Exception):
    pass

def on_alarm(number, frame):
    raise Alarm

async def read():
    while (payload := (await v.receive()).payload) != "last":
        got.append(payload)

sys.unraisablehook = lambda unraisable: say("swallowed", unraisable.exc_type.__name__)
reader = start(read)
signal.signal(signal.SIGALRM, on_alarm)
for number in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.00001 + number % 100 * 0.00001)
        while True:
            if not v.statistics().current_buffer_used:
                medium.emit_nowait("a", number)
                steps()
    except Alarm:
        pass
signal.signal(signal.SIGALRM, signal.SIG_IGN)
emitted = medium.statistics().emitted
medium.emit_nowait("a", "last")
reader.join(10)
say(reader.is_alive(), len(got) == emitted)
v.close()
"""
    assert program(SETUP + source, backend).exited().out == ["False True"]


def test_an_alarm_that_a_new_name_finds_is_raised(program: Callable[..., Any]) -> None:
    """To make a channel of a name asks for signals: the emission is not made in that case."""
    source = """
class Alarm(Exception):
    pass

def on_alarm(number, frame):
    raise Alarm

signal.signal(signal.SIGALRM, on_alarm)
came = 0
for number in range(10):
    for emit in (medium.emit_nowait, medium.emit_wave):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            late = b"x" * 100_000_000
            emission = emit(f"a.new{number}", 1)
            if emit == medium.emit_wave:
                emission.close()
        except Alarm:
            came += 1
say(came)
v.close()
"""
    assert program(SETUP + source, "asyncio").exited().out == ["20"]


@pytest.mark.parametrize("way", ["nowait", "sync", "awaited"])
def test_sigterm_ends_the_program_though_it_comes_in_a_wake_up(
    program: Callable[..., Any], way: str
) -> None:
    """A service's handler that calls `sys.exit`."""
    source = f"""
class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *args, **options):
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGTERM)
        return super().call_soon_threadsafe(*args, **options)

async def read():
    await v.receive()

async def emit():
    await medium.emit_wave("a", 1)
    await asyncio.sleep(10)

signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
threading.Thread(target=lambda: Loop().run_until_complete(read()), daemon=True).start()
until(lambda: v.statistics().tasks_waiting_receive)
if "{way}" == "awaited":
    asyncio.run(emit())
else:
    medium.emit_{way.replace("awaited", "nowait")}("a", 1)
    steps()
say("swallowed")
"""
    ended = program(SETUP + source, "asyncio").exited(7)
    assert (ended.out, ended.err) == ([], "")


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_ctrl_c_in_a_logging_handler(program: Callable[..., Any], overflow: str) -> None:
    """The library logs that waves are lost, in the midst of an emission that is done all the same."""
    source = f"""
import logging

class Handler(logging.Handler):
    def emit(self, record):
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
logging.getLogger("aether").addHandler(Handler())
w = medium.vibrator("loses", overflow="{overflow}", buffer_size=1)
w.resonate_on("b")
medium.emit_nowait("b", 1)
try:
    medium.emit_nowait("b", 2)
    steps()
except KeyboardInterrupt:
    say("interrupted")
say(w.statistics().current_buffer_used, sum(w.statistics().dropped.values()))
w.close()
v.close()
"""
    ended = program(SETUP + source, "asyncio").exited()
    assert (ended.out, ended.err) == (["interrupted", "1 1"], "")
