"""`concurrency` and `key` of a handler: how many run at once, and what stays in order."""

from collections import defaultdict
from typing import Any

import anyio
import pytest
from tests.probes import assert_works, begin, messages, tuned, turns, until

from aether import Aether, Wave


class Crowd:
    """A handler that waits for its gate and notes how many run at once."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.done: list[Any] = []
        self.gate = anyio.Event()

    async def handle(self, wave: Wave[Any]) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        self.running -= 1
        self.done.append(wave.payload)


@pytest.mark.parametrize("concurrency", [1, 2, 8])
async def test_so_many_run_at_once_and_no_more(concurrency: int) -> None:
    async with Aether() as medium:
        v, crowd = tuned(medium), Crowd()
        v.on("a.*", concurrency=concurrency)(crowd.handle)
        for number in range(20):
            await medium.emit_wave("a.b", number)
        await until(lambda: crowd.running == concurrency)
        await turns()
        assert crowd.running == concurrency
        crowd.gate.set()
        assert await medium.settle(5)
        assert sorted(crowd.done) == list(range(20))
        assert crowd.most == concurrency


async def test_one_runs_at_a_time_by_default() -> None:
    async with Aether() as medium:
        v, crowd = tuned(medium), Crowd()
        v.on("a.*")(crowd.handle)
        for number in range(3):
            await medium.emit_wave("a.b", number)
        await until(lambda: crowd.running == 1)
        await turns()
        assert crowd.running == 1
        crowd.gate.set()
        assert await medium.settle(5)
        assert crowd.done == [0, 1, 2]


async def test_order_is_kept_for_each_key() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), defaultdict(list)

        @v.on("a.*", concurrency=8, key=lambda wave: wave.payload[0])
        async def handle(wave: Wave[tuple[str, int]]) -> None:
            name, number = wave.payload
            await turns((number * 7) % 5)
            seen[name].append(number)

        for number in range(50):
            for name in "xyz":
                await medium.emit_wave("a.b", (name, number))
        assert await medium.settle(10)
        assert seen == {name: list(range(50)) for name in "xyz"}


async def test_one_key_never_runs_twice_at_once() -> None:
    async with Aether() as medium:
        v, crowd = tuned(medium), Crowd()
        v.on("a.*", concurrency=8, key=lambda wave: "same")(crowd.handle)
        for number in range(5):
            await medium.emit_wave("a.b", number)
        await until(lambda: crowd.running == 1)
        await turns()
        assert crowd.running == 1
        crowd.gate.set()
        assert await medium.settle(5)
        assert crowd.done == list(range(5))
        assert crowd.most == 1


async def test_other_keys_do_not_wait_for_a_slow_one() -> None:
    async with Aether() as medium:
        v, gate, seen = tuned(medium), anyio.Event(), []

        @v.on("a.*", concurrency=2, key=lambda wave: wave.payload[0])
        async def handle(wave: Wave[tuple[str, int]]) -> None:
            if wave.payload[0] == "slow":
                await gate.wait()
            seen.append(wave.payload)

        for number in range(10):
            await medium.emit_wave("a.b", ("slow", number))
        for number in range(10):
            await medium.emit_wave("a.b", ("quick", number))
        await until(lambda: len(seen) == 10)
        assert seen == [("quick", number) for number in range(10)]
        gate.set()
        assert await medium.settle(5)
        assert seen[10:] == [("slow", number) for number in range(10)]


async def test_no_more_than_buffer_size_stand_behind_busy_keys() -> None:
    """Past that, the lane is full as any mailbox is: the emitter waits."""
    async with Aether() as medium:
        v, gate, seen = tuned(medium), anyio.Event(), []

        @v.on("a.*", concurrency=2, key=lambda wave: wave.payload[0], buffer_size=3)
        async def handle(wave: Wave[tuple[str, int]]) -> None:
            if wave.payload[0] == "slow":
                await gate.wait()
            seen.append(wave.payload)

        async with anyio.create_task_group() as group:
            sending = begin(
                group, lambda: medium.emit_many([("a.b", ("slow", n)) for n in range(100)])
            )
            await turns(200)
            assert not sending.done
            gate.set()
            await sending.result()
        assert await medium.settle(5)
        assert seen == [("slow", number) for number in range(100)]


async def test_a_key_that_was_busy_is_free_again() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []
        v.on("a.*", concurrency=2, key=lambda wave: wave.payload)(
            lambda wave: seen.append(wave.payload)
        )
        for _ in range(3):
            await medium.emit_wave("a.b", "k")
            assert await medium.settle(5)
        assert seen == ["k"] * 3


async def test_a_failing_handler_frees_its_key() -> None:
    async with Aether() as medium:
        v, seen = tuned(medium), []

        @v.on("a.*", concurrency=2, key=lambda wave: "same")
        async def handle(wave: Wave[int]) -> None:
            seen.append(wave.payload)
            raise LookupError

        for number in range(4):
            await medium.emit_wave("a.b", number)
        assert await medium.settle(5)
        assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "key", [lambda wave: wave.payload["none"], lambda wave: []], ids=["raises", "unhashable"]
)
async def test_a_key_that_fails_is_logged_and_stops_nobody(
    key: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with Aether() as medium:
        v, seen = tuned(medium, name="keyed-one"), []

        def choose(wave: Wave[Any]) -> Any:
            return key(wave) if wave.payload == {"bad": 1} else "good"

        v.on("a.*", concurrency=2, key=choose)(lambda wave: seen.append(wave.payload))
        await medium.emit_wave("a.b", {"bad": 1})
        await medium.emit_wave("a.b", "after")
        assert await medium.settle(5)
        assert "after" in seen
        await assert_works(medium)
    assert messages(caplog.records, "keyed-one")


@pytest.mark.parametrize("concurrency", [0, -1, 2**64, 10**400])
async def test_a_number_that_no_handlers_can_have_is_refused(concurrency: int) -> None:
    async with Aether() as medium:
        with pytest.raises(ValueError, match="concurrency"):
            tuned(medium).on("a.*", concurrency=concurrency)
