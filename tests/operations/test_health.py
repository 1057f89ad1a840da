"""Whether a medium works, and why not: by figures and a clock of the test's own."""

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

from aether import (
    Aether,
    AetherConfig,
    ConfigError,
    Health,
    HealthConfig,
    LeakHint,
    Vibrator,
)
from aether.monitoring import process
from aether.monitoring.leaks import POINTS
from aether.monitoring.monitor import Monitor
from aether.monitoring.payloads import estimate, size_of
from aether.monitoring.process import Figures
from aether.monitoring.sampler import MAILBOXES, SAMPLED, Limits, Resources, Sampler

SETTINGS = HealthConfig(memory=1000, unread=30.0, leak_window=60.0, leak_bytes=500, leak_waves=10)


class Rig:
    """A medium that is looked after by hand."""

    def __init__(self, settings: HealthConfig = SETTINGS) -> None:
        self.now = 0.0
        self.rss = 100
        self.posted: list[Callable[[], object]] = []
        self.medium = Aether(AetherConfig(health=settings))
        self.settings = settings
        self.sampler = Sampler(lambda: self.now, lambda: Figures(self.rss, 0, 3, 2, None, None))
        self.monitor = Monitor(
            self.medium, self.posted.append, lambda: self.now, sampler=self.sampler
        )
        self.medium._monitor = self.monitor
        self.vibrators: list[Vibrator] = []

    def vibrator(self, name: str, **options: Any) -> Vibrator:
        self.vibrators.append(self.medium.vibrator(name, **options))
        return self.vibrators[-1]

    def close(self) -> None:
        for one in self.vibrators:
            one.close()

    def look(self, *, answers: bool = True) -> Resources:
        self.monitor.look(self.medium, self.settings, sample=True)
        if answers:
            self.answer()
        assert self.monitor.resources is not None
        return self.monitor.resources

    def answer(self) -> None:
        posted, self.posted[:] = list(self.posted), []
        for one in posted:
            one()


@pytest.fixture
def make() -> Iterator[Callable[[HealthConfig], Rig]]:
    """Makes rigs, and ends them."""
    made: list[Rig] = []

    def one(settings: HealthConfig = SETTINGS) -> Rig:
        made.append(Rig(settings))
        return made[-1]

    yield one
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make: Callable[[HealthConfig], Rig]) -> Rig:
    """One as most tests want it."""
    return make(SETTINGS)


def test_all_is_well(rig: Rig) -> None:
    rig.look()
    assert rig.medium.health() == Health(live=True, ready=True)


def test_memory_over_its_limit_is_a_reason(rig: Rig) -> None:
    rig.rss = 1000
    rig.look()
    assert rig.medium.health().ready
    rig.rss = 1001
    rig.look()
    health = rig.medium.health()
    assert (health.live, health.ready) == (True, False)
    assert health.reasons == ("the process uses 1,001 bytes (memory=1,000)",)
    assert rig.medium.resources().rss == 1001


def test_a_late_loop_is_a_reason_until_it_is_not(rig: Rig) -> None:
    rig.look(answers=False)
    rig.now += 0.5
    assert rig.medium.health().ready
    rig.now += 0.25
    assert rig.medium.health().reasons == ("the event loop is 0.75 s late (loop_lag=0.5)",)
    rig.answer()
    assert rig.medium.health().ready, "it has answered, and nothing was measured since"
    assert rig.look().loop_lag == 0.75
    assert not rig.medium.health().ready
    assert rig.look().loop_lag == 0.0
    assert rig.medium.health().ready


def test_a_loop_that_does_not_answer_is_not_live(rig: Rig) -> None:
    rig.look(answers=False)
    rig.now += 10.0
    assert rig.medium.health().live
    rig.now += 0.5
    health = rig.medium.health()
    assert (health.live, health.ready) == (False, False)
    assert "the event loop has not answered for 10.5 s (loop_silence=10)" in health.reasons
    rig.answer()
    assert rig.medium.health().live


def test_who_does_not_read_is_named(rig: Rig) -> None:
    desk, idle = rig.vibrator("desk"), rig.vibrator("idle")
    desk.resonate_on("orders.*")
    idle.resonate_on("users.*")
    rig.medium.emit_nowait("orders.a")
    rig.medium.emit_nowait("orders.b")
    rig.look()
    rig.now += 30.0
    assert rig.medium.health().ready
    rig.now += 1.0
    rig.look()
    (reason,) = rig.medium.health().reasons
    assert reason == "2 waves wait for 'desk', who has taken none for 31 s (unread=30)"
    desk.receive_nowait()
    rig.look()
    assert rig.medium.health().ready, "one was taken"
    rig.now += 31.0
    rig.look()
    assert not rig.medium.health().ready
    desk.receive_nowait()
    rig.look()
    rig.now += 99.0
    assert rig.medium.health().ready, "nothing waits"


def test_what_was_read_since_the_last_look_is_no_reason(
    make: Callable[[HealthConfig], Rig],
) -> None:
    rig = make(SETTINGS.replace(interval=60.0))
    desk = rig.vibrator("desk")
    desk.resonate_on("orders.*")
    rig.medium.emit_nowait("orders.a")
    rig.look()
    desk.receive_nowait()
    rig.now += 45.0
    assert rig.medium.health().ready, "nobody has looked since"
    rig.now += 15.0
    rig.look()
    assert rig.medium.health().ready


def test_a_hint_says_how_long_the_window_was(make: Callable[[HealthConfig], Rig]) -> None:
    """Also where the window has fewer looks than thirty."""
    rig = make(SETTINGS.replace(unread=None, leak_window=10.0, leak_waves=3))
    desk = rig.vibrator("desk", buffer_size=1000)
    desk.resonate_on("orders.*")
    for _ in range(5):
        assert rig.look().leaks == ()
        rig.medium.emit_nowait("orders.a")
        rig.now += 4.0
    assert rig.look().leaks == (LeakHint("mailbox", "desk", 1, 5, 16.0),)


def test_a_handler_that_hangs_is_one_who_does_not_read(rig: Rig) -> None:

    @rig.vibrator("desk").on("orders.*")
    async def handle(wave: Any) -> None: ...

    rig.medium.emit_nowait("orders.a")
    rig.look()
    rig.now += 31.0
    rig.look()
    (reason,) = rig.medium.health().reasons
    assert reason.startswith("1 waves wait for a handler of 'desk'")


def test_a_mailbox_that_only_grows_is_hinted_at_and_stays_ready(
    make: Callable[[HealthConfig], Rig],
) -> None:
    rig = make(SETTINGS.replace(unread=None))
    desk = rig.vibrator("desk", buffer_size=1000)
    desk.resonate_on("orders.*")
    for _ in range(POINTS + 1):
        rig.medium.emit_nowait("orders.a")
        rig.look()
        rig.now += 2.0
    health = rig.medium.health()
    assert health.ready
    (hint,) = rig.medium.resources().leaks
    assert hint == LeakHint("mailbox", "desk", 1, POINTS + 1, 60.0)
    assert health.hints == (str(hint),)
    for _ in range(POINTS):
        desk.receive_nowait()
    rig.look()
    assert rig.medium.health().hints == ()


def test_memory_that_grows_with_a_mailbox_names_it(make: Callable[[HealthConfig], Rig]) -> None:
    rig = make(SETTINGS.replace(unread=None, memory=None, leak_waves=1000))
    other, desk = rig.vibrator("other"), rig.vibrator("desk")
    other.resonate_on("users.*")
    desk.resonate_on("orders.*")
    for _ in range(POINTS + 1):
        rig.medium.emit_nowait("orders.a", b"x" * 60)
        rig.medium.emit_nowait("users.a", b"x" * 5)
        rig.rss += 100
        rig.look()
        rig.now += 2.0
    (hint,) = rig.medium.resources().leaks
    assert (hint.what, hint.vibrator) == ("memory", "desk")


def test_memory_that_grows_alone_names_nobody(make: Callable[[HealthConfig], Rig]) -> None:
    rig = make(SETTINGS.replace(memory=None))
    for _ in range(POINTS + 1):
        rig.rss += 100
        rig.look()
        rig.now += 2.0
    (hint,) = rig.medium.resources().leaks
    assert (hint.what, hint.vibrator) == ("memory", None)


def test_waiting_payloads_are_estimated_by_some_of_them(rig: Rig) -> None:
    desk, texts = rig.vibrator("desk"), rig.vibrator("texts")
    desk.resonate_on("orders.*")
    texts.resonate_on("texts")
    for _ in range(10 * SAMPLED):
        rig.medium.emit_nowait("orders.a", b"12345678")
    rig.medium.emit_nowait("texts", {"id": 7})
    used = rig.look()
    assert (used.waiting, used.waiting_bytes) == (10 * SAMPLED + 1, 80 * SAMPLED)
    assert used.routes_bytes > 0


def test_only_so_many_mailboxes_are_followed(rig: Rig) -> None:
    held = [rig.vibrator(f"v{number}") for number in range(MAILBOXES + 50)]
    for one in held:
        one.resonate_on("orders")
    rig.medium.emit_nowait("orders")
    rig.look()
    rig.now += 31.0
    rig.look()
    assert len(rig.sampler.unread(30.0)) == MAILBOXES


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (b"1234", 4),
        (bytearray(5), 5),
        (memoryview(bytes(6))[::2], 3),
        ("abc", 3),
        (None, 0),
        (True, sys.getsizeof(True)),
        ({"id": 7}, None),
        (object(), None),
    ],
)
def test_sizes(payload: object, size: int | None) -> None:
    assert size_of(payload) == size


def test_the_size_of_an_array() -> None:
    numpy = pytest.importorskip("numpy")
    assert size_of(numpy.zeros((3, 4))) == 96
    assert estimate(10, [b"12", b"1234"]) == 30
    assert estimate(10, []) == 0


def test_the_process_is_asked() -> None:
    figures = process.figures()
    assert 1_000_000 < figures.rss <= figures.vms
    assert figures.threads == threading.active_count() or figures.threads > 0
    with open(__file__, "rb"), open(__file__, "rb"):
        assert process.figures().open_files == figures.open_files + 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an allocator of glibc")
def test_the_allocator_knows_what_it_has_given_out() -> None:
    before = process.figures().allocated
    if before is None:
        pytest.skip("no mallinfo2")
    held = bytearray(50_000_000)
    after = process.figures().allocated
    assert after is not None
    assert after - before >= len(held)


def test_without_the_section_it_is_measured_at_most_once_a_second() -> None:
    medium = Aether()
    assert medium.resources() is medium.resources()
    assert medium.resources().loop_lag is None
    assert threading.active_count() == len(threading.enumerate())


def test_what_is_missing_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    medium = Aether()
    with pytest.raises(ConfigError, match=r"aether-medium\[ops\]"):
        medium.resources()
    assert medium.health().ready

    async def enter() -> None:
        async with Aether(AetherConfig(health=HealthConfig())):
            pytest.fail("it is not entered")

    with pytest.raises(ConfigError, match=r"section health needs psutil.*aether-medium\[ops\]"):
        asyncio.run(enter())


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


def test_limits_are_those_of_the_settings() -> None:
    settings = HealthConfig()
    assert Limits() == Limits(settings.leak_window, settings.leak_bytes, settings.leak_waves)
