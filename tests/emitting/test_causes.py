"""Hops: what a wave hands on to the wave that it causes, and where a chain ends."""

import math
from typing import Any

import anyio
import pytest
from tests.probes import (
    assert_receipt,
    assert_works,
    begin,
    messages,
    shown,
    taken,
    tuned,
    until_sending,
)

from aether import Aether, AetherConfig, NoReceiver, Wave


async def received(medium: Aether, **options: Any) -> Wave[Any]:
    """A wave that came once through the medium."""
    v = tuned(medium, "start.*", name="first")
    await medium.emit_wave("start.here", "payload", **options)
    wave = v.receive_nowait()
    v.close()
    return wave


async def test_the_first_emission_keeps_the_amplitude_and_counts_one() -> None:
    async with Aether() as medium:
        wave = await received(medium, amplitude=0.8)
        assert (wave.amplitude, wave.propagation_count) == (0.8, 1)


@pytest.mark.parametrize("way", ["emit", "cause"])
async def test_a_further_hop_attenuates_and_counts(way: str) -> None:
    async with Aether(AetherConfig(attenuation_factor=0.5)) as medium:
        wave, v = await received(medium, amplitude=0.8), tuned(medium, "*")
        await (medium.emit(wave) if way == "emit" else medium.emit_wave("next.one", cause=wave))
        hop = v.receive_nowait()
        assert (hop.amplitude, hop.propagation_count, hop.priority) == (0.4, 2, 0.8)


@pytest.mark.parametrize("way", ["emit", "cause"])
async def test_four_steps_arrive_with_count_4_and_three_attenuations(way: str) -> None:
    async with Aether() as medium:
        wave, v = await received(medium), tuned(medium, "*")
        for _ in range(3):
            await (medium.emit(wave) if way == "emit" else medium.emit_wave("next.one", cause=wave))
            wave = v.receive_nowait()
        assert wave.propagation_count == 4
        assert wave.amplitude == pytest.approx(0.95**3)
        assert wave.priority == 1.0


@pytest.mark.parametrize("door", ["emit_wave", "emit_nowait"])
@pytest.mark.parametrize("link", ["cause", "compensates"])
async def test_every_door_takes_a_cause(door: str, link: str) -> None:
    async with Aether() as medium:
        wave, v = await received(medium, amplitude=0.5), tuned(medium, "*")
        result = getattr(medium, door)("next.one", **{link: wave})
        if door == "emit_wave":
            await result
        assert (v.receive_nowait().propagation_count) == 2


async def test_a_cause_hands_on_headers() -> None:
    async with Aether() as medium:
        wave, v = await received(medium, headers={"tenant": "t1"}), tuned(medium, "*")
        await medium.emit_wave("next.one", cause=wave)
        assert v.receive_nowait().headers["tenant"] == "t1"


async def test_headers_given_explicitly_win() -> None:
    async with Aether() as medium:
        wave, v = await received(medium, headers={"tenant": "t1"}), tuned(medium, "*")
        await medium.emit_wave("next.one", cause=wave, headers={"tenant": "t2"})
        assert v.receive_nowait().headers["tenant"] == "t2"


async def test_an_amplitude_given_explicitly_wins_but_the_priority_stays_the_causes() -> None:
    async with Aether() as medium:
        wave, v = await received(medium, amplitude=0.5), tuned(medium, "*")
        await medium.emit_wave("next.one", cause=wave, amplitude=0.9)
        hop = v.receive_nowait()
        assert (hop.amplitude, hop.priority, hop.propagation_count) == (0.9, 0.5, 2)


async def test_a_cause_hands_on_neither_payload_nor_channel_nor_id() -> None:
    async with Aether() as medium:
        wave, v = await received(medium), tuned(medium, "*")
        await medium.emit_wave("next.one", cause=wave)
        hop = v.receive_nowait()
        assert hop.payload is None
        assert hop.channel == "next.one"
        assert hop.id != wave.id


async def test_a_caused_wave_has_the_source_of_its_emitter() -> None:
    async with Aether() as medium:
        wave, v, speaker = await received(medium), tuned(medium, "*"), tuned(medium, name="speaker")
        await speaker.emit_wave("next.one", cause=wave)
        assert v.receive_nowait().source == "speaker"


async def test_an_old_order_is_not_overtaken_by_new_ones() -> None:
    """`amplitude` goes by priority: the fourth step of a chain stands before what came later."""
    async with Aether() as medium:
        wave, v = await received(medium), tuned(medium, "next.*")
        for step in range(3):
            await medium.emit_wave("next.step", step, cause=wave)
            await medium.emit_wave("next.new", "new")
            wave = wave.propagate()
        assert [w.payload for w in taken(v)] == [0, "new", 1, "new", 2, "new"]


@pytest.mark.parametrize("phase", [0.0, 1.0, math.pi, 6.0])
async def test_compensates_is_a_cause_in_antiphase(phase: float) -> None:
    async with Aether() as medium:
        wave, v = (
            await received(medium, amplitude=0.5, phase=phase, headers={"k": "v"}),
            tuned(medium, "*"),
        )
        await medium.emit_wave("next.undo", compensates=wave)
        undo = v.receive_nowait()
        assert math.cos(undo.phase - wave.phase) == pytest.approx(-1.0)
        assert 0.0 <= undo.phase < 2 * math.pi
        assert undo.amplitude == pytest.approx(0.5 * 0.95)
        assert (undo.priority, undo.propagation_count, undo.headers["k"]) == (0.5, 2, "v")


@pytest.mark.parametrize("link", ["cause", "compensates"])
@pytest.mark.parametrize("bad", ["a.b", 1, object(), {"id": 1}], ids=shown)
async def test_a_cause_that_is_no_wave_is_a_type_error(link: str, bad: Any) -> None:
    async with Aether() as medium:
        with pytest.raises(TypeError, match=f"{link}|[Ww]ave"):
            await medium.emit_wave("a.b", **{link: bad})
        await assert_works(medium)


@pytest.mark.parametrize("way", ["emit", "cause"])
async def test_a_feedback_loop_ends_at_max_propagation(way: str) -> None:
    async with Aether(AetherConfig(max_propagation=3)) as medium:
        v = tuned(medium, "loop.*")
        receipt, counts = await medium.emit_wave("loop.a"), []
        while receipt:
            wave = v.receive_nowait()
            counts.append(wave.propagation_count)
            receipt = await (
                medium.emit(wave) if way == "emit" else medium.emit_wave("loop.a", cause=wave)
            )
        assert counts == [1, 2, 3]
        assert_receipt(receipt, 0, 0, max_propagation=1)


async def test_a_feedback_loop_ends_at_ten_hops_by_default() -> None:
    async with Aether() as medium:
        v, hops = tuned(medium, "loop.*"), 0
        receipt = await medium.emit_wave("loop.a")
        while receipt:
            hops += 1
            receipt = await medium.emit(v.receive_nowait())
        assert hops == 10


async def test_a_feedback_loop_fades_out_below_min_amplitude() -> None:
    async with Aether(AetherConfig(attenuation_factor=0.1, min_amplitude=0.05)) as medium:
        v = tuned(medium, "loop.*")
        receipt = await medium.emit_wave("loop.a")
        for _ in range(5):
            if not receipt:
                break
            receipt = await medium.emit(v.receive_nowait())
        assert receipt.reason == "min_amplitude"


@pytest.mark.parametrize(
    ("amplitude", "goes"), [(0.01, True), (0.0099, False), (0.0, False), (1.0, True)]
)
async def test_min_amplitude_is_the_faintest_that_goes(amplitude: float, goes: bool) -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        assert bool(await medium.emit_wave("a.b", amplitude=amplitude)) is goes


@pytest.mark.parametrize("door", ["emit_wave", "emit_nowait"])
async def test_a_chain_that_dies_is_logged_with_its_channels_once(
    door: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Aether(AetherConfig(max_propagation=2)) as medium:
        v = tuned(medium, "ping.*", "pong.*")
        for _ in range(5):
            await medium.emit_wave("ping.start")
            await medium.emit_wave("pong.back", cause=v.receive_nowait())
            last = v.receive_nowait()
            result = getattr(medium, door)("ping.again", cause=last)
            receipt = await result if door == "emit_wave" else result
            assert receipt.reason == "max_propagation"
    assert len(messages(caplog.records, "pong.back", "ping.again")) == 1


async def test_require_raises_no_receiver_if_nobody_matches() -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="the-reader")
        with pytest.raises(NoReceiver) as caught:
            await medium.emit_wave("payments.done", require=1)
        assert "payments.done" in str(caught.value)
        assert "the-reader" in str(caught.value)
        assert str(medium.explain("payments.done")) in str(caught.value)
        await assert_works(medium)


async def test_require_is_content_with_enough() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", name="x")
        tuned(medium, "a.*", name="y")
        assert_receipt(await medium.emit_wave("a.b", require=2), 2, 2)


async def test_require_of_more_than_match_delivers_nothing() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        with pytest.raises(NoReceiver):
            await medium.emit_wave("a.b", require=2)
        with pytest.raises(NoReceiver):
            medium.emit_nowait("a.b", require=2)
        assert taken(v) == []


@pytest.mark.parametrize("hand", ["medium", "vibrator", "emitter"])
async def test_emit_takes_require_too(hand: str) -> None:
    async with Aether() as medium:
        v = tuned(medium, "orders.*")
        who: Any = {"medium": medium, "vibrator": v, "emitter": v.emitter()}[hand]
        with pytest.raises(NoReceiver, match=r"payments\.done"):
            await who.emit(Wave("payments.done"), require=1)
        assert await who.emit(Wave("orders.done"), require=1)


async def test_require_does_not_count_who_is_out_of_reach() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", name="picky", noise_floor=0.5)
        own = tuned(medium, "a.*", name="self", ignore_own=True)
        with pytest.raises(NoReceiver, match="noise floor"):
            await own.emit_wave("a.b", amplitude=0.2, require=1)
        assert taken(v) == []


async def test_require_says_that_a_wave_is_own() -> None:
    async with Aether() as medium:
        own = tuned(medium, "a.*", name="the-speaker", ignore_own=True)
        with pytest.raises(NoReceiver) as caught:
            await own.emit_wave("a.b", require=1)
        (line,) = [text for text in str(caught.value).splitlines() if "the-speaker" in text]
        assert line.split()[-1] == "own"


async def test_require_explains_a_wave_as_faint_as_its_cause_made_it() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", noise_floor=0.5)
        await medium.emit_wave("a.b", amplitude=0.5)
        cause = v.receive_nowait()
        with pytest.raises(NoReceiver, match=r"noise floor: 0\.475"):
            await medium.emit_wave("a.c", cause=cause, require=1)


async def test_require_holds_when_room_comes() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        full, free = (
            tuned(medium, "a.*", name="full", buffer_size=1),
            tuned(medium, "a.*", name="free"),
        )
        await medium.emit_wave("a.b", 1)
        sending = begin(group, lambda: medium.emit_wave("a.b", 2, require=2))
        await until_sending(full)
        full.detune("a.*")
        with pytest.raises(NoReceiver):
            await sending.result()
        assert [wave.payload for wave in taken(free)] == [1]


@pytest.mark.parametrize(
    ("bad", "error"),
    [(-1, ValueError), ("1", TypeError), (1.5, TypeError), (10**30, (ValueError, NoReceiver))],
)
async def test_a_bad_require_is_an_error(bad: Any, error: Any) -> None:
    async with Aether() as medium:
        tuned(medium, "a.*")
        with pytest.raises(error):
            await medium.emit_wave("a.b", require=bad)
        await assert_works(medium)
