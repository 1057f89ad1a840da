"""Rings of emissions that wait for each other are told so; programs that can go on never are.

`Deadlock` is owed when every live task that has read the full mailbox itself waits to emit in the same
ring. Each ring here first reads from its mailboxes (before that the design gives a warning only).
The guards are against hangs: on a deadlock that nobody is told of, they are what fails the test.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

import aether

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(200)]
SCALE = 20 if os.environ.get("AETHER_TORTURE") else 1
GUARD = 30.0


async def until(condition: Any) -> None:
    """Let the others run until it is so."""
    with anyio.fail_after(GUARD):
        while not condition():
            await anyio.lowlevel.checkpoint()


def assert_names_ring(error: BaseException, *names: str) -> None:
    """The ring is written out: every vibrator of it by name."""
    assert isinstance(error, aether.AetherError)
    for name in names:
        assert name in str(error), f"{name!r} is missing in {error}"


async def test_ring_of_one_task() -> None:
    """It reads its own mailbox, fills it, and emits once more."""
    async with aether.Aether() as medium:
        v = medium.vibrator("lonely-reader", buffer_size=2)
        v.resonate_on("a")
        with anyio.fail_after(GUARD):
            await v.emit_wave("a", 0)
            assert (await v.receive()).payload == 0
            await v.emit_wave("a", 1)
            await v.emit_wave("a", 2)
            with pytest.raises(aether.Deadlock) as caught:
                await v.emit_wave("a", 3)
            assert_names_ring(caught.value, "lonely-reader")
            assert [(await v.receive()).payload for _ in range(2)] == [1, 2], "3 was not emitted"
            await v.emit_wave("a", 4)
            assert (await v.receive()).payload == 4
        v.close()


@pytest.mark.parametrize("size", [2, 3, 5])
async def test_ring_of_several_tasks(size: int) -> None:
    """Each reads its mailbox and emits two into the next one's: full all round."""
    async with aether.Aether() as medium:
        ring = [medium.vibrator(f"ring-{i}", buffer_size=1) for i in range(size)]
        told: list[aether.Deadlock] = []
        finished = 0

        async def body(i: int) -> None:
            nonlocal finished
            mine, target = ring[i], f"to.{(i + 1) % size}"
            try:
                wave = await mine.receive()
                assert wave.payload == "start"
                await mine.emit_wave(target, "first")
                await mine.emit_wave(target, "second")
            except aether.Deadlock as error:
                told.append(error)
            await mine.receive()
            finished += 1

        for i, v in enumerate(ring):
            v.resonate_on(f"to.{i}")
        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                for i in range(size):
                    group.start_soon(body, i)
                await until(lambda: all(v.statistics().tasks_waiting_receive for v in ring))
                for i in range(size):
                    medium.emit_nowait(f"to.{i}", "start")
        assert finished == size, "told once, the ring goes on"
        assert len(told) >= 1
        assert_names_ring(told[0], *(f"ring-{i}" for i in range(size)))
        for v in ring:
            v.close()


async def test_ring_through_a_fan_out() -> None:
    """The ring closes over one of several mailboxes of an emission; the others have free readers."""
    async with aether.Aether() as medium:
        a = medium.vibrator("ring-a", buffer_size=1)
        b = medium.vibrator("ring-b", buffer_size=1)
        free = medium.vibrator("bystander", buffer_size=1)
        a.resonate_on("a")
        b.resonate_on("b")
        free.resonate_on("*")
        told: list[BaseException] = []

        async def drain() -> None:
            while True:
                await free.receive()

        async def body(mine: Any, channel: str) -> None:
            await mine.receive()
            try:
                for number in range(3):
                    await mine.emit_wave(channel, number)
            except aether.Deadlock as error:
                told.append(error)
            while True:
                await mine.receive()

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                group.start_soon(drain)
                group.start_soon(body, a, "b")
                group.start_soon(body, b, "a")
                await medium.emit_wave("a", "start")
                await medium.emit_wave("b", "start")
                await until(lambda: told)
                await until(lambda: not a.statistics().tasks_waiting_send)
                group.cancel_scope.cancel()
        assert_names_ring(told[0], "ring-a", "ring-b")
        for v in (a, b, free):
            v.close()


async def test_ring_of_a_handler_with_itself() -> None:
    """A handler that emits more into its own lane than fits is told; the medium goes on."""
    async with aether.Aether() as medium:
        v = medium.vibrator("echo")
        told: list[BaseException] = []
        handled: list[int] = []

        @v.on("a", buffer_size=1)  # type: ignore[untyped-decorator]
        async def echo(wave: Any) -> None:
            handled.append(wave.payload)
            if wave.payload == 0:
                try:
                    for number in (1, 2, 3):
                        await v.emit_wave("a", number)
                except aether.Deadlock as error:
                    told.append(error)

        with anyio.fail_after(GUARD):
            await medium.emit_wave("a", 0)
            await until(lambda: told)
            assert await medium.settle(GUARD)
        assert_names_ring(told[0], "echo")
        assert handled == [0, 1], "the one that fitted, and not the one that was refused"
        await v.aclose()


async def test_ring_of_two_handlers() -> None:
    """Two services bounce each wave twice; both lanes fill; somebody is told."""
    async with aether.Aether(aether.AetherConfig(max_propagation=1000)) as medium:
        told: list[BaseException] = []
        services = []

        def service(name: str, listens: str, answers: str) -> None:
            v = medium.vibrator(name)
            services.append(v)

            @v.on(listens, buffer_size=2)  # type: ignore[untyped-decorator]
            async def bounce(wave: Any) -> None:
                if told:
                    return
                try:
                    for _ in range(2):
                        await v.emit_wave(answers, wave.payload)
                except aether.Deadlock as error:
                    told.append(error)

        service("ping-service", "ping", "pong")
        service("pong-service", "pong", "ping")
        with anyio.fail_after(GUARD):
            await medium.emit_wave("ping", 0)
            await until(lambda: told)
            assert await medium.settle(GUARD)
        text = str(told[0])
        assert "ping-service" in text or "pong-service" in text
        for v in services:
            await v.aclose()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_ring_of_threads(size: int) -> None:
    """The same ring with `receive_sync` and `emit_sync`, one thread a vibrator."""
    medium = aether.Aether()
    ring = [medium.vibrator(f"thread-{i}", buffer_size=1) for i in range(size)]
    told: list[BaseException] = []
    errors: list[BaseException] = []

    def body(i: int) -> None:
        mine, target = ring[i], f"to.{(i + 1) % size}"
        try:
            mine.receive_sync(timeout=GUARD)
            try:
                mine.emit_sync(target, "first")
                mine.emit_sync(target, "second")
            except aether.Deadlock as error:
                told.append(error)
            mine.receive_sync(timeout=GUARD)
        except BaseException as error:
            errors.append(error)

    for i, v in enumerate(ring):
        v.resonate_on(f"to.{i}")
    threads = [threading.Thread(target=body, args=(i,), daemon=True) for i in range(size)]
    for i in range(size):
        medium.emit_nowait(f"to.{i}", "start")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
        assert not thread.is_alive(), "a thread hangs"
    assert not errors, errors
    # The threads may meet out of step and get by; one alone cannot.
    if size == 1:
        assert len(told) == 1
    for error in told:
        assert_names_ring(error, *(f"thread-{i}" for i in range(size)))
    for v in ring:
        v.close()


async def test_ring_of_a_task_and_a_thread() -> None:
    """One half awaits, the other blocks in a thread."""
    async with aether.Aether() as medium:
        task_side = medium.vibrator("task-side", buffer_size=1)
        thread_side = medium.vibrator("thread-side", buffer_size=1)
        task_side.resonate_on("to.task")
        thread_side.resonate_on("to.thread")
        told: list[BaseException] = []
        both_read = threading.Barrier(2)

        def in_thread() -> None:
            thread_side.receive_sync(timeout=GUARD)
            both_read.wait(GUARD)
            try:
                thread_side.emit_sync("to.task", 1)
                thread_side.emit_sync("to.task", 2)
            except aether.Deadlock as error:
                told.append(error)
            thread_side.receive_sync(timeout=GUARD)

        async def start(body: Callable[[], None]) -> None:
            await anyio.to_thread.run_sync(body, abandon_on_cancel=True)

        async def in_task() -> None:
            await task_side.receive()
            await anyio.to_thread.run_sync(both_read.wait, GUARD)
            try:
                await task_side.emit_wave("to.thread", 1)
                await task_side.emit_wave("to.thread", 2)
            except aether.Deadlock as error:
                told.append(error)
            await task_side.receive()

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                group.start_soon(in_task)
                group.start_soon(start, in_thread)
                await medium.emit_wave("to.task", 0)
                await medium.emit_wave("to.thread", 0)
        assert len(told) >= 1
        assert_names_ring(told[0], "task-side", "thread-side")
        task_side.close()
        thread_side.close()


# -- programs that do not deadlock


async def test_full_mailbox_that_nobody_has_read_only_warns(caplog: Any) -> None:
    """Its reader may still come: a warning after `stall_warning`, naming it, and no Deadlock."""
    config = aether.AetherConfig(stall_warning=0.01)
    async with aether.Aether(config) as medium:
        v = medium.vibrator("late-comer", buffer_size=1)
        v.resonate_on("a")
        await v.emit_wave("a", 0)
        got = []
        with caplog.at_level(logging.WARNING), anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                group.start_soon(v.emit_wave, "a", 1)
                await until(lambda: "late-comer" in caplog.text)
                for _ in range(2):
                    got.append((await v.receive()).payload)
        assert got == [0, 1]
        mentions = [r for r in caplog.records if "late-comer" in r.getMessage()]
        assert len(mentions) == 1, "once an episode"
        v.close()


async def test_reader_that_went_away_is_no_ring() -> None:
    """Its task has ended; another takes over: the emitter waits for it."""
    async with aether.Aether() as medium:
        v = medium.vibrator("handed-over", buffer_size=1)
        v.resonate_on("a")
        got: list[int] = []

        async def read(n: int) -> None:
            for _ in range(n):
                got.append((await v.receive()).payload)

        async def emit() -> None:
            for number in range(4):
                await medium.emit_wave("a", number)

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                group.start_soon(emit)
                group.start_soon(read, 1)
                await until(lambda: v.statistics().tasks_waiting_send and len(got) == 1)
                group.start_soon(read, 3)
        assert got == [0, 1, 2, 3]
        v.close()


async def test_ring_with_a_second_reader_is_none() -> None:
    """Two tasks read the mailbox; only one of them waits to emit: the other makes room."""
    async with aether.Aether() as medium:
        v = medium.vibrator("shared", buffer_size=1)
        v.resonate_on("a")
        second_may_read = anyio.Event()
        got: list[int] = []

        async def first() -> None:
            got.append((await v.receive()).payload)
            for number in (2, 3, 4):
                await v.emit_wave("a", number)

        async def second() -> None:
            got.append((await v.receive()).payload)
            await second_may_read.wait()
            for _ in range(3):
                got.append((await v.receive()).payload)

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                group.start_soon(second)
                await until(lambda: v.statistics().tasks_waiting_receive)
                await medium.emit_wave("a", 0)
                await until(lambda: got == [0])
                group.start_soon(first)
                await medium.emit_wave("a", 1)
                await until(lambda: v.statistics().tasks_waiting_send)
                second_may_read.set()
        assert sorted(got) == [0, 1, 2, 3, 4]
        v.close()


async def test_chain_is_no_ring() -> None:
    """A waits for B, B for C, C reads elsewhere first: everybody gets on when C comes back."""
    async with aether.Aether() as medium:
        names = ["chain-a", "chain-b", "chain-c"]
        vs = [medium.vibrator(name, buffer_size=1) for name in names]
        for i, v in enumerate(vs):
            v.resonate_on(f"to.{i}")
        gate = anyio.Event()
        got: list[int] = []

        async def forward(i: int) -> None:
            async for wave in vs[i]:
                await vs[i].emit_wave(f"to.{i + 1}", wave.payload)

        async def last() -> None:
            got.append((await vs[2].receive()).payload)
            await gate.wait()
            while len(got) < 8:
                got.append((await vs[2].receive()).payload)

        async def source() -> None:
            for number in range(8):
                await medium.emit_wave("to.0", number)

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                for i in range(2):
                    group.start_soon(forward, i)
                group.start_soon(last)
                group.start_soon(source)
                await until(lambda: all(v.statistics().tasks_waiting_send for v in vs))
                gate.set()
                await until(lambda: len(got) == 8)
                group.cancel_scope.cancel()
        assert got == list(range(8))
        for v in vs:
            v.close()


@pytest.mark.parametrize("round_", range(3 * SCALE))
async def test_random_topology_with_one_free_reader(round_: int) -> None:
    """Nodes that forward at random over tiny mailboxes, and one task that reads them all and never
    emits: it can always make room, so nobody may be told of a deadlock, and every wave ends somewhere.
    """
    seed = int(os.environ.get("AETHER_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    rng = random.Random(seed)
    nodes = rng.randint(1, 6)
    waves = 150
    async with aether.Aether(aether.AetherConfig(min_amplitude=0.0)) as medium:
        vs = [medium.vibrator(f"node-{i}", buffer_size=rng.randint(1, 2)) for i in range(nodes)]
        ends: list[int] = []
        alive = 0

        for i, v in enumerate(vs):
            v.resonate_on(f"to.{i}")

        async def node(i: int) -> None:
            nonlocal alive
            async for wave in vs[i]:
                copies = rng.choice([0, 1, 1, 2]) if wave.payload > 0 else 0
                for _ in range(copies):
                    alive += 1
                    await vs[i].emit_wave(f"to.{rng.randrange(nodes)}", wave.payload - 1)
                alive -= 1
                ends.append(wave.payload)

        async def free_reader() -> None:
            nonlocal alive
            while True:
                for v in vs:
                    if v.statistics().current_buffer_used == v.statistics().max_buffer_size:
                        try:
                            v.receive_nowait()
                        except aether.WouldBlock:
                            continue
                        alive -= 1
                await anyio.lowlevel.checkpoint()

        with anyio.fail_after(GUARD):
            for i in range(nodes):  # the free reader has read every mailbox before it starts
                await medium.emit_wave(f"to.{i}", 0)
            async with anyio.create_task_group() as group:
                ready = anyio.Event()

                async def read_all_then_serve() -> None:
                    for v in vs:
                        await v.receive()
                    ready.set()
                    await free_reader()

                group.start_soon(read_all_then_serve)
                await ready.wait()
                for i in range(nodes):
                    group.start_soon(node, i)
                for _ in range(waves):
                    alive += 1
                    await medium.emit_wave(f"to.{rng.randrange(nodes)}", rng.randint(0, 6))
                await until(lambda: alive == 0)
                group.cancel_scope.cancel()
        for v in vs:
            assert v.statistics().current_buffer_used == 0
            v.close()


async def test_handlers_feeding_a_free_reader_are_no_ring() -> None:
    """Handlers with tiny lanes in a line, and the last mailbox read by a plain task."""
    async with aether.Aether() as medium:
        line = [medium.vibrator(f"stage-{i}") for i in range(3)]
        end = medium.vibrator("end", buffer_size=1)
        end.resonate_on("stage.3")

        def stage(i: int) -> None:
            @line[i].on(f"stage.{i}", buffer_size=1)  # type: ignore[untyped-decorator]
            async def forward(wave: Any) -> None:
                await line[i].emit_wave(f"stage.{i + 1}", wave.payload)

        for i in range(3):
            stage(i)

        async def source() -> None:
            for number in range(200):
                await medium.emit_wave("stage.0", number)

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                group.start_soon(source)
                got = [(await end.receive()).payload for _ in range(200)]
        assert got == list(range(200))
        for v in (*line, end):
            await v.aclose()


def test_ring_of_threads_with_a_free_reader_is_none() -> None:
    """Three threads pass waves on in a ring of full mailboxes; a fourth reads them all and never
    emits. However late it comes round, it comes: nobody is told of a deadlock.
    """
    medium = aether.Aether()
    ring = [medium.vibrator(f"thread-{i}", buffer_size=1) for i in range(3)]
    errors: list[BaseException] = []
    stop = threading.Event()
    for i, v in enumerate(ring):
        v.resonate_on(f"to.{i}")

    def forward(i: int) -> None:
        try:
            while not stop.is_set():
                try:
                    wave = ring[i].receive_sync(timeout=0.01)
                except TimeoutError:
                    continue
                for _ in range(2 if wave.payload else 0):
                    ring[i].emit_sync(f"to.{(i + 1) % 3}", wave.payload - 1)
        except BaseException as error:
            errors.append(error)

    def read_freely() -> None:
        while not served.is_set():
            for v in ring:
                try:
                    v.receive_nowait()
                except aether.WouldBlock:
                    continue

    for i in range(3):  # read once by the free reader before the others come
        medium.emit_nowait(f"to.{i}", 0)
    served = threading.Event()
    free = threading.Thread(target=read_freely, daemon=True)
    free.start()
    while any(v.statistics().current_buffer_used for v in ring):
        stop.wait(0.001)
    threads = [threading.Thread(target=forward, args=(i,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for number in range(300 * SCALE):
        medium.emit_sync(f"to.{number % 3}", 6, timeout=GUARD)
    stop.set()
    for thread in threads:
        thread.join(GUARD)
        assert not thread.is_alive(), "a thread hangs"
    served.set()
    free.join(GUARD)
    assert not errors, errors
    for v in ring:
        v.close()
