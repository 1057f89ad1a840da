"""`AetherConfig.limits`: what is refused, by which name, and which waves go first when many wait."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.probes import assert_dropped, assert_receipt, begin, receive, tuned, until_sending

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
    assert medium.statistics().refused == {"queued": 0, "vibrators": 1, "patterns": 0, "tasks": 0}
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
