"""The three orders of a mailbox."""

import random

import pytest
from tests.probes import assert_dropped, assert_receipt, assert_waiting, payloads, taken, tuned

from aether import Aether, AetherConfig, ManualClock

HALVING = AetherConfig(attenuation_factor=0.5, decay_interval=1.0)


async def test_amplitude_gives_the_highest_priority_first() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", order="amplitude")
        for amplitude in (0.3, 0.9, 0.1, 1.0):
            await medium.emit_wave("a.b", amplitude, amplitude=amplitude)
        assert payloads(v) == [1.0, 0.9, 0.3, 0.1]


async def test_amplitude_is_first_in_first_out_among_equals() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        chosen = random.Random(4)
        expected = []
        for number in range(200):
            amplitude = chosen.choice([0.2, 0.5, 0.8])
            expected.append((-amplitude, number))
            await medium.emit_wave("a.b", (-amplitude, number), amplitude=amplitude)
        assert payloads(v) == sorted(expected)


async def test_amplitude_without_amplitudes_is_a_fifo() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for number in range(100):
            await medium.emit_wave("a.b", number)
        assert payloads(v) == list(range(100))


async def test_amplitude_goes_by_the_priority_and_not_by_what_hops_left() -> None:
    async with Aether() as medium:
        source, v = tuned(medium, "a.*"), tuned(medium, "b.*", name="b")
        await medium.emit_wave("a.b", amplitude=0.9)
        await medium.emit_wave("b.new", "new", amplitude=0.88)
        await medium.emit_wave("b.old", "old", cause=source.receive_nowait())
        old, new = taken(v)
        assert (old.payload, new.payload) == ("old", "new")
        assert old.amplitude < new.amplitude


async def test_amplitude_keeps_its_order_while_waves_come_and_go() -> None:
    async with Aether() as medium:
        v, model, chosen = tuned(medium, "a.*"), [], random.Random(7)
        for number in range(500):
            if chosen.random() < 0.6 or not model:
                amplitude = chosen.choice([0.1, 0.5, 0.5, 1.0])
                model.append((-amplitude, number))
                await medium.emit_wave("a.b", (-amplitude, number), amplitude=amplitude)
            else:
                model.sort()
                assert v.receive_nowait().payload == model.pop(0)
        assert payloads(v) == sorted(model)


async def test_fifo_does_not_look_at_the_amplitude() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", order="fifo")
        for amplitude in (0.3, 0.9, 0.1, 1.0):
            await medium.emit_wave("a.b", amplitude, amplitude=amplitude)
        assert payloads(v) == [0.3, 0.9, 0.1, 1.0]


async def test_fresh_gives_the_loudest_now() -> None:
    clock = ManualClock()
    async with Aether(HALVING, clock=clock) as medium:
        v = tuned(medium, "a.*", order="fresh")
        await medium.emit_wave("a.b", "old and loud", amplitude=1.0)
        clock.advance(10.0)
        await medium.emit_wave("a.b", "new and low", amplitude=0.1)
        await medium.emit_wave("a.b", "new and lower", amplitude=0.05)
        assert payloads(v) == ["new and low", "new and lower", "old and loud"]


async def test_fresh_still_prefers_the_loud_one_of_the_same_age() -> None:
    clock = ManualClock()
    async with Aether(HALVING, clock=clock) as medium:
        v = tuned(medium, "a.*", order="fresh")
        for amplitude in (0.3, 0.9, 0.6):
            await medium.emit_wave("a.b", amplitude, amplitude=amplitude)
        clock.advance(3.0)
        assert payloads(v) == [0.9, 0.6, 0.3]


async def test_fresh_agrees_with_the_decay_rule() -> None:
    clock, chosen = ManualClock(), random.Random(11)
    async with Aether(HALVING, clock=clock) as medium:
        v, entered = tuned(medium, "a.*", order="fresh"), {}
        for number in range(60):
            amplitude = chosen.uniform(0.05, 1.0)
            entered[number] = (amplitude, clock.now())
            await medium.emit_wave("a.b", number, amplitude=amplitude)
            clock.advance(chosen.uniform(0.0, 0.5))
        now = clock.now()
        loudness = {n: amplitude * 0.5 ** (now - at) for n, (amplitude, at) in entered.items()}
        assert payloads(v) == sorted(loudness, key=lambda number: -loudness[number])


async def test_fresh_fades_from_the_moment_a_wave_entered_and_not_from_its_timestamp() -> None:
    from aether import Wave

    clock = ManualClock(1000.0)
    async with Aether(HALVING, clock=clock) as medium:
        v = tuned(medium, "a.*", order="fresh")
        await medium.emit(Wave("a.b", "aged", amplitude=0.9, timestamp=0.0))
        await medium.emit_wave("a.b", "young", amplitude=0.8)
        assert payloads(v) == ["aged", "young"]


async def test_fresh_drops_as_faded_on_taking() -> None:
    clock = ManualClock()
    async with Aether(HALVING, clock=clock) as medium:
        v = tuned(medium, "a.*", order="fresh", noise_floor=0.4)
        await medium.emit_wave("a.b", "fades", amplitude=0.5)
        await medium.emit_wave("a.b", "stays", amplitude=0.9)
        clock.advance(1.0)
        assert payloads(v) == ["stays"]
        assert_dropped(v, faded=1)


async def test_fresh_drops_as_faded_before_a_full_mailbox_blocks() -> None:
    clock = ManualClock()
    async with Aether(HALVING, clock=clock) as medium:
        v = tuned(medium, "a.*", order="fresh", noise_floor=0.4, buffer_size=1)
        await medium.emit_wave("a.b", "fades")
        clock.advance(2.0)
        assert_receipt(medium.emit_nowait("a.b", "new"), 1, 1)
        assert payloads(v) == ["new"]
        assert_dropped(v, faded=1)


async def test_fresh_without_a_noise_floor_never_fades_out() -> None:
    clock = ManualClock()
    async with Aether(HALVING, clock=clock) as medium:
        v = tuned(medium, "a.*", order="fresh")
        await medium.emit_wave("a.b", 1)
        clock.advance(1e6)
        assert payloads(v) == [1]
        assert_dropped(v)


@pytest.mark.parametrize("order", ["fifo", "amplitude"])
async def test_the_other_orders_do_not_fade(order: str) -> None:
    clock = ManualClock()
    async with Aether(HALVING, clock=clock) as medium:
        v = tuned(medium, "a.*", order=order, noise_floor=0.4)
        await medium.emit_wave("a.b", 1)
        clock.advance(100.0)
        assert payloads(v) == [1]


@pytest.mark.parametrize("order", ["fifo", "amplitude", "fresh"])
async def test_an_older_wave_than_its_ttl_is_dropped_as_expired_where_it_waits(order: str) -> None:
    clock = ManualClock()
    async with Aether(clock=clock) as medium:
        v = tuned(medium, "a.*", order=order)
        await medium.emit_wave("a.b", "short", ttl=1.0)
        await medium.emit_wave("a.b", "long", ttl=10.0)
        await medium.emit_wave("a.b", "for ever")
        clock.advance(5.0)
        assert payloads(v) == ["long", "for ever"]
        assert_dropped(v, expired=1)
        assert_waiting(v, 0)


@pytest.mark.parametrize("order", ["fifo", "amplitude", "fresh"])
async def test_a_wave_within_its_ttl_comes(order: str) -> None:
    clock = ManualClock()
    async with Aether(clock=clock) as medium:
        v = tuned(medium, "a.*", order=order)
        await medium.emit_wave("a.b", 1, ttl=5.0)
        clock.advance(4.9)
        assert payloads(v) == [1]
        assert_dropped(v)


async def test_a_wave_exactly_as_old_as_its_ttl_is_not_older() -> None:
    clock = ManualClock(100.0)
    async with Aether(clock=clock) as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1, ttl=0.0)
        assert payloads(v) == [1]
        await medium.emit_wave("a.b", 2, ttl=0.5)
        clock.advance(0.5)
        assert payloads(v) == [2]
        assert_dropped(v)


async def test_ttl_counts_from_the_timestamp() -> None:
    from aether import Wave

    clock = ManualClock(100.0)
    async with Aether(clock=clock) as medium:
        v = tuned(medium, "a.*")
        await medium.emit(Wave("a.b", "fresh", timestamp=99.0, ttl=5.0))
        clock.advance(3.0)
        await medium.emit(Wave("a.b", "older", timestamp=99.0, ttl=5.0))
        clock.advance(3.0)
        assert payloads(v) == []
        assert_dropped(v, expired=2)


async def test_a_clock_gives_the_timestamps() -> None:
    clock = ManualClock(50.0)
    async with Aether(clock=clock) as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b")
        clock.advance(2.5)
        await medium.emit_wave("a.b")
        assert [wave.timestamp for wave in taken(v)] == [50.0, 52.5]
        assert clock.now() == 52.5
