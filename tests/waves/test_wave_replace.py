"""`replace`: a new wave from an old one, and the builder: a new wave step by step."""

import math
from typing import Any

import pytest
from tests.probes import tuned

from aether import Aether, ChannelError, Wave, WaveBuilder

pytestmark = pytest.mark.anyio

CHANGES: list[tuple[str, Any]] = [
    ("channel", "x.y"),
    ("payload", 9),
    ("amplitude", 0.25),
    ("phase", 2.0),
    ("frequency", 5.0),
    ("source", "other"),
    ("headers", {"x": "y"}),
    ("timestamp", 77.0),
    ("ttl", 8.0),
]
KEPT = [
    "channel",
    "payload",
    "amplitude",
    "phase",
    "frequency",
    "source",
    "headers",
    "timestamp",
    "ttl",
    "propagation_count",
]


def old_wave() -> Wave[int]:
    return Wave(
        "a.b",
        7,
        amplitude=0.5,
        phase=1.0,
        frequency=2.0,
        source="s",
        headers={"k": "v"},
        timestamp=3.0,
        ttl=4.0,
    ).propagate(0.5)


@pytest.mark.parametrize(("field", "value"), CHANGES)
def test_replace_changes_one_field_and_keeps_the_others(field: str, value: object) -> None:
    old = old_wave()
    new = old.replace(**{field: value})
    assert getattr(new, field) == value
    for other in KEPT:
        if other != field:
            assert getattr(new, other) == getattr(old, other), other


def test_replace_leaves_the_wave_as_it_was() -> None:
    old = old_wave()
    old.replace(payload=9)
    assert old.payload == 7


def test_replace_keeps_count_and_priority() -> None:
    new = old_wave().replace(payload=1)
    assert (new.propagation_count, new.priority, new.amplitude) == (1, 0.5, 0.25)


def test_a_replaced_amplitude_is_a_new_priority() -> None:
    assert old_wave().replace(amplitude=0.9).priority == 0.9


def test_replace_can_take_a_value_away() -> None:
    new = old_wave().replace(payload=None, source=None, ttl=None, headers=None)
    assert (new.payload, new.source, new.ttl, dict(new.headers)) == (None, None, None, {})


async def test_replace_of_a_received_wave_has_no_sequence() -> None:
    async with Aether() as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b")
        wave = v.receive_nowait()
        assert wave.sequence is not None
        assert wave.replace(payload=1).sequence is None


@pytest.mark.parametrize("name", ["colour", "id", "sequence", "priority", "propagation_count"])
def test_replace_of_what_is_not_given_to_a_wave_is_a_type_error_that_names_it(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        Wave("a.b").replace(**{name: 1})


BAD: list[tuple[str, Any, type[Exception]]] = [
    ("channel", "a..b", ChannelError),
    ("channel", 3, TypeError),
    ("amplitude", math.nan, ValueError),
    ("amplitude", "x", TypeError),
    ("phase", math.inf, ValueError),
    ("frequency", -1.0, ValueError),
    ("headers", {"k": 1}, TypeError),
    ("source", 1, TypeError),
    ("timestamp", math.nan, ValueError),
    ("ttl", -1.0, ValueError),
]


@pytest.mark.parametrize(("field", "value", "error"), BAD)
def test_replace_validates_like_the_constructor(
    field: str, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Wave("a.b").replace(**{field: value})


def test_replace_clamps_and_wraps_like_the_constructor() -> None:
    new = Wave("a.b").replace(amplitude=4.0, phase=2 * math.pi + 1)
    assert new.amplitude == 1.0
    assert new.phase == pytest.approx(1.0)


def test_the_builder_makes_a_wave_of_every_field() -> None:
    builder = (
        Wave.builder("a.b")
        .payload(7)
        .amplitude(0.5)
        .phase(1.0)
        .frequency(2.0)
        .source("me")
        .header("k", "v")
        .header("l", "w")
    )
    wave = builder.build()
    assert (
        wave.channel,
        wave.payload,
        wave.amplitude,
        wave.priority,
        wave.phase,
        wave.frequency,
        wave.source,
    ) == ("a.b", 7, 0.5, 0.5, 1.0, 2.0, "me")
    assert dict(wave.headers) == {"k": "v", "l": "w"}


def test_the_builder_of_a_channel_alone_has_the_defaults_of_a_wave() -> None:
    wave, plain = Wave.builder("a.b").build(), Wave("a.b")
    for field in [
        "channel",
        "payload",
        "amplitude",
        "phase",
        "frequency",
        "source",
        "ttl",
        "propagation_count",
        "sequence",
    ]:
        assert getattr(wave, field) == getattr(plain, field), field


def test_the_builder_is_a_class_of_its_own() -> None:
    assert isinstance(Wave.builder("a.b"), WaveBuilder)
    assert isinstance(Wave.builder("a.b").payload(1), WaveBuilder)


def test_the_last_word_of_the_builder_wins() -> None:
    assert Wave.builder("a.b").payload(1).payload(2).build().payload == 2
    assert dict(Wave.builder("a.b").header("k", "1").header("k", "2").build().headers) == {"k": "2"}


def test_two_builds_are_two_waves() -> None:
    builder = Wave.builder("a.b")
    assert builder.build().id != builder.build().id


def test_a_built_wave_does_not_change_with_its_builder() -> None:
    builder = Wave.builder("a.b").header("k", "v").payload(1)
    wave = builder.build()
    builder.header("l", "w").payload(2)
    assert dict(wave.headers) == {"k": "v"}
    assert wave.payload == 1


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("amplitude", (math.nan,), ValueError),
        ("amplitude", ("x",), TypeError),
        ("phase", (math.inf,), ValueError),
        ("frequency", (-1.0,), ValueError),
        ("source", (1,), TypeError),
        ("header", ("k", 1), TypeError),
        ("header", (1, "v"), TypeError),
    ],
)
def test_the_builder_validates_like_the_constructor(
    method: str, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(Wave.builder("a.b"), method)(*arguments).build()


@pytest.mark.parametrize(
    ("name", "error"), [("a..b", ChannelError), (None, TypeError), (1, TypeError)]
)
def test_the_builder_checks_its_channel(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Wave.builder(name).build()
