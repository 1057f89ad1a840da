"""What type checkers see of channels and waves; run by `make typecheck`, not by pytest."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, assert_type

from aether import Channel, Interference, PhysicsEngine, Wave, WaveBuilder


@dataclass
class Order:
    number: int


class Express(Order):
    pass


PLACED = Channel[Order]("orders.placed")


def a_channel_carries_its_type_and_is_a_str() -> None:
    assert_type(PLACED, Channel[Order])
    assert_type(PLACED.canonical, Channel[Order])
    assert_type(PLACED.child("late"), Channel[Order])
    assert_type(PLACED.parent, Channel[Any] | None)
    assert_type(Channel("orders.placed"), Channel[Any])
    assert_type(Channel.of("progress", 42).tokens, tuple[str, ...])
    name: str = PLACED
    assert_type(name.upper(), str)


def a_wave_carries_the_type_of_its_payload() -> None:
    assert_type(Wave("orders.placed", Order(1)), Wave[Order])
    assert_type(Wave("orders.placed", Order(1)).payload, Order)
    assert_type(Wave("orders.placed"), Wave[None])
    # With a channel of a type, that type.
    assert_type(Wave(PLACED, Express(1)), Wave[Order])
    assert_type(Wave(PLACED, Order(1)).channel, Channel[Order])


def a_wave_is_covariant(express: Wave[Express], anything: Wave[object], bare: Wave) -> None:
    order: Wave[Order] = express
    order = bare
    order = anything  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    assert_type(order.payload, Order)
    assert_type(bare, Wave[Any])


def what_makes_a_wave_of_a_wave_keeps_its_type(wave: Wave[Order]) -> None:
    assert_type(wave.propagate(0.9), Wave[Order])
    assert_type(wave.apply_time_decay(attenuation_factor=0.5), Wave[Order])
    assert_type(wave.replace(amplitude=0.5, ttl=None), Wave[Order])
    assert_type(wave.replace(payload="another"), Wave[str])
    wave.replace(loudness=1.0)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def a_builder_takes_the_type_of_its_payload() -> None:
    assert_type(Wave.builder("orders.placed"), WaveBuilder[Any])
    assert_type(Wave.builder(PLACED), WaveBuilder[Order])
    assert_type(Wave.builder("orders.placed").payload(Order(1)).amplitude(0.5).build(), Wave[Order])


def the_fields_have_their_types(wave: Wave[Order]) -> None:
    assert_type(wave.id, str)
    assert_type(wave.sequence, int | None)
    assert_type(wave.amplitude, float)
    assert_type(wave.source, str | None)
    assert_type(wave.headers, MappingProxyType[str, str])
    assert_type(wave.ttl, float | None)
    assert_type(wave.age(), float)
    wave.amplitude = 0.5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    wave.headers["a"] = "b"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


def physics_takes_waves_of_any_type(wave: Wave[Order], other: Wave[str]) -> None:
    assert_type(PhysicsEngine().calculate_interference(wave, other), Interference)
