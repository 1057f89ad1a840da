"""`AetherConfig`: its values, what it refuses, and that each of them is in force."""

import inspect
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.probes import shown, tuned

from aether import Aether, AetherConfig, ConfigError, JournalConfig
from aether.journal import Journal, Retain

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


@pytest.mark.parametrize("bad", ["config", 1, {"decay_interval": 2.0}, object()], ids=shown)
def test_a_medium_of_what_is_no_config_is_a_type_error(bad: Any) -> None:
    with pytest.raises(TypeError, match="AetherConfig"):
        Aether(bad)


@pytest.mark.parametrize("bad", ["clock", 1, object()], ids=shown)
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


# The section of the journal


def test_a_journal_of_the_configuration_has_the_defaults_of_a_journal() -> None:
    options = inspect.signature(Journal).parameters
    section = dict(JournalConfig(path="history"))
    assert section == {
        name: options[name].default if name != "path" else "history" for name in section
    }


async def test_a_medium_writes_to_the_journal_of_its_configuration(tmp_path: Path) -> None:
    section = JournalConfig(path=tmp_path, codec="json", durability="os", segment_bytes=4096)
    config = AetherConfig(journal=section)
    for _ in range(2):
        async with Aether(config) as medium:
            assert medium.journal is not None
            assert medium.journal.path == tmp_path
            await medium.emit_wave("a.b", 1)
    assert [wave.payload for wave in Journal(tmp_path).replay()] == [1, 1]


def test_rules_of_retention_are_tables_of_their_fields() -> None:
    rules = [{"pattern": "metrics.*", "max_age": 60, "keep_last": 3}, Retain(max_count=5)]
    config = AetherConfig(journal={"path": "history", "retention": rules})  # type: ignore[arg-type]
    assert isinstance(config.journal, JournalConfig)
    first = Retain(pattern="metrics.*", max_age=60.0, keep_last=3)
    assert config.journal.retention == (first, Retain(max_count=5))


async def test_a_configuration_takes_a_journal_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    async with Aether(AetherConfig(journal=journal)) as medium:
        assert medium.journal is journal


async def test_the_journal_that_is_given_comes_before_that_of_the_configuration(
    tmp_path: Path,
) -> None:
    config = AetherConfig(journal=JournalConfig(path=tmp_path / "configured"))
    async with Aether(config, journal=Journal(tmp_path / "given")) as medium:
        await medium.emit_wave("a.b")
    assert not (tmp_path / "configured").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"path": 3, "segment_bytes": 0, "durabilty": "os"},
            (
                "3 mistakes in the configuration:\n"
                "  journal.path=3 should be a str or a path\n"
                "  journal.segment_bytes=0 should be greater than or equal to 4096\n"
                "  journal.durabilty is no field; did you mean 'durability'?"
            ),
        ),
        (
            {"path": "history", "retention": [{"pattern": "a.*"}]},
            "should be rules: Retain needs a limit",
        ),
        ({"path": "history", "retention": "all"}, "should be a list of rules"),
        ({"path": "history", "retention": [{"max_cuont": 3}]}, "did you mean 'max_count'?"),
        ({}, "1 mistake in the configuration:\n  journal.path is missing"),
        ("history", "should be a valid dictionary or instance of JournalConfig"),
    ],
)
def test_mistakes_of_the_section_are_told_with_the_others(given: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AetherConfig(journal=given)
    assert said in str(caught.value)
    with pytest.raises(
        ConfigError, match=r"2 mistakes(.|\n)*colour(.|\n)*journal|journal(.|\n)*colour"
    ):
        AetherConfig(journal=3, colour="red")  # type: ignore[call-arg, arg-type]


def test_mistakes_of_a_section_made_by_itself() -> None:
    with pytest.raises(ConfigError, match="1 mistake in the configuration:\n  codec='yaml' should"):
        JournalConfig(path="history", codec="yaml")  # type: ignore[arg-type]


def test_a_number_too_long_to_be_shown_is_refused_all_the_same() -> None:
    with pytest.raises(ConfigError, match="channel_buffer_size=<int> should be"):
        AetherConfig(channel_buffer_size=-(10**5_000))


def test_a_mistake_far_from_every_field_is_told_what_there_is() -> None:
    with pytest.raises(
        ConfigError, match="zzzzzz is no field; there are attenuation_factor, decay"
    ):
        AetherConfig(zzzzzz=1)  # type: ignore[call-arg]
