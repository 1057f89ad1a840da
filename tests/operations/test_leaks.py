"""Hints at leaks: beside a plain oracle, and none on a saw."""

from __future__ import annotations

from hypothesis import given, strategies as st

from aether.monitoring.leaks import LEAST, POINTS, LeakHint, Series, growth

VALUES = st.lists(st.integers(0, 1000), max_size=40)


@given(VALUES, st.integers(1, 500))
def test_growth_is_what_never_fell(samples: list[int], least: int) -> None:
    rises = samples == sorted(samples)
    grown = samples[-1] - samples[0] if samples else 0
    assert growth(samples, least) == (grown if rises and grown >= least else None)


@given(st.integers(0, 1000), st.lists(st.integers(0, 50), min_size=POINTS, max_size=3 * POINTS))
def test_what_only_grows_is_found(start: int, steps: list[int]) -> None:
    series, value, values = Series(), start, [start]
    series.add(0.0, value, 30.0)
    for now, step in enumerate(steps, 1):
        value += step
        values.append(value)
        series.add(float(now), value, 30.0)
    window = values[-POINTS - 1 :]
    least = max(1, window[-1] - window[0])
    expected = (window[0], window[-1], 30.0) if window[-1] > window[0] else None
    assert series.grown(least) == expected
    assert series.grown(least + 1) is None


@given(
    period=st.integers(2, POINTS - 1),
    height=st.integers(1, 10_000),
    base=st.integers(0, 10_000),
    per_point=st.integers(1, 7),
    phase=st.integers(0, 100),
)
def test_a_saw_whose_teeth_are_within_the_window_is_none(
    period: int, height: int, base: int, per_point: int, phase: int
) -> None:
    series = Series()
    for tick in range(4 * POINTS * per_point):
        tooth = (tick // per_point + phase) % period
        series.add(tick / per_point, base + height * tooth, float(POINTS))
        assert series.grown(1) is None


@given(
    period=st.integers(2, 12),
    per_point=st.integers(2, 12),
    heights=st.lists(st.integers(1, 1000), min_size=40, max_size=40),
)
def test_a_saw_that_is_faster_than_the_samples_does_not_seem_to_climb(
    period: int, per_point: int, heights: list[int]
) -> None:
    # Each point has a whole tooth at least: it begins at 7, and how high the teeth are is no matter.
    series = Series()
    for tick in range(2 * POINTS * per_point * period):
        height = heights[(tick // period) % len(heights)]
        series.add(tick / (per_point * period), 7 + height * (tick % period), float(POINTS))
        assert series.grown(1) is None


def test_a_window_that_is_not_full_says_nothing() -> None:
    series = Series()
    for now in range(POINTS):
        series.add(float(now), now * 1000, float(POINTS))
        assert series.grown(1) is None
    series.add(float(POINTS), POINTS * 1000, float(POINTS))
    assert series.grown(1) == (0, POINTS * 1000, float(POINTS))


def _hinted(
    samples: list[tuple[float, int]], window: float
) -> tuple[tuple[float, int], tuple[float, int]] | None:
    """Plainly: the newest samples that are a window long, and `LEAST` at least, if they only grow."""
    for begin in range(len(samples) - LEAST, -1, -1):
        if samples[-1][0] - samples[begin][0] >= window:
            values = [value for _, value in samples[begin:]]
            grows = values == sorted(values) and values[-1] > values[0]
            return (samples[begin], samples[-1]) if grows else None
    return None


@given(
    steps=st.lists(st.tuples(st.integers(8, 40), st.integers(-2, 20)), min_size=1, max_size=60),
    window=st.integers(1, 200),
)
def test_a_window_is_as_long_as_is_asked_for(steps: list[tuple[int, int]], window: int) -> None:
    """However much less often than 30 times a window it is measured."""
    series, now, value = Series(), 0.0, 100
    samples: list[tuple[float, int]] = []
    for passed, step in steps:
        now, value = now + passed, value + step
        samples.append((now, value))
        series.add(now, value, float(window))
        found = _hinted(samples, float(window))
        expected = found and (found[0][1], found[1][1], found[1][0] - found[0][0])
        assert series.grown(1) == expected


def test_a_change_of_the_window_begins_anew() -> None:
    series = Series()
    for now in range(2 * POINTS):
        series.add(float(now), now, 10.0)
    assert series.grown(1) == (2 * POINTS - 11, 2 * POINTS - 1, 10.0)
    series.add(2.0 * POINTS, 2 * POINTS, 20.0)
    assert series.grown(1) is None
    for now in range(2 * POINTS + 1, 2 * POINTS + 21):
        assert series.grown(1) is None
        series.add(float(now), now, 20.0)
    assert series.grown(1) == (2 * POINTS, 2 * POINTS + 20, 20.0)


def test_a_hint_reads_as_a_sentence() -> None:
    mailbox = LeakHint("mailbox", "desk", 10, 1200, 300.0)
    assert str(mailbox) == "more and more waves wait for 'desk': 10, and 1,200 after 300 s"
    memory = LeakHint("memory", None, 1_000_000, 9_000_000, 300.0)
    assert str(memory) == "the memory has only grown: 1,000,000 bytes, and 9,000,000 after 300 s"
    assert str(LeakHint("memory", "desk", 1, 2, 3.0)).endswith("much of it waits for 'desk'")
