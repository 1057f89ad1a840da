"""How a vibrator ends: `aclose`, `close`, `drain`."""

import math
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_receipt,
    assert_waiting,
    assert_works,
    begin,
    payloads,
    tuned,
    turns,
    until,
    until_receiving,
    until_sending,
)

from aether import Aether, Closed


async def end(v: Any, how: str) -> None:
    result = getattr(v, how)()
    if how == "aclose":
        await result


@pytest.mark.parametrize("how", ["close", "aclose"])
async def test_detunes(how: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", "b.*")
        v.on("c.*")(lambda wave: None)
        await end(v, how)
        assert list(medium.active_channels()) == []
        assert_receipt(await medium.emit_wave("a.b"), 0, 0)


@pytest.mark.parametrize("how", ["close", "aclose"])
async def test_counts_what_is_left_as_abandoned(how: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for number in range(3):
            await medium.emit_wave("a.b", number)
        await v.receive()
        await end(v, how)
        assert_dropped(v, abandoned=2)
        assert_waiting(v, 0)
        assert await v.receive() is None


@pytest.mark.parametrize("how", ["close", "aclose"])
async def test_may_be_called_again(how: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for _ in range(3):
            await end(v, how)
        await assert_works(medium)


@pytest.mark.parametrize("how", ["close", "aclose"])
async def test_leaves_the_others_alone(how: str) -> None:
    async with Aether() as medium:
        v, other = tuned(medium, "a.*"), tuned(medium, "a.*", name="other")
        await end(v, how)
        await medium.emit_wave("a.b", 1)
        assert payloads(other) == [1]


async def test_a_closed_vibrator_has_nothing_left_to_do() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        v.close()
        assert await v.receive() is None
        assert await v.receive_many(5) == []
        assert [wave async for wave in v] == []
        assert await v.drain(1.0) is True
        assert v.missed == 0
        await assert_works(medium)


async def test_a_closed_vibrator_emits_nothing() -> None:
    async with Aether() as medium:
        v, other = tuned(medium), tuned(medium, "a.*", name="other")
        v.close()
        with pytest.raises(Closed):
            await v.emit_wave("a.b")
        with pytest.raises(Closed):
            v.emit_nowait("a.b")
        with pytest.raises(Closed):
            await v.request("a.b")
        assert payloads(other) == []


async def test_aclose_lets_a_blocked_emission_go() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b")
        sending = begin(group, lambda: medium.emit_wave("a.b"))
        await until_sending(v)
        await v.aclose()
        assert_receipt(await sending.result(), 0, 0)


async def test_abandoned_payloads_are_let_go() -> None:
    import gc
    import weakref

    class Payload:
        pass

    async with Aether() as medium:
        v, payload = tuned(medium, "a.*"), Payload()
        alive = weakref.ref(payload)
        await medium.emit_wave("a.b", payload)
        del payload
        await v.aclose()
        gc.collect()
        assert alive() is None


async def test_drain_detunes_and_lets_readers_take_the_rest() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        for number in range(5):
            await medium.emit_wave("a.b", number)
        draining = begin(group, lambda: v.drain(5.0))
        await until(lambda: not medium.active_channels())
        assert not medium.emit_nowait("a.b", "late")
        got = [wave.payload async for wave in v]
        assert got == list(range(5))
        assert await draining.result() is True
        assert_dropped(v)


async def test_drain_of_an_empty_mailbox_is_true_at_once() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        assert await v.drain(0) is True
        assert list(medium.active_channels()) == []


async def test_drain_ends_the_readers_that_wait() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        reading = begin(group, v.receive)
        await until_receiving(v)
        assert await v.drain(5.0) is True
        assert await reading.result() is None


async def test_drain_is_false_if_nobody_reads_in_time() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        assert await v.drain(0.01) is False


async def test_drain_waits_for_handlers() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, seen, gate = tuned(medium), [], anyio.Event()

        @v.on("a.*")
        async def handle(wave: Any) -> None:
            await gate.wait()
            seen.append(wave.payload)

        for number in range(3):
            await medium.emit_wave("a.b", number)
        draining = begin(group, lambda: v.drain(5.0))
        await turns()
        assert not draining.done
        gate.set()
        assert await draining.result() is True
        assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    ("timeout", "kind"), [(-1.0, ValueError), (math.nan, ValueError), ("1", TypeError)]
)
async def test_drain_with_a_bad_timeout_is_an_error(timeout: Any, kind: type[Exception]) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        with pytest.raises(kind, match="timeout"):
            await v.drain(timeout)
        assert list(medium.active_channels()) == ["a.*"]
        await assert_works(medium)
