"""`aclose` and `drain` of a medium, and what a closed one says."""

from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_says,
    assert_works,
    begin,
    payloads,
    tuned,
    turns,
)

from aether import Aether, AetherConfig, Closed, Wave


async def test_aclose_ends_everything() -> None:
    medium = Aether()
    v = tuned(medium, "a.*")
    await medium.aclose()
    assert await v.receive() is None
    with pytest.raises(Closed):
        medium.emit_nowait("a.b")


async def test_aclose_may_be_called_again() -> None:
    medium = Aether()
    for _ in range(3):
        await medium.aclose()
    async with Aether() as other:
        await other.aclose()


@pytest.mark.parametrize("how", ["emit_nowait", "vibrator", "expect", "request", "emit_many"])
async def test_a_closed_medium_says_so(how: str) -> None:
    medium = Aether()
    await medium.aclose()
    calls: dict[str, Any] = {
        "emit_nowait": lambda: medium.emit_nowait("a.b"),
        "vibrator": lambda: medium.vibrator("late"),
        "expect": lambda: medium.expect("a.*", timeout=1.0),
        "request": lambda: medium.request("a.b", timeout=1.0),
        "emit_many": lambda: medium.emit_many([("a.b", 1)]),
    }
    with pytest.raises(Closed) as caught:
        await calls[how]()
    assert_says(caught.value, "closed")


async def test_a_closed_medium_still_answers_questions() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b")
    medium.statistics()
    medium.health()
    assert v.statistics().current_buffer_used == 1
    assert medium.config is not None


async def test_a_closed_medium_cannot_be_entered() -> None:
    medium = Aether()
    await medium.aclose()
    for enter in (lambda: medium, medium.running):
        with pytest.raises(Closed) as caught:
            async with enter():
                pass
        assert_says(caught.value, "closed", "new one")
        assert "running()" not in str(caught.value)


async def test_a_medium_that_is_entered_is_not_entered_again() -> None:
    async with Aether() as medium:
        with pytest.raises(Closed) as caught:
            async with medium:
                pass
        assert_says(caught.value, "entered already", "medium.running()")
        assert "new one" not in str(caught.value)
        await assert_works(medium)


async def test_drain_lets_handlers_and_readers_finish() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, reader, seen = tuned(medium), tuned(medium, "a.*", name="plain"), []

        @v.on("a.*")
        async def handle(wave: Wave[int]) -> None:
            await turns(2)
            seen.append(wave.payload)

        for number in range(5):
            await medium.emit_wave("a.b", number)
        draining = begin(group, lambda: medium.drain(5.0))
        got = [wave.payload async for wave in reader]
        assert await draining.result() is True
        assert got == seen == list(range(5))


async def test_drain_is_false_when_the_time_is_over() -> None:
    async with Aether(AetherConfig(drain_timeout=0.0)) as medium:
        v = tuned(medium)

        @v.on("a.*")
        async def handle(wave: object) -> None:
            await anyio.sleep_forever()

        await medium.emit_wave("a.b")
        await turns()
        assert await medium.drain(0.01) is False


async def test_drain_of_a_quiet_medium_is_true() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        assert await medium.drain(1.0) is True


async def test_closing_one_medium_leaves_another_alone() -> None:
    async with Aether() as other:
        v = tuned(other, "a.*")
        async with Aether() as medium:
            tuned(medium, "a.*")
        await other.emit_wave("a.b", 1)
        assert payloads(v) == [1]
