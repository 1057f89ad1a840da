"""An emission that waits and does not come through: cancelled, timed out, stalled, in a ring."""

import anyio
import pytest
from tests.probes import (
    assert_dropped,
    assert_says,
    assert_works,
    begin,
    messages,
    payloads,
    tuned,
    turns,
    until,
    until_sending,
)

from aether import Aether, AetherConfig, Deadlock, WouldBlock


async def test_a_cancelled_emission_has_emitted_nothing() -> None:
    async with Aether() as medium:
        full, free = (
            tuned(medium, "a.*", name="full", buffer_size=1),
            tuned(medium, "a.*", name="free", buffer_size=2),
        )
        await medium.emit_wave("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("a.b", 2))
            await until_sending(full)
            await sending.cancel()
        assert full.statistics().tasks_waiting_send == 0
        assert payloads(full) == [1]
        assert payloads(free) == [1]
        assert_dropped(full)
        await assert_works(medium)


async def test_a_cancelled_emission_lets_the_next_one_pass() -> None:
    async with Aether() as medium:
        one = tuned(medium, "both", "one", name="one", buffer_size=1)
        two = tuned(medium, "both", "two", name="two", buffer_size=1)
        await medium.emit_wave("one", 0)
        await medium.emit_wave("two", 0)
        async with anyio.create_task_group() as group:
            first = begin(group, lambda: medium.emit_wave("both", 1))
            await until_sending(one)
            second = begin(group, lambda: medium.emit_wave("one", 2))
            await until_sending(one, 2)
            await first.cancel()
            await turns()
            assert not second.done
            assert one.receive_nowait().payload == 0
            await second.result()
        assert payloads(one) == [2]
        assert payloads(two) == [0]


async def test_a_timed_out_emission_names_the_full_vibrators_and_has_emitted_nothing() -> None:
    async with Aether() as medium:
        full, free = (
            tuned(medium, "a.*", name="slow-one", buffer_size=1),
            tuned(medium, "a.*", name="free-one"),
        )
        await medium.emit_wave("a.b", 1)
        with pytest.raises(TimeoutError) as caught:
            await medium.emit_wave("a.b", 2, timeout=0.01)
        assert_says(caught.value, "slow-one")
        assert "free-one" not in str(caught.value)
        assert payloads(full) == [1]
        assert payloads(free) == [1]
        assert full.statistics().tasks_waiting_send == 0


async def test_an_emission_that_need_not_wait_does_not_time_out() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        assert await medium.emit_wave("a.b", timeout=0)


async def test_emit_takes_a_timeout() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        from aether import Wave

        with pytest.raises(TimeoutError):
            await medium.emit(Wave("a.b", 2), timeout=0.01)
        assert payloads(v) == [1]


async def test_a_long_wait_is_logged_once_and_names_who_does_not_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Aether(AetherConfig(stall_warning=0.01)) as medium:
        v = tuned(medium, "a.*", name="sleepy-reader", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: medium.emit_wave("a.b", 2))
            await until(lambda: bool(messages(caplog.records, "sleepy-reader")))
            with anyio.move_on_after(0.1):
                await sending.finished.wait()
            assert len(messages(caplog.records, "sleepy-reader")) == 1
            assert payloads(v) == [1]
            await sending.result()


async def test_a_task_that_waits_for_itself_is_a_deadlock() -> None:
    async with Aether() as medium:
        v = tuned(medium, "loop.*", name="ouroboros", buffer_size=1)
        await medium.emit_wave("loop.a")
        await v.receive()
        await v.emit_wave("loop.a")
        with anyio.fail_after(10), pytest.raises(Deadlock) as caught:
            await v.emit_wave("loop.a")
        assert_says(caught.value, "ouroboros")
        assert len(payloads(v)) == 1
        await assert_works(medium)


async def test_a_ring_of_two_is_a_deadlock_written_out() -> None:
    async with Aether() as medium:
        ping, pong = (
            tuned(medium, f"{name}.*", name=f"v-{name}", buffer_size=1) for name in ("ping", "pong")
        )
        errors: list[Deadlock] = []

        async def play(mine: object, other: str) -> None:
            await mine.receive()  # type: ignore[attr-defined]
            try:
                for _ in range(3):
                    await mine.emit_wave(f"{other}.x")  # type: ignore[attr-defined]
            except Deadlock as error:
                errors.append(error)
                while mine.statistics().current_buffer_used:  # type: ignore[attr-defined]
                    await mine.receive()  # type: ignore[attr-defined]
                    await turns(5)

        await medium.emit_wave("ping.x")
        await medium.emit_wave("pong.x")
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(play, ping, "pong")
                group.start_soon(play, pong, "ping")
        assert errors
        assert_says(errors[0], "v-ping", "v-pong")


async def test_a_mailbox_that_nobody_has_read_is_no_deadlock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Aether(AetherConfig(stall_warning=0.01)) as medium:
        v = tuned(medium, "a.*", name="unread", buffer_size=1)
        await v.emit_wave("a.b", 1)
        async with anyio.create_task_group() as group:
            sending = begin(group, lambda: v.emit_wave("a.b", 2))
            await until(lambda: bool(messages(caplog.records, "unread")))
            assert not sending.done
            assert payloads(v) == [1]
            await sending.result()


async def test_a_second_reader_is_no_deadlock() -> None:
    """The mailbox has another live reader that is not in the ring: it may still read."""
    async with Aether() as medium:
        v = tuned(medium, "loop.*", buffer_size=1)
        async with anyio.create_task_group() as group:
            go = anyio.Event()

            async def bystander() -> None:
                await v.receive()
                await go.wait()
                await v.receive()

            done = begin(group, bystander)
            await v.emit_wave("loop.a")
            await until(lambda: v.statistics().received == 1)
            await v.emit_wave("loop.a")
            await v.receive()
            await v.emit_wave("loop.a")
            sending = begin(group, lambda: v.emit_wave("loop.a"))
            await until_sending(v)
            await turns()
            assert not sending.done
            go.set()
            await done.result()
            await sending.result()


@pytest.mark.parametrize("door", ["emit_sync", "emit_many"])
async def test_a_long_wait_of_any_kind_is_logged(
    caplog: pytest.LogCaptureFixture, door: str
) -> None:
    async with Aether(AetherConfig(stall_warning=0.01)) as medium:
        v = tuned(medium, "a.*", name="sleepy-reader", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        calls = {
            "emit_sync": lambda: anyio.to_thread.run_sync(medium.emit_sync, "a.b", 2),
            "emit_many": lambda: medium.emit_many([("a.b", 2)]),
        }
        async with anyio.create_task_group() as group:
            sending = begin(group, calls[door])
            await until(lambda: bool(messages(caplog.records, "a.b", "sleepy-reader")))
            # One only: a thread may fill the room at once.
            assert v.receive_nowait().payload == 1
            await sending.result()
        assert payloads(v) == [2]


async def test_a_full_mailbox_of_the_policy_error_comes_before_one_that_blocks() -> None:
    async with Aether() as medium:
        slow = tuned(medium, "a.*", name="slow-one", buffer_size=1)
        strict = tuned(medium, "a.*", name="strict-one", overflow="error", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        with anyio.fail_after(5), pytest.raises(WouldBlock) as caught:
            await medium.emit_wave("a.b", 2)
        assert_says(caught.value, "strict-one")
        assert payloads(slow) == payloads(strict) == [1]
