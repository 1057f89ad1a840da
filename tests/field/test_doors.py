"""Taps see each admitted wave once, whichever call has emitted it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.probes import begin, until

from aether import Aether, Vibrator, Wave, WouldBlock

Door = Callable[[Aether, Vibrator], Awaitable[object]]


async def wave(medium: Aether, v: Vibrator) -> None:
    await medium.emit_wave("doors.a", 1, amplitude=0.5, phase=2.0, frequency=3.0)


async def plain_wave(medium: Aether, v: Vibrator) -> None:
    await medium.emit_wave("doors.a", 1)


async def existing(medium: Aether, v: Vibrator) -> None:
    await medium.emit(Wave("doors.a", 1, phase=1.0))


async def nowait(medium: Aether, v: Vibrator) -> None:
    medium.emit_nowait("doors.a", 1)


async def nowait_long_way(medium: Aether, v: Vibrator) -> None:
    medium.emit_nowait("doors.a", 1, headers={"a": "b"}, ttl=5.0)


async def derived_name(medium: Aether, v: Vibrator) -> None:
    class Name(str):
        __slots__ = ()

    medium.emit_nowait(Name("doors.a"), 1)


async def many(medium: Aether, v: Vibrator) -> None:
    await medium.emit_many([("doors.a", 1)])


async def of_a_vibrator(medium: Aether, v: Vibrator) -> None:
    await v.emit_wave("doors.a", 1)


async def of_an_emitter(medium: Aether, v: Vibrator) -> None:
    v.emitter().emit_nowait("doors.a", 1)


async def sync(medium: Aether, v: Vibrator) -> None:
    import anyio.to_thread

    await anyio.to_thread.run_sync(lambda: medium.emit_sync("doors.a", 1))


async def handler(medium: Aether, v: Vibrator) -> None:
    @v.on("other")
    async def handle(wave: Wave) -> None:
        await v.emit_wave("doors.a", 1)

    async with medium.running():
        await medium.emit_wave("other")
        assert await medium.settle(5.0)


async def request(medium: Aether, v: Vibrator) -> None:
    @v.on("doors.a")
    async def handle(wave: Wave) -> int:
        return 2

    async with medium.running():
        assert (await medium.request("doors.a", 1)).payload == 2


DOORS: list[Door] = [
    wave,
    plain_wave,
    existing,
    nowait,
    nowait_long_way,
    derived_name,
    many,
    of_a_vibrator,
    of_an_emitter,
    sync,
    handler,
    request,
]


@pytest.mark.parametrize("receivers", [0, 1, 2])
@pytest.mark.parametrize("door", DOORS)
async def test_a_wave_is_seen_once_through_each_door(door: Door, receivers: int) -> None:
    medium, seen = Aether(), list[Wave]()
    for _ in range(2):  # once the names are known, the ways are shorter
        held = [medium.vibrator("held") for _ in range(receivers)]
        for v in held:
            v.resonate_on("doors.*")
        emitter = medium.vibrator("emitter")
        field, tap = medium.field("doors.*"), medium.tap("doors.+", seen.append)
        seen.clear()
        before = field.recorded
        for _ in range(2):
            await door(medium, emitter)
            emitter.close()
            emitter = medium.vibrator("emitter")
        columns = field.columns()
        assert field.recorded == before + 2 == before + len(seen)
        last = seen[-1]
        row = [column[-1] for column in columns[:-1]]
        assert row == [
            last.timestamp,
            last.amplitude,
            last.phase,
            last.frequency,
            0,
            last.sequence,
        ]
        assert last.payload == 1
        assert columns.channels == ("doors.a",)
        tap.close()
        for v in [*held, emitter]:
            v.close()


async def test_an_emission_that_waited_is_seen_once_it_was_admitted() -> None:
    import anyio

    medium = Aether()
    v = medium.vibrator("slow", buffer_size=1)
    v.resonate_on("a")
    field = medium.field("a")
    await medium.emit_wave("a")
    async with anyio.create_task_group() as group:
        later = begin(group, lambda: medium.emit_wave("a"))
        await until(lambda: v.statistics().tasks_waiting_send == 1)
        assert len(field) == 1
        await v.receive()
        await later.result()
    v.close()
    assert field.columns().sequence.tolist() == [1, 2]


def test_what_is_refused_or_dies_is_not_seen() -> None:
    medium = Aether()
    v = medium.vibrator("full", buffer_size=1, overflow="error")
    v.resonate_on("a")
    field = medium.field("*")
    medium.emit_nowait("a")
    with pytest.raises(WouldBlock):
        medium.emit_nowait("a")
    v.close()
    assert not medium.emit_nowait("a", amplitude=0.001)
    assert not medium.emit_nowait("b", amplitude=0.001)
    with pytest.raises(ValueError, match="channel"):
        medium.emit_nowait("a..b")
    assert field.columns().sequence.tolist() == [1]


def test_a_tap_is_no_receiver() -> None:
    medium = Aether()
    field = medium.field("*")
    receipt = medium.emit_nowait("a")
    assert receipt.matched == 0
    assert medium.active_channels() == ()
    assert not medium.explain("a").rows
    assert medium.statistics().unheard == 1 == len(field)


def test_a_watch_sees_the_wave_that_is_received() -> None:
    medium, seen = Aether(), list[Wave]()
    tap = medium.tap("a", seen.append)
    v = medium.vibrator("v")
    v.resonate_on("a")
    medium.emit_nowait("a", "payload")
    assert v.receive_nowait() is seen[0]
    assert seen[0].sequence == 1
    v.close()
    tap.close()
    medium.emit_nowait("a")
    assert len(seen) == 1


def test_a_watch_may_emit_on_derived_channels_which_it_is_not_shown() -> None:
    medium, seen = Aether(), list[str]()
    field = medium.field("*")

    def watch(wave: Wave) -> None:
        seen.append(wave.channel)
        medium.emit_nowait(f"physics.burst.{wave.channel}")

    tap = medium.tap("*", watch)
    medium.emit_nowait("a")
    assert seen == ["a"]
    columns = field.columns()
    assert [columns.channels[number] for number in columns.channel] == ["a", "physics.burst.a"]
    del tap


def test_a_watch_that_fails_does_not_fail_the_emission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    medium, reported = Aether(), list[Any]()
    monkeypatch.setattr("sys.unraisablehook", reported.append)

    def fails(wave: Wave) -> None:
        raise KeyError(wave.channel)

    seen = list[Wave]()
    taps = medium.tap("a", fails), medium.tap("a", seen.append)
    assert medium.emit_nowait("a").sequence == 1
    assert [type(report.exc_value) for report in reported] == [KeyError]
    assert len(seen) == 1
    del taps


def test_what_a_watch_interrupts_comes_at_the_next_step() -> None:
    medium, reached = Aether(), list[int]()

    def interrupted(wave: Wave) -> None:
        raise KeyboardInterrupt

    tap = medium.tap("a", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reached.append(medium.emit_nowait("a").sequence or 0)
        for _ in range(1000):
            pass
    assert reached in ([1], [])
    assert medium.statistics().emitted == 1
    del tap


def test_a_watch_that_holds_its_medium_is_collected_with_it() -> None:
    class Holder:
        tap: Any = None
        medium: Any = None

        def see(self, wave: Wave) -> None: ...

    holder = Holder()
    holder.medium = Aether()
    holder.tap = holder.medium.tap("*", holder.see)
    holder.medium.emit_nowait("a", holder)
    gone = weakref.ref(holder)
    del holder
    gc.collect()
    assert gone() is None


def test_an_emission_goes_on_where_a_watch_adds_and_removes_taps() -> None:
    medium, taps, seen = Aether(), list[Any](), list[Wave]()

    def watch(wave: Wave) -> None:
        taps.pop().close()
        taps.append(medium.tap("a", seen.append))
        medium.emit_nowait("b")

    taps.append(medium.tap("a", watch))
    medium.emit_nowait("a")
    medium.emit_nowait("a")
    assert [wave.sequence for wave in seen] == [3]


def test_names_that_are_made_anew_each_time_leave_nothing() -> None:
    medium = Aether()
    field = medium.field("reply.*", size=100)
    for number in range(5_000):
        medium.emit_nowait(f"reply.{number}")
    columns = field.columns()
    assert [columns.channels[number] for number in columns.channel] == [
        f"reply.{number}" for number in range(4_900, 5_000)
    ]
    assert len(columns.channels) < 2_000


def test_many_loops_one_after_the_other() -> None:
    medium = Aether()
    field = medium.field("a")

    async def main() -> None:
        await medium.emit_wave("a")

    asyncio.run(main())
    asyncio.run(main())
    assert len(field) == 2
