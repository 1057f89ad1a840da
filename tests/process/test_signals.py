"""Signals: Ctrl-C reaches whoever waits, and a signal handler may emit."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import LOOPS

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs POSIX signals")
ON_EACH_LOOP = pytest.mark.parametrize("backend", LOOPS)

SETUP = """
signal.signal(signal.SIGINT, signal.default_int_handler)
medium = aether.Aether()
v = medium.vibrator("reader", buffer_size=1)
v.resonate_on("a")

def later(number, condition):
    # Send the signal to ourselves once the condition holds. asyncio may go to sleep just as it comes and not
    # look at it before the next one: so others follow, which do nothing, until its handler has run.
    ran, handler = threading.Event(), signal.getsignal(number)

    def once(*args):
        ran.set()
        signal.signal(number, handler)
        handler(*args)

    def body():
        until(condition)
        os.kill(os.getpid(), number)
        for _ in range(100):
            if ran.wait(0.1):
                return
            os.kill(os.getpid(), signal.SIGWINCH)

    signal.signal(signal.SIGWINCH, lambda number, frame: None)
    if number != signal.SIGINT:  # that one's handler is the loop's own
        signal.signal(number, once)
    threading.Thread(target=body, daemon=True).start()
"""


def test_ctrl_c_in_receive_sync(program: Callable[..., Any]) -> None:
    source = """
later(signal.SIGINT, lambda: v.statistics().tasks_waiting_receive)
try:
    v.receive_sync()
except KeyboardInterrupt:
    say("interrupted")
assert v.statistics().tasks_waiting_receive == 0
medium.emit_nowait("a", "still works")
say(v.receive_sync().payload)
v.close()
"""
    assert program(SETUP + source).exited().out == ["interrupted", "still works"]


def test_ctrl_c_in_receive_sync_with_a_timeout(program: Callable[..., Any]) -> None:
    source = """
later(signal.SIGINT, lambda: v.statistics().tasks_waiting_receive)
try:
    v.receive_sync(timeout=1000)
except KeyboardInterrupt:
    say("interrupted")
v.close()
"""
    assert program(SETUP + source).exited().out == ["interrupted"]


def test_ctrl_c_in_emit_sync(program: Callable[..., Any]) -> None:
    """The interrupted emission went nowhere."""
    source = """
medium.emit_nowait("a", 0)
later(signal.SIGINT, lambda: v.statistics().tasks_waiting_send)
try:
    medium.emit_sync("a", 1)
except KeyboardInterrupt:
    say("interrupted")
s = v.statistics()
assert (s.tasks_waiting_send, s.current_buffer_used) == (0, 1)
say(v.receive_nowait().payload)
medium.emit_sync("a", 2)
say(v.receive_nowait().payload)
v.close()
"""
    assert program(SETUP + source).exited().out == ["interrupted", "0", "2"]


def test_uncaught_ctrl_c_ends_the_program_as_it_ends_any(program: Callable[..., Any]) -> None:
    ended = program(
        SETUP
        + """
later(signal.SIGINT, lambda: v.statistics().tasks_waiting_receive)
v.receive_sync()
"""
    ).exited(-signal.SIGINT)
    assert "KeyboardInterrupt" in ended.err


@ON_EACH_LOOP
def test_ctrl_c_beside_an_awaited_receive(program: Callable[..., Any], backend: str) -> None:
    """The loop's own way of ending is not disturbed, and the medium works in the next loop."""
    source = f"""
async def main():
    later(signal.SIGINT, lambda: v.statistics().tasks_waiting_receive)
    await v.receive()

try:
    run(main, "{backend}")
except KeyboardInterrupt:
    say("interrupted")
assert v.statistics().tasks_waiting_receive == 0

async def again():
    await medium.emit_wave("a", 1)
    say((await v.receive()).payload)
    v.close()

run(again, "{backend}")
"""
    assert program(SETUP + source).exited().out == ["interrupted", "1"]


@ON_EACH_LOOP
def test_ctrl_c_inside_async_with_runs_no_handler_on(
    program: Callable[..., Any], backend: str
) -> None:
    """Left by an exception: at once, though a handler would take for ever."""
    source = f"""
import anyio

started = []

async def main():
    async with aether.Aether() as medium:
        worker = medium.vibrator("worker")

        @worker.on("work")
        async def handle(wave):
            started.append(wave)
            await anyio.sleep_forever()

        await medium.emit_wave("work", 1)
        later(signal.SIGINT, lambda: started)
        await anyio.sleep_forever()

try:
    run(main, "{backend}")
except KeyboardInterrupt:
    say("interrupted")
except BaseExceptionGroup as group:
    assert group.subgroup(KeyboardInterrupt)
    say("interrupted")
v.close()
"""
    assert program(SETUP + source).exited().out == ["interrupted"]


@ON_EACH_LOOP
@pytest.mark.parametrize("emitter", ["medium", "v.emitter()"])
def test_emitting_from_a_signal_handler_wakes_a_parked_reader(
    program: Callable[..., Any], backend: str, emitter: str
) -> None:
    """Nothing else happens in the loop: if the wave does not wake it, nobody does."""
    source = f"""
emitter = {emitter}
signal.signal(signal.SIGUSR1, lambda number, frame: emitter.emit_nowait("a", number))

async def main():
    for _ in range(20):
        later(signal.SIGUSR1, lambda: v.statistics().tasks_waiting_receive)
        assert (await v.receive()).payload == signal.SIGUSR1
    say("woken")
    v.close()

run(main, "{backend}")
"""
    assert program(SETUP + source).exited().out == ["woken"]


@ON_EACH_LOOP
@pytest.mark.parametrize("act", ["v.close", "medium.clear", "lambda: medium.remove_channel('a')"])
def test_a_signal_handler_that_ends_what_a_task_waits_for(
    program: Callable[..., Any], backend: str, act: str
) -> None:
    """Closed, the reader gets the end; cleared or removed, the emitter that waited for room goes on."""
    source = f"""
import anyio

act = {act}
signal.signal(signal.SIGUSR1, lambda number, frame: act())

async def main():
    if act == v.close:
        later(signal.SIGUSR1, lambda: v.statistics().tasks_waiting_receive)
        say(await v.receive())
    else:
        medium.emit_nowait("a", 0)
        later(signal.SIGUSR1, lambda: v.statistics().tasks_waiting_send)
        await medium.emit_wave("a", 1)
        say(None)
    v.close()

run(main, "{backend}")
"""
    assert program(SETUP + source).exited().out == ["None"]


def test_emitting_from_a_signal_handler_wakes_receive_sync(program: Callable[..., Any]) -> None:
    """The handler runs in the very thread that waits."""
    source = """
signal.signal(signal.SIGUSR1, lambda number, frame: medium.emit_nowait("a", number))
for _ in range(20):
    later(signal.SIGUSR1, lambda: v.statistics().tasks_waiting_receive)
    assert v.receive_sync().payload == signal.SIGUSR1
say("woken")
v.close()
"""
    assert program(SETUP + source).exited().out == ["woken"]


def test_receiving_in_a_signal_handler_makes_room_for_emit_sync(
    program: Callable[..., Any],
) -> None:
    source = """
got = []
signal.signal(signal.SIGUSR1, lambda number, frame: got.append(v.receive_nowait().payload))
medium.emit_nowait("a", -1)
for number in range(20):
    later(signal.SIGUSR1, lambda: v.statistics().tasks_waiting_send)
    medium.emit_sync("a", number)
say(got == list(range(-1, 19)))
v.close()
"""
    assert program(SETUP + source).exited().out == ["True"]


@ON_EACH_LOOP
def test_signal_storm_on_a_busy_loop(program: Callable[..., Any], backend: str) -> None:
    """Signals arrive between any two byte codes of emits and receives: none is lost or doubled."""
    source = f"""
import anyio.lowlevel

sent = []

def handler(number, frame):  # one may interrupt another
    sent.append(len(sent))
    medium.emit_nowait("from.signal", 1)

both = medium.vibrator("both", order="fifo", buffer_size=1_000_000)
both.resonate_on("from.*")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
seen = []

async def main():
    number = 0
    while len(sent) < 200:
        await medium.emit_wave("from.loop", number)
        number += 1
        seen.append(await both.receive())
        if number % 50 == 0:
            await anyio.lowlevel.checkpoint()
    signal.setitimer(signal.ITIMER_REAL, 0)
    while len(seen) < number + len(sent):  # a signal may still be on its way to its handler
        while both.statistics().current_buffer_used:
            seen.append(await both.receive())
        await anyio.lowlevel.checkpoint()
    signals = sum(w.payload for w in seen if w.channel == "from.signal")
    loops = [w.payload for w in seen if w.channel == "from.loop"]
    say(signals == len(sent), [w.sequence for w in seen] == sorted({{w.sequence for w in seen}}), loops == list(range(number)))

run(main, "{backend}")
both.close()
v.close()
"""
    assert program(SETUP + source).exited().out == ["True True True"]


@pytest.mark.parametrize("end", ["receive_sync", "emit_sync"])
def test_wait_in_another_thread_does_not_hold_up_ctrl_c(
    program: Callable[..., Any], end: str
) -> None:
    """The signal goes to the main thread while a daemon thread blocks in the medium."""
    act = "v.receive_sync()" if end == "receive_sync" else "medium.emit_sync('a', 1)"
    fill = "" if end == "receive_sync" else "medium.emit_nowait('a', 0)"
    source = f"""
{fill}
threading.Thread(target=lambda: {act}, daemon=True).start()
until(lambda: v.statistics().tasks_waiting_receive + v.statistics().tasks_waiting_send)
try:
    later(signal.SIGINT, lambda: True)
    while True:
        time.sleep(1000)
except KeyboardInterrupt:
    say("interrupted")
"""
    assert program(SETUP + source).exited().out == ["interrupted"]


def test_ctrl_c_in_the_midst_of_a_wake_up(program: Callable[..., Any]) -> None:
    """It comes again, once what was begun is done; the wave was delivered."""
    source = """
import asyncio

class Future(asyncio.Future):
    def set_result(self, result):
        super().set_result(result)
        signal.raise_signal(signal.SIGINT)

class Loop(asyncio.SelectorEventLoop):
    def create_future(self):
        return Future(loop=self)

async def read():
    say((await v.receive()).payload)

async def main():
    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    try:
        medium.emit_nowait("a", "delivered")
        for _ in range(1000):
            pass
    except KeyboardInterrupt:
        say("interrupted")
    await reader

loop = Loop()
loop.run_until_complete(main())
loop.close()
v.close()
"""
    assert program(SETUP + source).exited().out == ["interrupted", "delivered"]
