"""`emit_nowait`, which never waits, and `emit_sync`, which waits in a thread without a loop."""

import threading

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_receipt,
    assert_says,
    assert_waiting,
    begin,
    payloads,
    tuned,
    until,
    until_receiving,
    until_sending,
)

from aether import Aether, WouldBlock


async def test_nowait_into_a_full_blocking_mailbox_would_block() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", name="slow-reader", buffer_size=1)
        medium.emit_nowait("a.b", 1)
        with pytest.raises(WouldBlock) as caught:
            medium.emit_nowait("a.b", 2)
        assert_says(caught.value, "slow-reader")
        assert payloads(v) == [1]


async def test_nowait_that_would_block_delivers_nothing_anywhere() -> None:
    async with Aether() as medium:
        full, free = (
            tuned(medium, "a.*", name="full", buffer_size=1),
            tuned(medium, "a.*", name="free"),
        )
        medium.emit_nowait("a.b", 1)
        with pytest.raises(WouldBlock):
            medium.emit_nowait("a.b", 2)
        assert payloads(full) == [1]
        assert payloads(free) == [1]
        assert_dropped(full)
        assert_dropped(free)


async def test_nowait_never_overtakes_an_emission_that_waits_for_the_same_mailbox() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=1)
        medium.emit_nowait("a.b", 1)
        async with anyio.create_task_group() as group:
            begin(group, lambda: medium.emit_wave("a.b", 2))
            await until_sending(v)
            with pytest.raises(WouldBlock):
                medium.emit_nowait("a.b", 3)
            assert [(await v.receive()).payload for _ in range(2)] == [1, 2]


async def test_nowait_wakes_a_receiver_from_another_thread() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        async with anyio.create_task_group() as group:
            waiting = begin(group, v.receive)
            await until_receiving(v)
            await anyio.to_thread.run_sync(medium.emit_nowait, "a.b", 7)
            assert (await waiting.result()).payload == 7


def test_nowait_needs_no_loop() -> None:
    medium = Aether()
    v = tuned(medium, "a.*")
    assert_receipt(medium.emit_nowait("a.b", 1), 1, 1)
    assert v.receive_nowait().payload == 1
    v.close()


def test_sync_needs_no_loop() -> None:
    medium = Aether()
    v = tuned(medium, "a.*")
    assert_receipt(medium.emit_sync("a.b", 1), 1, 1)
    assert v.receive_sync(timeout=1.0).payload == 1
    v.close()


async def test_sync_is_a_runtime_error_where_a_loop_runs() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        with pytest.raises(RuntimeError) as caught:
            medium.emit_sync("a.b", 1)
        assert_says(caught.value, "emit")
        assert payloads(v) == []


async def test_sync_waits_for_room() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=1)
        medium.emit_nowait("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(
                group, lambda: anyio.to_thread.run_sync(lambda: medium.emit_sync("a.b", 2))
            )
            await until_sending(v)
            assert not sending.done
            assert [(await v.receive()).payload for _ in range(2)] == [1, 2]
            assert_receipt(await sending.result(), 1, 1)


def test_sync_waits_for_a_reader_in_another_thread() -> None:
    medium = Aether()
    v = tuned(medium, "a.*", buffer_size=1)
    got: list[int] = []
    reader = threading.Thread(
        target=lambda: got.extend(v.receive_sync(timeout=10.0).payload for _ in range(100))
    )
    reader.start()
    for number in range(100):
        medium.emit_sync("a.b", number, timeout=10.0)
    reader.join()
    assert got == list(range(100))
    v.close()


def test_sync_times_out_and_names_who_is_full() -> None:
    medium = Aether()
    v = tuned(medium, "a.*", name="slow-reader", buffer_size=1)
    medium.emit_sync("a.b", 1)
    with pytest.raises(TimeoutError) as caught:
        medium.emit_sync("a.b", 2, timeout=0.01)
    assert_says(caught.value, "slow-reader")
    assert v.statistics().tasks_waiting_send == 0
    assert payloads(v) == [1]
    v.close()


def test_sync_with_timeout_zero_does_not_wait() -> None:
    medium = Aether()
    v = tuned(medium, "a.*", buffer_size=1)
    assert medium.emit_sync("a.b", 1, timeout=0)
    with pytest.raises(TimeoutError):
        medium.emit_sync("a.b", 2, timeout=0)
    assert_waiting(v, 1)
    v.close()


async def test_a_blocked_thread_goes_on_when_the_full_mailbox_closes() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=1)
        medium.emit_nowait("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(
                group, lambda: anyio.to_thread.run_sync(lambda: medium.emit_sync("a.b", 2))
            )
            await until_sending(v)
            v.close()
            assert_receipt(await sending.result(), 0, 0)
            await until(lambda: sending.done)
