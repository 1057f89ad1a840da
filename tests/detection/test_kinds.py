"""Each kind of pattern is found where it is, once an episode, with its evidence; and not where it is not."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any

import pytest

from aether import Aether, Detection, InterferencePattern, ManualClock, PhysicsEngine, Wave

STANDING = InterferencePattern.STANDING_WAVE
START = 1e9


def shown(engine: PhysicsEngine, waves: Iterable[Wave[Any]]) -> list[Detection]:
    return [found for wave in waves if (found := engine.detect(wave.channel, wave))]


def repeated(
    times: Iterable[float], payload: object = "it", channel: str = "orders.retry", **more: Any
) -> list[Wave[Any]]:
    return [Wave(channel, payload, timestamp=START + time, **more) for time in times]


def merged(*trains: list[Wave[Any]]) -> list[Wave[Any]]:
    return sorted((wave for train in trains for wave in train), key=lambda wave: wave.timestamp)


# Standing waves


@pytest.mark.parametrize("period", [0.001, 0.5, 1.0, 60.0, 86_400.0])
def test_the_same_at_a_steady_interval_is_a_standing_wave(period: float) -> None:
    waves = repeated(period * number for number in range(8))
    (found,) = shown(PhysicsEngine(), waves)
    assert found.pattern is STANDING
    assert found.period == pytest.approx(period, rel=1e-3)
    assert found.spread == pytest.approx(0.0, abs=1e-3 * period)
    assert found.confidence > 0.999999
    assert found.channel == "orders.retry"
    at = next(number for number, wave in enumerate(waves) if wave.id == found.wave)
    assert 3 <= at <= 5
    assert found.timestamp == waves[at].timestamp
    assert found.partners == tuple(wave.id for wave in reversed(waves[:at]))
    assert "orders.retry" in found.explanation


def test_period_and_spread_are_those_of_the_waves() -> None:
    dice = random.Random(5)
    time, times = 0.0, list[float]()
    for _ in range(40):
        time += dice.gauss(2.0, 0.2)
        times.append(time)
    (found,) = shown(PhysicsEngine(), repeated(times))
    assert found.period == pytest.approx(2.0, rel=0.1)
    assert found.spread == pytest.approx(0.2, rel=0.7)


def test_missed_beats_and_strangers_do_not_hide_it() -> None:
    ticks = [tick for tick in range(40) if tick % 7 != 3]
    strangers = [
        wave for number in range(200) for wave in repeated([number * 0.199], payload=number)
    ]
    found = shown(PhysicsEngine(), merged(repeated(ticks), strangers))
    assert [one.pattern for one in found] == [STANDING]
    assert found[0].period == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("offset", [0.0, 0.001, 0.03, 0.2, 0.37, 0.5])
def test_two_producers_of_one_thing(offset: float) -> None:
    waves = merged(
        repeated((7.0 * tick for tick in range(20)), source="a"),
        repeated((7.0 * (tick + offset) for tick in range(20)), source="b"),
    )
    found = [one for one in shown(PhysicsEngine(), waves) if one.pattern is STANDING]
    assert len(found) == 1
    assert found[0].period == pytest.approx(3.5 if offset == 0.5 else 7.0, rel=0.01)


def test_one_detection_an_episode_and_a_new_one_after_a_pause() -> None:
    engine = PhysicsEngine()
    assert len(shown(engine, repeated(range(100)))) == 1
    assert len(shown(engine, repeated(range(1000, 1100)))) == 1


def test_another_channel_and_other_content_are_another_thing() -> None:
    engine = PhysicsEngine()
    for number in range(40):
        wave = Wave(f"orders.{number}", "it", timestamp=START + number)
        assert engine.detect(wave.channel, wave) is None
        other = Wave("orders", number, timestamp=START + number)
        assert engine.detect("orders", other) is None


def test_growing_intervals_are_no_standing_wave() -> None:
    assert shown(PhysicsEngine(), repeated(1.6**number for number in range(30))) == []


# Cancellations


def conflict(**second: Any) -> list[Detection]:
    options = {"phase": math.pi, "amplitude": 0.8, "timestamp": START + 1, **second}
    payload = options.pop("payload", {"id": 7})
    waves = [
        Wave("orders.created", {"id": 7}, timestamp=START),
        Wave("orders.cancelled", payload, **options),
    ]
    return shown(PhysicsEngine(), waves)


@pytest.mark.parametrize(
    "second", [{}, {"phase": 3.0}, {"phase": 3.5}, {"amplitude": 0.55}, {"timestamp": START + 59}]
)
def test_two_in_antiphase_about_one_thing_cancel(second: dict[str, Any]) -> None:
    (found,) = conflict(**second)
    assert found.pattern is InterferencePattern.CANCELLATION
    assert found.confidence > 0.9999
    assert len(found.partners) == 1
    assert (found.period, found.spread) == (None, None)


@pytest.mark.parametrize(
    "second",
    [
        {"phase": 0.0},
        {"phase": 2.5},
        {"phase": 3.8},
        {"amplitude": 0.4},
        {"timestamp": START + 61},
        {"payload": {"id": 8}},
    ],
)
def test_what_is_no_conflict(second: dict[str, Any]) -> None:
    assert conflict(**second) == []


def test_an_undo_is_a_cancellation_without_phase_or_payload() -> None:
    clock = ManualClock(START)
    medium = Aether(clock=clock)
    inbox = medium.vibrator("inbox")
    inbox.resonate_on("*")
    medium.emit_nowait("payments.charged", {"amount": 12})
    charged = inbox.receive_nowait()
    clock.advance(5.0)
    engine = PhysicsEngine()
    found: list[Detection | None] = []
    for _ in range(2):
        medium.emit_nowait("payments.refunded", {"reason": "stock"}, compensates=charged)
        refunded = inbox.receive_nowait()
        assert refunded.compensates == charged.id
        found.append(engine.detect(refunded.channel, refunded))
    first, second = found
    assert first is not None
    assert first.pattern is InterferencePattern.CANCELLATION
    assert first.partners == (charged.id,)
    assert first.confidence == 1.0
    assert "5 s" in first.explanation
    assert second is None, "what is undone once is not undone again"
    inbox.close()


def test_phases_all_around_the_circle_mean_nothing() -> None:
    dice = random.Random(3)
    waves = [
        Wave("orders", number % 20, phase=dice.uniform(0, math.tau), timestamp=START + number)
        for number in range(5000)
    ]
    found = [
        one
        for one in shown(PhysicsEngine(), waves)
        if one.pattern is InterferencePattern.CANCELLATION
    ]
    assert len(found) <= 1


def test_a_pair_is_told_of_once() -> None:
    waves = [
        Wave("orders", {"id": 7}, phase=math.pi * (number % 2), timestamp=START + number)
        for number in range(50)
    ]
    found = shown(PhysicsEngine(), waves)
    assert [one.pattern for one in found].count(InterferencePattern.CANCELLATION) == 1


# Resonance


def usual_and(fast: list[Wave[Any]]) -> list[Wave[Any]]:
    dice, time = random.Random(9), 0.0
    waves = list[Wave[Any]]()
    for number in range(100):
        time += dice.expovariate(1.0)
        waves += repeated([time], payload=number, channel="orders")
    return [*waves, *(wave.replace(timestamp=wave.timestamp + time) for wave in fast)]


def test_waves_that_pile_up_in_phase_are_a_resonance() -> None:
    fast = repeated((0.02 * number**1.1 for number in range(40)), channel="orders")
    fast = [wave.replace(payload=number, phase=0.1) for number, wave in enumerate(fast)]
    (found,) = shown(PhysicsEngine(), usual_and(fast))
    assert found.pattern is InterferencePattern.RESONANCE
    assert found.key is None
    assert len(found.partners) == 11


def test_waves_out_of_phase_do_not_pile_up() -> None:
    fast = [
        Wave("orders", f"b{number}", phase=2.0 * number, timestamp=START + 0.02 * number)
        for number in range(60)
    ]
    assert shown(PhysicsEngine(), usual_and(fast)) == []


# Beats


@pytest.mark.parametrize("by", ["key", "source"])
def test_two_rates_that_drift_are_a_beat(by: str) -> None:
    def train(period: float, name: str, offset: float) -> list[Wave[Any]]:
        times = (offset + period * tick for tick in range(30))
        if by == "key":
            return repeated(times, payload=name)
        return [wave.replace(payload=random.random()) for wave in repeated(times, source=name)]

    waves = merged(train(1.0, "a", 0.0), train(1.1, "b", 0.3))
    found = [
        one for one in shown(PhysicsEngine(), waves) if one.pattern is InterferencePattern.BEAT
    ]
    assert len(found) == 1
    assert found[0].period == pytest.approx(11.0, rel=0.02)


def test_two_rates_that_are_one_or_have_nothing_to_do_with_another_are_no_beat() -> None:
    for second in (1.0, 2.0):
        waves = merged(
            repeated((float(tick) for tick in range(40)), payload="a"),
            repeated((0.3 + second * tick for tick in range(40)), payload="b"),
        )
        found = shown(PhysicsEngine(), waves)
        assert {one.pattern for one in found} == {STANDING}


# All


def test_detect_patterns_gives_the_pattern_alone() -> None:
    engine = PhysicsEngine()
    said = [engine.detect_patterns(wave.channel, wave) for wave in repeated(range(8))]
    assert said.count(STANDING) == 1
    assert said.count(None) == 7
    assert engine.statistics().found[STANDING] == 1


def test_an_earlier_wave_is_late_and_a_replay_begins_anew() -> None:
    engine = PhysicsEngine(window=10.0)
    waves = repeated(range(8))
    assert len(shown(engine, waves)) == 1
    assert shown(engine, repeated([3.0])) == []
    assert engine.statistics().late == 1
    earlier = repeated(number - 1e6 for number in range(8))
    assert len(shown(engine, earlier)) == 1


def test_whole_seconds_of_a_busy_channel_are_no_rhythm() -> None:
    dice, time = random.Random(1), 0.0
    waves = list[Wave[Any]]()
    for _ in range(20_000):
        time += dice.expovariate(3.0)
        waves += repeated([math.floor(time)], payload=dice.randrange(3))
    assert shown(PhysicsEngine(), waves) == []
