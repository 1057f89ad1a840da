"""Who does not read, in mailboxes and behind the busy keys of handlers: seen in health, resources and the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.operations.rig import SETTINGS, Rig

from aether import HealthConfig, LeakHint, Wave
from aether.console.shown import snapshot
from aether.monitoring.held import Held, Line
from aether.monitoring.leaks import POINTS
from aether.monitoring.sampler import MAILBOXES
from aether.monitoring.unread import Unread, UnreadSince

ROOMY = SETTINGS.replace(memory=None)


async def test_a_handler_that_hangs_on_a_key_is_one_who_does_not_read(
    make: Callable[[HealthConfig], Rig], anyio_backend: object
) -> None:
    rig, go = make(ROOMY), anyio.Event()

    @rig.vibrator("desk").on("orders", concurrency=8, key=lambda wave: "one")
    async def handle(wave: Any) -> None:
        await go.wait()

    async with rig.medium:
        for _ in range(900):
            rig.medium.emit_nowait("orders", b"x" * 1000)
        await anyio.wait_all_tasks_blocked()
        used = rig.look()
        assert (used.waiting, used.waiting_bytes) == (899, 899_000)
        assert rig.medium.health().ready
        rig.now += 31.0
        rig.look()
        assert rig.medium.health().reasons == (
            "899 waves stand behind a key of a handler of 'desk', which has been at one for 31 s (unread=30)",
        )
        (view,) = snapshot([(1, rig.medium)]).media
        shown = max(view.mailboxes, key=lambda one: one.waiting)
        assert (shown.waiting, shown.received) == (899, 1)
        (handler,) = view.handlers
        assert (handler.working, handler.concurrency) == (1, 8)
        go.set()
        assert await rig.medium.settle(10)
        rig.look()
        assert rig.medium.health().ready
        assert rig.look().waiting == 0


async def test_one_key_that_is_stuck_is_seen_while_others_go_on(
    rig: Rig, anyio_backend: object
) -> None:
    go = anyio.Event()

    @rig.vibrator("desk", order="fifo").on("orders", concurrency=4, key=lambda wave: wave.payload)
    async def handle(wave: Any) -> None:
        if wave.payload == "stuck":
            await go.wait()

    async with rig.medium:
        for _ in range(4):
            rig.medium.emit_nowait("orders", "stuck")
        for _ in range(3):
            for _ in range(10):
                rig.medium.emit_nowait("orders", "other")
            await anyio.wait_all_tasks_blocked()
            rig.look()
            rig.now += 20.0
        (reason,) = rig.medium.health().reasons
        assert reason.startswith("3 waves stand behind a key of a handler of 'desk'")
        go.set()


async def test_a_key_that_goes_on_is_not_stuck_though_the_same_wave_comes_again(
    rig: Rig, anyio_backend: object
) -> None:
    done, go = 0, anyio.Event()

    @rig.vibrator("desk").on("orders", concurrency=2, key=lambda wave: 1)
    async def handle(wave: Any) -> None:
        nonlocal done
        await go.wait()
        done += 1

    again: Wave[Any] = Wave("orders")
    async with rig.medium:
        for round_ in range(4):
            for _ in range(3 if round_ == 0 else 1):
                await rig.medium.emit(again)
            await anyio.wait_all_tasks_blocked()
            assert done == round_
            assert rig.look().waiting == 2
            assert rig.medium.health().ready, "one has been done since the last look"
            rig.now += 20.0
            went, go = go, anyio.Event()
            went.set()
            await anyio.wait_all_tasks_blocked()
        rig.look()
        rig.now += 31.0
        rig.look()
        (reason,) = rig.medium.health().reasons
        assert reason.startswith("1 waves stand behind a key of a handler of 'desk'")
        go.set()


async def test_what_grows_behind_keys_is_hinted_at(
    make: Callable[[HealthConfig], Rig], anyio_backend: object
) -> None:
    rig, go = make(ROOMY.replace(unread=None)), anyio.Event()

    @rig.vibrator("desk").on("orders", concurrency=2, key=lambda wave: 1)
    async def handle(wave: Any) -> None:
        await go.wait()

    async with rig.medium:
        rig.medium.emit_nowait("orders")
        for _ in range(POINTS + 1):
            rig.medium.emit_nowait("orders")
            await anyio.wait_all_tasks_blocked()
            rig.look()
            rig.now += 2.0
        leaks = rig.medium.resources().leaks
        assert leaks == (LeakHint("mailbox", "desk", 1, POINTS + 1, 60.0),)
        go.set()


def test_one_who_does_not_read_is_found_among_many_who_do(rig: Rig) -> None:
    readers = [
        rig.vibrator(f"v{number}", overflow="drop_oldest", buffer_size=2)
        for number in range(MAILBOXES)
    ]
    stuck = rig.vibrator("stuck", overflow="drop_oldest")
    for one in [*readers, stuck]:
        one.resonate_on("orders")
    for _ in range(4):
        rig.medium.emit_nowait("orders")
        rig.medium.emit_nowait("orders")
        rig.look()
        for one in readers:
            one.receive_nowait()
        rig.now += 11.0
    (reason,) = rig.medium.health().reasons
    assert reason == "8 waves wait for 'stuck', who has taken none for 33 s (unread=30)"


def test_of_many_who_do_not_read_the_first_are_told(rig: Rig) -> None:
    held = [rig.vibrator(f"v{number:02}") for number in range(35)]
    held[7].resonate_on("early")
    rig.medium.emit_nowait("early")
    rig.look()
    rig.now += 5.0
    for one in held:
        one.resonate_on("orders")
    rig.medium.emit_nowait("orders")
    rig.look()
    rig.now += 31.0
    rig.look()
    reasons = rig.medium.health().reasons
    assert reasons[0].startswith("2 waves wait for 'v07', who has taken none for 36 s")
    assert len(reasons) == 11
    assert reasons[-1] == "and 25 more do not read either"


def test_leaks_are_looked_for_where_most_waits(make: Callable[[HealthConfig], Rig]) -> None:
    rig = make(ROOMY.replace(unread=None))
    quiet = [rig.vibrator(f"v{number}") for number in range(MAILBOXES)]
    for one in quiet:
        one.resonate_on("quiet")
    rig.medium.emit_nowait("quiet")
    desk = rig.vibrator("desk")
    desk.resonate_on("orders")
    for _ in range(POINTS + 2):
        rig.medium.emit_nowait("orders")
        rig.look()
        rig.now += 2.0
    (hint,) = rig.medium.resources().leaks
    assert hint.vibrator == "desk"


def test_hints_are_bounded(make: Callable[[HealthConfig], Rig]) -> None:
    rig = make(ROOMY.replace(unread=None))
    for number in range(25):
        rig.vibrator(f"v{number}").resonate_on("orders")
    for _ in range(POINTS + 1):
        rig.medium.emit_nowait("orders")
        rig.look()
        rig.now += 2.0
    assert len(rig.medium.resources().leaks) == 25
    hints = rig.medium.health().hints
    assert (len(hints), hints[-1]) == (11, "and 15 more have only grown")


MAILBOX = st.tuples(st.integers(0, 2), st.integers(0, 2), st.lists(st.integers(0, 2), max_size=2))


@given(st.lists(st.tuples(st.integers(1, 5), st.lists(MAILBOX, min_size=3, max_size=3))))
def test_it_says_what_the_whole_history_says(looks: list[tuple[int, list[Any]]]) -> None:
    """The oracle goes back through all looks, for each mailbox and each wave that is next behind a key."""
    since, now = UnreadSince(), 0.0
    history: list[tuple[float, list[Held]]] = []
    for step, given_ in looks:
        now += step
        found = [
            Held(
                number,
                f"v{number}",
                True,
                received,
                wait,
                [Line(at, at + 1) for at in lines],
                0,
                0,
            )
            for number, (received, wait, lines) in enumerate(given_)
        ]
        since.look(now, [one for one in found if one.in_mailbox or one.lines])
        history.append((now, found))

    def age(one: Held, same: Callable[[Held], bool]) -> float:
        first = now
        for moment, found in reversed(history):
            if not same(found[one.number]):
                break
            first = moment
        return now - first

    def unread(one: Held) -> float:
        return age(one, lambda then: then.in_mailbox > 0 and then.received == one.received)

    def stuck(one: Held, line: Line) -> float:
        return age(one, lambda then: any(other.first == line.first for other in then.lines))

    expected: list[tuple[str, bool, float]] = []
    for one in history[-1][1] if history else []:
        told_of = (
            (False, unread(one)),
            (True, max((stuck(one, line) for line in one.lines), default=0.0)),
        )
        expected += [(one.vibrator, by_key, seconds) for by_key, seconds in told_of if seconds]

    def key(told: tuple[str, bool, float]) -> Any:
        return (-told[2], told[0], told[1])

    def plain(told: list[Unread]) -> list[tuple[str, bool, float]]:
        return sorted(((one.vibrator, one.by_key, one.seconds) for one in told), key=key)

    for limit in (0.0, 3.0, 7.5):
        over = sorted((one for one in expected if one[2] > limit), key=key)
        count, first = since.longer_than(limit, 100)
        assert (count, plain(first)) == (len(over), over)
        count, first = since.longer_than(limit, 1)
        assert (count, [one.seconds for one in first]) == (len(over), [one[2] for one in over[:1]])


@pytest.mark.parametrize(("by_key", "handler"), [(False, False), (True, True)])
def test_it_reads_well(by_key: bool, handler: bool) -> None:
    said = str(Unread("a\x1b", handler, by_key, 1200, 6.4))
    assert said.startswith("1,200 waves ")
    assert said.isprintable()
