"""`group=`: members share one mailbox and its patterns."""

import gc
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_receipt,
    assert_works,
    begin,
    messages,
    payloads,
    tuned,
    turns,
    until_receiving,
)

from aether import Aether, AetherConfig, Wave


def members(medium: Aether, count: int = 2, **options: Any) -> list[Any]:
    return [tuned(medium, name=f"m{number}", group="workers", **options) for number in range(count)]


async def test_each_wave_goes_to_one_of_the_members() -> None:
    async with Aether() as medium:
        one, two = members(medium)
        one.resonate_on("a.*")
        for number in range(4):
            assert_receipt(await medium.emit_wave("a.b", number), 1, 1)
        assert one.receive_nowait().payload == 0
        assert two.receive_nowait().payload == 1
        assert two.receive_nowait().payload == 2
        assert one.receive_nowait().payload == 3
        assert payloads(one) == payloads(two) == []


async def test_all_members_read_all_there_is() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        workers, got = members(medium, 3), []
        workers[0].resonate_on("a.*")

        async def read(worker: Any) -> list[int]:
            return [wave.payload async for wave in worker]

        reading = [begin(group, lambda worker=worker: read(worker)) for worker in workers]
        for worker in workers:
            await until_receiving(worker, 3)
        for number in range(30):
            await medium.emit_wave("a.b", number)
        assert await medium.settle(5)
        for worker in workers:
            worker.close()
        for later in reading:
            got += await later.result()
        assert sorted(got) == list(range(30))


async def test_a_pattern_of_one_member_is_that_of_all() -> None:
    async with Aether() as medium:
        one, two = members(medium)
        one.resonate_on("a.*")
        two.resonate_on("b.*")
        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("b.b", 2)
        assert payloads(one) == [1, 2]


async def test_what_one_member_detunes_is_detuned_for_all() -> None:
    async with Aether() as medium:
        one, two = members(medium)
        one.resonate_on("a.*", "b.*")
        two.detune("a.>")
        assert_receipt(await medium.emit_wave("a.b"), 0, 0)
        assert_receipt(await medium.emit_wave("b.b", 1), 1, 1)
        assert payloads(one) == [1]


async def test_a_request_is_answered_by_one_member() -> None:
    async with Aether() as medium:
        seen: list[str] = []
        for worker in members(medium, 3):
            worker.on("queries.*")(lambda wave, name=worker.name: seen.append(name) or name)
        answer = await medium.request("queries.x", timeout=5.0)
        assert seen == [answer.payload]


async def test_the_same_pattern_of_two_members_delivers_once() -> None:
    async with Aether() as medium:
        one, two = members(medium)
        one.resonate_on("a.*")
        two.resonate_on("a.*")
        assert_receipt(await medium.emit_wave("a.b", 1), 1, 1)
        assert payloads(one) + payloads(two) == [1]


async def test_what_a_leaving_member_did_not_take_stays_for_the_others() -> None:
    async with Aether() as medium:
        one, two = members(medium)
        one.resonate_on("a.*")
        for number in range(3):
            await medium.emit_wave("a.b", number)
        assert one.receive_nowait().payload == 0
        await one.aclose()
        await medium.emit_wave("a.b", 3)
        assert payloads(two) == [1, 2, 3]


async def test_a_leaving_member_reads_the_end_and_the_others_read_on() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        one, two = members(medium)
        one.resonate_on("a.*")
        first, second = begin(group, one.receive), begin(group, two.receive)
        await until_receiving(two, 2)
        one.close()
        assert await first.result() is None
        await medium.emit_wave("a.b", 1)
        assert (await second.result()).payload == 1


async def test_a_group_goes_with_its_last_member() -> None:
    async with Aether() as medium:
        one, two = members(medium)
        one.resonate_on("a.*")
        one.close()
        two.close()
        assert_receipt(await medium.emit_wave("a.b"), 0, 0)
        assert list(medium.active_channels()) == []


async def test_a_second_group_gets_its_own_copy() -> None:
    async with Aether() as medium:
        one, two = members(medium)
        other = tuned(medium, "a.*", name="x", group="auditors")
        single = tuned(medium, "a.*", name="y")
        one.resonate_on("a.*")
        assert_receipt(await medium.emit_wave("a.b", 1), 3, 3)
        assert payloads(two) == payloads(other) == payloads(single) == [1]


async def test_a_group_belongs_to_its_medium() -> None:
    async with Aether() as here, Aether() as there:
        one, two = tuned(here, "a.*", group="g"), tuned(there, "a.*", group="g", buffer_size=3)
        await here.emit_wave("a.b", 1)
        assert payloads(two) == []
        assert payloads(one) == [1]


async def test_the_options_of_the_first_member_hold() -> None:
    async with Aether() as medium:
        first = tuned(medium, "a.*", group="g", order="fifo", buffer_size=3, overflow="drop_oldest")
        second = tuned(medium, group="g", order="fifo", buffer_size=3, overflow="drop_oldest")
        for number in range(5):
            await medium.emit_wave("a.b", number, amplitude=0.1 + number / 10)
        assert second.statistics().max_buffer_size == 3
        assert payloads(second) == [2, 3, 4]
        assert payloads(first) == []


@pytest.mark.parametrize(
    "other",
    [
        {"order": "amplitude"},
        {"overflow": "block"},
        {"buffer_size": 4},
        {"noise_floor": 0.5},
        {"ignore_own": True},
    ],
    ids=repr,
)
async def test_other_options_that_differ_are_a_value_error(other: dict[str, Any]) -> None:
    first = {
        "order": "fifo",
        "overflow": "drop_oldest",
        "buffer_size": 3,
        "noise_floor": 0.1,
        "ignore_own": False,
    }
    async with Aether() as medium:
        tuned(medium, group="the-group", **first)
        with pytest.raises(ValueError, match=next(iter(other))) as caught:
            medium.vibrator("second", group="the-group", **(first | other))
        assert "the-group" in str(caught.value)
        await assert_works(medium)


async def test_after_the_last_member_new_options_hold() -> None:
    async with Aether() as medium:
        tuned(medium, group="g", buffer_size=3).close()
        assert tuned(medium, group="g", buffer_size=4).statistics().max_buffer_size == 4


async def test_what_a_member_emits_is_own_to_the_group() -> None:
    async with Aether() as medium:
        one, two = members(medium, ignore_own=True)
        one.resonate_on("a.*")
        await two.emit_wave("a.b", 1)
        await one.emit_wave("a.b", 2)
        await medium.emit_wave("a.b", 3)
        assert payloads(one) == [3]


async def test_a_cancelled_member_passes_its_wake_up_to_another() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        one, two = members(medium)
        one.resonate_on("a.*")
        first = begin(group, one.receive)
        await until_receiving(one, 1)
        second = begin(group, two.receive)
        await until_receiving(two, 2)
        medium.emit_nowait("a.b", 1)
        await first.cancel()
        wave = first.value or await second.result()
        assert wave.payload == 1
        one.close()
        two.close()


async def test_handlers_of_group_members_share_the_work() -> None:
    async with Aether() as medium:
        seen: list[int] = []
        for worker in members(medium, 3):

            @worker.on("jobs.*")  # type: ignore[untyped-decorator]
            async def handle(wave: Wave[int]) -> None:
                seen.append(wave.payload)

        for number in range(30):
            await medium.emit_wave("jobs.new", number)
        assert await medium.settle(5)
        assert sorted(seen) == list(range(30))


@pytest.mark.parametrize("hand", ["receive", "handler"])
async def test_messages_name_the_group_and_no_member(
    hand: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Aether(AetherConfig(stall_warning=0.01, drain_timeout=0.0)) as medium:
        left, stayed = (
            tuned(medium, name=name, group="workers", buffer_size=1) for name in ("left", "stayed")
        )
        if hand == "receive":
            stayed.resonate_on("a.*")
        else:
            for member in (left, stayed):
                member.on("a.*")(lambda _: anyio.sleep_forever())
        left.close()
        while medium.explain("a.b").reached:
            medium.emit_nowait("a.b")
            await turns()
        with pytest.raises(TimeoutError) as caught:
            await medium.emit_wave("a.b", timeout=0.1)
        explained = str(medium.explain("a.b"))
        stayed.close()
    (stalled,) = messages(caplog.records, "has waited")
    for text in (str(caught.value), explained, stalled):
        assert "workers (group)" in text
        assert "left" not in text
        assert "stayed" not in text


async def test_a_member_whose_handle_goes_before_the_last_gives_no_warning() -> None:
    async with Aether() as medium:
        stayed = tuned(medium, "a.*", name="stayed", group="g")
        medium.vibrator("forgotten", group="g")
        gc.collect()
        assert_receipt(await medium.emit_wave("a.b", 1), 1, 1)
        assert payloads(stayed) == [1]


async def test_a_last_member_whose_handle_goes_unclosed_is_detuned_with_a_warning() -> None:
    async with Aether() as medium:
        v = medium.vibrator("forgotten", group="g")
        v.resonate_on("a.*")
        with pytest.warns(ResourceWarning, match="forgotten"):  # noqa: PT031 - it warns when it goes
            del v
            gc.collect()
        assert list(medium.active_channels()) == []


async def test_a_handler_that_was_refused_counts_for_nothing() -> None:
    async with Aether() as medium:
        first = medium.vibrator("first", group="workers")
        first.on("jobs.*", buffer_size=5)(lambda _wave: None)
        second = medium.vibrator("second", group="workers")
        with pytest.raises(ValueError, match="buffer_size"):
            second.on("jobs.*", buffer_size=6)
        second.on("jobs.*", buffer_size=5)(lambda _wave: None)
        receipt = await medium.emit_wave("jobs.new")
        assert receipt.matched == 1
