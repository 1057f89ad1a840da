"""`receive_sync` in a storm of alarms whose handler raises: each wave comes once, or still waits."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs POSIX signals")


@pytest.mark.skipif(
    "AETHER_TORTURE" not in os.environ,
    reason="chance decides where an alarm comes: run with AETHER_TORTURE=1",
)
def test_a_storm_of_alarms_in_receive_sync(program: Callable[..., Any]) -> None:
    source = """
class Alarm(Exception):
    pass

def on_alarm(number, frame):
    raise Alarm

medium = aether.Aether()
v = medium.vibrator("reader", buffer_size=3)
v.resonate_on("a")
emitted, got, ended = [], [], threading.Event()

def emit():
    while not ended.is_set():
        try:
            medium.emit_sync("a", len(emitted), timeout=0.1)
        except TimeoutError:
            continue
        emitted.append(len(emitted))

emitter = threading.Thread(target=emit)
emitter.start()
signal.signal(signal.SIGALRM, on_alarm)
for number in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 30 * 0.0001)
        while True:
            got.append(v.receive_sync(timeout=30).payload)
    except Alarm:
        pass
ended.set()
emitter.join()
assert v.statistics().received == len(got)
while v.statistics().current_buffer_used:
    got.append(v.receive_nowait().payload)
s = v.statistics()
assert (s.tasks_waiting_receive, s.tasks_waiting_send) == (0, 0)
say(got == emitted, s.received == len(got))
v.close()
"""
    assert program(source).exited().out == ["True True"]
