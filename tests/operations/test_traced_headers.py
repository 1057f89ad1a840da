"""What leads to a wave, by headers, causes and handlers; and what its own headers say then."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.operations.followed import following, vibrating

from aether import Aether, ManualClock, Wave
from aether.tracing import Span

TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{ABOVE}-01", f"00-{TRACE}-{ABOVE}-00"


def sent(medium: Aether, wave: Wave[Any]) -> Span:
    """The last emission of a wave."""
    spans = medium.trace(wave).spans
    return [span for span in spans if span.work == "send" and span.wave_id == wave.id][-1]


def parents_of(medium: Aether, wave: Wave[Any]) -> tuple[str, int | None]:
    """Trace and parent of a wave that was emitted."""
    span = sent(medium, wave)
    return f"{span.trace_id:032x}", span.parent_id


@pytest.mark.parametrize("sample", [0.0, 1.0])
async def test_a_header_that_is_given_counts(sample: float, anyio_backend: object) -> None:
    medium = Aether(following(sample))
    reader = vibrating(medium, "reader", "a")
    await medium.emit_wave("a", headers={"traceparent": SAMPLED, "tenant": "b"})
    wave = reader.receive_nowait()
    assert wave.headers["tenant"] == "b"
    assert wave.headers["traceparent"] != SAMPLED, "it names the span of the emission"
    assert parents_of(medium, wave) == (TRACE, int(ABOVE, 16))
    await medium.emit(Wave("a", headers={"traceparent": SAMPLED}))
    assert parents_of(medium, reader.receive_nowait()) == (TRACE, int(ABOVE, 16))
    for header in (UNSAMPLED,):
        await medium.emit_wave("a", headers={"traceparent": header})
        wave = reader.receive_nowait()
        assert wave.headers["traceparent"] == header, "what is not followed elsewhere is not here"
        assert not medium.trace(wave)
    await medium.emit_wave("a", headers={"traceparent": "nonsense"})
    assert bool(medium.trace(reader.receive_nowait())) is (sample == 1.0), "it is no header at all"


async def test_a_cause_counts_where_nothing_else_does(anyio_backend: object) -> None:
    medium = Aether(following(0.0))
    reader = vibrating(medium, "reader", "a", buffer_size=10)
    await medium.emit_wave("a", headers={"traceparent": SAMPLED})
    first = reader.receive_nowait()
    await medium.emit_wave("a", cause=first)
    await medium.emit(first)
    await medium.emit_wave("a", compensates=first)
    for _ in range(3):
        wave = reader.receive_nowait()
        trace, _ = parents_of(medium, wave)
        assert trace == TRACE
        assert wave.headers["traceparent"] != first.headers["traceparent"]
    every = Aether(following(1.0))
    other = vibrating(every, "other", "a")
    await every.emit_wave("a", headers={"traceparent": UNSAMPLED})
    cause = other.receive_nowait()
    await every.emit_wave("a", cause=cause)
    assert not every.trace(other.receive_nowait()), "what led to it is not followed"


async def test_what_a_handler_emits_is_its_child(anyio_backend: object) -> None:
    medium = Aether(following(0.0))
    worker, reader = medium.vibrator("worker"), vibrating(medium, "reader", "b")

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        await worker.emit_wave("b", wave.payload)
        medium.emit_nowait("b", wave.payload)

    async with medium.running():
        await medium.emit_wave("a", "followed", headers={"traceparent": SAMPLED})
        await medium.emit_wave("a", "not followed")
        await medium.settle()
    waves = [reader.receive_nowait() for _ in range(4)]
    for wave in waves:
        trace = medium.trace(wave)
        assert bool(trace) is (wave.payload == "followed")
        if trace:
            handled = next(span for span in trace if span.work == "process")
            assert {child.by for child in trace.children(handled)} == {"worker", None}


async def test_a_wave_of_a_trace_that_is_not_followed_begins_none(anyio_backend: object) -> None:
    clock = ManualClock()
    medium = Aether(following(1.0, traces_per_second=1), clock=clock)
    worker, reader = medium.vibrator("worker"), vibrating(medium, "reader", "b")

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        clock.advance(10.0)  # there would be room for a trace
        await worker.emit_wave("b")

    async with medium.running():
        assert medium.emit_nowait("c").matched == 0  # takes the one that may begin
        await medium.emit_wave("a")
        await medium.settle()
    assert "traceparent" not in reader.receive_nowait().headers


async def test_headers_that_waves_share_stay_as_they_were(anyio_backend: object) -> None:
    medium = Aether(following())
    worker, reader = medium.vibrator("worker"), vibrating(medium, "reader", "b")
    seen: list[Wave[Any]] = []

    @worker.on("a")
    async def work(wave: Wave[Any]) -> None:
        seen.append(wave)
        await worker.emit_wave("b")

    async with medium.running():
        await medium.emit_wave("a", headers={"tenant": "x"})
        before = None
        await medium.settle()
    before = dict(seen[0].headers)
    wave = reader.receive_nowait()
    assert wave.headers["tenant"] == "x"
    assert wave.headers["traceparent"] != before["traceparent"]
    assert seen[0].headers["traceparent"] == before["traceparent"]


async def test_a_wave_that_is_not_followed_names_no_span_of_its_cause(
    anyio_backend: object,
) -> None:
    medium = Aether(following(0.0))
    reader = vibrating(medium, "reader", "a", "b", buffer_size=10)
    await medium.emit_wave("a", headers={"traceparent": SAMPLED})
    followed = reader.receive_nowait()
    other = Aether(following(0.0))
    worker = other.vibrator("worker")

    @worker.on("c")
    async def work(wave: Wave[Any]) -> None:
        # It handles a wave that is not followed: so is what it emits, of whatever cause and on whatever medium.
        await medium.emit_wave("b", headers={"tenant": "x"})

    async with other.running():
        await other.emit_wave("c")
        await other.settle()
    assert dict(reader.receive_nowait().headers) == {"tenant": "x"}
    unsampled = Aether(following(1.0, traces_per_second=0.001), clock=ManualClock())
    inbox = vibrating(unsampled, "inbox", "b")
    unsampled.emit_nowait("nobody")
    await unsampled.emit_wave("b", headers={"tenant": "x"})
    assert "traceparent" not in inbox.receive_nowait().headers
    assert medium.trace(followed)


HEADERS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")).flatmap(
    lambda named: st.sampled_from([None, "nonsense", SAMPLED, UNSAMPLED]).map(
        lambda trace: named if trace is None else {**named, "traceparent": trace}
    )
)
STEPS = st.tuples(
    st.sampled_from(["emit", "cause", "compensates", "hop", "replace", "headers", "pickle"]),
    st.integers(0, 100),
    HEADERS,
)


def is_context(headers: dict[str, str]) -> bool:
    return headers.get("traceparent", "nonsense") != "nonsense"


async def follow(steps: list[tuple[str, int, dict[str, str]]]) -> None:
    """Does what the steps say, and looks whether it came to what texts alone say."""
    medium = Aether(following(0.0))
    reader = vibrating(medium, "reader", "a", buffer_size=100)
    known: list[tuple[Wave[Any], dict[str, str]]] = []
    for how, which, own in steps:
        cause, before = known[which % len(known)] if known else (None, {})
        given = own if how in ("emit", "cause", "compensates", "headers") else {}
        if cause is None or how == "emit":
            given, before = own, {}
            medium.emit_nowait("a", headers=own)
        elif how == "cause":
            medium.emit_nowait("a", headers=own, cause=cause)
        elif how == "compensates":
            medium.emit_nowait("a", headers=own, compensates=cause)
        elif how == "hop":
            await medium.emit(cause)
        elif how == "pickle":
            await medium.emit(pickle.loads(pickle.dumps(cause)))
        elif how == "replace":
            await medium.emit(cause.replace(payload=1))
        else:
            before = {}
            await medium.emit(cause.replace(headers=own))
        wave, expected = reader.receive_nowait(), {**before, **given}
        leads = given if is_context(given) else before
        if is_context(leads) and leads["traceparent"].endswith("-01"):
            span = sent(medium, wave)
            assert f"00-{span.trace_id:032x}-{span.parent_id:016x}-01" == leads["traceparent"]
            expected["traceparent"] = f"00-{span.trace_id:032x}-{span.span_id:016x}-01"
        else:
            assert not medium.trace(wave)
        known.append((wave, expected))
    for wave, expected in known:
        assert wave.headers == expected
    reader.close()


@given(st.lists(STEPS, min_size=1, max_size=12))
def test_the_headers_are_those_of_a_plain_dictionary(
    steps: list[tuple[str, int, dict[str, str]]],
) -> None:
    """Against texts alone: what a wave inherits and what leads to it, however it came to be; each is read only when all
    of them are there."""
    anyio.run(follow, steps)


async def test_a_header_that_is_given_wins_where_nobody_follows(anyio_backend: object) -> None:
    one, two = Aether(following()), Aether()
    first, second = vibrating(one, "first", "a"), vibrating(two, "second", "b")
    await one.emit_wave("a")
    cause = first.receive_nowait()
    for own in ("custom", ""):
        await two.emit_wave("b", cause=cause, headers={"traceparent": own})
        assert second.receive_nowait().headers["traceparent"] == own
    await two.emit_wave("b", cause=cause)
    assert second.receive_nowait().headers["traceparent"] == cause.headers["traceparent"]


class Text(str):
    """A text that holds something."""

    __slots__ = ("__weakref__", "held")

    held: object


def test_headers_are_plain_text_and_hold_nothing() -> None:
    medium = Aether(following())
    reader = vibrating(medium, "reader", "a")
    value, key = Text("v"), Text("k")
    medium.emit_nowait("a", headers={key: value})
    wave = reader.receive_nowait()
    assert {*map(type, wave.headers), *map(type, wave.headers.values())} == {str}
    assert wave.headers["k"] == "v"
    value.held = wave
    gone = weakref.ref(value)
    del value, key, wave
    gc.collect()
    assert gone() is None
