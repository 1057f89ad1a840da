"""Bad values at every door: the documented error, nothing emitted, and the medium works on."""

import math
from typing import Any

import anyio
import pytest
from tests.probes import assert_says, assert_works, payloads, tuned

from aether import Aether, ChannelError, Closed

DOORS = [
    (hand, door)
    for hand in ("medium", "vibrator", "emitter")
    for door in ("emit_wave", "emit_nowait", "emit_sync")
]

BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"channel": "a..b"}, ChannelError, "a..b"),
    ({"channel": ""}, ChannelError, ""),
    ({"channel": "a.*"}, ChannelError, "a.*"),
    ({"channel": "+.b"}, ChannelError, "+.b"),
    ({"channel": ">"}, ChannelError, ">"),
    ({"channel": "a b"}, ChannelError, "a b"),
    ({"channel": ".".join("a" * 33)}, ChannelError, "32"),
    ({"channel": "a" * 1025}, ChannelError, "1024"),
    ({"channel": None}, TypeError, "str"),
    ({"channel": 5}, TypeError, "str"),
    ({"channel": b"a.b"}, TypeError, "str"),
    ({"amplitude": math.nan}, ValueError, "amplitude"),
    ({"amplitude": "loud"}, TypeError, "amplitude"),
    ({"phase": math.nan}, ValueError, "phase"),
    ({"phase": math.inf}, ValueError, "phase"),
    ({"phase": []}, TypeError, "phase"),
    ({"frequency": -1.0}, ValueError, "frequency"),
    ({"frequency": math.inf}, ValueError, "frequency"),
    ({"frequency": "1"}, TypeError, "frequency"),
    ({"headers": {"k": 1}}, TypeError, "header"),
    ({"headers": {1: "v"}}, TypeError, "header"),
    ({"headers": 5}, TypeError, "header"),
    ({"ttl": -1.0}, ValueError, "ttl"),
    ({"ttl": math.nan}, ValueError, "ttl"),
    ({"ttl": "1"}, TypeError, "ttl"),
    ({"cause": 1}, TypeError, "cause"),
    ({"require": -1}, ValueError, "require"),
    ({"require": "1"}, TypeError, "require"),
]


async def attempt(
    hand: Any, door: str, channel: Any = "a.b", payload: Any = 1, **options: Any
) -> Any:
    if door == "emit_wave":
        return await hand.emit_wave(channel, payload, **options)
    if door == "emit_nowait":
        return hand.emit_nowait(channel, payload, **options)
    return await anyio.to_thread.run_sync(lambda: hand.emit_sync(channel, payload, **options))


def hands(medium: Aether) -> dict[str, Any]:
    speaker = tuned(medium, name="speaker")
    return {"medium": medium, "vibrator": speaker, "emitter": speaker.emitter()}


@pytest.mark.parametrize(("hand", "door"), DOORS)
async def test_bad_values_are_refused(hand: str, door: str) -> None:
    async with Aether() as medium:
        v, who = tuned(medium, "*"), hands(medium)[hand]
        for options, kind, says in BAD:
            with pytest.raises(kind) as caught:
                await attempt(who, door, **options)
            assert says in str(caught.value), (options, str(caught.value))
            assert payloads(v) == [], options
        v.close()
        await assert_works(medium)


@pytest.mark.parametrize(("hand", "door"), [pair for pair in DOORS if pair[1] != "emit_nowait"])
@pytest.mark.parametrize(
    ("timeout", "kind"), [(-1.0, ValueError), (math.nan, ValueError), ("1", TypeError)]
)
async def test_a_bad_timeout_is_refused(
    hand: str, door: str, timeout: Any, kind: type[Exception]
) -> None:
    async with Aether() as medium:
        v, who = tuned(medium, "*"), hands(medium)[hand]
        with pytest.raises(kind, match="timeout"):
            await attempt(who, door, timeout=timeout)
        assert payloads(v) == []
        v.close()
        await assert_works(medium)


@pytest.mark.parametrize(("hand", "door"), DOORS)
async def test_an_unknown_option_is_a_type_error(hand: str, door: str) -> None:
    async with Aether() as medium:
        with pytest.raises(TypeError):
            await attempt(hands(medium)[hand], door, volume=1.0)
        await assert_works(medium)


@pytest.mark.parametrize(("hand", "door"), DOORS)
async def test_a_loud_wave_is_clamped_and_goes(hand: str, door: str) -> None:
    async with Aether() as medium:
        v, who = tuned(medium, "*"), hands(medium)[hand]
        await attempt(who, door, amplitude=1e300)
        assert v.receive_nowait().amplitude == 1.0


@pytest.mark.parametrize(("hand", "door"), DOORS)
async def test_a_closed_medium_is_closed(hand: str, door: str) -> None:
    medium = Aether()
    who = hands(medium)[hand]
    await medium.aclose()
    with pytest.raises(Closed) as caught:
        await attempt(who, door)
    assert_says(caught.value, "closed")


@pytest.mark.parametrize(("hand", "door"), [pair for pair in DOORS if pair[0] != "medium"])
async def test_a_closed_vibrator_is_closed(hand: str, door: str) -> None:
    async with Aether() as medium:
        speaker = tuned(medium, name="speaker")
        who = {"vibrator": speaker, "emitter": speaker.emitter()}[hand]
        await speaker.aclose()
        with pytest.raises(Closed) as caught:
            await attempt(who, door)
        assert_says(caught.value, "speaker")
        await assert_works(medium)


@pytest.mark.parametrize("door", ["emit", "emit_many"])
async def test_a_closed_medium_takes_no_waves(door: str) -> None:
    from aether import Wave

    medium = Aether()
    await medium.aclose()
    wave = Wave("a.b")
    with pytest.raises(Closed):
        await getattr(medium, door)(wave if door == "emit" else [wave])


async def test_a_pattern_in_a_wave_is_refused_where_it_is_emitted_at_the_latest() -> None:
    from aether import Wave

    async with Aether() as medium:
        v = tuned(medium, "*")
        with pytest.raises(ChannelError):
            await medium.emit(Wave("a.*"))
        assert payloads(v) == []
