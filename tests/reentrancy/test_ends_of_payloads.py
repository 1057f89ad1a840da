"""A payload that acts when it goes, at every place where a payload can go, on all there is to act on.

No lock is held where it goes: what it calls works, and what it raises stops nobody.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from tests.reentrancy.nasty import ACTS, Payload, Scene

import aether
from aether import ManualClock, Wave, WouldBlock

pytestmark = pytest.mark.parametrize("act", ACTS)


def reader(scene: Scene, act: str, **options: Any) -> aether.Vibrator:
    """The vibrator in whose mailbox payloads go, and which they act on."""
    v = scene.medium.vibrator("reader", **options)
    v.resonate_on("a.*")
    scene.aim(v, act)
    return v


@pytest.mark.parametrize("order", ["amplitude", "fifo", "fresh"])
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "drop_faintest", "conflate"])
def test_dropped_by_a_full_mailbox(act: str, overflow: str, order: str) -> None:
    scene = Scene()
    v = reader(scene, act, overflow=overflow, order=order, buffer_size=2)
    for number in range(8):
        scene.medium.emit_nowait("a.b", Payload(scene), amplitude=1.0 - number / 100)
    scene.check()
    assert v.statistics().current_buffer_used <= 2


@pytest.mark.parametrize("end", ["clear", "close", "del"])
def test_discarded_where_it_waits(act: str, end: str) -> None:
    """Each of them acts in the midst of the others' end."""
    scene = Scene()
    v = reader(scene, act, overflow="drop_oldest", buffer_size=50)
    for _ in range(20):
        scene.medium.emit_nowait("a.b", Payload(scene))
    if end == "clear":
        scene.medium.clear()
    elif end == "close":
        v.close()
    else:
        scene.aim(scene.onlooker, act)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del v
            gc.collect()
    scene.check(at_least=20)


@pytest.mark.parametrize("how", ["expired", "faded"])
@pytest.mark.parametrize("by", ["receive", "statistics", "emission"])
def test_removed_by_time(act: str, how: str, by: str) -> None:
    clock = ManualClock(0.0)
    scene = Scene(clock=clock)
    v = reader(scene, act, order="fresh", noise_floor=0.5, buffer_size=4)
    for _ in range(4):
        ttl = 1.0 if how == "expired" else None
        scene.medium.emit_nowait("a.b", Payload(scene), ttl=ttl)
    clock.advance(1000.0)
    try:
        if by == "receive":
            v.receive_nowait()
        elif by == "statistics":
            v.statistics()
        else:
            scene.medium.emit_nowait("a.b", "one more")
    except (WouldBlock, aether.EndOfStream):
        pass
    scene.check(at_least=4)
    assert v.statistics().dropped[how] == 4


def test_expired_on_arrival(act: str) -> None:
    clock = ManualClock(100.0)
    scene = Scene(clock=clock)
    reader(scene, act)
    for _ in range(3):
        scene.medium.emit_nowait("a.b", Payload(scene), ttl=0.0)
        clock.advance(1.0)
        scene.target.statistics()
    scene.check(at_least=3)


@pytest.mark.parametrize("overflow", ["block", "error"])
def test_refused(act: str, overflow: str) -> None:
    """The emission takes its payload back, and it goes with the call."""
    scene = Scene()
    v = reader(scene, "ask", overflow=overflow, buffer_size=1)
    scene.medium.emit_nowait("a.b", "in the way")
    scene.aim(v, act)
    for _ in range(3):
        with contextlib.suppress(WouldBlock):
            scene.medium.emit_nowait("a.b", Payload(scene))
        try:
            scene.medium.emit_sync("a.b", Payload(scene), timeout=0.0)
        except TimeoutError:
            pass
        except WouldBlock:
            pass
    v.close()
    scene.check(at_least=5)


@pytest.mark.parametrize("why", ["unheard", "faint", "hops", "nobody required", "bad field"])
def test_gone_nowhere(act: str, why: str) -> None:
    scene = Scene()
    reader(scene, act)
    tired = Wave("a.b")
    for _ in range(20):
        tired = tired.propagate()
    for _ in range(3):
        try:
            if why == "unheard":
                scene.medium.emit_nowait("nobody", Payload(scene))
            elif why == "faint":
                scene.medium.emit_nowait("a.b", Payload(scene), amplitude=0.001)
            elif why == "hops":
                scene.medium.emit_nowait("a.b", Payload(scene), cause=tired)
            elif why == "nobody required":
                scene.medium.emit_nowait("nobody", Payload(scene), require=1)
            else:
                scene.medium.emit_nowait("a.b", Payload(scene), ttl=-1.0)
        except (aether.NoReceiver, ValueError):
            pass
    scene.check(at_least=3)


def test_dropped_by_its_reader(act: str) -> None:
    """The last handle on the wave goes, whose object is used again at once."""
    scene = Scene()
    v = reader(scene, act, overflow="drop_oldest", buffer_size=100)
    for _ in range(20):
        scene.medium.emit_nowait("a.b", Payload(scene))
    try:
        for _ in range(20):
            v.receive_nowait()
            Wave("x", "another in its place")
    except (WouldBlock, aether.EndOfStream):
        pass
    v.close()
    scene.check(at_least=20)


@pytest.mark.parametrize("what", ["awaitable", "batch", "wave", "builder", "replaced"])
def test_dropped_before_it_was_emitted(act: str, what: str) -> None:
    scene = Scene()
    v = reader(scene, act)
    make: dict[str, Callable[[], object]] = {
        "awaitable": lambda: scene.medium.emit_wave("a.b", Payload(scene)),
        "batch": lambda: scene.medium.emit_many([("a.b", Payload(scene)), ("a.b", Payload(scene))]),
        "wave": lambda: Wave("a.b", Payload(scene)),
        "builder": lambda: Wave.builder("a.b").payload(Payload(scene)),
        "replaced": lambda: Wave("a.b", Payload(scene)).replace(payload=1),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for _ in range(3):
            make[what]()
    gc.collect()
    scene.check(at_least=3)
    assert v.statistics().dropped["full"] == 0


@pytest.mark.parametrize("end", ["medium", "collected"])
def test_gone_with_the_medium(act: str, end: str) -> None:
    """It acts on a medium that is at its own end."""
    scene = Scene()
    v = reader(scene, act)
    for _ in range(10):
        scene.medium.emit_nowait("a.b", Payload(scene))
    if end == "medium":
        scene.medium.shut("closed", at_once=True)
        scene.check(at_least=10)
        return
    counted = [scene]
    scene.onlooker.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        cycle: dict[str, Any] = {"v": v, "medium": scene.medium}
        cycle["self"] = cycle
        del v, cycle
        scene.target = scene.onlooker
        gc.collect()
    assert counted[0].done >= 10
    counted[0].check(at_least=10)
