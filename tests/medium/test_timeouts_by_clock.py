"""Timeouts go by the medium's clock, where it is one of its own: with `ManualClock` and `VirtualAether`.

The timeouts of what is to wait on are a millionth of a second: by any other clock they would be over at once.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.conftest import LOOPS
from tests.probes import (
    Later,
    assert_says,
    begin,
    payloads,
    receive,
    tuned,
    turns,
    until,
    until_receiving,
    until_sending,
)

from aether import Aether, AetherConfig, ManualClock, Wave
from aether.testing import VirtualAether

BRIEF = 1e-6


def full(medium: Aether) -> Any:
    """A vibrator that is full and blocks."""
    reader = tuned(medium, "a", buffer_size=1)
    medium.emit_nowait("a", 0)
    return reader


async def test_an_emission_gives_up_when_the_clock_says_so(anyio_backend: object) -> None:
    clock = ManualClock(start=50.0)
    medium = Aether(clock=clock)
    reader = full(medium)
    async with anyio.create_task_group() as group:
        sending = begin(group, lambda: medium.emit_wave("a", 1, timeout=5.0))
        await until_sending(reader)
        clock.advance(4.5)
        await turns()
        assert not sending.done
        clock.advance(0.5)
        with pytest.raises(TimeoutError) as raised:
            await sending.result()
    assert_says(raised.value, "5", "reader")
    assert payloads(reader) == [0]
    assert medium.timers.next() is None


async def test_it_waits_while_the_clock_stands(anyio_backend: object) -> None:
    medium = Aether(clock=ManualClock())
    reader = full(medium)
    async with anyio.create_task_group() as group:
        sending = begin(group, lambda: medium.emit_wave("a", 1, timeout=BRIEF))
        await until_sending(reader)
        await turns()
        assert (await receive(reader)).payload == 0
        assert await sending.result()
    assert payloads(reader) == [1]


async def test_time_makes_room_by_the_clock(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        reader = tuned(medium, "a", buffer_size=1)
        medium.emit_nowait("a", 0, ttl=3.0)
        gone: list[float] = []

        async def emit() -> None:
            await medium.emit_wave("a", 1, timeout=60.0)
            gone.append(medium.clock.now())

        async with anyio.create_task_group() as group:
            sending = begin(group, emit)
            await until_sending(reader)
            await medium.clock.advance(10.0)
            await sending.result()
        assert gone == [pytest.approx(3.0, abs=0.01)]
        assert payloads(reader) == [1]


async def test_a_virtual_hour_ends_them_each_at_its_moment(anyio_backend: object) -> None:
    async with VirtualAether(start=1000.0) as medium:
        reader = full(medium)
        quiet, idle = tuned(medium, "asked", name="quiet"), tuned(medium, "idle", name="idle")
        ended: list[tuple[str, float]] = []

        def waits(name: str, call: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[None]]:
            async def wait() -> None:
                with pytest.raises(TimeoutError):
                    await call()
                ended.append((name, medium.clock.now()))

            return wait

        async with anyio.create_task_group() as group:
            for name, call in (
                ("request", lambda: medium.request("asked", timeout=7.0)),
                ("emission", lambda: medium.emit_wave("a", timeout=3.0)),
                ("expectation", lambda: medium.expect("b", timeout=5.0)),
                ("receive", lambda: idle.mailbox.receive(11.0)),
                ("later", lambda: medium.emit_wave("a", timeout=3000.0)),
            ):
                begin(group, waits(name, call))
                await turns()
            assert (await receive(quiet)).channel == "asked"
            await medium.clock.advance(3600.0)
            assert ended == [
                ("emission", 1003.0),
                ("expectation", 1005.0),
                ("request", 1007.0),
                ("receive", 1011.0),
                ("later", 4000.0),
            ]
        assert payloads(reader) == [0]


async def test_a_handler_waits_for_an_answer_by_the_clock(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        asker = medium.vibrator("asker")
        tuned(medium, "asked", name="quiet")
        seen: list[float] = []

        @asker.on("go")
        async def ask(wave: Wave[Any]) -> None:
            try:
                await asker.request("asked", timeout=30.0)
            except TimeoutError:
                seen.append(medium.clock.now())

        await medium.emit_wave("go")
        await medium.clock.advance(60.0)
        assert seen == [30.0]


async def test_several_waves_are_gathered_by_the_clock(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a")
    async with anyio.create_task_group() as group:
        reading = begin(group, lambda: reader.receive_many(10, max_wait=2.0))
        await until_receiving(reader)
        medium.emit_nowait("a", 1)
        await turns()
        clock.advance(1.0)
        medium.emit_nowait("a", 2)
        await turns()
        assert not reading.done
        clock.advance(1.0)
        assert [wave.payload for wave in await reading.result()] == [1, 2]


async def test_who_wakes_for_nothing_keeps_its_deadline(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        ended: list[float] = []

        async def expect() -> None:
            with pytest.raises(TimeoutError):
                await medium.expect("a", where=lambda wave: False, timeout=1.1)
            ended.append(medium.clock.now())

        async with anyio.create_task_group() as group:
            begin(group, expect)
            await turns()
            for _ in range(10):
                await medium.clock.advance(0.1)
                medium.emit_nowait("a")
            await medium.clock.advance(0.2)
        assert ended == [pytest.approx(1.1)]


async def test_threads_wait_by_the_clock(anyio_backend: object) -> None:
    clock = ManualClock()
    # Nor do they look around meanwhile.
    medium = Aether(AetherConfig(stall_warning=1e6), clock=clock)
    reader, other = full(medium), tuned(medium, "b", name="other")
    ended: dict[str, str] = {}

    def wait(name: str, call: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                ended[name] = str(call())
            except TimeoutError as error:
                ended[name] = str(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    threads = [
        wait("emit", lambda: medium.emit_sync("a", timeout=2.0)),
        wait("receive", lambda: other.receive_sync(timeout=4.0)),
    ]
    await until_sending(reader)
    await until_receiving(other)
    clock.advance(1.0)
    assert ended == {}
    clock.advance(1.0)
    await until(lambda: "emit" in ended)
    assert "2 s" in ended["emit"]
    assert "receive" not in ended
    clock.advance(2.0)
    await until(lambda: "receive" in ended)
    assert "4 s" in ended["receive"]
    threads.append(wait("still", lambda: other.receive_sync(timeout=BRIEF)))
    await until_receiving(other)
    medium.emit_nowait("b", 7)
    await until(lambda: "still" in ended)
    assert "within" not in ended["still"]
    for thread in threads:
        thread.join()


async def test_the_machines_clock_is_the_loops(anyio_backend: object) -> None:
    medium = Aether()
    reader = full(medium)
    with pytest.raises(TimeoutError):
        await medium.emit_wave("a", timeout=BRIEF)
    assert medium.timers.next() is None, "no timer but that of the loop"
    assert payloads(reader) == [0]


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 4)),
    st.tuples(st.just("emit"), st.just(0)),
    st.tuples(st.just("move"), st.integers(0, 3)),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("turn"), st.integers(0, 4)),
)


async def _play(steps: list[tuple[str, int]]) -> None:
    clock = ManualClock()
    medium = Aether(clock=clock)
    reader = tuned(medium, "a", order="fifo")
    waits: list[tuple[Later, float]] = []
    emitted = 0
    async with anyio.create_task_group() as group:
        for step, number in steps:
            if step == "wait":
                seconds = float(number)
                # The task begins when it comes to it: what it waits for is counted from then on.
                waits.append(
                    (begin(group, lambda seconds=seconds: reader.mailbox.receive(seconds)), seconds)
                )
                await turns(2)
            elif step == "emit":
                medium.emit_nowait("a", emitted)
                emitted += 1
            elif step == "move":
                clock.advance(float(number))
            elif step == "cancel" and waits:
                waits[number % len(waits)][0].scope.cancel()
            else:
                await turns(number)
        await turns(10)
        pending = [later for later, _ in waits if not later.done]
        assert reader.statistics().tasks_waiting_receive == len(pending)
        if pending:
            assert reader.statistics().current_buffer_used == 0
            clock.advance(10.0)
            await turns(10)
        assert all(later.done for later, _ in waits), "the time of all is over"
    got = [later.value.payload for later, _ in waits if later.value is not None]
    errors = [later.error for later, _ in waits if later.error is not None]
    assert all(isinstance(error, TimeoutError) for error in errors)
    left = payloads(reader)
    assert sorted([*got, *left]) == list(range(emitted)), "each once, and none is lost"
    assert left == sorted(left)
    assert medium.timers.next() is None


@pytest.mark.parametrize("backend", LOOPS)
@given(steps=st.lists(STEPS, max_size=40))
def test_nothing_is_lost_where_time_and_wave_meet(
    backend: str, steps: list[tuple[str, int]]
) -> None:
    loop = "asyncio" if backend == "uvloop" else backend
    anyio.run(
        _play,
        steps,
        backend=loop,
        backend_options={"use_uvloop": True} if backend == "uvloop" else {},
    )
