"""How a vibrator comes to be, and with which options."""

import contextlib
import gc
import math
from typing import Any

import pytest
from tests.probes import assert_says, assert_works, payloads, tuned

from aether import Aether, AetherConfig, Channel, Closed, Vibrator


async def test_create_is_awaited() -> None:
    async with Aether() as medium:
        v = await Vibrator.create("notifier", medium)
        assert isinstance(v, Vibrator)
        assert v.name == "notifier"


async def test_create_is_a_context_that_closes() -> None:
    async with Aether() as medium:
        async with Vibrator.create("notifier", medium) as v:
            await v.resonate_on("a.*")
            assert list(medium.active_channels()) == ["a.*"]
        assert list(medium.active_channels()) == []
        with pytest.raises(Closed):
            await v.emit_wave("a.b")


async def test_a_create_context_closes_on_an_error_too() -> None:
    async with Aether() as medium:
        with contextlib.suppress(KeyError):
            async with Vibrator.create("notifier", medium) as v:
                await v.resonate_on("a.*")
                raise KeyError
        assert list(medium.active_channels()) == []


async def test_the_plain_call_is_vibrator() -> None:
    async with Aether() as medium:
        v = medium.vibrator("notifier", order="fifo", buffer_size=3)
        assert isinstance(v, Vibrator)
        assert v.name == "notifier"
        assert v.statistics().max_buffer_size == 3
        v.close()


async def test_a_vibrator_is_a_context_itself() -> None:
    async with Aether() as medium:
        async with await Vibrator.create("notifier", medium) as v:
            v.resonate_on("a.*")
        assert list(medium.active_channels()) == []


async def test_create_takes_every_option() -> None:
    async with (
        Aether() as medium,
        Vibrator.create(
            "n",
            medium,
            order="fifo",
            overflow="drop_oldest",
            buffer_size=2,
            noise_floor=0.5,
            ignore_own=True,
            group="g",
        ) as v,
    ):
        v.resonate_on("a.*")
        assert not v.emit_nowait("a.b", "own")
        assert not medium.emit_nowait("a.b", "faint", amplitude=0.4)
        for number in range(3):
            medium.emit_nowait("a.b", number)
        assert payloads(v) == [1, 2]


async def test_the_defaults_are_amplitude_block_and_the_size_of_the_config() -> None:
    async with Aether(AetherConfig(channel_buffer_size=2)) as medium:
        v = tuned(medium, "a.*")
        assert v.statistics().max_buffer_size == 2
        medium.emit_nowait("a.b", "faint", amplitude=0.1)
        medium.emit_nowait("a.b", "loud", amplitude=0.9)
        assert payloads(v) == ["loud", "faint"]


async def test_the_default_size_is_1000() -> None:
    async with Aether() as medium:
        assert tuned(medium).statistics().max_buffer_size == 1000


async def test_the_config_changes_the_default_overflow() -> None:
    async with Aether(AetherConfig(overflow="drop_newest", channel_buffer_size=1)) as medium:
        v = tuned(medium, "a.*")
        medium.emit_nowait("a.b", 1)
        medium.emit_nowait("a.b", 2)
        assert payloads(v) == [1]


async def test_an_option_wins_over_the_config() -> None:
    config = AetherConfig(overflow="drop_newest", channel_buffer_size=1)
    async with Aether(config) as medium:
        v = tuned(medium, "a.*", overflow="drop_oldest", buffer_size=2)
        for number in range(3):
            medium.emit_nowait("a.b", number)
        assert payloads(v) == [1, 2]


async def test_names_are_labels() -> None:
    async with Aether() as medium:
        one, two = tuned(medium, "a.*", name="same"), tuned(medium, "a.*", name="same")
        assert one is not two
        await medium.emit_wave("a.b", 1)
        assert payloads(one) == payloads(two) == [1]


async def test_a_name_may_be_any_text() -> None:
    async with Aether() as medium:
        assert tuned(medium, name="Käse & Brot. 1/2 *").name == "Käse & Brot. 1/2 *"


async def test_repr_shows_the_name() -> None:
    async with Aether() as medium:
        assert "notifier" in repr(tuned(medium, name="notifier"))


def test_works_at_import_time_without_a_loop() -> None:
    medium = Aether()
    v = medium.vibrator("early")
    v.resonate_on("a.*", "b.+")

    @v.on("c.*")
    def handle(wave: object) -> None: ...

    assert [str(c) for c in medium.active_channels()] == ["a.*", "b.+", "c.*"]
    medium.emit_nowait("a.b", 1)
    assert v.receive_nowait().payload == 1
    v.detune("a.*")
    assert isinstance(medium.active_channels()[0], Channel)
    v.close()


async def test_a_vibrator_whose_last_handle_goes_unclosed_is_detuned_with_a_warning() -> None:
    async with Aether() as medium:
        v = medium.vibrator("forgotten")
        v.resonate_on("a.*")
        with pytest.warns(ResourceWarning, match="forgotten"):  # noqa: PT031 - it warns when it goes
            del v
            gc.collect()
        assert list(medium.active_channels()) == []
        assert medium.emit_nowait("a.b").matched == 0


async def test_a_closed_vibrator_goes_without_a_warning() -> None:
    async with Aether() as medium:
        v = medium.vibrator("closed")
        v.resonate_on("a.*")
        v.close()
        del v
        gc.collect()


async def test_a_vibrator_with_handlers_stays_though_its_last_handle_goes() -> None:
    async with Aether() as medium:
        seen: list[int] = []
        v = medium.vibrator("worker")
        v.on("a.*")(lambda wave: seen.append(wave.payload))
        del v
        gc.collect()
        await medium.emit_wave("a.b", 1)
        assert await medium.settle(5)
        assert seen == [1]


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"name": None}, TypeError, "name"),
    ({"name": 1}, TypeError, "name"),
    ({"name": b"x"}, TypeError, "name"),
    ({"order": "loud"}, ValueError, "loud"),
    ({"order": ""}, ValueError, "order"),
    ({"order": 1}, TypeError, "order"),
    ({"overflow": "explode"}, ValueError, "explode"),
    ({"overflow": 1}, TypeError, "overflow"),
    ({"buffer_size": 0}, ValueError, "buffer_size"),
    ({"buffer_size": -5}, ValueError, "-5"),
    ({"buffer_size": 10**30}, ValueError, "buffer_size"),
    ({"buffer_size": "3"}, TypeError, "buffer_size"),
    ({"buffer_size": 1.5}, TypeError, "buffer_size"),
    ({"noise_floor": math.nan}, ValueError, "noise_floor"),
    ({"noise_floor": "x"}, TypeError, "noise_floor"),
    ({"group": 1}, TypeError, "group"),
    ({"colour": "red"}, TypeError, "colour"),
]


@pytest.mark.parametrize(("options", "kind", "says"), BAD, ids=repr)
async def test_bad_options_are_refused(
    options: dict[str, Any], kind: type[Exception], says: str
) -> None:
    async with Aether() as medium:
        with pytest.raises(kind, match=says):
            medium.vibrator(**({"name": "n"} | options))
        await assert_works(medium)


@pytest.mark.parametrize(("options", "kind", "says"), BAD, ids=repr)
async def test_create_refuses_bad_options_too(
    options: dict[str, Any], kind: type[Exception], says: str
) -> None:
    async with Aether() as medium:
        with pytest.raises(kind, match=says):
            await Vibrator.create(**({"name": "n", "medium": medium} | options))
        await assert_works(medium)


@pytest.mark.parametrize(("option", "choice"), [("order", "fresh"), ("overflow", "drop_faintest")])
async def test_the_error_lists_what_is_allowed(option: str, choice: str) -> None:
    async with Aether() as medium:
        with pytest.raises(ValueError, match=choice) as caught:
            medium.vibrator("n", **{option: "nonsense"})
        assert_says(caught.value, option, "nonsense")


@pytest.mark.parametrize("medium", [None, 1, "medium", object()])
async def test_create_without_a_medium_is_a_type_error(medium: Any) -> None:
    with pytest.raises(TypeError):
        await Vibrator.create("n", medium)


async def test_a_closed_medium_makes_no_vibrators() -> None:
    medium = Aether()
    await medium.aclose()
    with pytest.raises(Closed):
        medium.vibrator("late")
    with pytest.raises(Closed):
        await Vibrator.create("late", medium)


async def test_a_huge_mailbox_takes_no_room_before_it_is_used() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*", buffer_size=1_000_000_000)
        await medium.emit_wave("a.b", 1)
        assert payloads(v) == [1]
