"""Threads: eight emitters and a million waves, into a loop and into blocking threads.

Each emitter numbers its waves; each reader sees every emitter's numbers grow by one. So a wave that is
lost, doubled or out of order shows at once, and at small cost.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import aether

pytestmark = [pytest.mark.anyio, pytest.mark.stress, pytest.mark.timeout(400)]
SCALE = 10 if os.environ.get("AETHER_TORTURE") else 1
EMITTERS = 8
GUARD = 300.0  # against hangs only


class Threads:
    """Started threads whose first error is the test's error."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    def start(self, target: Callable[..., None], *args: Any) -> None:
        def body() -> None:
            try:
                target(*args)
            except BaseException as error:
                self.errors.append(error)

        thread = threading.Thread(target=body, daemon=True)
        self.threads.append(thread)
        thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(GUARD)
            assert not thread.is_alive(), "a thread hangs"
        if self.errors:
            raise self.errors[0]


class Runs:
    """The next number expected from each emitter."""

    def __init__(self) -> None:
        self.next = [0] * EMITTERS

    def add(self, wave: Any) -> None:
        who, number = wave.payload
        assert number == self.next[who], f"emitter {who}: {self.next[who]} expected, got {number}"
        self.next[who] = number + 1


@pytest.mark.parametrize("how", ["emit_sync", "emit_nowait"])
async def test_eight_threads_into_a_loop(how: str) -> None:
    """2 x 3 x 200,000 waves: waiting for room in a small mailbox, and never waiting in a large one."""
    each = 200_000 // EMITTERS * SCALE
    async with aether.Aether() as medium:
        size = 1024 if how == "emit_sync" else each * EMITTERS
        v = medium.vibrator("reader", buffer_size=size)
        v.resonate_on("from.*")
        senders = [medium.vibrator(f"e{who}") for who in range(EMITTERS)]
        threads = Threads()

        def emit(who: int) -> None:
            act = getattr(senders[who] if who % 2 else medium, how)
            for number in range(each):
                assert act(f"from.{who}", (who, number)).delivered == 1

        runs = Runs()
        with anyio.fail_after(GUARD):
            for who in range(EMITTERS):
                threads.start(emit, who)
            left = each * EMITTERS
            while left:
                waves = await v.receive_many(256)
                for wave in waves:
                    runs.add(wave)
                left -= len(waves)
        threads.join()
        assert runs.next == [each] * EMITTERS
        s = v.statistics()
        assert (s.received, s.missed, s.current_buffer_used) == (each * EMITTERS, 0, 0)
        assert [x.statistics().emitted for x in senders] == [0, each] * (EMITTERS // 2)
        for vibrator in (v, *senders):
            vibrator.close()


async def test_threads_wake_a_parked_reader_each_time() -> None:
    """One wave at a time, so that each one finds the reader parked or on its way."""
    async with aether.Aether() as medium:
        v = medium.vibrator("reader", buffer_size=1)
        v.resonate_on("a")
        threads = Threads()
        each = 500 * SCALE

        def emit(who: int) -> None:
            for number in range(each):
                medium.emit_sync("a", (who, number), timeout=GUARD)

        runs = Runs()
        with anyio.fail_after(GUARD):
            for who in range(4):
                threads.start(emit, who)
            for _ in range(4 * each):
                runs.add(await v.receive())
        threads.join()
        assert runs.next[:4] == [each] * 4
        v.close()


def test_blocking_threads_at_both_ends() -> None:
    """400,000 waves: eight threads in `emit_sync`, four in `receive_sync` on one vibrator."""
    each = 400_000 // EMITTERS * SCALE
    medium = aether.Aether()
    v = medium.vibrator("reader", buffer_size=512)
    v.resonate_on("a")
    threads = Threads()
    seen: list[list[tuple[int, int]]] = [[] for _ in range(4)]

    def emit(who: int) -> None:
        emitter = v.emitter() if who % 2 else medium
        for number in range(each):
            emitter.emit_sync("a", (who, number))

    def receive(mine: list[tuple[int, int]]) -> None:
        while (wave := v.receive_sync(timeout=GUARD)).payload is not None:
            mine.append(wave.payload)

    readers = Threads()
    for mine in seen:
        readers.start(receive, mine)
    for who in range(EMITTERS):
        threads.start(emit, who)
    threads.join()
    for _ in seen:
        medium.emit_sync("a", None)
    readers.join()
    for mine in seen:  # what one reader sees of one emitter grows, whatever the others take
        for who in range(EMITTERS):
            numbers = [n for w, n in mine if w == who]
            assert numbers == sorted(numbers)
    together = sorted(pair for mine in seen for pair in mine)
    assert together == [(who, n) for who in range(EMITTERS) for n in range(each)]
    v.close()


def test_fan_out_across_threads_is_one_order() -> None:
    """Two readers of the same channel see concurrent emitters in the same order."""
    each = 5_000 * SCALE
    medium = aether.Aether()
    readers = [medium.vibrator(f"r{i}", order="fifo", buffer_size=64) for i in range(2)]
    for reader in readers:
        reader.resonate_on("a")
    seen: list[list[int]] = [[], []]
    threads = Threads()

    def emit(who: int) -> None:
        for number in range(each):
            assert medium.emit_sync("a", (who, number)).delivered == 2

    def receive(index: int) -> None:
        for _ in range(4 * each):
            seen[index].append(readers[index].receive_sync(timeout=GUARD).sequence)

    for who in range(4):
        threads.start(emit, who)
    for index in range(2):
        threads.start(receive, index)
    threads.join()
    assert seen[0] == seen[1] == sorted(set(seen[0]))
    for reader in readers:
        reader.close()


def test_receive_sync_times_out_and_goes_on() -> None:
    """Timeouts of a few microseconds against a steady stream: each wave goes to one reader."""
    waves = 5_000 * SCALE
    medium = aether.Aether()
    v = medium.vibrator("reader", buffer_size=16)
    v.resonate_on("a")
    threads = Threads()
    seen: list[int] = []
    done = threading.Event()

    def receive() -> None:
        while not done.is_set() or v.statistics().current_buffer_used:
            try:
                seen.append(v.receive_sync(timeout=1e-5).payload)
            except TimeoutError:
                continue

    def emit() -> None:
        sent = 0
        while sent < waves:
            try:
                medium.emit_sync("a", sent, timeout=1e-5)
            except TimeoutError:
                continue
            sent += 1
        done.set()

    threads.start(emit)
    threads.start(receive)
    threads.start(receive)
    threads.join()
    assert sorted(seen) == list(range(waves))
    v.close()


def test_close_wakes_every_blocked_thread() -> None:
    """Readers get the end; emitters that wait for room get through, or `Closed`."""
    medium = aether.Aether()
    reader = medium.vibrator("reader")
    reader.resonate_on("nothing")
    full = medium.vibrator("full", buffer_size=1)
    full.resonate_on("full")
    medium.emit_nowait("full", 0)
    threads = Threads()
    ends: list[Any] = []

    def receive() -> None:
        ends.append(reader.receive_sync(timeout=GUARD))

    def emit() -> None:
        ends.append(medium.emit_sync("full", 1, timeout=GUARD).matched)

    for _ in range(3):
        threads.start(receive)
    threads.start(emit)
    while reader.statistics().tasks_waiting_receive < 3 or full.statistics().tasks_waiting_send < 1:
        threading.Event().wait(0.001)
    reader.close()
    full.close()
    threads.join()
    assert sorted(ends, key=str) == [0, None, None, None]


def test_churn_of_patterns_and_vibrators_beside_emitters() -> None:
    """While others come, go, resonate and detune, a steady reader misses nothing."""
    each = 20_000 * SCALE
    medium = aether.Aether()
    steady = medium.vibrator("steady", order="fifo", buffer_size=4 * each)
    steady.resonate_on("load.*")
    threads, churners = Threads(), Threads()
    done = threading.Event()

    def emit(who: int) -> None:
        for number in range(each):
            receipt = medium.emit_nowait(f"load.{number % 7}", (who, number))
            assert receipt.matched == receipt.delivered + receipt.dropped
            assert receipt.delivered >= 1

    def churn(who: int) -> None:
        entered = 0
        while not done.is_set():
            v = medium.vibrator(f"churn{who}", overflow="drop_oldest", buffer_size=4)
            v.resonate_on(f"load.{who}", "load.+")
            v.resonate_on("+.0")
            v.detune("load.+")
            with contextlib.suppress(aether.WouldBlock):
                v.receive_nowait()
            v.detune("+.0")
            v.close()
            s = v.statistics()
            entered += s.received + s.missed
            assert s.current_buffer_used == 0
            medium.active_channels()

    for who in range(2):
        churners.start(churn, who)
    for who in range(4):
        threads.start(emit, who)
    threads.join()
    done.set()
    churners.join()
    assert [str(c) for c in medium.active_channels()] == ["load.*"]
    runs = Runs()
    for _ in range(4 * each):
        runs.add(steady.receive_nowait())
    assert runs.next[:4] == [each] * 4
    steady.close()


async def test_threads_ask_a_loop() -> None:
    """Wave out by `emit_sync`, answer by a handler's emission to a thread in `receive_sync`."""
    async with aether.Aether() as medium:
        service = medium.vibrator("service")

        @service.on("ask.*", concurrency=4)  # type: ignore[untyped-decorator]
        async def answer(wave: Any) -> None:
            await medium.emit_wave(f"answer.{wave.payload[0]}", wave.payload[1] * 2, cause=wave)

        clients = Threads()

        def client(who: int) -> None:
            v = medium.vibrator(f"client{who}")
            v.resonate_on(f"answer.{who}")
            for number in range(100 * SCALE):
                v.emit_sync(f"ask.{who}", (who, number), timeout=GUARD)
                assert v.receive_sync(timeout=GUARD).payload == number * 2
            v.close()

        with anyio.fail_after(GUARD):
            for who in range(4):
                clients.start(client, who)
            await anyio.to_thread.run_sync(clients.join)
        await service.aclose()


def test_one_medium_for_loops_of_every_kind() -> None:
    """Four emitting threads; a reader in a thread with asyncio, with uvloop, with trio, with none."""
    each = 10_000 * SCALE
    medium = aether.Aether()
    kinds = ["asyncio", "trio", "none"]
    if importlib.util.find_spec("uvloop"):
        kinds.append("uvloop")
    readers = {kind: medium.vibrator(kind, buffer_size=256) for kind in kinds}
    runs = {kind: Runs() for kind in kinds}
    for reader in readers.values():
        reader.resonate_on("a")
    threads = Threads()

    async def receive(kind: str) -> None:
        with anyio.fail_after(GUARD):
            for _ in range(4 * each):
                runs[kind].add(await readers[kind].receive())

    def read(kind: str) -> None:
        if kind == "none":
            for _ in range(4 * each):
                runs[kind].add(readers[kind].receive_sync(timeout=GUARD))
        elif kind == "trio":
            anyio.run(receive, kind, backend="trio")
        else:
            options = {"use_uvloop": kind == "uvloop"}
            anyio.run(receive, kind, backend="asyncio", backend_options=options)

    def emit(who: int) -> None:
        for number in range(each):
            assert medium.emit_sync("a", (who, number), timeout=GUARD).delivered == len(kinds)

    for kind in kinds:
        threads.start(read, kind)
    for who in range(4):
        threads.start(emit, who)
    threads.join()
    for kind in kinds:
        assert runs[kind].next[:4] == [each] * 4
        readers[kind].close()
