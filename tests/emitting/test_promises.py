"""Room that was promised to a waiting emission comes back, whatever becomes of it."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings

import anyio
import pytest
from tests.probes import begin, tuned, turns, until_sending

from aether import Aether, AetherConfig, Closed

pytestmark = pytest.mark.anyio


async def test_a_vibrator_closed_while_its_emission_resumes_gives_the_room_back() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, emitter = tuned(medium, "a", buffer_size=1), medium.vibrator("emitter")
        medium.emit_nowait("a", 0)
        waiting = begin(group, lambda: emitter.emit_wave("a", 1))
        await until_sending(v, 1)
        assert v.receive_nowait().payload == 0
        emitter.close()
        with pytest.raises(Closed):
            await waiting.result()
        assert v.statistics().tasks_waiting_send == 0
        assert medium.emit_nowait("a", 2).delivered == 1


def test_an_emission_of_a_loop_that_was_closed_gives_the_room_back() -> None:
    medium = Aether()
    v = tuned(medium, "a", buffer_size=1)
    medium.emit_nowait("a", 0)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(medium.emit_wave("a", 1))  # type: ignore[arg-type]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert v.statistics().tasks_waiting_send == 1

    async def elsewhere() -> None:
        assert v.receive_nowait().payload == 0
        assert medium.emit_nowait("a", 2).delivered == 1

    asyncio.run(elsewhere())
    assert v.statistics().tasks_waiting_send == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del waiting
        gc.collect()
    v.close()


def test_a_reader_of_a_loop_that_was_closed_passes_its_wake_up_on() -> None:
    medium = Aether()
    v = tuned(medium, "a")
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(v.receive())
    loop.run_until_complete(asyncio.sleep(0))
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(v.receive_sync(timeout=30)))
    thread.start()
    while v.statistics().tasks_waiting_receive < 2:
        pass
    loop.close()

    async def elsewhere() -> None:
        await medium.emit_wave("a", 1)

    asyncio.run(elsewhere())
    thread.join(10)
    assert len(got) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del waiting
        gc.collect()
    v.close()


def test_a_mailbox_that_is_dropped_while_an_error_is_raised_wakes_its_emitters() -> None:
    medium = Aether()

    async def main() -> None:
        hold = [medium.open_mailbox("raw", order_by="fifo", overflow_by="block", buffer_size=1)]
        hold[0].resonate("a")
        medium.emit_nowait("a", 0)
        waiting = asyncio.ensure_future(medium.emit_wave("a", 1))
        await asyncio.sleep(0)
        with pytest.raises(ZeroDivisionError):
            [hold.pop(), 1 / 0]
        assert (await waiting).matched == 0

    asyncio.run(main())


async def test_a_chain_may_be_as_long_as_its_rules_let_it() -> None:
    config = AetherConfig(max_propagation=2**31 - 1, attenuation_factor=1.0)
    async with Aether(config) as medium:
        v = tuned(medium, "loop")
        await medium.emit_wave("loop")
        for _ in range(50_000):
            wave = await v.receive()
            assert wave is not None
            await medium.emit(wave)
        assert v.receive_nowait().propagation_count == 50_001
        await turns()
        v.close()
