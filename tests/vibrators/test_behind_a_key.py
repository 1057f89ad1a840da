"""What stands behind the busy key of a handler waits still: it is counted so, and can be cleared."""

from typing import Any

import anyio
import pytest
from tests.probes import assert_dropped, assert_waiting, begin, tuned, turns, until

from aether import Aether, RequestFailed, Wave


class Queue:
    """A handler with one key for all, which waits for its gate."""

    def __init__(self, medium: Aether, **options: Any) -> None:
        self.medium = medium
        self.vibrator = tuned(medium, name="keyed")
        self.gate = anyio.Event()
        self.seen: list[Any] = []

        @self.vibrator.on("a.*", concurrency=2, key=lambda wave: "same", **options)
        async def handle(wave: Wave[Any]) -> Any:
            self.seen.append(wave.payload)
            await self.gate.wait()
            return wave.payload

    async def emit(self, *numbers: int) -> None:
        for number in numbers:
            await self.medium.emit_wave("a.b", number)
        await turns()


async def test_counts_as_waiting_and_not_yet_as_received() -> None:
    async with Aether() as medium:
        queue = Queue(medium)
        await queue.emit(*range(4))
        for waiting, received in ((3, 1), (0, 4)):
            own, whole = queue.vibrator.statistics(), medium.statistics()
            assert (own.current_buffer_used, own.received) == (waiting, received)
            assert (whole.waiting, whole.received) == (waiting, received)
            queue.gate.set()
            assert await medium.settle(5)
        assert queue.seen == [0, 1, 2, 3]


async def test_clear_drops_it_and_counts_it() -> None:
    async with Aether() as medium:
        queue = Queue(medium)
        await queue.emit(*range(4))
        assert medium.clear() == 3
        assert_dropped(queue.vibrator, cleared=3)
        assert_waiting(queue.vibrator, 0)
        assert_dropped(medium, cleared=3)
        queue.gate.set()
        assert await medium.settle(5)
        await queue.emit(4)
        assert queue.seen == [0, 4]


async def test_clear_in_another_thread_drops_it_too() -> None:
    async with Aether() as medium:
        queue = Queue(medium)
        await queue.emit(*range(4))
        assert await anyio.to_thread.run_sync(medium.clear) == 3
        assert_dropped(queue.vibrator, cleared=3)
        queue.gate.set()
        assert await medium.settle(5)
        assert queue.seen == [0]


async def test_clear_makes_room_behind_the_key() -> None:
    async with Aether() as medium:
        queue = Queue(medium, buffer_size=2)
        await queue.emit(*range(4))
        assert_waiting(queue.vibrator, 3)
        assert medium.clear() == 3
        await queue.emit(4, 5, 6)
        assert_waiting(queue.vibrator, 3)
        queue.gate.set()
        assert await medium.settle(5)
        assert queue.seen == [0, 4, 5, 6]


@pytest.mark.parametrize("reason", ["cleared", "abandoned"])
async def test_a_request_that_is_dropped_there_fails_at_once(reason: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        queue = Queue(medium)
        await queue.emit(0)
        asking = begin(group, lambda: medium.request("a.b", 1, timeout=None))
        await until(lambda: queue.vibrator.statistics().current_buffer_used == 1)
        await turns()
        if reason == "cleared":
            medium.clear()
        else:
            queue.vibrator.close()
        with pytest.raises(RequestFailed, match=reason):
            await asking.result()
        queue.gate.set()
