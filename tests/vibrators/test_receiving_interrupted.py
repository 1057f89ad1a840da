"""`receive_sync` interrupted, as by Ctrl-C, around each call that it makes: nothing is lost, nothing comes twice.

The interpreter looks for signals where a function begins and after each call of native code. So an error
out of a profiler comes just where one out of a signal handler does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.probes import assert_waiting, payloads, tuned

from aether import Aether, ManualClock, Vibrator, threads


class Interrupt(BaseException):
    """Like KeyboardInterrupt, but only ours."""


def nothing() -> None:
    pass


def interrupt(v: Vibrator, at: int, before_sleep: Callable[[], object] = nothing) -> list[Any]:
    """Receives, interrupted at an event, and gives what came; where it did not get so far, `IndexError`."""
    left = at

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal left
        if frame.f_code.co_filename != threads.__file__ or event.endswith("exception"):
            return
        if event == "c_call" and argument.__name__ == "look":
            before_sleep()
        # What is returned by a function of Python is in the hands of its caller at once.
        if event in {"call", "c_call", "c_return"}:
            if not left:
                raise Interrupt
            left -= 1

    sys.setprofile(profile)
    try:
        wave = v.receive_sync(timeout=10.0)
    except Interrupt:
        return []
    finally:
        sys.setprofile(None)
    if left:
        raise IndexError(at)
    return [wave]


def moments(receive: Callable[[int], object]) -> int:
    """Does it for each event, until there are no more; returns how many there were."""
    at = 0
    while True:
        try:
            receive(at)
        except IndexError:
            return at
        at += 1


@pytest.mark.parametrize("order", ["amplitude", "fifo", "fresh"])
def test_a_wave_that_waits_stays_in_its_place(order: str) -> None:
    clock = ManualClock(0.0)
    medium = Aether(clock=clock)
    v = tuned(medium, "a", order=order)

    def receive(at: int) -> None:
        before = v.statistics().received
        for number in range(3):
            medium.emit_nowait("a", (at, number))
        clock.advance(1.0)
        got = interrupt(v, at)
        assert v.statistics().received == before + len(got)
        assert [wave.payload for wave in got] + payloads(v) == [(at, n) for n in range(3)]
        assert v.statistics().tasks_waiting_receive == 0
        assert v.statistics().received == medium.statistics().emitted

    assert moments(receive) >= 3
    v.close()


def test_a_wave_that_comes_while_the_thread_goes_to_sleep() -> None:
    medium = Aether()
    v = tuned(medium, "a")
    emitted: list[int] = []

    def receive(at: int) -> None:
        def emit() -> None:
            emitted.append(at)
            medium.emit_nowait("a", at)

        emitted.clear()
        before = v.statistics().received
        got = interrupt(v, at, emit)
        assert v.statistics().received == before + len(got)
        assert [wave.payload for wave in got] + payloads(v) == emitted
        assert v.statistics().tasks_waiting_receive == 0
        assert v.statistics().received == medium.statistics().emitted

    assert moments(receive) >= 20
    v.close()


def test_a_wave_of_a_group_that_goes_back_is_another_member_s() -> None:
    medium = Aether()
    one, two = tuned(medium, "a", group="g"), tuned(medium, "a", group="g", name="two")

    def receive(at: int) -> None:
        medium.emit_nowait("a", at)
        got = interrupt(one, at)
        if not got:
            assert two.receive_nowait().payload == at
        assert_waiting(one, 0)

    assert moments(receive) >= 3
    one.close()
    two.close()


def test_an_interrupted_wave_is_not_counted_as_missed() -> None:
    medium = Aether()
    v = tuned(medium, "a", overflow="drop_oldest", buffer_size=1)

    def receive(at: int) -> None:
        for number in range(3):
            medium.emit_nowait("a", number)
        got = interrupt(v, at) or [v.receive_nowait()]
        assert got[0].payload == 2
        assert v.statistics().missed == v.statistics().dropped["oldest"]
        assert medium.statistics().emitted == 3 * v.statistics().received

    assert moments(receive) >= 3
    v.close()


def test_whoever_follows_a_wave_is_told_that_it_goes_back() -> None:
    medium = Aether()
    v = tuned(medium, "a")
    told: list[int] = []

    def receive(at: int) -> None:
        following: Any = medium.emit_nowait("a", at, ttl=60.0).follow(lambda: woken.append(at))
        woken: list[int] = []
        got = interrupt(v, at)
        if not got:
            # Time may remove it now, and nobody else sees to that.
            told.extend(woken)
            v.receive_nowait()
        following.end()

    assert moments(receive) >= 3
    assert told, "at least once it was taken, and went back"
    v.close()
