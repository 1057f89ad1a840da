"""A watch looks on in the emit path, and emits what it finds, whatever happens meanwhile."""

from __future__ import annotations

import gc
import logging
import math
import os
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from aether import (
    Aether,
    ChannelError,
    Closed,
    Detection,
    ForkedMedium,
    InterferencePattern,
    ManualClock,
    PhysicsEngine,
    Vibrator,
    Wave,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1e9)


@pytest.fixture
def medium(clock: ManualClock) -> Aether:
    return Aether(clock=clock)


@pytest.fixture
def desk(medium: Aether) -> Iterator[Vibrator]:
    desk = medium.vibrator("desk")
    desk.resonate_on("physics.*")
    yield desk
    desk.close()


def storm(
    medium: Aether, clock: ManualClock, channel: str = "orders.retry", waves: int = 8
) -> None:
    for _ in range(waves):
        medium.emit_nowait(channel, {"id": 7})
        clock.advance(2.5)


async def test_what_is_found_is_emitted(medium: Aether, clock: ManualClock, desk: Vibrator) -> None:
    everything = medium.vibrator("everything")
    everything.resonate_on("*")
    async with medium:
        medium.watch("orders.*", PhysicsEngine())
        for _ in range(8):
            await medium.emit_wave("orders.retry", {"id": 7})
            clock.advance(2.5)
        wave = await desk.receive()
        assert wave is not None
        assert wave.channel == "physics.standing_wave.orders.retry"
        found = wave.payload
        assert isinstance(found, Detection)
        assert found.pattern is InterferencePattern.STANDING_WAVE
        assert found.period == pytest.approx(2.5)
        waves = await everything.receive_many(100)
        assert found.wave in {one.id for one in waves}
        assert sum(one.channel.startswith("physics.") for one in waves) == 1
    everything.close()


async def test_a_handler_reacts_to_what_is_found(medium: Aether, clock: ManualClock) -> None:
    seen = list[Detection]()
    guard = medium.vibrator("guard")

    @guard.on("physics.cancellation.*")
    async def react(wave: Wave[Detection]) -> None:
        seen.append(wave.payload)
        await guard.emit_wave("orders.alarm", wave.payload.explanation, cause=wave)

    async with medium:
        medium.watch("*")
        inbox = medium.vibrator("inbox")
        inbox.resonate_on("orders.created")
        await medium.emit_wave("orders.created", {"id": 7})
        created = await inbox.receive()
        await medium.emit_wave("orders.undone", "other content", compensates=created)
        assert await medium.settle(10.0)
        inbox.close()
    assert [one.partners for one in seen] == [(created.id,)]
    assert medium.physics.statistics().waves == 3


async def test_every_way_of_emitting_is_watched(medium: Aether, clock: ManualClock) -> None:
    hearer = medium.vibrator("hearer", overflow="drop_oldest")
    engine = PhysicsEngine()
    watch = medium.watch("*", engine)
    for heard in (False, True):
        if heard:
            hearer.resonate_on("*")
        before = watch.statistics().waves
        await medium.emit_wave("a", 1)
        await medium.emit(Wave("a", 1))
        await medium.emit_many([("a", 1), Wave("a", 1)])
        medium.emit_nowait("a", 1)
        medium.emit_nowait("a", 1, phase=1.0)
        hearer.emit_nowait("a", 1)
        await anyio.to_thread.run_sync(medium.emit_sync, "a", 1)
        assert watch.statistics().waves == before + 8
    watch.close()
    hearer.close()


def test_a_full_desk_drops_and_does_not_stop_the_emitter(
    medium: Aether, clock: ManualClock
) -> None:
    desk = medium.vibrator("desk", buffer_size=1)
    desk.resonate_on("physics.*")
    with medium.watch("orders.*", PhysicsEngine()) as watch:
        for number in range(3):
            storm(medium, clock, f"orders.{number}")
        assert watch.statistics().found == 3
        assert watch.statistics().dropped == 2
    assert desk.statistics().current_buffer_used == 1
    desk.close()


def test_a_closed_watch_looks_on_no_more(medium: Aether, clock: ManualClock) -> None:
    watch = medium.watch("orders.*", PhysicsEngine())
    storm(medium, clock, waves=2)
    watch.close()
    watch.close()
    storm(medium, clock)
    assert watch.statistics().waves == 2
    assert watch.statistics().found == 0


def test_a_watch_that_nobody_holds_goes_on(
    medium: Aether, clock: ManualClock, desk: Vibrator
) -> None:
    medium.watch("orders.*", PhysicsEngine())
    gc.collect()
    storm(medium, clock)
    assert desk.receive_nowait().payload.channel == "orders.retry"


def test_one_engine_may_serve_several_watches(medium: Aether, clock: ManualClock) -> None:
    engine = PhysicsEngine()
    with medium.watch("orders.*", engine) as orders, medium.watch("bills.*", engine) as bills:
        storm(medium, clock, waves=3)
        storm(medium, clock, "bills.sent", waves=2)
        assert (orders.statistics().waves, bills.statistics().waves) == (3, 2)
    assert engine.statistics().waves == 5


def test_the_longest_channel_can_be_watched(
    medium: Aether, clock: ManualClock, desk: Vibrator
) -> None:
    channel = ".".join(["x" * 31] * 32)
    assert len(channel) == 1023
    medium.watch("*", PhysicsEngine())
    storm(medium, clock, channel)
    assert desk.receive_nowait().channel == f"physics.standing_wave.{channel}"


def test_what_is_derived_is_not_watched(medium: Aether, clock: ManualClock) -> None:
    with medium.watch("*", PhysicsEngine()) as watch:
        storm(medium, clock, "physics.standing_wave.orders")
        assert watch.statistics().waves == 0


def test_a_key_that_fails_is_counted(medium: Aether, clock: ManualClock) -> None:
    engine = PhysicsEngine(key=lambda wave: wave.payload["missing"])
    with medium.watch("*", engine) as watch:
        storm(medium, clock)
        assert watch.statistics().waves == 8
    assert engine.statistics().key_errors == 8
    assert engine.statistics().keys == 0


def test_a_key_that_emits_where_it_is_watched(medium: Aether, clock: ManualClock) -> None:
    def key(wave: Wave[Any]) -> object:
        medium.emit_nowait("orders.seen", "it")
        return wave.payload

    with medium.watch("*", PhysicsEngine(key=key)) as watch:
        storm(medium, clock, waves=5)
        assert (watch.statistics().waves, watch.statistics().skipped) == (5, 5)


def test_an_engine_is_asked_by_its_own_key() -> None:
    def key(wave: Wave[Any]) -> object:
        if wave.payload > 0:
            engine.detect("a", Wave("a", wave.payload - 1))
        return wave.payload

    engine = PhysicsEngine(key=key)
    engine.detect("a", Wave("a", 5))
    assert engine.statistics().waves == 6


def test_the_end_of_the_program_in_a_key_is_raised(medium: Aether) -> None:
    def key(wave: Wave[Any]) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PhysicsEngine(key=key).detect("a", Wave("a"))


async def test_after_the_medium_has_closed(medium: Aether, clock: ManualClock) -> None:
    async with medium:
        watch = medium.watch("*", PhysicsEngine())
    with pytest.raises(Closed):
        medium.watch("*", PhysicsEngine())
    watch.close()


def test_what_cannot_be_watched(medium: Aether) -> None:
    with pytest.raises(ChannelError):
        medium.watch("a..b", PhysicsEngine())
    with pytest.raises(TypeError, match="engine must be a PhysicsEngine, not int"):
        medium.watch("a", 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error", "part"),
    [
        ({"window": 0.0}, ValueError, "window must be"),
        ({"window": math.inf}, ValueError, "window must be"),
        ({"window": math.nan}, ValueError, "window must be"),
        ({"window": "a"}, TypeError, "window must be a number, not str"),
        ({"key": 7}, TypeError, "key must be callable"),
        ({"max_keys": 0}, ValueError, "max_keys must be in 1"),
        ({"max_channels": 1.5}, TypeError, "max_channels must be an int"),
    ],
)
def test_bad_options_are_refused(
    options: dict[str, Any], error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match=part):
        PhysicsEngine(**options)


def test_bad_arguments_of_detect_are_refused() -> None:
    engine = PhysicsEngine()
    with pytest.raises(TypeError, match="wave must be a Wave, not int"):
        engine.detect("a", 7)  # type: ignore[arg-type]
    with pytest.raises(ChannelError):
        engine.detect("a.*", Wave("a"))
    with pytest.raises(TypeError, match="a channel must be a str"):
        engine.detect(7, Wave("a"))  # type: ignore[arg-type]


def test_threads_share_an_engine(medium: Aether) -> None:
    engine = PhysicsEngine(max_keys=100)
    with medium.watch("*", engine) as watch:

        def work(name: str) -> None:
            for number in range(2000):
                medium.emit_nowait(f"work.{name}", {"number": number % 150})

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert watch.statistics().waves == 8000
    counted = engine.statistics()
    assert counted.waves == 8000
    assert counted.keys <= 200
    assert counted.channels == 4
    assert sum(counted.found.values()) >= watch.statistics().found


def test_nothing_is_kept(medium: Aether, clock: ManualClock) -> None:
    class Payload:
        pass

    payloads = [Payload() for _ in range(20)]
    alive = [weakref.ref(payload) for payload in payloads]
    engine = PhysicsEngine()
    watch = medium.watch("*", engine)
    for payload in payloads:
        medium.emit_nowait("orders", payload)
        clock.advance(1.0)
    del payload, payloads
    gc.collect()
    assert not [one for one in alive if one() is not None]
    watch.close()


def test_a_watch_and_its_engine_end_with_their_cycle() -> None:
    class Keeper:
        def __init__(self) -> None:
            self.medium = Aether()
            self.engine = PhysicsEngine(key=self.key)
            self.watch = self.medium.watch("*", self.engine)

        def key(self, wave: Wave[Any]) -> object:
            return wave.payload

    keeper = Keeper()
    keeper.medium.emit_nowait("a", 1)
    alive = weakref.ref(keeper)
    del keeper
    gc.collect()
    assert alive() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_after_a_fork_the_engine_goes_on_and_the_watch_does_not(medium: Aether) -> None:
    engine = PhysicsEngine()
    watch = medium.watch("*", engine)
    medium.emit_nowait("a", 1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            engine.detect("a", Wave("a", 1))
            for act in (lambda: medium.emit_nowait("a", 1), watch.close):
                with pytest.raises(ForkedMedium):
                    act()
            code = 0 if engine.statistics().waves == 2 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    medium.emit_nowait("a", 1)
    assert engine.statistics().waves == 2
    watch.close()


def test_nothing_is_logged_of_a_sound_watch(
    medium: Aether, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), medium.watch("*", PhysicsEngine()):
        storm(medium, clock)
    assert caplog.records == []
