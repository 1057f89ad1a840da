"""What a medium says about its channels, and how they are taken away: `active_channels`, `remove_channel`, `clear`."""

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
    until_receiving,
    until_sending,
)

from aether import Aether, Channel, ChannelError


async def test_active_channels_are_the_patterns_resonated_on() -> None:
    async with Aether() as medium:
        assert list(medium.active_channels()) == []
        v = tuned(medium, "orders.*", "a.b")
        v.on("handled.+")(lambda wave: None)
        tuned(medium, "orders.*", "z", name="other")
        active = medium.active_channels()
        assert list(active) == ["a.b", "handled.+", "orders.*", "z"]
        assert all(isinstance(channel, Channel) for channel in active)


async def test_active_channels_are_spelled_as_first_resonated() -> None:
    async with Aether() as medium:
        tuned(medium, "a.>")
        tuned(medium, "a.*", name="other")
        assert list(medium.active_channels()) == ["a.>"]


async def test_active_channels_go_with_the_last_vibrator() -> None:
    async with Aether() as medium:
        one, two = tuned(medium, "a.*"), tuned(medium, "a.*", name="two")
        one.close()
        assert list(medium.active_channels()) == ["a.*"]
        two.detune("a.*")
        assert list(medium.active_channels()) == []


async def test_emitting_alone_makes_no_channel_active() -> None:
    async with Aether() as medium:
        await medium.emit_wave("a.b")
        assert list(medium.active_channels()) == []


ACTIVE = [
    "*",
    "+.created",
    "orders",
    "orders.*",
    "orders.+",
    "orders.+.done",
    "orders.created",
    "payments.*",
]


@pytest.mark.parametrize(
    ("removed", "left"),
    [
        ("orders.*", ["*", "+.created", "orders", "payments.*"]),
        ("orders.>", ["*", "+.created", "orders", "payments.*"]),
        ("orders.+", ["*", "+.created", "orders", "orders.*", "orders.+.done", "payments.*"]),
        (
            "orders.created",
            ["*", "+.created", "orders", "orders.*", "orders.+", "orders.+.done", "payments.*"],
        ),
        ("nothing.here", ACTIVE),
        ("*", []),
        (">", []),
        ("+", [name for name in ACTIVE if name != "orders"]),
    ],
)
async def test_remove_channel_detunes_every_pattern_it_covers(
    removed: str, left: list[str]
) -> None:
    async with Aether() as medium:
        tuned(medium, *ACTIVE)
        medium.remove_channel(removed)
        assert [str(channel) for channel in medium.active_channels()] == left


async def test_remove_channel_takes_from_every_vibrator_and_handler() -> None:
    async with Aether() as medium:
        one, two = tuned(medium, "a.*", "b.*"), tuned(medium, "a.b", name="two")
        two.on("a.+")(lambda wave: None)
        medium.remove_channel("a.*")
        assert_receipt(await medium.emit_wave("a.b"), 0, 0)
        await medium.emit_wave("b.b", 1)
        assert payloads(one) == [1]
        assert payloads(two) == []


async def test_remove_channel_says_how_many() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", "a.b", "b.*")
        assert medium.remove_channel("a.*") == 2
        assert medium.remove_channel("a.*") == 0


async def test_remove_channel_leaves_what_waits() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        medium.remove_channel("a.*")
        assert payloads(v) == [1]


async def test_a_removed_channel_can_be_resonated_again() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        medium.remove_channel("a.*")
        v.resonate_on("a.*")
        await medium.emit_wave("a.b", 1)
        assert payloads(v) == [1]


async def test_remove_channel_lets_a_blocked_emission_go() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        sending = begin(group, lambda: medium.emit_wave("a.b", 2))
        await until_sending(v)
        medium.remove_channel("a.*")
        assert_receipt(await sending.result(), 0, 0)


async def test_clear_drops_what_waits_and_counts_it() -> None:
    async with Aether() as medium:
        one, two = tuned(medium, "a.*"), tuned(medium, "*", name="two", order="fifo")
        for number in range(3):
            await medium.emit_wave("a.b", number)
        assert medium.clear() == 6
        assert payloads(one) == payloads(two) == []
        assert_dropped(one, cleared=3)
        assert_dropped(two, cleared=3)


async def test_clear_of_an_empty_medium_is_nothing() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        assert medium.clear() == 0
        assert_dropped(v)


async def test_clear_leaves_the_patterns() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        medium.clear()
        await medium.emit_wave("a.b", 2)
        assert payloads(v) == [2]


async def test_clear_makes_room_for_who_waits() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        sending = begin(group, lambda: medium.emit_wave("a.b", 2))
        await until_sending(v)
        medium.clear()
        await sending.result()
        assert payloads(v) == [2]


async def test_clear_wakes_no_reader() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*")
        reading = begin(group, v.receive)
        await until_receiving(v)
        medium.clear()
        await medium.emit_wave("a.b", 1)
        assert (await reading.result()).payload == 1


async def test_clear_lets_the_payloads_go() -> None:
    import gc
    import weakref

    class Payload:
        pass

    async with Aether() as medium:
        v, payload = tuned(medium, "a.*"), Payload()
        alive = weakref.ref(payload)
        await medium.emit_wave("a.b", payload)
        del payload
        medium.clear()
        gc.collect()
        assert alive() is None
        assert_waiting(v, 0)


async def test_a_payload_that_emits_when_it_is_cleared_does_no_harm() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")

        class Echo:
            def __del__(self) -> None:
                medium.emit_nowait("a.b", "echo")

        medium.emit_nowait("a.b", Echo())
        medium.clear()
        assert payloads(v) == ["echo"]


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("", ChannelError),
        ("a..b", ChannelError),
        ("cre*", ChannelError),
        (None, TypeError),
        (3, TypeError),
    ],
)
async def test_remove_channel_of_a_bad_pattern_is_an_error(
    pattern: Any, kind: type[Exception]
) -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        with pytest.raises(kind):
            medium.remove_channel(pattern)
        assert list(medium.active_channels()) == ["a.*"]
        await assert_works(medium)
