"""What fails often: each failure is counted, and a log is not flooded."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st

from aether import Aether
from aether.storms import BURST, KINDS, Storm


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from("ab"))))
def test_nothing_is_forgotten_and_no_second_has_more(program: list[tuple[float, str]]) -> None:
    now = 0.0
    storm = Storm(lambda: now)
    passed: dict[str, list[float]] = {"a": [], "b": []}
    held = {"a": 0, "b": 0}
    for step, kind in program:
        now += step
        more = storm.passes(kind)
        if more is None:
            held[kind] += 1
            assert sum(1 for one in passed[kind] if now - one < 1.0) >= 1, "there was a burst"
        else:
            assert more == held[kind]
            held[kind] = 0
            passed[kind].append(now)
    for moments in passed.values():
        for one in moments:
            # A burst may end where the next one begins.
            assert sum(1 for other in moments if one <= other < one + 1.0) <= 2 * BURST


def test_so_many_kinds_are_told_apart() -> None:
    storm = Storm(lambda: 0.0)
    assert [storm.passes(kind) for kind in range(KINDS)] == [0] * KINDS
    beyond = [storm.passes(kind) for kind in range(KINDS, KINDS + BURST + 1)]
    assert beyond == [0] * BURST + [None]
    assert len(storm._kinds) == KINDS + 1


async def test_a_handler_that_fails_all_the_time_does_not_flood(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, anyio_backend: object
) -> None:
    now = 0.0
    monkeypatch.setattr("aether.lane.Storm", partial(Storm, lambda: now))
    medium = Aether()
    desk = medium.vibrator("desk")

    @desk.on("orders")
    async def handle(wave: Any) -> None:
        raise (KeyError if wave.payload == "other" else ValueError)(wave.payload)

    def told() -> list[tuple[str, int]]:
        records = [one for one in caplog.records if getattr(one, "event", "") == "handler.failed"]
        caplog.clear()
        return [(one.exc_info[0].__name__, one.__dict__["more"]) for one in records]  # type: ignore[index, union-attr]

    async with medium:
        for number in range(500):
            await medium.emit_wave("orders", number)
        await medium.emit_wave("orders", "other")
        assert await medium.settle(10)
        assert told() == [("ValueError", 0)] * BURST + [("KeyError", 0)]
        now += 1.0
        await medium.emit_wave("orders", 1)
        assert await medium.settle(10)
        said = caplog.records[-1].getMessage()
        assert said == (
            "a handler of 'desk' failed on a wave of 'orders', and 490 more such since the last line"
        )
        assert told() == [("ValueError", 490)]
        assert desk.statistics().failed == 502


async def test_errors_of_one_name_from_two_modules_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, anyio_backend: object
) -> None:
    monkeypatch.setattr("aether.lane.Storm", partial(Storm, lambda: 0.0))
    kinds = [type("Failure", (Exception,), {"__module__": module}) for module in ("here", "there")]
    medium = Aether()

    @medium.vibrator("desk").on("orders")
    async def handle(wave: Any) -> None:
        raise kinds[wave.payload]

    async with medium:
        for number in [0] * 30 + [1]:
            await medium.emit_wave("orders", number)
        assert await medium.settle(10)
    told = [one.exc_info[0] for one in caplog.records if one.exc_info]
    assert told == [kinds[0]] * BURST + [kinds[1]]


async def test_nor_does_an_on_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, anyio_backend: object
) -> None:
    monkeypatch.setattr("aether.lane.Storm", partial(Storm, lambda: 0.0))
    medium = Aether()
    desk = medium.vibrator("desk")

    @desk.on("orders")
    async def handle(wave: Any) -> None:
        raise ValueError

    def fails(error: BaseException, wave: Any) -> None:
        raise KeyError

    async with medium.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(partial(desk.run, on_error=fails))
        await anyio.wait_all_tasks_blocked()
        for number in range(30):
            await medium.emit_wave("orders", number)
        assert await medium.settle(10)
        tasks.cancel_scope.cancel()
    records = [one for one in caplog.records if getattr(one, "event", "") == "on_error.failed"]
    assert len(records) == BURST
    await medium.aclose()
