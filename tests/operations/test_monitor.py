"""The thread that looks after a medium: when it begins, what it outlives, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
from tests.operations.rig import SETTINGS, Rig

from aether import (
    Aether,
    AetherConfig,
    Health,
    HealthConfig,
)
from aether.monitoring import process
from aether.monitoring.monitor import Monitor
from aether.monitoring.sampler import Resources, Sampler


def monitors() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "aether-monitor"]


async def _until(test: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not test():
            await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_a_thread_looks_after_a_medium_while_it_is_entered() -> None:
    medium = Aether(AetherConfig(health=HealthConfig()))
    assert monitors() == []
    async with medium:
        assert len(monitors()) == 1
        await _until(lambda: medium._monitor is not None and medium._monitor.resources)
        assert medium.health() == Health(live=True, ready=True)
        used = medium.resources()
        assert used.loop_lag is not None
        assert used.rss > 0
    await _until(lambda: not monitors())
    health = medium.health()
    assert (health.live, health.reasons) == (False, ("the medium is closed",))


@pytest.mark.anyio
async def test_running_can_be_entered_again() -> None:
    medium = Aether(AetherConfig(health=HealthConfig()))
    for _ in range(2):
        async with medium.running(), medium.running():
            assert len(monitors()) == 1
        await _until(lambda: not monitors())
    await medium.aclose()


@pytest.mark.anyio
async def test_a_loop_that_stands_still_is_told_to_other_threads() -> None:
    settings = HealthConfig(loop_lag=0.05, loop_silence=0.1)
    async with Aether(AetherConfig(health=settings)) as medium:
        seen: list[Health] = []
        done = threading.Event()

        def watch() -> None:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                health = medium.health()
                if not health.live:
                    seen.append(health)
                    break
                time.sleep(0.01)
            done.set()

        thread = threading.Thread(target=watch)
        thread.start()
        # The loop stands still here until the other thread has seen it.
        assert done.wait(30)
        thread.join()
        (health,) = seen
        assert any("has not answered" in reason for reason in health.reasons)
        # Whoever asks in the loop has its answer.
        assert medium.health().live


@pytest.mark.anyio
async def test_the_section_comes_and_goes_while_the_medium_runs() -> None:
    async with Aether() as medium:
        assert monitors() == []
        await anyio.to_thread.run_sync(
            lambda: medium.reconfigure(medium.config.replace(health=HealthConfig()))
        )
        assert len(monitors()) == 1
        medium.reconfigure(medium.config.replace(health=HealthConfig(memory=1)))
        await _until(lambda: not medium.health().ready)
        medium.reconfigure(medium.config.replace(health=None))
        assert medium.health().ready
        await _until(lambda: not monitors())


def test_what_fails_is_logged_once_an_episode_and_tried_again(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[BaseException | None] = [OSError("no")] * 3 + [None] + [OSError("no")] * 3
    tried: list[int] = []
    real = Sampler.sample

    def sample(self: Sampler, *given: Any) -> Resources:
        tried.append(len(outcomes))
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome
        return real(self, *given)

    monkeypatch.setattr(Sampler, "sample", sample)
    # It ends when it is told, which here it is once nothing is left to be tried.
    monkeypatch.setattr(rig.monitor, "_is_over", lambda _: not outcomes)
    rig.monitor._run()
    assert len(tried) == 7
    said = [one for one in caplog.records if getattr(one, "event", "") == "health.failed"]
    assert len(said) == 2


def test_the_section_that_is_turned_on_without_psutil_says_so(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.sampler._ask = process.figures
    turns = iter(range(20))
    monkeypatch.setattr(rig.monitor, "_is_over", lambda _: next(turns, None) is None)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "psutil", None)
        rig.monitor._run()
    assert next(turns, None) is None, "it went on"
    rig.answer()
    health = rig.medium.health()
    assert (health.live, health.ready) == (True, False)
    (reason,) = health.reasons
    assert reason.startswith("health: ")
    assert "pip install 'aether-medium[ops]'" in reason
    said = [one for one in caplog.records if getattr(one, "event", "") == "health.failed"]
    assert len(said) == 1
    turns = iter([0])
    rig.settings = SETTINGS.replace(memory=None)
    monkeypatch.setattr(rig.monitor, "_is_over", lambda _: next(turns, None) is None)
    rig.monitor._run()
    assert not any("health:" in one for one in rig.medium.health().reasons), "it was installed"


def test_it_ends_with_the_medium_however_that_was_closed(rig: Rig) -> None:
    rig.medium.shut("closed", at_once=True)
    watching = threading.Thread(target=rig.monitor._run, daemon=True)
    watching.start()
    watching.join(10)
    ended = not watching.is_alive()
    rig.monitor.let_go()
    assert ended


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Monitor]]:
    """The monitors that are made; each takes its time, in which another thread has its chance."""
    made: list[Monitor] = []
    real = Monitor.__init__

    def init(self: Monitor, *given: Any) -> None:
        made.append(self)
        time.sleep(0.2)
        real(self, *given)

    monkeypatch.setattr(Monitor, "__init__", init)
    yield made
    deadline = time.monotonic() + 20
    while monitors() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert monitors() == []


def test_only_one_comes_where_two_threads_turn_it_on(begun: list[Monitor]) -> None:
    async def main() -> None:
        medium = Aether()
        async with medium.running():
            turning = [
                threading.Thread(
                    target=medium.reconfigure,
                    args=(medium.config.replace(health=HealthConfig(memory=memory)),),
                )
                for memory in (1, 2)
            ]
            for one in turning:
                one.start()
            for one in turning:
                one.join()
            assert begun == [medium._monitor]

    asyncio.run(main())


def test_none_stays_where_it_is_turned_on_while_the_medium_is_left(begun: list[Monitor]) -> None:
    async def main() -> None:
        medium = Aether()
        async with medium.running():
            turning = threading.Thread(
                target=medium.reconfigure,
                args=(medium.config.replace(health=HealthConfig()),),
            )
            turning.start()
            while not begun:
                await asyncio.sleep(0.01)
        turning.join()
        assert medium._monitor is None

    asyncio.run(main())


def test_each_toggle_leaves_nothing_behind() -> None:
    async def main() -> int:
        async with Aether() as medium:
            before = len(weakref.finalize._registry)  # type: ignore[attr-defined]
            for _ in range(5):
                for health in (HealthConfig(), None):
                    medium.reconfigure(medium.config.replace(health=health))
            return len(weakref.finalize._registry) - before  # type: ignore[attr-defined]

    assert asyncio.run(main()) <= 0


def test_the_collector_does_not_wait_for_a_thread(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, looks = threading.Event(), threading.Event()

    def look(*_: object, **__: object) -> None:
        looks.set()
        held.wait(20)

    monkeypatch.setattr(Monitor, "look", look)
    medium = Aether(AetherConfig(health=SETTINGS))
    monitor = Monitor(medium, rig.posted.append)
    monitor.start()
    assert looks.wait(20)
    finalizer = monitor._finalizer
    assert finalizer is not None
    assert not finalizer.atexit
    calling = threading.Thread(target=finalizer)
    calling.start()
    calling.join(10)
    waits = calling.is_alive()
    held.set()
    assert not waits
    monitor.join(20)
    assert monitor._thread is not None
    assert not monitor._thread.is_alive(), "it was told"


def test_a_thread_that_hangs_does_not_hold_up_the_end_of_the_interpreter() -> None:
    program = (
        "import asyncio, threading\n"
        "from aether import *\n"
        "from aether.monitoring import monitor\n"
        "monitor.PATIENCE = 0.1\n"
        "looks = threading.Event()\n"
        "monitor.Monitor.look = lambda *_, **__: (looks.set(), threading.Event().wait())\n"
        "medium = Aether(AetherConfig(health=HealthConfig()))\n"
        "loop = asyncio.new_event_loop(); loop.run_until_complete(medium.__aenter__())\n"
        "looks.wait(); print('ends')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "ends\n"), done.stderr


def test_a_medium_that_is_thrown_away_is_looked_after_no_more() -> None:
    loop = asyncio.new_event_loop()
    medium: Aether | None = Aether(AetherConfig(health=HealthConfig()))
    assert medium is not None
    gone = weakref.ref(medium)

    async def enter(medium: Aether) -> None:
        await medium.__aenter__()

    loop.run_until_complete(enter(medium))
    loop.close()
    (thread,) = monitors()
    medium = None
    deadline = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < deadline:
        # It may have had it in its hands just now.
        gc.collect()
        thread.join(0.1)
    assert gone() is None
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_the_child_of_a_fork_has_no_such_thread() -> None:
    async def main() -> int:
        async with Aether(AetherConfig(health=HealthConfig())):
            pid = os.fork()
            if pid == 0:
                os._exit(len(monitors()) + 10 * (threading.active_count() - 1))
            return pid

    pid = asyncio.run(main())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
