"""What a full mailbox does: each policy against a plain list, and its counters."""

import random
from collections import Counter
from typing import Any

import pytest
from tests.probes import assert_dropped, assert_receipt, assert_says, messages, payloads, tuned

from aether import Aether, AetherConfig, ManualClock, WouldBlock

DROPPING = ["drop_oldest", "drop_newest", "drop_faintest", "conflate"]
Item = tuple[float, int, str]  # amplitude, number, channel


class Model:
    """A mailbox of `size` as a list in the order of arrival."""

    def __init__(self, overflow: str, size: int) -> None:
        self.overflow, self.size = overflow, size
        self.waiting: list[Item] = []
        self.dropped: Counter[str] = Counter()

    def lose(self, reason: str, item: Item) -> None:
        self.dropped[reason] += 1
        if item in self.waiting:
            self.waiting.remove(item)

    def put(self, item: Item) -> None:
        same = [old for old in self.waiting if old[2] == item[2]]
        if self.overflow == "conflate" and same:
            self.dropped["conflated"] += 1
            self.waiting[self.waiting.index(same[0])] = item
            return
        if len(self.waiting) < self.size:
            self.waiting.append(item)
        elif self.overflow == "drop_newest":
            self.lose("full", item)
        elif self.overflow == "drop_faintest":
            faintest = min([*self.waiting, item], key=lambda one: (one[0], -one[1]))
            if faintest != item:
                self.waiting.append(item)
            self.lose("faintest", faintest)
        else:
            self.lose("oldest", self.waiting[0])
            self.waiting.append(item)


@pytest.mark.parametrize("order", ["fifo", "amplitude", "fresh"])
@pytest.mark.parametrize("overflow", DROPPING)
@pytest.mark.parametrize("size", [1, 3])
async def test_keeps_what_the_policy_says(overflow: str, order: str, size: int) -> None:
    clock = ManualClock()
    for seed in range(10):
        chosen, model = random.Random(seed), Model(overflow, size)
        async with Aether(clock=clock) as medium:
            v = tuned(medium, "*", order=order, overflow=overflow, buffer_size=size)
            for number in range(30):
                item = (chosen.choice([0.2, 0.5, 0.9]), number, chosen.choice(["a.b", "a.c", "d"]))
                await medium.emit_wave(item[2], item, amplitude=item[0])
                model.put(item)
            got = payloads(v)
            assert sorted(got) == sorted(model.waiting)
            assert_dropped(v, **model.dropped)
            assert v.statistics().missed == model.dropped.total()
            if order == "fifo":
                assert got == model.waiting
            else:
                assert [item[0] for item in got] == sorted((item[0] for item in got), reverse=True)
            if order == "amplitude" and overflow != "conflate":
                assert got == sorted(got, key=lambda item: (-item[0], item[1]))


async def test_drop_oldest_loses_the_first_that_came() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_oldest", buffer_size=2)
        for number, amplitude in enumerate([0.9, 0.1, 0.5]):
            await medium.emit_wave("a.b", number, amplitude=amplitude)
        assert payloads(v) == [2, 1]
        assert_dropped(v, oldest=1)


async def test_drop_newest_loses_the_incoming() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_newest", buffer_size=2)
        for number in range(4):
            receipt = await medium.emit_wave("a.b", number, amplitude=0.1 + number / 10)
            assert_receipt(receipt, 1, int(number < 2), **({} if number < 2 else {"full": 1}))
        assert sorted(payloads(v)) == [0, 1]
        assert_dropped(v, full=2)


async def test_drop_faintest_loses_the_faintest() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_faintest", buffer_size=2, order="fifo")
        for amplitude in (0.5, 0.2, 0.9):
            await medium.emit_wave("a.b", amplitude, amplitude=amplitude)
        assert payloads(v) == [0.5, 0.9]
        assert_dropped(v, faintest=1)


async def test_drop_faintest_may_lose_the_incoming() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_faintest", buffer_size=1)
        await medium.emit_wave("a.b", 1, amplitude=0.5)
        assert_receipt(await medium.emit_wave("a.b", 2, amplitude=0.4), 1, 0, faintest=1)
        assert payloads(v) == [1]


async def test_drop_faintest_loses_the_newest_of_equals() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="drop_faintest", buffer_size=2)
        await medium.emit_wave("a.b", "first", amplitude=0.5)
        await medium.emit_wave("a.b", "second", amplitude=0.5)
        assert_receipt(await medium.emit_wave("a.b", "third", amplitude=0.5), 1, 0, faintest=1)
        await medium.emit_wave("a.b", "loud", amplitude=0.9)
        assert payloads(v) == ["loud", "first"]


async def test_drop_faintest_under_fresh_goes_by_what_is_left_now() -> None:
    clock = ManualClock()
    async with Aether(AetherConfig(attenuation_factor=0.5), clock=clock) as medium:
        v = tuned(medium, "a.*", overflow="drop_faintest", buffer_size=1, order="fresh")
        await medium.emit_wave("a.b", "was loud", amplitude=1.0)
        clock.advance(5.0)
        assert await medium.emit_wave("a.b", "is louder", amplitude=0.5)
        assert payloads(v) == ["is louder"]


async def test_conflate_replaces_the_waiting_wave_of_its_channel_in_place() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="conflate", order="fifo")
        for channel, payload in [("a.x", 1), ("a.y", 2), ("a.x", 3)]:
            assert_receipt(await medium.emit_wave(channel, payload), 1, 1)
        assert payloads(v) == [3, 2]
        assert_dropped(v, conflated=1)


async def test_conflate_keeps_one_for_each_channel_though_it_is_not_full() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="conflate", buffer_size=100)
        for number in range(300):
            await medium.emit_wave(f"a.{number % 3}", number)
        assert sorted(payloads(v)) == [297, 298, 299]


async def test_conflate_starts_anew_once_its_wave_was_taken() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="conflate", order="fifo")
        await medium.emit_wave("a.x", 1)
        await medium.emit_wave("a.y", 2)
        assert v.receive_nowait().payload == 1
        await medium.emit_wave("a.x", 3)
        assert payloads(v) == [2, 3]
        assert_dropped(v)


async def test_a_full_conflate_loses_the_oldest_channel() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="conflate", buffer_size=2, order="fifo")
        for name in ("x", "y", "z"):
            assert await medium.emit_wave(f"a.{name}", name)
        assert payloads(v) == ["y", "z"]
        assert v.statistics().missed == 1


async def test_a_full_conflate_still_replaces() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow="conflate", buffer_size=2, order="fifo")
        for name, payload in [("x", 1), ("y", 2), ("x", 3)]:
            await medium.emit_wave(f"a.{name}", payload)
        assert payloads(v) == [3, 2]


@pytest.mark.parametrize("door", ["emit_wave", "emit_nowait"])
async def test_error_would_block_and_delivers_nothing_anywhere(door: str) -> None:
    async with Aether() as medium:
        strict = tuned(medium, "a.*", name="strict-one", overflow="error", buffer_size=1)
        free = tuned(medium, "a.*", name="free")
        dropping = tuned(medium, "a.*", name="dropping", overflow="drop_oldest", buffer_size=1)
        await medium.emit_wave("a.b", 1)
        with pytest.raises(WouldBlock) as caught:
            result: Any = getattr(medium, door)("a.b", 2)
            await result
        assert_says(caught.value, "strict-one")
        for v in (strict, free, dropping):
            assert payloads(v) == [1]
            assert_dropped(v)


async def test_drops_are_logged_once_an_episode(caplog: pytest.LogCaptureFixture) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", name="lossy-one", overflow="drop_newest", buffer_size=1)
        for number in range(10):
            await medium.emit_wave("a.b", number)
        assert len(messages(caplog.records, "lossy-one")) == 1
        assert v.statistics().dropped["full"] == 9


@pytest.mark.parametrize("overflow", DROPPING)
async def test_nothing_is_lost_unseen(overflow: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "*", overflow=overflow, buffer_size=4)
        for number in range(50):
            await medium.emit_wave(f"a.{number % 7}", number)
        got = len(payloads(v))
        figures = v.statistics()
        assert got + figures.missed == 50
        assert figures.received == got
        assert sum(figures.dropped.values()) == figures.missed


@pytest.mark.parametrize("overflow", DROPPING)
async def test_a_lost_payload_is_let_go(overflow: str) -> None:
    import gc
    import weakref

    class Payload:
        pass

    async with Aether() as medium:
        v = tuned(medium, "a.*", overflow=overflow, buffer_size=1)
        alive: list[weakref.ref[Payload]] = []
        for _ in range(5):
            payload = Payload()
            alive.append(weakref.ref(payload))
            await medium.emit_wave("a.b", payload)
            del payload
        gc.collect()
        assert sum(ref() is not None for ref in alive) == 1
        assert len(payloads(v)) == 1


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "drop_faintest"])
async def test_missed_tells_the_gap_before_each_wave(overflow: str) -> None:
    """In a `fifo`, what is missing between two waves is what `missed` says at the second."""
    for seed in range(20):
        chosen, last, number = random.Random(seed), -1, 0
        async with Aether() as medium:
            v = tuned(medium, "*", order="fifo", overflow=overflow, buffer_size=3)
            for _ in range(60):
                if chosen.random() < 0.7:
                    await medium.emit_wave("a", number, amplitude=chosen.choice([0.2, 0.5, 0.9]))
                    number += 1
                elif v.statistics().current_buffer_used:
                    wave = v.receive_nowait()
                    assert v.missed == wave.payload - last - 1, (seed, wave.payload)
                    last = wave.payload
