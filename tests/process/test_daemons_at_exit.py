"""Daemon threads that are busy with a medium when the program ends: no crash, no hang, no word.

An interpreter that ends stops such a thread where it asks for the interpreter's lock next. Below a native
frame that would abort the process: so threads that run Python code there are waited for, and whoever
enters a medium after that gets `SystemExit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

# The program ends once a thread is inside, and its end takes longer than what runs there.
SETUP = """
import _thread, logging
logging.getLogger("aether").disabled = True  # it would say that waves are lost
medium = aether.Aether()
v = medium.vibrator("reader", overflow="drop_oldest", buffer_size=1)
v.resonate_on("a")
inside = threading.Event()

def works():
    inside.set()
    end = time.perf_counter() + 0.02
    while time.perf_counter() < end:
        pass

def sleeps():
    inside.set()
    time.sleep(0.05)

class Payload:
    def __init__(self, run):
        self.run = run

    def __del__(self):
        self.run()

def ends_slowly(sleep=time.sleep):
    class Slow:
        def __del__(self):
            sleep(0.2)

    return Slow()

sys.slow = ends_slowly()

def start(body, raw=False):
    if raw:
        _thread.start_new_thread(body, ())
    else:
        threading.Thread(target=body, daemon=True).start()
"""

# Each body does what it does for ever; `busy` is what its payloads run as they go.
BODIES = {
    "short way": """
def body():
    while True:
        medium.emit_nowait("a", Payload(busy))
""",
    "long way": """
def body():
    while True:
        medium.emit_nowait("a", Payload(busy), ttl=1.0)
""",
    "awaited": """
async def main():
    while True:
        await medium.emit_wave("a", Payload(busy))

def body():
    asyncio.run(main())
""",
}


@pytest.mark.parametrize(
    ("body", "raw", "busy"),
    [
        ("short way", False, "works"),
        ("short way", True, "works"),
        ("short way", True, "sleeps"),
        ("long way", False, "sleeps"),
        ("long way", True, "sleeps"),
        ("awaited", False, "sleeps"),
    ],
)
def test_a_thread_in_the_end_of_a_payload(
    program: Callable[..., Any], body: str, raw: bool, busy: str
) -> None:
    source = f"busy = {busy}\n{BODIES[body]}\nstart(body, {raw})\ninside.wait()\nsys.exit(3)"
    assert program(SETUP + source).exited(3).err == ""


def test_a_thread_in_the_midst_of_a_wake_up(program: Callable[..., Any]) -> None:
    """The loop that it wakes is somebody's own, written in Python."""
    source = """
class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *args, **options):
        sleeps()
        return super().call_soon_threadsafe(*args, **options)

w = medium.vibrator("woken")
w.resonate_on("b")

def read():
    async def main():
        while True:
            await w.receive()

    Loop().run_until_complete(main())

def body():
    while True:
        medium.emit_nowait("b", 1)

start(read)
until(lambda: w.statistics().tasks_waiting_receive)
start(body)
inside.wait()
sys.exit(3)
"""
    told = program(SETUP + source).exited(3).err
    # From 3.14 on, the interpreter may find the thread's loop, which nobody has closed, after its descriptors.
    assert not told or "BaseEventLoop.__del__" in told.partition("\n")[0]


WORKER = """
import atexit, queue, threading

jobs = queue.Queue()

def work():
    while (job := jobs.get()) is not None:
        try:
            job()
        except BaseException as error:
            say(type(error).__name__)
            raise

worker = threading.Thread(target=work, daemon=True)
worker.start()

@atexit.register
def shut_down():
    jobs.put(emit)
    jobs.put(None)
    worker.join()
    say("joined")
"""


@pytest.mark.parametrize("options", ["", "ttl=1.0"])
def test_a_worker_that_is_joined_after_the_medium_has_ended(
    program: Callable[..., Any], options: str
) -> None:
    """Its `atexit` function is older than the import of aether, and so runs later."""
    source = f"""
medium = aether.Aether()
v = medium.vibrator("reader")
v.resonate_on("log.*")

def emit():
    medium.emit_nowait("log.last", 1, {options})
"""
    ended = program(source, first=WORKER).exited()
    assert (ended.out, ended.err) == (["SystemExit", "joined"], "")


@pytest.mark.parametrize("options", ["", "ttl=1.0"])
def test_a_logging_handler_that_emits(program: Callable[..., Any], options: str) -> None:
    """The thread stops with the handler's lock in its hands, which `logging` asks for at the end."""
    source = f"""
logged = threading.Event()

class ToMedium(logging.Handler):
    def emit(self, record):
        medium.emit_nowait("log.record", record.getMessage(), {options})
        logged.set()

log = logging.getLogger("app")
log.addHandler(ToMedium())
log.setLevel("INFO")
log.propagate = False

def body():
    while True:
        log.info("busy")

start(body)
logged.wait()
say("main ends")
"""
    ended = program(SETUP + source).exited()
    assert (ended.out, ended.err) == (["main ends"], "")
