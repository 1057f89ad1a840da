"""What is made by hand in `rust/native` (see docs/unsafe.md), used as no caller would: nothing is taken on trust."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from aether import Aether, Emitter, Vibrator, Wave

Await = Coroutine[Any, Any, Any]


@pytest.fixture
def medium() -> Iterator[Aether]:
    yield Aether()
    gc.collect()


@pytest.fixture
def reader(medium: Aether) -> Iterator[Vibrator]:
    reader = medium.vibrator("reader", overflow="drop_oldest", buffer_size=4)
    reader.resonate_on("*")
    yield reader
    reader.close()


AWAITABLES: dict[str, Callable[[Aether, Vibrator], Any]] = {
    "emit_wave": lambda medium, _: medium.emit_wave("a.b", 1),
    "emit": lambda medium, _: medium.emit(Wave("a.b")),
    "receive": lambda _, reader: reader.receive(),
    "anext": lambda _, reader: anext(reader),
    "receive_many": lambda _, reader: reader.receive_many(3),
    "emit_many": lambda medium, _: medium.emit_many([("a.b", 1)]),
}
made = pytest.mark.parametrize("make", AWAITABLES.values(), ids=AWAITABLES)


@pytest.mark.parametrize(
    "unbound",
    [
        Emitter.emit_nowait,
        Emitter.emit_wave,
        Emitter.emit,
        Vibrator.receive,
        Vibrator.receive_many,
        Vibrator.receive_nowait,
        Vibrator.__anext__,
        Wave.propagate,
    ],
)
@pytest.mark.parametrize("other", [object(), None, Wave("a.b"), 1, Vibrator])
def test_an_entry_refuses_another_self(unbound: Any, other: Any) -> None:
    if isinstance(other, Wave) and unbound is Wave.propagate:
        other = Aether()
    with pytest.raises(TypeError):
        unbound(other, "a.b", 1) if "emit" in str(unbound) else unbound(other)


@made
@pytest.mark.filterwarnings("ignore:.*never awaited:RuntimeWarning")
def test_a_slot_of_an_awaitable_refuses_another_self(
    medium: Aether, reader: Vibrator, make: Callable[[Aether, Vibrator], Any]
) -> None:
    call = make(medium, reader)
    kind = type(call)
    call.close()
    for name in ("send", "throw", "close", "__next__", "__await__", "__iter__"):
        slot = getattr(kind, name, None)
        if slot is None:
            continue
        for other in (object(), None, kind, medium, Wave("a.b")):
            with pytest.raises(TypeError):
                slot(other, None) if name in {"send", "throw"} else slot(other)


@made
@pytest.mark.filterwarnings("ignore:.*never awaited:RuntimeWarning")
def test_an_awaitable_bears_strange_steps(
    medium: Aether, reader: Vibrator, make: Callable[[Aether, Vibrator], Any]
) -> None:
    def step(*way: Any) -> None:
        call: Any = make(medium, reader)
        name, *given = way
        for _ in range(3):
            try:
                getattr(call, name)(*given)
            except (
                StopIteration,
                StopAsyncIteration,
                TypeError,
                ValueError,
                RuntimeError,
                KeyError,
            ):
                continue
            gc.collect()
        call.close()
        call.close()

    for value in (None, 1, object(), make, (), []):
        step("send", value)
    for given in [
        (),
        (1,),
        (KeyError,),
        (KeyError(1),),
        (KeyError, 1, 2),
        (KeyError, KeyError(2), None),
        (1, 2, 3, 4),
    ]:
        step("throw", *given)
    step("close", 1)
    step("__next__")
    step("__await__")
    medium.emit_nowait("a.b")
    assert reader.receive_nowait() is not None


@made
@pytest.mark.filterwarnings("ignore:.*never awaited:RuntimeWarning")
def test_an_awaitable_shows_the_collector_what_it_holds(
    medium: Aether, reader: Vibrator, make: Callable[[Aether, Vibrator], Any]
) -> None:
    async def parked() -> None:
        call = make(medium, reader)
        gc.get_referents(call)
        task = (
            asyncio.ensure_future(call)
            if inspect.iscoroutine(call)
            else asyncio.create_task(_wait(call))
        )
        await asyncio.sleep(0)
        gc.collect()
        gc.get_referents(call)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.get_referents(call)
        gc.collect()

    asyncio.run(parked())


async def _wait(call: Any) -> Any:
    return await call


def test_an_awaitable_that_is_inside_itself_refuses(medium: Aether, reader: Vibrator) -> None:
    seen: list[BaseException] = []
    calls: list[Any] = []

    class Inside:
        """A payload whose end steps the very call that let it go."""

        def __del__(self) -> None:
            for step in ("send", "throw", "close"):
                try:
                    getattr(calls[0], step)(*([] if step == "close" else [KeyError()]))
                except BaseException as error:
                    seen.append(error)
            gc.collect()

    for _ in range(4):
        medium.emit_nowait("a.b", Inside())
    calls.append(medium.emit_wave("a.b", "the fifth"))
    with pytest.raises(StopIteration) as ended:
        calls[0].send(None)
    assert ended.value.value.delivered == 1
    assert seen
    assert {type(error) for error in seen} <= {ValueError, RuntimeError, KeyError}


def test_memory_used_again_keeps_nothing_of_the_wave_before() -> None:
    for _ in range(50):
        full = [
            Wave(
                "a.b",
                object(),
                amplitude=0.3,
                phase=2.0,
                source="s",
                headers={"k": "v"},
                timestamp=5.0,
                ttl=9.0,
            )
            for _ in range(40)
        ]
        del full
        plain = [Wave("x") for _ in range(40)]
        for wave in plain:
            assert (wave.channel, wave.payload, wave.source, dict(wave.headers)) == (
                "x",
                None,
                None,
                {},
            )
            assert (wave.amplitude, wave.phase, wave.ttl, wave.sequence) == (1.0, 0.0, None, None)
        assert len({wave.id for wave in plain}) == len(plain)


@pytest.mark.parametrize("wrap", [lambda wave: wave, lambda wave: [wave], lambda wave: {"k": wave}])
def test_waves_in_waves_end_without_a_deep_stack(wrap: Callable[[Any], Any]) -> None:
    for shared in (False, True):
        wave = Wave("a.b", 0)
        kept = [wave]
        for _ in range(100_000):
            wave = Wave("a.b", wrap(wave))
            if shared and len(kept) < 10:
                kept.append(wave)
        del wave
        assert kept[0].payload == 0
        del kept


def test_a_payload_that_makes_waves_as_it_ends(medium: Aether, reader: Vibrator) -> None:
    class Ending:
        def __del__(self) -> None:
            medium.emit_nowait("ended", Wave("a.b", [Wave("x")]))
            gc.collect(0)

    for _ in range(100):
        medium.emit_nowait("a.b", Ending())
    while reader.statistics().current_buffer_used:
        reader.receive_nowait()
        if reader.statistics().received > 500:
            break
    assert reader.statistics().missed > 0


def test_a_receipt_that_is_kept_stays_what_it_was(medium: Aether, reader: Vibrator) -> None:
    first = medium.emit_nowait("a.b")
    before = (first.sequence, first.matched, first.delivered)
    later = [medium.emit_nowait("a.b").sequence for _ in range(100)]
    assert (first.sequence, first.matched, first.delivered) == before
    assert later == list(range(2, 102))
    assert before == (1, 1, 1)


def test_a_wave_made_by_hand_is_made_by_pickle_and_by_new_alike() -> None:
    wave = Wave("a.b", [1], headers={"k": "v"})
    for _ in range(200):
        wave = pickle.loads(pickle.dumps(wave))
    assert (wave.payload, dict(wave.headers)) == ([1], {"k": "v"})
    with pytest.raises(TypeError):
        Wave.__new__(Wave)
    with pytest.raises(TypeError):
        object.__new__(Wave)
