"""`explain`: who would get a wave, and who would not and exactly why; `health` and `statistics`."""

import math
from typing import Any

import anyio
import pytest
from tests.probes import assert_works, begin, payloads, tuned, until, until_sending

from aether import Aether, AetherConfig, ChannelError, Wave


def row(explanation: Any, name: str) -> Any:
    (found,) = [
        one for one in explanation.rows if getattr(one.vibrator, "name", one.vibrator) == name
    ]
    return found


async def test_says_whom_a_wave_would_reach() -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", "x.y", name="the-reader")
        found = row(medium.explain("orders.created"), "the-reader")
        assert found.reached is True
        assert found.reason is None
        assert "orders.*" in [str(pattern) for pattern in found.patterns]


@pytest.mark.parametrize(
    ("options", "amplitude", "why"),
    [({}, 1.0, "pattern"), ({"noise_floor": 0.5}, 0.4, "noise floor")],
)
async def test_says_why_it_would_not_reach_one(
    options: dict[str, Any], amplitude: float, why: str
) -> None:
    async with Aether() as medium:
        pattern = "payments.*" if why == "pattern" else "orders.*"
        tuned(medium, pattern, name="the-reader", **options)
        found = row(medium.explain("orders.created", amplitude=amplitude), "the-reader")
        assert found.reached is False
        assert why in found.reason


@pytest.mark.parametrize("overflow", ["block", "drop_newest", "error"])
async def test_says_that_a_mailbox_is_full(overflow: str) -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="the-reader", overflow=overflow, buffer_size=1)
        assert row(medium.explain("orders.created"), "the-reader").reached is True
        await medium.emit_wave("orders.created")
        found = row(medium.explain("orders.created"), "the-reader")
        assert found.reached is False
        assert "full" in found.reason


async def test_a_full_mailbox_that_makes_room_is_reached() -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="the-reader", overflow="drop_oldest", buffer_size=1)
        await medium.emit_wave("orders.created")
        assert row(medium.explain("orders.created"), "the-reader").reached is True


async def test_has_a_row_for_each_vibrator() -> None:
    async with Aether() as medium:
        for name, pattern in [("one", "orders.*"), ("two", "*"), ("three", "payments.*")]:
            tuned(medium, pattern, name=name)
        explanation = medium.explain("orders.created")
        reached = {
            getattr(one.vibrator, "name", one.vibrator): one.reached for one in explanation.rows
        }
        assert reached == {"one": True, "two": True, "three": False}
        assert list(explanation) == list(explanation.rows)
        assert len(explanation) == 3


@pytest.mark.parametrize("group", [None, "chat"])
async def test_says_that_a_vibrator_ignores_its_own_waves(group: str | None) -> None:
    async with Aether() as medium:
        label = "me" if group is None else "chat (group)"
        me = tuned(medium, "chat.*", name="me", ignore_own=True, group=group)
        other = tuned(medium, "chat.*", name="other")
        by_me = medium.explain("chat.said", emitter=me)
        assert (row(by_me, label).reached, row(by_me, label).reason) == (False, "own")
        assert by_me.reached == ("other",)
        for explanation in (
            medium.explain("chat.said"),
            medium.explain("chat.said", emitter=other),
        ):
            assert explanation.reached == (label, "other")
        assert (await me.emit_wave("chat.said")).delivered == 1


async def test_tells_of_handlers_too() -> None:
    async with Aether() as medium:
        tuned(medium, name="worker").on("orders.*")(lambda wave: None)
        found = row(medium.explain("orders.created"), "worker")
        assert found.reached is True
        assert "orders.*" in [str(pattern) for pattern in found.patterns]


async def test_prints_as_a_table() -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="the-reader")
        tuned(medium, "payments.*", name="another-one")
        text = str(medium.explain("orders.created"))
        assert "orders.created" in text
        lines = text.splitlines()
        (reader,) = [line for line in lines if "the-reader" in line]
        (other,) = [line for line in lines if "another-one" in line]
        assert "orders.*" in reader
        assert "payments.*" in other
        assert "pattern" in other


async def test_of_an_empty_medium_says_so() -> None:
    async with Aether() as medium:
        explanation = medium.explain("orders.created")
        assert list(explanation.rows) == []
        assert "orders.created" in str(explanation)


async def test_agrees_with_what_an_emission_does() -> None:
    async with Aether() as medium:
        for number, (pattern, floor) in enumerate(
            [("a.*", 0.0), ("a.+", 0.6), ("b.*", 0.0), ("*", 0.3)]
        ):
            tuned(medium, pattern, name=f"v{number}", noise_floor=floor)
        for channel in ("a.b", "a.b.c", "b.b", "c"):
            for amplitude in (0.2, 0.5, 1.0):
                told = sum(one.reached for one in medium.explain(channel, amplitude).rows)
                assert told == medium.emit_nowait(channel, amplitude=amplitude).delivered


async def test_changes_nothing() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        before = v.statistics()
        medium.explain("a.b")
        assert v.statistics() == before
        assert payloads(v) == []


async def test_a_wave_below_min_amplitude_reaches_nobody() -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", name="the-reader")
        found = row(medium.explain("a.b", amplitude=0.001), "the-reader")
        assert found.reached is False
        assert "min_amplitude" in found.reason


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("",), ChannelError),
        (("a..b",), ChannelError),
        (("a.*",), ChannelError),
        ((None,), TypeError),
        (("a.b", math.nan), ValueError),
        (("a.b", "loud"), TypeError),
    ],
    ids=repr,
)
async def test_bad_arguments_are_refused(arguments: tuple[Any, ...], kind: type[Exception]) -> None:
    async with Aether() as medium:
        with pytest.raises(kind):
            medium.explain(*arguments)
        await assert_works(medium)


@pytest.mark.parametrize("emitter", ["v", 1, Aether()])
async def test_an_emitter_that_is_no_vibrator_is_refused(emitter: Any) -> None:
    async with Aether() as medium:
        with pytest.raises(TypeError, match="emitter"):
            medium.explain("a.b", emitter=emitter)


@pytest.mark.parametrize(("given", "shown"), [(3, 1.0), (1.5, 1.0), (-1, 0.0), (0.25, 0.25)])
async def test_an_amplitude_is_clamped_as_that_of_a_wave(given: float, shown: float) -> None:
    async with Aether() as medium:
        tuned(medium, "a.*", noise_floor=1.0)
        explanation = medium.explain("a.b", given)
        assert explanation.amplitude == Wave("a.b", amplitude=given).amplitude == shown
        assert f"at amplitude {shown:g}:" in str(explanation)
        assert bool(explanation.reached) is bool(medium.emit_nowait("a.b", amplitude=given))


async def test_an_open_medium_is_live_and_ready() -> None:
    async with Aether() as medium:
        health = medium.health()
        assert (health.live, health.ready, list(health.reasons)) == (True, True, [])
        assert health


async def test_a_closed_medium_is_not_ready_and_says_why() -> None:
    async with Aether() as medium:
        pass
    health = medium.health()
    assert health.ready is False
    assert not health
    assert "closed" in " ".join(health.reasons).lower()


async def test_health_cannot_be_changed() -> None:
    async with Aether() as medium:
        with pytest.raises((AttributeError, TypeError)):
            medium.health().ready = False  # type: ignore[misc]


async def test_statistics_of_a_medium_are_frozen() -> None:
    async with Aether() as medium:
        figures = medium.statistics()
        names = [
            name
            for name in dir(figures)
            if not name.startswith("_") and not callable(getattr(figures, name))
        ]
        assert names
        for name in names:
            with pytest.raises((AttributeError, TypeError)):
                setattr(figures, name, 1)


async def test_explain_while_an_emission_waits() -> None:
    async with Aether() as medium, anyio.create_task_group() as group:
        v = tuned(medium, "a.*", name="the-reader", buffer_size=1)
        await medium.emit_wave("a.b")
        sending = begin(group, lambda: medium.emit_wave("a.b"))
        await until_sending(v)
        assert "full" in row(medium.explain("a.b"), "the-reader").reason
        await v.receive()
        await sending.result()


def test_default_is_one_medium() -> None:
    medium = Aether.default()
    assert isinstance(medium, Aether)
    assert Aether.default() is medium


async def test_default_is_a_new_one_once_it_is_closed() -> None:
    medium = Aether.default()
    await medium.aclose()
    assert Aether.default() is not medium
    await assert_works(Aether.default())


async def test_says_that_a_vibrator_is_closed() -> None:
    async with Aether() as medium:
        v = tuned(medium, "orders.*", name="the-reader")
        v.close()
        found = row(medium.explain("orders.created"), "the-reader")
        assert found.reached is False
        assert found.reason == "closed"


async def test_a_medium_is_not_ready_while_an_emission_waits_too_long() -> None:
    async with (
        Aether(AetherConfig(stall_warning=0.01)) as medium,
        anyio.create_task_group() as group,
    ):
        v = tuned(medium, "orders.*", name="sleepy-reader", buffer_size=1)
        await medium.emit_wave("orders.created")
        sending = begin(group, lambda: medium.emit_wave("orders.created"))
        await until(lambda: not medium.health().ready)
        health = medium.health()
        assert health.live is True
        (reason,) = health.reasons
        assert "orders.created" in reason
        assert "sleepy-reader" in reason
        v.receive_nowait()
        await sending.result()
        assert medium.health().ready is True


async def test_has_no_row_for_an_expectation() -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="the-reader")
        expecting = medium.expect("orders.*")
        explanation = medium.explain("orders.created")
        expecting.close()
        assert [one.vibrator for one in explanation.rows] == ["the-reader"]


@pytest.mark.parametrize(("amplitude", "heard"), [(10**400, 1.0), (-(10**400), 0.0)])
async def test_an_amplitude_beyond_any_float_is_clamped_like_others(
    amplitude: int, heard: float
) -> None:
    async with Aether() as medium:
        assert medium.explain("orders.created", amplitude).amplitude == heard
