"""`resonate_on` and `detune`, the noise floor, and one's own waves."""

import gc
from typing import Any

import pytest
from tests.probes import assert_receipt, assert_waiting, assert_works, payloads, tuned

from aether import Aether, Channel, ChannelError, Closed


async def test_resonate_on_acts_at_the_call() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        v.resonate_on("a.*")
        gc.collect()
        await medium.emit_wave("a.b", 1)
        assert payloads(v) == [1]


async def test_resonate_on_may_be_awaited() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        await v.resonate_on("a.*")
        await medium.emit_wave("a.b", 1)
        assert payloads(v) == [1]


async def test_resonates_on_several_patterns() -> None:
    async with Aether() as medium:
        v = tuned(medium, "user.registered", "orders.*")
        v.resonate_on(Channel("+.urgent"))
        for name in ("user.registered", "orders.a.b", "x.urgent", "user.left"):
            await medium.emit_wave(name, name)
        assert payloads(v) == ["user.registered", "orders.a.b", "x.urgent"]


async def test_a_wave_that_several_patterns_match_is_delivered_once() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", "a.b", "*", ">", "+.b", "a.+")
        assert_receipt(await medium.emit_wave("a.b", 1), 1, 1)
        assert payloads(v) == [1]


async def test_resonating_twice_delivers_once() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        v.resonate_on("a.*")
        v.resonate_on("a.>")
        await medium.emit_wave("a.b", 1)
        assert payloads(v) == [1]


async def test_gets_nothing_from_before() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        await medium.emit_wave("a.b", 1)
        v.resonate_on("a.*")
        assert payloads(v) == []


async def test_detune_takes_one_back() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", "b.*")
        v.detune("a.*")
        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("b.b", 2)
        assert payloads(v) == [2]


@pytest.mark.parametrize(
    ("tuned_as", "detuned_as"),
    [("a.*", "a.>"), ("a.>", "a.*"), ("*.b", "+.b"), ("*", ">"), ("a.*.*", "a.+.>")],
)
async def test_what_was_resonated_under_one_spelling_is_detuned_under_the_other(
    tuned_as: str, detuned_as: str
) -> None:
    async with Aether() as medium:
        v = tuned(medium, tuned_as)
        v.detune(detuned_as)
        assert medium.emit_nowait("a.b").matched == 0
        assert medium.emit_nowait("a.b.c").matched == 0
        assert list(medium.active_channels()) == []


async def test_detune_takes_back_exactly_that_pattern() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", "a.b")
        v.detune("a.*")
        await medium.emit_wave("a.b", 1)
        await medium.emit_wave("a.c", 2)
        assert payloads(v) == [1]


async def test_detune_leaves_what_waits() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b", 1)
        v.detune("a.*")
        assert payloads(v) == [1]


async def test_detune_leaves_other_vibrators_alone() -> None:
    async with Aether() as medium:
        v, other = tuned(medium, "a.*"), tuned(medium, "a.*", name="other")
        v.detune("a.*")
        await medium.emit_wave("a.b", 1)
        assert payloads(other) == [1]


async def test_a_detuned_pattern_can_be_resonated_again() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        for _ in range(3):
            v.detune("a.*")
            assert not medium.emit_nowait("a.b")
            v.resonate_on("a.*")
            assert medium.emit_nowait("a.b")
        assert_waiting(v, 3)


@pytest.mark.parametrize(
    ("amplitude", "comes"), [(0.5, True), (0.49, False), (0.51, True), (1.0, True)]
)
async def test_under_the_noise_floor_nothing_comes(amplitude: float, comes: bool) -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", noise_floor=0.5)
        receipt = await medium.emit_wave("a.b", 1, amplitude=amplitude)
        assert_receipt(receipt, int(comes), int(comes))
        assert payloads(v) == [1] * comes


async def test_the_noise_floor_hears_the_amplitude_after_the_hop() -> None:
    async with Aether() as medium:
        source, v = tuned(medium, "a.*"), tuned(medium, "b.*", noise_floor=0.96)
        await medium.emit_wave("a.b")
        await medium.emit_wave("b.b", cause=source.receive_nowait())
        assert payloads(v) == []


async def test_own_waves_come_by_default() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await v.emit_wave("a.b", 1)
        assert payloads(v) == [1]


async def test_ignore_own_filters_what_the_vibrator_emits_itself() -> None:
    async with Aether() as medium:
        v, other = tuned(medium, "a.*", ignore_own=True), tuned(medium, "a.*", name="other")
        await v.emit_wave("a.b", 1)
        v.emit_nowait("a.b", 2)
        await other.emit_wave("a.b", 3)
        await medium.emit_wave("a.b", 4)
        assert payloads(v) == [3, 4]
        assert payloads(other) == [1, 2, 3, 4]


async def test_ignore_own_goes_by_identity_and_not_by_name() -> None:
    async with Aether() as medium:
        one, two = (tuned(medium, "a.*", name="same", ignore_own=True) for _ in range(2))
        await one.emit_wave("a.b", 1)
        assert payloads(one) == []
        assert payloads(two) == [1]


async def test_what_another_forwards_is_not_own() -> None:
    async with Aether() as medium:
        v, relay = tuned(medium, "back.*", ignore_own=True), tuned(medium, "out.*", name="relay")
        await v.emit_wave("out.a", 1)
        await relay.emit_wave("back.a", 1, cause=relay.receive_nowait())
        assert payloads(v) == [1]


BAD: list[tuple[Any, type[Exception]]] = [
    ("", ChannelError),
    ("a..b", ChannelError),
    ("a b", ChannelError),
    ("cre*", ChannelError),
    ("a.>.b", ChannelError),
    ("a" * 1025, ChannelError),
    (".".join("a" * 33), ChannelError),
    (None, TypeError),
    (3, TypeError),
    (b"a.*", TypeError),
    (["a.*"], TypeError),
]


@pytest.mark.parametrize("method", ["resonate_on", "detune", "on"])
@pytest.mark.parametrize(("pattern", "kind"), BAD, ids=lambda value: repr(value)[:20])
async def test_bad_patterns_are_refused(method: str, pattern: Any, kind: type[Exception]) -> None:
    async with Aether() as medium:
        v = tuned(medium, "ok.*")
        with pytest.raises(kind):
            getattr(v, method)(pattern)
        assert list(medium.active_channels()) == ["ok.*"]
        await assert_works(medium)


async def test_a_longer_limit_of_the_config_is_the_limit() -> None:
    from aether import AetherConfig

    async with Aether(AetherConfig(max_channel_length=16)) as medium:
        v = tuned(medium, "a.*")
        assert await medium.emit_wave("a." + "b" * 14)
        for call in (
            lambda: medium.emit_nowait("a." + "b" * 15),
            lambda: v.resonate_on("b." + "b" * 15),
        ):
            with pytest.raises(ChannelError, match="16"):
                call()


async def test_a_closed_vibrator_does_not_resonate() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        v.close()
        with pytest.raises(Closed):
            v.resonate_on("a.*")
        with pytest.raises(Closed):
            v.on("a.*")(lambda wave: None)
        await assert_works(medium)
