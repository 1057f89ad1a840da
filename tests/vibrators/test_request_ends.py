"""How a request ends without an answer: nobody there, no time, no room, no medium, bad arguments."""

import math
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_says,
    assert_waiting,
    assert_works,
    begin,
    payloads,
    tuned,
    turns,
    until,
)

from aether import Aether, ChannelError, Closed, NoReceiver, RequestFailed, Vibrator, Wave, requests


async def test_no_receiver_at_once() -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="other-one")
        with anyio.fail_after(5), pytest.raises(NoReceiver) as caught:
            await medium.request("queries.x", timeout=1000.0)
        assert_says(caught.value, "queries.x")
        await assert_works(medium)


async def test_times_out_and_names_who_did_not_answer() -> None:
    async with Aether() as medium:
        v = tuned(medium, "queries.*", name="silent-one")
        with pytest.raises(TimeoutError) as caught:
            await medium.request("queries.x", timeout=0.01)
        assert_says(caught.value, "queries.x", "silent-one")
        assert_waiting(v, 1)
        await assert_works(medium)


async def test_a_failure_while_the_receivers_are_noted_leaves_the_answer_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Handlers in other threads are that fast; what they find noted must not look like the end."""
    medium = Aether()
    v = tuned(medium, "queries.*")

    class Noting(requests._Slot):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "expected" and value is not None:
                medium.requests.failed(v.receive_nowait(), ValueError("early"))

    monkeypatch.setattr(requests, "_Slot", Noting)
    for _ in range(2):
        v.on("queries.x")(lambda _wave: "an answer")
    async with medium:
        assert (await medium.request("queries.x", timeout=None)).payload == "an answer"


async def test_a_reply_after_the_time_is_over_does_no_harm() -> None:
    async with Aether() as medium:
        v = tuned(medium, "queries.*")
        with pytest.raises(TimeoutError):
            await medium.request("queries.x", timeout=0.01)
        assert not await v.reply(v.receive_nowait(), "late")
        await assert_works(medium)


async def test_a_handler_that_returns_after_the_time_is_over_does_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Aether() as medium:
        v, gate = tuned(medium), anyio.Event()

        @v.on("queries.*")
        async def answer(_wave: object) -> str:
            await gate.wait()
            return "late"

        with pytest.raises(TimeoutError):
            await medium.request("queries.x", timeout=0.01)
        gate.set()
        await medium.settle()
        assert v.statistics().failed == 0
        await assert_works(medium)
    assert caplog.records == []


async def test_reply_to_what_was_no_request_is_a_value_error() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b")
        with pytest.raises(ValueError, match="request") as caught:
            await v.reply(v.receive_nowait(), 1)
        assert_says(caught.value, "a.b")
        with pytest.raises(ValueError, match="request"):
            await v.reply(Wave("a.b"), 1)
        await assert_works(medium)


@pytest.mark.parametrize("bad", [None, "a.b", 1, object()])
async def test_reply_to_what_is_no_wave_is_a_type_error(bad: Any) -> None:
    async with Aether() as medium:
        with pytest.raises(TypeError):
            await tuned(medium).reply(bad, 1)


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "queries.*")
        asking = begin(group, lambda: medium.request("queries.x", timeout=100.0))
        await until(lambda: v.statistics().current_buffer_used == 1)
        await asking.cancel()
        assert not await v.reply(v.receive_nowait(), 1)
        await assert_works(medium)


async def test_a_request_that_finds_no_room_times_out_and_has_asked_nobody() -> None:
    async with Aether() as medium:
        full = tuned(medium, "queries.*", name="full-one", buffer_size=1)
        free = tuned(medium, "queries.*", name="free-one")
        await medium.emit_wave("queries.x", "fills")
        with pytest.raises(TimeoutError, match="full-one"):
            await medium.request("queries.x", "asks", timeout=0.01)
        assert payloads(full) == payloads(free) == ["fills"]


async def test_a_request_whose_medium_closes_ends_closed() -> None:
    async with anyio.create_task_group() as group:
        async with Aether() as medium:
            v = tuned(medium, "queries.*")
            asking = begin(group, lambda: medium.request("queries.x", timeout=100.0))
            await until(lambda: v.statistics().current_buffer_used == 1)
        with pytest.raises(Closed):
            await asking.result()


DROPS = pytest.mark.parametrize("how", ["close", "aclose", "clear"])


async def drop(medium: Aether, v: Vibrator, how: str) -> str:
    """Let go of what waits at the vibrator; returns how that is counted."""
    if how == "clear":
        medium.clear()
        return "cleared"
    v.close() if how == "close" else await v.aclose()
    return "abandoned"


@DROPS
@pytest.mark.parametrize("reader", [True, False], ids=["reader", "handler"])
async def test_a_request_that_is_dropped_unread_fails_at_once(how: str, reader: bool) -> None:
    medium = Aether()
    v = tuned(medium)
    if reader:
        v.resonate_on("queries.*")
    else:
        v.on("queries.*")(lambda wave: wave.payload)  # which nobody runs
    async with anyio.create_task_group() as group:
        asking = begin(group, lambda: medium.request("queries.x", 1, timeout=None))
        await until(lambda: v.statistics().current_buffer_used == 1)
        await turns()
        reason = await drop(medium, v, how)
        with pytest.raises(RequestFailed) as caught:
            await asking.result()
        assert_says(caught.value, "queries.x", reason)
    await medium.aclose()


@DROPS
async def test_a_request_that_another_reader_holds_may_still_be_answered(how: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v, other = tuned(medium, "queries.*"), tuned(medium, "queries.*", name="other")
        asking = begin(group, lambda: medium.request("queries.x", timeout=None))
        wave = await other.receive()
        await drop(medium, v, how)
        await turns()
        assert not asking.done
        assert await other.reply(wave, "answered")
        assert (await asking.result()).payload == "answered"


@DROPS
async def test_a_request_whose_readers_are_all_gone_fails(how: str) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        readers = [tuned(medium, "queries.*", name=name) for name in ("one", "two")]
        asking = begin(group, lambda: medium.request("queries.x", timeout=None))
        await until(lambda: readers[1].statistics().current_buffer_used == 1)
        for reader in readers:
            await drop(medium, reader, how)
        with pytest.raises(RequestFailed):
            await asking.result()


async def test_a_request_that_a_member_of_a_group_leaves_is_for_the_others() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        one, two = (tuned(medium, "queries.*", name=name, group="g") for name in ("one", "two"))
        asking = begin(group, lambda: medium.request("queries.x", timeout=None))
        await until(lambda: two.statistics().current_buffer_used == 1)
        one.close()
        assert await two.reply(await two.receive(), "two")
        assert (await asking.result()).payload == "two"


async def test_an_answer_that_is_on_its_way_is_not_cleared() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "queries.*")
        asking = begin(group, lambda: medium.request("queries.x", timeout=None))
        await v.reply(await v.receive(), "answered")
        assert medium.clear() == 0
        assert (await asking.result()).payload == "answered"


BAD: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception]]] = [
    (("a..b",), {}, ChannelError),
    (("queries.*",), {}, ChannelError),
    ((None,), {}, TypeError),
    (("queries.x",), {"timeout": -1.0}, ValueError),
    (("queries.x",), {"timeout": math.nan}, ValueError),
    (("queries.x",), {"timeout": "1"}, TypeError),
]


@pytest.mark.parametrize("hand", ["medium", "vibrator"])
@pytest.mark.parametrize(("arguments", "options", "kind"), BAD, ids=repr)
async def test_bad_arguments_are_refused(
    hand: str, arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception]
) -> None:
    async with Aether() as medium:
        v = tuned(medium, "queries.*")
        with pytest.raises(kind):
            await (medium if hand == "medium" else v).request(*arguments, **options)
        assert payloads(v) == []
        await assert_works(medium)


async def test_no_receiver_tells_of_vibrators_alone() -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="the-reader")
        with pytest.raises(NoReceiver) as caught:
            await medium.request("queries.x")
        assert str(medium.explain("queries.x")) in str(caught.value)


async def test_a_second_reply_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "queries.*")
        asking = begin(group, lambda: medium.request("queries.x", timeout=5.0))
        wave = await v.receive()
        assert await v.reply(wave, 1) is True
        assert await v.reply(wave, 2) is False
        assert (await asking.result()).payload == 1
    assert [record.getMessage() for record in caplog.records] == []
