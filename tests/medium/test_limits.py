"""`AetherConfig.limits`: what is refused, by which name, and which waves go first when many wait."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_receipt,
    begin,
    receive,
    taken,
    tuned,
    turns,
    until_sending,
)

from aether import (
    Aether,
    AetherConfig,
    LimitExceeded,
    LimitsConfig,
    MetricsConfig,
    NoReceiver,
    Vibrator,
    Wave,
    WouldBlock,
)
from aether.journal import Journal
from aether.metrics.reading import of_medium


def limited(**limits: Any) -> Aether:
    return Aether(AetherConfig(limits=LimitsConfig(**limits), channel_buffer_size=1_000))


def test_vibrators_are_refused_and_closing_makes_room() -> None:
    medium = limited(vibrators=2)
    first, second = (medium.vibrator(name) for name in "ab")
    with pytest.raises(
        LimitExceeded,
        match=r"vibrator 'c' would be one more than limits.vibrators=2: there are 2; ",
    ):
        medium.vibrator("c", group="g")
    assert medium.statistics().mailboxes == 2, "nothing was made"
    first.close()
    third = medium.vibrator("c")
    medium.reconfigure(medium.config.replace(limits=None))
    fourth = medium.vibrator("d")
    refused = {limit: count for limit, count in medium.statistics().refused.items() if count}
    assert refused == {"vibrators": 1}
    for one in (second, third, fourth):
        one.close()


def test_patterns_are_of_one_vibrator_with_its_handlers() -> None:
    medium = limited(patterns=3)
    with closing(medium.vibrator("a")) as desk:
        desk.resonate_on("x", "y")
        desk.resonate_on("x", "y")
        with pytest.raises(LimitExceeded, match=r"limits.patterns=3: there are 2; detune"):
            desk.resonate_on("z", "w")
        assert desk.patterns == ("x", "y"), "all or none"
        desk.on("z")(print)
        for wrong in (lambda: desk.on("w")(print), lambda: desk.resonate_on("w")):
            with pytest.raises(LimitExceeded, match="'a' is to resonate on would be one more"):
                wrong()
        desk.detune("x")
        desk.resonate_on("w")
        with closing(medium.vibrator("b")) as other:
            other.resonate_on("x", "y", "z")
    assert medium.statistics().refused["patterns"] == 3


def test_tasks_are_those_of_all_handlers() -> None:
    medium = limited(tasks=5)
    with closing(medium.vibrator("a")) as one, closing(medium.vibrator("b")) as other:
        one.on("x", concurrency=3)(print)
        with pytest.raises(
            LimitExceeded, match=r"concurrency=3 would be 1 more than limits.tasks=5: there are 3"
        ):
            other.on("x", concurrency=3)(print)
        other.on("x", concurrency=2)(print)
        one.close()
        with closing(medium.vibrator("c")) as third:
            third.on("x", concurrency=3)(print)


def test_a_handler_has_its_place_from_the_moment_that_it_is_asked_for() -> None:
    medium = limited(tasks=1, patterns=2)
    with closing(medium.vibrator("a")) as desk:
        handles = desk.on("x")
        with pytest.raises(LimitExceeded, match=r"limits.tasks=1: there is 1; "):
            desk.on("y")
        with pytest.raises(LimitExceeded, match=r"limits.patterns=2: there is 1; "):
            desk.resonate_on("y", "z")
        handles(print)
        with pytest.raises(LimitExceeded, match=r"limits.tasks=1"):
            handles(repr)
        assert len(desk.statistics().handlers) == 1


def test_a_place_that_nobody_takes_is_free() -> None:
    medium = limited(tasks=1, patterns=1)
    with closing(medium.vibrator("a")) as desk:
        with pytest.raises(TypeError):
            desk.on("x")(None)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
        handles = desk.on("x")
        del handles
        gc.collect()
        desk.on("x")(print)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(press: Callable[[int], object]) -> None:
    """Calls a function in eight threads at once, with their numbers."""
    barrier = threading.Barrier(8)

    def one(number: int) -> None:
        barrier.wait()
        press(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("_", range(20))
def test_handlers_and_patterns_are_exact_where_eight_threads_ask(_: int) -> None:
    medium = limited(tasks=5, patterns=7)
    desk = medium.vibrator("desk")
    vibrators = [medium.vibrator(f"v{number}") for number in range(8)]
    got: list[str] = []

    def press(number: int) -> None:
        for _ in range(3):
            with suppress(LimitExceeded):
                vibrators[number].on("x")(print)
                got.append("task")
        for pattern in "abc":
            with suppress(LimitExceeded):
                desk.resonate_on(f"{pattern}{number}")
                got.append("pattern")
            # What it has already counts once, and is never refused.
            known = desk.patterns
            if known:
                desk.resonate_on(*known)

    together(press)
    assert (got.count("task"), got.count("pattern")) == (5, 7)
    assert sum(len(one.statistics().handlers) for one in vibrators) == 5
    assert len(desk.patterns) == 7
    for one in (desk, *vibrators):
        one.close()


@pytest.mark.usefixtures("hasty")
def test_what_waits_is_exact_where_eight_threads_emit_and_read() -> None:
    medium = limited(queued=50, queued_bytes=400, soft=0.5)
    readers = [tuned(medium, "a", buffer_size=200) for _ in range(2)]
    passed = []

    def press(number: int) -> None:
        for turn in range(300):
            if number < 2:
                with suppress(WouldBlock):
                    readers[number].receive_nowait()
            else:
                with suppress(WouldBlock):
                    medium.emit_nowait("a", b"x" * (turn % 12), amplitude=1.0 - turn % 3 / 10)
            waiting, size, floor, _, _ = medium.pressure()
            passed.append(waiting > 50 or size > 400 or not 0.0 <= floor <= 1.0)

    together(press)
    assert not any(passed)
    left = [wave for one in readers for wave in taken(one)]
    assert medium.pressure()[:3] == (0, 0, 0.0)
    assert len(left) <= 50


def test_limits_hold_where_eight_threads_ask() -> None:
    medium = limited(vibrators=20, queued=500)
    reader = tuned(medium, "a")
    kept: list[Vibrator] = []
    refused = []

    def press() -> None:
        for _ in range(100):
            try:
                medium.emit_nowait("a")
            except WouldBlock:
                refused.append(1)
            try:
                kept.append(medium.vibrator("v"))
            except LimitExceeded:
                refused.append(2)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 19
    assert reader.statistics().current_buffer_used == 500
    assert medium.statistics().waiting == 500
    assert (refused.count(1), refused.count(2)) == (300, 781)
    for one in kept:
        one.close()


async def test_waves_beyond_the_limit_are_refused_by_its_name(anyio_backend: object) -> None:
    medium = limited(queued=4)
    first, second = tuned(medium, "a"), tuned(medium, "a")
    await medium.emit_many([("a", 0), ("a", 1)])
    said = r"emitting on \"a\" would exceed limits.queued: 4 waves wait in this medium, and 4 may"
    for emit in (medium.emit_wave, first.emit_wave):
        with pytest.raises(WouldBlock, match=said):
            await emit("a", 2)
    with pytest.raises(WouldBlock, match=said):
        medium.emit_nowait("a", 2, amplitude=0.1)
    assert await medium.emit_wave("nobody") is not None
    await receive(first)
    with pytest.raises(WouldBlock, match=r"3 waves wait"):
        await medium.emit_wave("a")
    await receive(second)
    assert (await medium.emit_wave("a", 3)).delivered == 2
    assert medium.statistics().refused["queued"] == 4
    medium.reconfigure(medium.config.replace(limits=LimitsConfig(queued=6)))
    assert (await medium.emit_wave("a", 4)).delivered == 2
    assert_dropped(medium)


async def test_faint_waves_go_first_seen_by_all_who_look(anyio_backend: object) -> None:
    medium = limited(queued=100, soft=0.5)
    reader = tuned(medium, "a")
    for _ in range(75):
        assert medium.emit_nowait("a", amplitude=0.6)
    assert medium.statistics().noise_floor == 0.5
    assert medium.health().hints == (
        "75 waves wait, and fainter ones than 0.50 are shed (limits.soft)",
    )
    assert medium.health().ready
    (row,) = medium.explain("a", amplitude=0.4)
    assert (row.reached, row.reason) == (False, "limits.soft: 0.4 is fainter than 0.50: shed")
    assert_receipt(await medium.emit_wave("a", amplitude=0.49), 1, 0, shed=1)
    assert_receipt(medium.emit_nowait("a", amplitude=0.1), 1, 0, shed=1)
    assert_receipt((await medium.emit_many([Wave("a", amplitude=0.2)]))[0], 1, 0, shed=1)
    assert_receipt(await medium.emit_wave("a", amplitude=0.5), 1, 1)
    assert_dropped(medium, shed=3)
    assert_dropped(reader, shed=3)
    assert medium.statistics().emitted == 79
    waves = await reader.receive_many(100)
    assert len(waves) == 76
    assert reader.missed == 3
    assert medium.health().hints == ()
    assert_receipt(medium.emit_nowait("a", amplitude=0.02), 1, 1)
    assert (await receive(reader)).amplitude == 0.02


async def test_bytes_beyond_the_limit_are_refused_by_its_name(anyio_backend: object) -> None:
    medium = limited(queued_bytes=100)
    first, second = tuned(medium, "a"), tuned(medium, "a")
    await medium.emit_wave("a", b"x" * 30)
    said = (
        r"emitting on \"a\" would exceed limits.queued_bytes: payloads of 60 bytes wait in this medium, 42 would come,"
        r" and 100 may; nobody got the wave"
    )
    for emit in (medium.emit_wave, first.emit_wave):
        with pytest.raises(WouldBlock, match=said):
            await emit("a", "x" * 21)
    with pytest.raises(WouldBlock, match=said):
        medium.emit_nowait("a", bytearray(21))
    assert (await medium.emit_wave("a", {"of no known size": b"x" * 1_000})).delivered == 2
    assert (await medium.emit_wave("a", memoryview(b"x" * 20))).delivered == 2
    assert medium.pressure()[:2] == (6, 100)
    assert [wave.payload for wave in await first.receive_many(1)] == [b"x" * 30]
    assert medium.pressure()[:2] == (5, 70)
    medium.clear()
    assert medium.pressure()[:2] == (0, 0)
    assert medium.statistics().refused == {
        **dict.fromkeys(("queued", "vibrators", "patterns", "tasks", "delayed"), 0),
        "queued_bytes": 3,
    }
    assert taken(second) == []


def test_faint_waves_go_first_by_bytes_as_well() -> None:
    medium = limited(queued=100, queued_bytes=1_000, soft=0.5)
    reader = tuned(medium, "a")
    for _ in range(3):
        medium.emit_nowait("a", b"x" * 250)
    assert medium.statistics().noise_floor == 0.5
    assert medium.health().hints == (
        "3 waves of 750 bytes wait, and fainter ones than 0.50 are shed (limits.soft)",
    )
    assert_receipt(medium.emit_nowait("a", amplitude=0.49), 1, 0, shed=1)
    assert_receipt(medium.emit_nowait("a", amplitude=0.5), 1, 1)
    assert_dropped(reader, shed=1)


def test_a_payload_weighs_what_it_did_when_it_came() -> None:
    medium = limited(queued_bytes=100)
    reader = tuned(medium, "a")
    growing = bytearray(10)
    medium.emit_nowait("a", growing)
    growing.extend(b"x" * 1_000)
    assert medium.pressure()[1] == 10
    reader.receive_nowait()
    assert medium.pressure()[1] == 0


def test_a_limit_that_comes_later_counts_what_is_there() -> None:
    medium = Aether(AetherConfig(retain=["a"]))
    reader = tuned(medium, "a")
    medium.emit_nowait("a", b"123")
    medium.emit_nowait("a", "4567")
    assert medium.pressure()[:2] == (0, 0), "nobody counts"
    for limits, size in (
        (LimitsConfig(queued=10), 0),
        (LimitsConfig(queued=10, queued_bytes=9), 7),
        (LimitsConfig(queued_bytes=8), 7),
    ):
        medium.reconfigure(medium.config.replace(limits=limits))
        assert medium.pressure()[:2] == (2, size)
    with pytest.raises(WouldBlock, match=r"limits\.queued_bytes"):
        medium.emit_nowait("a", b"12")
    late = medium.vibrator("late")
    late.resonate_on("a", last=True)
    assert medium.pressure()[:2] == (3, 11), "what comes otherwise goes in"
    assert late.receive_nowait().payload == "4567"
    assert len(taken(reader)) == 2
    assert medium.pressure()[:2] == (0, 0)
    late.close()


async def test_what_stands_behind_busy_keys_counts(anyio_backend: object) -> None:
    medium = limited(queued=5, queued_bytes=1_000)
    desk = medium.vibrator("desk")
    go, handled = anyio.Event(), []

    @desk.on("a", concurrency=2, key=lambda _: "the same")
    async def handle(wave: Wave[bytes]) -> None:
        handled.append(wave.payload)
        await go.wait()

    async with medium:
        for number in range(6):
            await medium.emit_wave("a", b"x" * 10)
            await turns()
            # One is handled, and has left.
            assert medium.pressure()[:2] == (number, number * 10)
        with pytest.raises(WouldBlock, match=r"5 waves wait in this medium, and 5 may"):
            await medium.emit_wave("a")
        medium.reconfigure(medium.config.replace(limits=None))
        go.set()
        await medium.settle()
        assert len(handled) == 6
        medium.reconfigure(medium.config.replace(limits=LimitsConfig(queued=5)))
        assert medium.pressure()[:2] == (0, 0)


def test_metrics_tell_of_each_limit() -> None:
    config = AetherConfig(
        limits=LimitsConfig(queued=4, soft=0.5, vibrators=1), metrics=MetricsConfig()
    )
    medium = Aether(config)
    tuned(medium, "a")
    with pytest.raises(LimitExceeded):
        medium.vibrator("b")
    for _ in range(3):
        medium.emit_nowait("a")
    medium.emit_nowait("a", amplitude=0.4)
    medium.emit_nowait("a")
    with pytest.raises(WouldBlock):
        medium.emit_nowait("a")
    emitter = medium.emitter(rate=1)
    emitter.emit_nowait("b")
    with pytest.raises(WouldBlock):
        emitter.emit_nowait("b")
    samples = {(name, labels): value for name, labels, value in of_medium(medium)}
    assert samples["aether_noise_floor", ()] == 1.0
    assert samples["aether_dropped_total", ("shed",)] == 1
    assert samples["aether_refused_total", ("queued",)] == 1
    assert samples["aether_refused_total", ("vibrators",)] == 1
    assert samples["aether_emitter_limited_total", ("rate", "refused")] == 1
    assert samples["aether_emitter_waiting", ("rate",)] == 0


async def test_the_loudest_wave_passes_up_to_the_limit(anyio_backend: object) -> None:
    medium = limited(queued=10, soft=0.0)
    reader = tuned(medium, "a")
    for number in range(10):
        faint = medium.emit_nowait("a", amplitude=max(0.02, number / 10 - 0.01))
        assert bool(faint) is (number == 0), number
        if number:
            assert medium.emit_nowait("a").delivered == 1
    assert reader.statistics().current_buffer_used == 10
    with pytest.raises(WouldBlock, match=r"limits\.queued"):
        medium.emit_nowait("a")


async def test_a_faint_wave_does_not_wait_for_room(anyio_backend: object) -> None:
    medium = limited(queued=10, soft=0.0)
    reader = tuned(medium, "a", buffer_size=5)
    for _ in range(5):
        await medium.emit_wave("a")
    assert_receipt(await medium.emit_wave("a", amplitude=0.4), 1, 0, shed=1)
    async with anyio.create_task_group() as group:
        loud = begin(group, lambda: medium.emit_wave("a"))
        await until_sending(reader)
        await receive(reader)
        assert (await loud.result()).delivered == 1


async def test_a_request_that_is_shed_has_no_receiver(anyio_backend: object) -> None:
    medium = limited(queued=10, soft=0.0)
    tuned(medium, "a")
    for _ in range(5):
        medium.emit_nowait("a")
    with pytest.raises(NoReceiver, match="shed"):
        await medium.request("a", amplitude=0.3)


async def test_what_a_journal_has_written_and_is_shed_can_be_read_there(
    anyio_backend: object, tmp_path: Path
) -> None:
    config = AetherConfig(limits=LimitsConfig(queued=10, soft=0.0))
    async with Aether(config, journal=Journal(tmp_path / "journal")) as medium:
        reader = tuned(medium, "a")
        for number in range(5):
            await medium.emit_wave("a", number)
        assert_receipt(await medium.emit_wave("a", "faint", amplitude=0.4), 1, 0, shed=1)
        assert_dropped(medium, shed=1)
        late = medium.vibrator("late")
        late.resonate_on("a", replay="all")
        assert [(await receive(late)).payload for _ in range(6)] == [0, 1, 2, 3, 4, "faint"]
        assert len(await reader.receive_many(10)) == 5
        late.close()
