"""Code that the interpreter calls in the midst of others': profilers, tracers, logs, collections, weak references.

It acts on the medium at each of its calls, so between any two steps of the library that Python can see.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import sysconfig
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from tests.probes import assert_works, begin, tuned, turns, until_receiving
from tests.reentrancy.nasty import ACTS, OnPurpose, Payload, Scene

import aether

QUIET_ACTS = [act for act in ACTS if isinstance(act, str)]
"""Those that raise nothing: an error out of a profiler or a tracer is one of what it looks at."""


@contextlib.contextmanager
def hooked(scene: Scene, kind: str) -> Iterator[None]:
    """The scene's act is done at each event of this kind, but not in its own."""
    busy = False

    def act() -> None:
        nonlocal busy
        if not busy:
            busy = True
            try:
                scene()
            finally:
                busy = False

    def on_collection(phase: str, _info: Any) -> None:
        act()

    def on_event(_frame: Any, _event: str, _argument: Any) -> Any:
        act()
        return on_event

    class OnRecord(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            act()

    log, handler = logging.getLogger("aether"), OnRecord()
    before = gc.get_threshold()
    # Whoever measures the tests traces them too.
    profile, trace = sys.getprofile(), sys.gettrace()
    if kind == "profile":
        sys.setprofile(on_event)
    elif kind == "trace":
        sys.settrace(on_event)
    elif kind == "log":
        log.addHandler(handler)
    else:
        gc.callbacks.append(on_collection)
        gc.set_threshold(1)
    try:
        yield
    finally:
        sys.setprofile(profile)
        sys.settrace(trace)
        log.removeHandler(handler)
        gc.set_threshold(*before)
        if on_collection in gc.callbacks:
            gc.callbacks.remove(on_collection)


def fill(scene: Scene, **options: Any) -> aether.Vibrator:
    """A vibrator with a handler and a group beside it, and something that waits for each."""
    v = scene.medium.vibrator("reader", **options)
    v.resonate_on("a.*")
    v.on("a.*")(print)
    member = scene.medium.vibrator("member", group="g")
    member.resonate_on("a.*")
    scene.others.append(member)
    for number in range(3):
        scene.medium.emit_nowait("a.b", number)
    return v


STEPS: dict[str, Callable[[Scene, aether.Vibrator], object]] = {
    "emit": lambda scene, v: scene.medium.emit_nowait("a.b", "x", headers={"k": "v"}),
    "emit a wave": lambda scene, v: v.emitter().emit_nowait("a.b", "x", cause=aether.Wave("a.c")),
    "emit_sync": lambda scene, v: scene.medium.emit_sync("a.b", "x", timeout=0.0),
    "receive": lambda scene, v: v.receive_nowait(),
    "receive_sync": lambda scene, v: v.receive_sync(timeout=0.0),
    "resonate": lambda scene, v: v.resonate_on("c.*", "c.d.*"),
    "detune": lambda scene, v: v.detune("a.*"),
    "remove": lambda scene, v: scene.medium.remove_channel("a.*"),
    "clear": lambda scene, v: scene.medium.clear(),
    "handle": lambda scene, v: v.on("d.*", key=lambda w: 1)(print),
    "new": lambda scene, v: scene.medium.vibrator("new").close(),
    "new member": lambda scene, v: scene.medium.vibrator("new", group="g").close(),
    "statistics": lambda scene, v: (v.statistics(), scene.medium.statistics()),
    "explain": lambda scene, v: str(scene.medium.explain("a.b")),
    "channels": lambda scene, v: scene.medium.active_channels(),
    "close": lambda scene, v: v.close(),
    "expect": lambda scene, v: scene.medium.expect("a.*").close(),
}
REFUSALS = (aether.Closed, aether.WouldBlock, aether.EndOfStream, TimeoutError)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["profile", "trace"])
def test_in_the_midst_of_every_call(kind: str, step: str) -> None:
    """Every act at every event: the call is done again until each has come at each."""
    scene = Scene()
    v = fill(scene, overflow="drop_oldest", buffer_size=50)
    scene.aim(v, "all_in_turn")
    with hooked(scene, kind):
        for _ in range(len(ACTS)):
            with contextlib.suppress(*REFUSALS):
                STEPS[step](scene, v)
    scene.check()


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="a free-threaded interpreter waits for more than a threshold before it collects",
)
@pytest.mark.parametrize("step", STEPS)
def test_at_every_collection(step: str) -> None:
    """The collector runs as soon as anything is made, so also where the library makes something."""
    scene = Scene()
    v = fill(scene, overflow="drop_oldest", buffer_size=50)
    scene.aim(v, "all_in_turn")
    with hooked(scene, "collection"):
        for _ in range(len(ACTS)):
            with contextlib.suppress(*REFUSALS):
                STEPS[step](scene, v)
            held = [[] for _ in range(3)]
        del held
    scene.check()


@pytest.mark.parametrize("act", ACTS)
def test_in_the_log(act: str) -> None:
    """The library logs that a mailbox has begun to lose waves, in the midst of an emission."""
    scene = Scene()
    v = scene.medium.vibrator("reader", overflow="drop_oldest", buffer_size=1)
    v.resonate_on("a.*")
    scene.aim(v, act)
    with hooked(scene, "log"):
        for number in range(3):
            try:
                scene.medium.emit_nowait("a.b", number)
            except OnPurpose:
                assert act == "raise_on_purpose"
    scene.check()


@pytest.mark.parametrize("act", QUIET_ACTS)
@pytest.mark.parametrize("way", ["callback", "finalize"])
def test_from_a_weak_reference(way: str, act: str) -> None:
    """Each payload's weak reference acts as the mailbox lets it go."""
    scene = Scene()
    v = scene.medium.vibrator("reader", overflow="drop_oldest", buffer_size=2)
    v.resonate_on("a.*")
    kept: list[Any] = []

    class Plain:
        pass

    for _ in range(6):
        payload = Plain()
        if way == "callback":
            kept.append(weakref.ref(payload, lambda _: scene()))
        else:
            weakref.finalize(payload, scene)
        with contextlib.suppress(aether.Closed):
            scene.medium.emit_nowait("a.b", payload)
        scene.aim(v, act)
        del payload
    v.close()
    scene.check(at_least=6)


def test_a_weak_reference_that_raises() -> None:
    scene = Scene()
    v = scene.medium.vibrator("reader", overflow="drop_oldest", buffer_size=1)
    v.resonate_on("a.*")
    told: list[Any] = []

    class Plain:
        pass

    def callback(_: object) -> None:
        raise OnPurpose

    before, sys.unraisablehook = sys.unraisablehook, lambda args: told.append(args.exc_type)
    try:
        payload = Plain()
        reference = weakref.ref(payload, callback)
        scene.medium.emit_nowait("a.b", payload)
        del payload
        assert scene.medium.emit_nowait("a.b", 1).delivered == 1
    finally:
        sys.unraisablehook = before
    assert (told, reference()) == ([OnPurpose], None)
    assert v.receive_nowait().payload == 1
    v.close()
    scene.onlooker.close()


@pytest.mark.parametrize("act", QUIET_ACTS)
def test_in_a_warning(act: str) -> None:
    """A vibrator that nobody closes, an emission that nobody awaits: their warnings are shown by code."""
    scene = Scene()
    v = scene.medium.vibrator("reader", overflow="drop_oldest")
    v.resonate_on("a.*")
    scene.aim(v, act)
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda *_args, **_options: scene()
        try:
            scene.medium.emit_wave("a.b", 1)
            forgotten = scene.medium.vibrator("forgotten")
            forgotten.resonate_on("f.*")
            del forgotten
            gc.collect()
        finally:
            warnings.showwarning = before
    scene.check(at_least=2)


@pytest.mark.parametrize("act", ["emit_to_itself", "receive", "close_it", "retune", "ask"])
async def test_a_profiler_beside_tasks(act: str) -> None:
    """Tasks that wait, are woken and handle, while a profiler acts at each event of the whole loop."""
    scene = Scene()
    async with scene.medium:
        v = fill(scene, overflow="drop_oldest", buffer_size=50)
        scene.medium.clear()
        parked = scene.medium.vibrator("parked")
        parked.resonate_on("parked")
        scene.others.append(parked)
        scene.aim(v, act)
        async with anyio.create_task_group() as group:
            reading = begin(group, parked.receive)
            await until_receiving(parked)
            with hooked(scene, "profile"):
                for _ in range(3):
                    with contextlib.suppress(*REFUSALS):
                        await scene.medium.emit_wave("a.b", Payload(scene))
                await scene.medium.emit_wave("parked", "woken")
                await turns(3)
            assert (await reading.result()).payload == "woken"
        await assert_works(scene.medium)
        with anyio.fail_after(30):
            await v.aclose()
        scene.check()


async def test_vibrators_come_while_what_waits_is_cleared() -> None:
    """Each event of `clear` makes one: neither they nor the open request get in its way."""
    medium = aether.Aether()
    made: list[aether.Vibrator] = []
    async with medium, anyio.create_task_group() as group:
        v = tuned(medium, "ask", "a.*")
        await medium.emit_wave("a.b", 1)
        asking = begin(group, lambda: medium.request("ask", timeout=None))
        await turns()

        def make(_frame: Any, _event: str, _argument: Any) -> None:
            sys.setprofile(None)
            made.append(medium.vibrator("new"))
            sys.setprofile(make)

        sys.setprofile(make)
        try:
            assert medium.clear() == 2
        finally:
            sys.setprofile(None)
        assert len(made) > 3
        with pytest.raises(aether.RequestFailed, match="cleared"):
            await asking.result()
        for one in (v, *made):
            one.close()
