"""`AetherConfig`: its values, what it refuses, and that each of them is in force."""

import math
import pickle
import subprocess
import sys
from typing import Any

import pytest
from tests.probes import tuned

from aether import Aether, AetherConfig, ConfigError

DEFAULTS: dict[str, Any] = {
    "attenuation_factor": 0.95,
    "decay_interval": 1.0,
    "max_propagation": 10,
    "min_amplitude": 0.01,
    "channel_buffer_size": 1000,
    "overflow": "block",
    "max_channel_length": 1024,
    "stall_warning": 1.0,
    "drain_timeout": 5.0,
    "max_payload_bytes": 1048576,
    "retain": (),
    "retain_channels": 100_000,
}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_defaults(name: str, value: object) -> None:
    assert getattr(AetherConfig(), name) == value
    assert type(getattr(AetherConfig(), name)) is type(value)


@pytest.mark.parametrize("name", DEFAULTS)
def test_is_frozen(name: str) -> None:
    config = AetherConfig()
    with pytest.raises((AttributeError, TypeError, ValueError)):
        setattr(config, name, DEFAULTS[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attenuation_factor", 0.5),
        ("attenuation_factor", 1.0),
        ("decay_interval", 60.0),
        ("max_propagation", 1),
        ("min_amplitude", 0.0),
        ("channel_buffer_size", 1),
        ("overflow", "drop_oldest"),
        ("overflow", "drop_newest"),
        ("overflow", "drop_faintest"),
        ("overflow", "conflate"),
        ("overflow", "error"),
        ("max_channel_length", 64),
        ("stall_warning", 0.5),
        ("drain_timeout", 0.0),
        ("max_payload_bytes", 1),
    ],
)
def test_takes(name: str, value: object) -> None:
    assert getattr(AetherConfig(**{name: value}), name) == value


BAD: list[tuple[str, Any]] = [
    ("attenuation_factor", -0.1),
    ("attenuation_factor", 1.5),
    ("attenuation_factor", math.nan),
    ("attenuation_factor", math.inf),
    ("attenuation_factor", "much"),
    ("decay_interval", 0.0),
    ("decay_interval", -1.0),
    ("decay_interval", math.nan),
    ("max_propagation", -1),
    ("max_propagation", 1.5),
    ("max_propagation", "x"),
    ("max_propagation", 10**30),
    ("min_amplitude", -0.1),
    ("min_amplitude", 1.1),
    ("min_amplitude", math.nan),
    ("channel_buffer_size", 0),
    ("channel_buffer_size", -1),
    ("channel_buffer_size", 10**30),
    ("channel_buffer_size", None),
    ("overflow", "explode"),
    ("overflow", 1),
    ("max_channel_length", 0),
    ("max_channel_length", -1),
    ("stall_warning", -1.0),
    ("stall_warning", math.nan),
    ("drain_timeout", -1.0),
    ("drain_timeout", math.nan),
    ("max_payload_bytes", -1),
    ("colour", "red"),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: repr(value)[:20])
def test_refuses_and_names_the_option(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        AetherConfig(**{name: value})
    assert isinstance(caught.value, ValueError)
    assert str(value)[:10] in str(caught.value)


def test_equals_by_value() -> None:
    assert AetherConfig(decay_interval=2.0) == AetherConfig(decay_interval=2.0)
    assert AetherConfig(decay_interval=2.0) != AetherConfig()


def test_pickles() -> None:
    config = AetherConfig(decay_interval=2.0, overflow="conflate")
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_medium_has_its_config() -> None:
    config = AetherConfig(decay_interval=2.0)
    assert Aether(config).config == config
    assert Aether().config == AetherConfig()


@pytest.mark.parametrize("bad", ["config", 1, {"decay_interval": 2.0}, object()], ids=repr)
def test_a_medium_of_what_is_no_config_is_a_type_error(bad: Any) -> None:
    with pytest.raises(TypeError, match="AetherConfig"):
        Aether(bad)


@pytest.mark.parametrize("bad", ["clock", 1, object()], ids=repr)
def test_a_medium_of_what_is_no_clock_is_a_type_error(bad: Any) -> None:
    with pytest.raises(TypeError):
        Aether(clock=bad)


async def test_the_attenuation_factor_is_in_force() -> None:
    async with Aether(AetherConfig(attenuation_factor=0.5)) as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b")
        await medium.emit(v.receive_nowait())
        assert v.receive_nowait().amplitude == 0.5


async def test_the_min_amplitude_is_in_force() -> None:
    async with Aether(AetherConfig(min_amplitude=0.5)) as medium:
        tuned(medium, "a.*")
        assert not await medium.emit_wave("a.b", amplitude=0.49)
        assert await medium.emit_wave("a.b", amplitude=0.5)


async def test_the_max_propagation_is_in_force() -> None:
    async with Aether(AetherConfig(max_propagation=1)) as medium:
        v = tuned(medium, "a.*")
        await medium.emit_wave("a.b")
        assert not await medium.emit(v.receive_nowait())


def test_a_medium_without_a_config_loads_no_pydantic() -> None:
    code = """
import sys, aether
medium = aether.Aether()
v = medium.vibrator("v"); v.resonate_on("a.*")
assert medium.emit_nowait("a.b", 1); assert v.receive_nowait().payload == 1; v.close()
assert "pydantic" not in sys.modules, "pydantic"
assert "numpy" not in sys.modules, "numpy"
aether.AetherConfig()
assert "pydantic" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
