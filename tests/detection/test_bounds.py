"""Whatever an engine is shown: nothing is raised, memory is bounded, and the sums add up."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from aether import Aether, Detection, InterferencePattern, PhysicsEngine, Wave

TIMES = st.floats(-1e300, 1e300) | st.floats(0, 100) | st.integers(0, 30).map(float)
WAVES = st.builds(
    Wave,
    st.sampled_from(["a", "a.b", "c"]),
    st.integers(0, 3),
    timestamp=TIMES,
    amplitude=st.floats(0, 1),
    phase=st.floats(-10, 10),
    source=st.sampled_from([None, "s", "t"]),
)


@given(st.lists(WAVES, max_size=60), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=200)
def test_any_waves_in_any_order(waves: list[Wave[Any]], keys: int, channels: int) -> None:
    engine = PhysicsEngine(max_keys=keys, max_channels=channels, window=5.0)
    found = [one for wave in waves if (one := engine.detect(wave.channel, wave))]
    counted = engine.statistics()
    assert counted.waves == len(waves)
    assert sum(counted.found.values()) == len(found)
    assert counted.keys <= 2 * keys
    assert counted.channels <= channels
    for one in found:
        assert isinstance(one, Detection)
        assert 0.0 <= one.confidence <= 1.0
        assert one.explanation
        assert one.wave not in one.partners
        assert set(one.partners) <= {wave.id for wave in waves}
        if one.pattern in {InterferencePattern.STANDING_WAVE, InterferencePattern.BEAT}:
            assert one.period is not None
            assert one.spread is not None
            assert one.period > 0.0
            assert one.spread >= 0.0
        else:
            assert (one.period, one.spread) == (None, None)


def test_keys_make_room_one_at_a_time_and_what_comes_back_stays() -> None:
    engine = PhysicsEngine(max_keys=50)
    found = []
    for number in range(4000):
        channel, payload = ("a", number) if number % 20 else ("a", "it")
        wave = Wave(channel, payload, timestamp=float(number))
        found.append(engine.detect(channel, wave))
    (one,) = [one for one in found if one is not None]
    assert one.period == pytest.approx(20.0)
    counted = engine.statistics()
    assert counted.keys == 100
    # Each key is one of two kinds: a rhythm that may begin, a wave that may be cancelled.
    assert counted.evicted_keys == 2 * (3800 + 1 - 50)


def test_channels_make_room() -> None:
    engine = PhysicsEngine(max_channels=3)
    for number in range(100):
        wave = Wave(f"a.{number}", number)
        engine.detect(wave.channel, wave)
    counted = engine.statistics()
    assert (counted.channels, counted.evicted_channels) == (3, 97)


def test_a_key_of_none_is_about_nothing() -> None:
    engine = PhysicsEngine(key=lambda wave: None)
    for number in range(50):
        assert engine.detect("a", Wave("a", 1, timestamp=float(number))) is None
    assert engine.statistics().keys == 0


def test_a_key_is_shown_as_it_is() -> None:
    engine = PhysicsEngine(key=lambda wave: wave.payload["id"])
    for number in range(10):
        wave = Wave("a", {"id": "order 7", "try": number}, timestamp=float(number))
        if found := engine.detect("a", wave):
            assert found.key == "order 7"
            break
    else:
        pytest.fail("nothing was found")


def test_an_undo_is_pickled_and_kept_by_hops() -> None:
    medium = Aether()
    inbox = medium.vibrator("inbox")
    inbox.resonate_on("*")
    medium.emit_nowait("a", 1)
    first = inbox.receive_nowait()
    assert first.compensates is None
    medium.emit_nowait("b", 2, compensates=first)
    second = inbox.receive_nowait()
    again = pickle.loads(pickle.dumps(second))
    for wave in (second, again, second.propagate(), second.replace(payload=3)):
        assert wave.compensates == first.id
    engine = PhysicsEngine()
    found = engine.detect("b", again)
    assert found is not None
    assert found.partners == (first.id,)
    assert math.isclose(found.confidence, 1.0)
    inbox.close()


def test_importing_aether_does_not_import_physics() -> None:
    import subprocess
    import sys

    code = "import sys, aether; print('aether.physics.detection' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
