"""What a wave carries, which values it takes, and what it says about those it does not."""

import math
import sys
import time

import pytest
from hypothesis import given, strategies as st
from tests.probes import assert_says, shown

from aether import Channel, ChannelError, Wave

TAU = 2 * math.pi


def test_a_wave_of_a_channel_alone_has_the_documented_defaults() -> None:
    wave = Wave("orders.created")
    assert wave.channel == "orders.created"
    assert wave.payload is None
    assert wave.amplitude == 1.0
    assert wave.priority == 1.0
    assert wave.phase == 0.0
    assert wave.frequency == 1.0
    assert wave.source is None
    assert dict(wave.headers) == {}
    assert wave.propagation_count == 0
    assert wave.sequence is None
    assert wave.ttl is None


def test_takes_every_field() -> None:
    wave = Wave(
        "a.b",
        7,
        amplitude=0.5,
        phase=1.5,
        frequency=3.0,
        source="me",
        headers={"k": "v"},
        timestamp=12.5,
        ttl=4.0,
    )
    assert (wave.channel, wave.payload, wave.amplitude, wave.priority) == ("a.b", 7, 0.5, 0.5)
    assert (wave.phase, wave.frequency, wave.source, dict(wave.headers)) == (
        1.5,
        3.0,
        "me",
        {"k": "v"},
    )
    assert (wave.timestamp, wave.ttl) == (12.5, 4.0)


def test_takes_the_fields_after_the_payload_by_name_only() -> None:
    with pytest.raises(TypeError):
        Wave("a.b", None, 0.5)  # type: ignore[misc]


def test_the_channel_of_a_wave_is_a_channel() -> None:
    assert isinstance(Wave("a.b").channel, Channel)
    assert Wave(Channel("a.b")).channel == "a.b"


def test_the_timestamp_is_unix_seconds_at_creation() -> None:
    before = time.time()
    wave = Wave("a.b")
    assert before - 1e-3 <= wave.timestamp <= time.time() + 1e-3


@pytest.mark.parametrize(
    "payload",
    [None, 0, "", {}, [1], b"x", bytearray(b"x"), object(), lambda: None, float("nan")],
    ids=shown,
)
def test_any_object_is_a_payload_carried_by_reference(payload: object) -> None:
    wave = Wave("a.b", payload)
    assert wave.payload is payload
    assert wave.propagate().payload is payload
    assert wave.replace(phase=1.0).payload is payload


def test_carrying_a_payload_holds_one_reference_and_copies_nothing() -> None:
    payload = [1]
    before = sys.getrefcount(payload)
    wave = Wave("a.b", payload)
    assert sys.getrefcount(payload) == before + 1
    del wave
    assert sys.getrefcount(payload) == before


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (0.0, 0.0),
        (0, 0.0),
        (1, 1.0),
        (0.3, 0.3),
        (1.5, 1.0),
        (-0.5, 0.0),
        (1e308, 1.0),
        (math.inf, 1.0),
        (-math.inf, 0.0),
        (5e-324, 5e-324),
    ],
)
def test_amplitude_is_clamped_to_0_1(given_value: float, kept: float) -> None:
    wave = Wave("a.b", amplitude=given_value)
    assert wave.amplitude == kept
    assert wave.priority == kept
    assert isinstance(wave.amplitude, float)


def test_amplitude_never_is_minus_zero() -> None:
    assert (
        math.copysign(1.0, Wave("a.b", amplitude=-0.0).amplitude) == 1.0
        or Wave("a.b", amplitude=-0.0).amplitude == 0.0
    )


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (math.pi, math.pi),
        (TAU, 0.0),
        (-math.pi / 2, 1.5 * math.pi),
        (3 * math.pi, math.pi),
        (-TAU, 0.0),
        (7, 7 - TAU),
    ],
)
def test_phase_is_wrapped(given_value: float, kept: float) -> None:
    assert Wave("a.b", phase=given_value).phase == pytest.approx(kept, abs=1e-12)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_phase_is_wrapped_to_0_2pi(phase: float) -> None:
    assert 0.0 <= Wave("a.b", phase=phase).phase < TAU


@pytest.mark.parametrize(
    "phase", [-1e-17, -5e-324, -1e-300, math.nextafter(TAU, 7), math.nextafter(TAU, 0)]
)
def test_a_phase_next_to_the_edge_stays_below_2pi(phase: float) -> None:
    assert 0.0 <= Wave("a.b", phase=phase).phase < TAU


@pytest.mark.parametrize("field", ["amplitude", "phase", "frequency", "timestamp", "ttl"])
def test_nan_is_a_value_error_that_names_the_field(field: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        Wave("a.b", **{field: math.nan})
    assert "nan" in str(caught.value).lower()


@pytest.mark.parametrize("value", [math.inf, -math.inf])
@pytest.mark.parametrize("field", ["phase", "frequency", "timestamp"])
def test_infinity_is_a_value_error_that_names_the_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        Wave("a.b", **{field: value})
    assert_says(caught.value, field, "inf")


@pytest.mark.parametrize("field", ["frequency", "ttl"])
def test_a_negative_value_is_a_value_error_that_names_field_and_value(field: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        Wave("a.b", **{field: -1.5})
    assert_says(caught.value, field, "-1.5")


@pytest.mark.parametrize("field", ["amplitude", "phase", "frequency", "timestamp", "ttl"])
@pytest.mark.parametrize(
    "value", ["1.0", [1.0], object(), 1j, b"1"], ids=["str", "list", "object", "complex", "bytes"]
)
def test_a_number_of_another_type_is_a_type_error(field: str, value: object) -> None:
    with pytest.raises(TypeError):
        Wave("a.b", **{field: value})


@pytest.mark.parametrize("field", ["phase", "frequency", "timestamp"])
def test_an_integer_too_large_for_a_float_is_a_value_error(field: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        Wave("a.b", **{field: 10**400})


@pytest.mark.parametrize("source", [1, b"me", ["me"], object()])
def test_a_source_that_is_no_str_is_a_type_error(source: object) -> None:
    with pytest.raises(TypeError):
        Wave("a.b", source=source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        1,
        "k=v",
        [("k", "v")],
        {"k": 1},
        {1: "v"},
        {"k": None},
        {b"k": "v"},
        {"k": b"v"},
        {"a": "b", "k": ["v"]},
    ],
    ids=shown,
)
def test_headers_are_a_mapping_of_str_to_str(headers: object) -> None:
    with pytest.raises(TypeError):
        Wave("a.b", headers=headers)  # type: ignore[arg-type]


def test_headers_are_read_only() -> None:
    wave = Wave("a.b", headers={"k": "v"})
    with pytest.raises((TypeError, AttributeError)):
        wave.headers["k"] = "w"  # type: ignore[index]
    with pytest.raises((TypeError, AttributeError)):
        del wave.headers["k"]  # type: ignore[attr-defined]
    assert wave.headers["k"] == "v"


def test_headers_read_as_a_mapping() -> None:
    headers = Wave("a.b", headers={"k": "v", "l": "w"}).headers
    assert headers["k"] == "v"
    assert headers.get("none") is None
    assert "l" in headers
    assert len(headers) == 2
    assert list(headers) == ["k", "l"]
    with pytest.raises(KeyError):
        headers["none"]


def test_later_changes_of_the_dict_do_not_reach_the_wave() -> None:
    mine = {"k": "v"}
    wave = Wave("a.b", headers=mine)
    mine["k"] = "changed"
    mine["new"] = "x"
    assert dict(wave.headers) == {"k": "v"}


@pytest.mark.parametrize("name", ["a..b", "", "a b", "cre*", "a" * 2000])
def test_a_bad_channel_is_a_channel_error(name: str) -> None:
    with pytest.raises(ChannelError):
        Wave(name)


@pytest.mark.parametrize("name", [None, 1, b"a"])
def test_a_channel_that_is_no_str_is_a_type_error(name: object) -> None:
    with pytest.raises(TypeError):
        Wave(name)  # type: ignore[arg-type]


FIELDS = [
    "id",
    "sequence",
    "channel",
    "payload",
    "amplitude",
    "priority",
    "phase",
    "frequency",
    "source",
    "headers",
    "propagation_count",
    "timestamp",
    "ttl",
]


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_can_be_set_or_deleted(field: str) -> None:
    wave = Wave("a.b")
    with pytest.raises(AttributeError):
        setattr(wave, field, 1)
    with pytest.raises(AttributeError):
        delattr(wave, field)


def test_takes_no_new_attribute() -> None:
    with pytest.raises(AttributeError):
        Wave("a.b").extra = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("field", ["amplitude", "phase", "frequency", "timestamp", "ttl"])
def test_what_is_no_number_is_named(field: str) -> None:
    with pytest.raises(TypeError, match=rf"^{field} must be a number, not str"):
        Wave("a", **{field: "x"})
    with pytest.raises(TypeError, match=rf"^{field} must be a number, not str"):
        Wave("a").replace(**{field: "x"})
