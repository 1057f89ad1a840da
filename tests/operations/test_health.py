"""Whether a medium works, and why not: by figures and a clock of the test's own."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.operations.rig import SETTINGS, Rig

from aether import (
    Aether,
    AetherConfig,
    ConfigError,
    Health,
    HealthConfig,
    LeakHint,
    ManualClock,
)
from aether.monitoring import process
from aether.monitoring.held import SAMPLED, SAMPLED_IN_ALL
from aether.monitoring.leaks import POINTS
from aether.monitoring.payloads import estimate, size_of
from aether.monitoring.sampler import Limits


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


@pytest.mark.parametrize(
    ("mailboxes", "waves"), [(600, 16), (SAMPLED_IN_ALL + 100, 1)], ids=["many", "more than looks"]
)
def test_what_is_not_measured_counts_as_what_is(rig: Rig, mailboxes: int, waves: int) -> None:
    for number in range(mailboxes):
        rig.vibrator(f"v{number}").resonate_on("orders")
    for _ in range(waves):
        rig.medium.emit_nowait("orders", b"12345678")
    assert rig.look().waiting_bytes == mailboxes * waves * 8


@pytest.mark.parametrize("ttl", [None, 1000.0], ids=["line", "ranked"])
def test_what_waits_behind_small_payloads_is_seen(rig: Rig, ttl: float | None) -> None:
    rig.vibrator("desk").resonate_on("orders")
    for number in range(916):
        payload = b"" if number < 16 else b"x" * 1000
        rig.medium.emit_nowait("orders", payload, ttl=ttl)
    assert 400_000 < rig.look().waiting_bytes < 1_000_000


async def test_of_many_emissions_that_wait_the_first_are_told(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    desk = medium.vibrator("desk", buffer_size=1)
    desk.resonate_on("orders")
    async with medium:
        await medium.emit_wave("orders")
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(medium.emit_wave, "orders")
            await anyio.wait_all_tasks_blocked()
            assert medium.first_stalled() == (0, [])
            clock.advance(2.5)
            assert medium.first_stalled() == (30, [("orders", ["desk"], 2.5)] * 10)
            reasons = medium.health().reasons
            assert reasons[0] == "an emission on 'orders' has waited 2.5 s for desk"
            assert (len(reasons), reasons[-1]) == (11, "and 20 more wait for room")
            for _ in range(31):
                await desk.receive()


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


def test_limits_are_those_of_the_settings() -> None:
    settings = HealthConfig()
    assert Limits() == Limits(settings.leak_window, settings.leak_bytes, settings.leak_waves)
