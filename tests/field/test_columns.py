"""What a field holds, beside a plain list; views that never change; sums."""

from __future__ import annotations

import asyncio
import gc
import io
import math
import sys
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from aether import Aether, ChannelError, Closed, ManualClock, Wave
from aether.physics import Columns, Field

NAMES = ["orders.created", "orders.paid", "jobs.added", "jobs.añadido", "x"]

WAVES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.floats(0.02, 1.0),
        st.floats(0.0, 6.25),
        st.floats(0.0, 1e6),
        st.floats(-1e9, 1e10),
    ),
    max_size=40,
)


def rows(columns: Columns) -> list[tuple[Any, ...]]:
    """Each wave as a tuple of Python numbers, with its channel's name."""
    numbers = zip(
        columns.timestamp.tolist(),
        columns.amplitude.tolist(),
        columns.phase.tolist(),
        columns.frequency.tolist(),
        columns.sequence.tolist(),
        strict=True,
    )
    names = [columns.channels[number] for number in columns.channel]
    return [(name, *row) for name, row in zip(names, numbers, strict=True)]


@given(st.integers(1, 50), st.lists(st.tuples(WAVES, st.integers(1, 12)), max_size=6))
def test_the_columns_are_those_of_the_last_waves(
    size: int, bursts: list[tuple[list[tuple[str, float, float, float, float]], int]]
) -> None:
    medium = Aether()
    field, jobs = medium.field("*", size), medium.field("jobs.*", size)
    plain, plain_jobs = deque[Any](maxlen=size), deque[Any](maxlen=size)
    held = list[tuple[Columns, list[tuple[Any, ...]]]]()

    async def emit(waves: list[Wave]) -> None:
        await medium.emit_many(waves)

    for burst, repeats in bursts:
        waves = [
            Wave(name, amplitude=a, phase=p, frequency=f, timestamp=t)
            for name, a, p, f, t in burst * repeats
        ]
        first = field.recorded + 1
        asyncio.run(emit(waves))
        for sequence, wave in enumerate(waves, first):
            row = (wave.channel, wave.timestamp, wave.amplitude, wave.phase, wave.frequency)
            plain.append((*row, sequence))
            if wave.channel.startswith("jobs."):
                plain_jobs.append((*row, sequence))
        columns = field.columns()
        assert rows(columns) == list(plain)
        assert rows(jobs.columns()) == list(plain_jobs)
        assert len(field) == len(plain)
        held.append((columns, list(plain)))
        expected: dict[str, float] = {}
        for name, _, amplitude, *_ in plain:
            expected[name] = expected.get(name, 0.0) + amplitude**2
        energy = field.energy()
        assert energy == pytest.approx(expected, rel=1e-12)
        assert list(energy.values()) == sorted(energy.values(), reverse=True)
        assert field.energy(None) == pytest.approx(math.fsum(expected.values()), rel=1e-12)
    for columns, before in held:
        assert rows(columns) == before


def test_the_arrays_are_read_only_views() -> None:
    medium = Aether()
    field = medium.field("a")
    medium.emit_nowait("a")
    first, second = field.columns(), field.columns()
    for column, again in zip(first[:-1], second[:-1], strict=True):
        assert not column.flags.owndata
        assert np.shares_memory(column, again)
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            column.flags.writeable = True
    kinds = [str(column.dtype) for column in first[:-1]]
    assert kinds == ["float64"] * 4 + ["uint32", "uint64"]
    with pytest.raises(AttributeError):
        first.amplitude = second.amplitude  # type: ignore[misc]


def test_a_column_bears_strange_requests_for_its_buffer() -> None:
    medium = Aether()
    medium.emit_nowait("a")
    field = medium.field("a")
    empty = field.window().columns()[0]
    assert (len(empty), empty.nbytes, empty.tolist()) == (0, 0, [])
    medium.emit_nowait("a", amplitude=0.5)
    view = field.window().columns()[1]
    assert (view.readonly, view.format, view.shape, view.strides) == (True, "d", (1,), (8,))
    column = view.obj
    assert bytes(column) == np.float64(0.5).tobytes()  # the simplest request: bytes only
    with pytest.raises(TypeError, match="read-only"):
        memoryview(column).cast("B")[0:1] = b"x"
    with pytest.raises(TypeError, match="read-write"):
        io.BytesIO(bytes(8)).readinto(column)


def test_columns_outlive_the_field_and_the_medium() -> None:
    medium = Aether()
    field = medium.field("a", size=10)
    for number in range(25):
        medium.emit_nowait("a", amplitude=(number + 1) / 32)
    columns = field.columns()
    expected = [(number + 1) / 32 for number in range(15, 25)]
    for _ in range(2_000):
        medium.emit_nowait("a")
    gone = weakref.ref(medium)
    del medium, field
    gc.collect()
    assert gone() is None
    assert columns.amplitude.tolist() == expected


def test_a_field_outlives_its_medium() -> None:
    medium = Aether()
    field = medium.field("a")
    medium.emit_nowait("a", amplitude=0.5)
    del medium
    gc.collect()
    assert field.columns().amplitude.tolist() == [0.5]
    assert field.energy() == {"a": 0.25}
    assert field.rate(1e9) > 0.0


async def test_a_field_of_a_closed_medium_can_be_read() -> None:
    async with Aether() as medium:
        field = medium.field("a")
        await medium.emit_wave("a")
    assert len(field) == 1
    with pytest.raises(Closed, match="closed"):
        medium.field("b")


def test_the_same_field_while_it_is_held() -> None:
    medium = Aether()
    field = medium.field("orders.*", 10)
    assert medium.field("orders.>", 10) is field
    assert medium.field("orders.*", 11) is not field
    assert medium.field("orders.+", 10) is not field
    medium.emit_nowait("orders.created")
    gone = weakref.ref(field)
    del field
    gc.collect()
    assert gone() is None
    assert len(medium.field("orders.*", 10)) == 0


def test_a_field_that_nobody_holds_records_no_more() -> None:
    medium = Aether()
    other = medium.field("b")
    for _ in range(100):
        field = medium.field("a")
        medium.emit_nowait("a")
        assert field.recorded == 1
        del field
    medium.emit_nowait("b")
    assert other.recorded == 1


def test_fields_come_and_go_while_threads_emit() -> None:
    medium, errors = Aether(), list[BaseException]()
    stop = threading.Event()

    def emit(number: int) -> None:
        while not stop.is_set():
            medium.emit_nowait(f"a.{number}", amplitude=0.5)

    def watch() -> None:
        try:
            for size in range(1, 60):
                field = medium.field("a.*", size)
                while field.recorded < size:
                    pass
                columns = field.columns()
                assert len(columns.sequence) == size
                assert len(set(columns.sequence.tolist())) == size
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=emit, args=(number,)) for number in range(2)]
    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for thread in threads + watchers:
        thread.start()
    for thread in watchers:
        thread.join()
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.stress
def test_readers_check_sums_while_four_threads_write() -> None:
    medium, errors = Aether(), list[BaseException]()
    field = medium.field("t.*", 500)
    done = threading.Event()

    def write(number: int) -> None:
        emit = medium.emit_nowait
        for count in range(1, 5_001):
            # The columns of a row say the same in three ways.
            x = 1.0 / (1 + (count * 4 + number) % 97)
            emit(f"t.{count % 700}", amplitude=0.02 + x / 2, phase=x, frequency=x)

    def sums(columns: Columns) -> tuple[float, ...]:
        return tuple(float(column.sum()) for column in columns[:-1])

    def read() -> None:
        held = deque[tuple[Columns, tuple[float, ...]]]()
        try:
            while not done.is_set():
                columns = field.columns()
                np.testing.assert_array_equal(columns.phase, columns.frequency)
                np.testing.assert_array_equal(columns.amplitude, 0.02 + columns.phase / 2)
                assert len(set(columns.sequence.tolist())) == len(columns.sequence)
                assert int(columns.channel.max(initial=0)) <= len(columns.channels)
                held.append((columns, sums(columns)))
                if len(held) > 5:
                    old, before = held.popleft()
                    assert sums(old) == before
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert errors == []
    assert field.recorded == 20_000
    assert len(field) == 500


def test_a_rate_goes_by_the_clock_of_the_medium() -> None:
    clock = ManualClock(1_000.0)
    medium = Aether(clock=clock)
    field = medium.field("a", 4)
    assert field.rate(1.0) == 0.0
    for _ in range(3):
        medium.emit_nowait("a")
        clock.advance(1.0)
    assert field.rate(10.0) == 0.3
    assert field.rate(1.5) == pytest.approx(1 / 1.5)
    medium.emit_nowait("a")
    medium.emit_nowait("a")
    # The first is forgotten: four since second 1001, which is two seconds ago.
    assert field.rate(10.0) == 2.0


def test_sums_of_a_large_field_which_let_other_threads_run() -> None:
    medium = Aether(clock=ManualClock(50.0))
    field = medium.field("*", 100_000)
    for number in range(70_000):
        medium.emit_nowait("even" if number % 2 == 0 else "odd", amplitude=0.5)
    assert field.energy() == {"even": 8_750.0, "odd": 8_750.0}
    assert field.energy(None) == 17_500.0
    assert field.rate(7.0) == 10_000.0


def test_repr_and_properties() -> None:
    medium = Aether()
    field = medium.field("orders.*", 5)
    for _ in range(7):
        medium.emit_nowait("orders.created")
    assert repr(field) == "<Field 'orders.*' with 5 of 5 waves>"
    assert (field.pattern, field.size, field.recorded, len(field)) == ("orders.*", 5, 7, 5)


@pytest.mark.parametrize("pattern", ["", "a..b", "a.b*", "a b", "a.>.b"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ChannelError):
        Aether().field(pattern)


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (16_777_217, ValueError),
        (2**31, ValueError),
        (2**70, ValueError),
        (1.0, TypeError),
        ("1", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_a_size_that_is_none_is_refused(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="size must be"):
        Aether().field("a", size)


def test_the_largest_field_takes_no_memory_yet() -> None:
    assert len(Aether().field("a", 16_777_216)) == 0


def test_other_bad_input() -> None:
    medium = Aether()
    with pytest.raises(TypeError, match="channel must be a str"):
        medium.field(3)  # type: ignore[arg-type]
    field = medium.field("a")
    for window in (0.0, -1.0, math.nan, math.inf, 10**400):
        with pytest.raises(ValueError, match="window must be"):
            field.rate(window)
    with pytest.raises(TypeError, match="window must be a number"):
        field.rate("1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by must be"):
        field.energy("pattern")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        Field("medium", "a", 1)  # type: ignore[arg-type]


def test_a_medium_of_longer_names_has_fields_of_longer_names() -> None:
    from aether import AetherConfig

    name = "a" * 2_000
    medium = Aether(AetherConfig(max_channel_length=3_000))
    field = medium.field(name)
    medium.emit_nowait(name)
    assert field.columns().channels == (name,)


def test_many_fields_of_one_channel() -> None:
    medium = Aether()
    fields = [medium.field("a", size) for size in range(1, 40)]
    for _ in range(50):
        medium.emit_nowait("a")
    assert [len(field) for field in fields] == list(range(1, 40))
    assert {field.recorded for field in fields} == {50}


def test_fields_leave_no_references() -> None:
    medium = Aether()
    name = f"a.{len(medium.active_channels())}"
    before = sys.getrefcount(name)
    field = medium.field("a.*")
    medium.emit_nowait(name)
    columns = field.columns()
    del field, columns
    gc.collect()
    # The medium itself remembers names; its taps do no more.
    assert sys.getrefcount(name) <= before + 1
