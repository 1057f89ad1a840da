"""What the layers of a configuration come to, and what is said of their mistakes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.config.writing import mistakes, written

from aether import Aether, AetherConfig, ConfigError, JournalConfig
from aether.config.described import described


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


def test_each_layer_counts_above_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(
        tmp_path,
        """
channel_buffer_size = 1
max_propagation = 1
stall_warning = 1.5
drain_timeout = 1.0
[journal]
path = "history"
codec = "json"
""",
    )
    overlay = written(
        tmp_path,
        """
max_propagation = 2
stall_warning = 2.5
drain_timeout = 2.0
journal = { durability = "os" }
""",
        "aether.prod.toml",
    )
    monkeypatch.setenv("AETHER_ENV", "prod")
    monkeypatch.setenv("AETHER_STALL_WARNING", "3.5")
    monkeypatch.setenv("AETHER_DRAIN_TIMEOUT", "3")
    monkeypatch.setenv("AETHER_RETAIN", '["orders.*"]')
    monkeypatch.setenv("AETHER_JOURNAL__SNAPSHOT_INTERVAL", "7")
    layered = AetherConfig.files(tmp_path, drain_timeout=4.0).read()
    config, journal = layered.config, layered.config.journal
    assert (config.channel_buffer_size, config.max_propagation) == (1, 2)
    assert (config.stall_warning, config.drain_timeout) == (3.5, 4.0)
    assert config.retain == ("orders.*",)
    assert journal is not None
    assert (
        dict(journal).items()
        >= {
            "path": "history",
            "codec": "json",
            "durability": "os",
            "snapshot_interval": 7,
        }.items()
    )
    origins = {
        "overflow": "default",
        "channel_buffer_size": f"{file}:2",
        "max_propagation": f"{overlay}:2",
        "stall_warning": "AETHER_STALL_WARNING",
        "drain_timeout": "arguments",
        "retain": "AETHER_RETAIN",
        "journal.path": f"{file}:7",
        "journal.durability": f"{overlay}:5",
        "journal.snapshot_interval": "AETHER_JOURNAL__SNAPSHOT_INTERVAL",
        "journal.segment_bytes": "default",
    }
    assert {key: layered.origin_of(tuple(key.split("."))) for key in origins} == origins


def test_without_files_everything_has_its_default(tmp_path: Path) -> None:
    layered = AetherConfig.files(tmp_path).read()
    assert layered.config == AetherConfig()
    assert not layered.origins
    assert AetherConfig.files(tmp_path / "nowhere").read().config == AetherConfig()


def test_a_named_environment_counts_above_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "max_propagation = 2", "aether.prod.toml")
    written(tmp_path, "max_propagation = 3", "aether.test.toml")
    monkeypatch.setenv("AETHER_ENV", "prod")
    assert AetherConfig.files(tmp_path).read().config.max_propagation == 2
    assert AetherConfig.files(tmp_path, environment="test").read().config.max_propagation == 3


def test_all_mistakes_are_told_at_once_with_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(
        tmp_path,
        """
chanel_buffer_size = 100
overflow = "blok"

[journal]
path = "history"
segmentbytes = 5

[[journal.retention]]
max_agee = 3
""",
    )
    overlay = written(tmp_path, "min_amplitude = 2.0\n", "aether.prod.toml")
    monkeypatch.setenv("AETHER_ENV", "prod")
    monkeypatch.setenv("AETHER_MAX_PROPAGATION", "many")
    monkeypatch.setenv("AETHER_STALL_WARNIN", "1")
    monkeypatch.setenv("AETHER_RETAIN", "orders.*")
    said = mistakes(AetherConfig.files(tmp_path, drain_timeout=-1.0))
    for expected in (
        f"{file}:2: chanel_buffer_size is no field; did you mean 'channel_buffer_size'?",
        f"{file}:3: overflow='blok' should be 'block', 'drop_oldest'",
        f"{file}:7: journal.segmentbytes is no field; did you mean 'segment_bytes'?",
        f"{file}:9: journal.retention=",
        f"{overlay}:1: min_amplitude=2.0 should be less than or equal to 1",
        "AETHER_MAX_PROPAGATION: max_propagation='many' should be a valid integer",
        "AETHER_STALL_WARNIN is no variable; did you mean 'AETHER_STALL_WARNING'?",
        "AETHER_RETAIN is no JSON, as a list or a table has to be",
        "drain_timeout=-1.0 should be greater than or equal to 0",
    ):
        assert [one for one in said if one.startswith(expected)], (expected, said)
    assert len(said) == 9


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = ", "no TOML: Invalid value (at end of document)"),
        ("size = 1\nsize = 2\n", "no TOML: Cannot overwrite a value (at line 2, column 9)"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_the_place(tmp_path: Path, text: str, why: str) -> None:
    file = written(tmp_path, text)
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said == f"{file} is {why}"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "aether.toml").mkdir()
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said.startswith(f"{tmp_path / 'aether.toml'} cannot be read")
    (tmp_path / "aether.toml").rmdir()
    os.mkfifo(tmp_path / "aether.toml")
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said == f"{tmp_path / 'aether.toml'} cannot be read: it is no file"
    (tmp_path / "aether.toml").unlink()
    (tmp_path / "aether.toml").write_bytes(b'a = "\xff"')
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert "cannot be read: 'utf-8' codec" in said


def test_variables_of_others_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Kubernetes makes them for a service that is called aether.
    for name in ("AETHER_SERVICE_HOST", "AETHER_PORT", "AETHER_PORT_80_TCP_ADDR"):
        monkeypatch.setenv(name, "10.0.0.1")
    assert AetherConfig.files(tmp_path).read().config == AetherConfig()


def test_a_journal_may_be_an_argument(tmp_path: Path) -> None:
    from aether.journal import Journal

    journal = Journal(tmp_path / "history")
    written(tmp_path, "[journal]\npath = 'another'\n")
    layered = AetherConfig.files(tmp_path, journal=journal).read()
    assert layered.config.journal is journal
    assert layered.origin_of(("journal",)) == "arguments"


def test_what_is_missing_says_which_extra_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = AetherConfig.files(tmp_path)
    for name in ("pydantic_settings", "watchfiles._rust_notify"):
        monkeypatch.setitem(sys.modules, name, None)
    assert files.read().config == AetherConfig(), "files alone need nothing more"
    with pytest.raises(ConfigError, match=r"needs watchfiles: pip install 'aether-medium\[ops\]'"):
        Aether(files)
    monkeypatch.setenv("AETHER_OVERFLOW", "error")
    with pytest.raises(
        ConfigError, match=r"need pydantic-settings: pip install 'aether-medium\[ops\]'"
    ):
        files.read()


def test_a_medium_is_made_of_files(tmp_path: Path) -> None:
    written(tmp_path, "channel_buffer_size = 3\n")
    medium = Aether(AetherConfig.files(tmp_path))
    assert medium.config.channel_buffer_size == 3
    written(tmp_path, "channel_buffer_size = 0\n")
    with pytest.raises(ConfigError, match=r"aether\.toml:1: channel_buffer_size=0"):
        Aether(AetherConfig.files(tmp_path))


def test_what_an_empty_table_does_not_say_is_a_default(tmp_path: Path) -> None:
    file = written(tmp_path, "[health]\n[tracing]\nheaders = {}\n[metrics]\ndomains = 3\n")
    layered = AetherConfig.files(tmp_path, journal=JournalConfig(path="history")).read()
    origins = {key: layered.origin_of(key) for key, _ in described(layered.config)}
    given = {key: place for key, place in origins.items() if place != "default"}
    assert given == {
        ("tracing", "headers"): f"{file}:3",
        ("metrics", "domains"): f"{file}:5",
        ("journal", "path"): "arguments",
    }
    assert layered.origin_of(("health",)) == f"{file}:1"


@pytest.mark.parametrize("text", ["x = " + "[" * 3_000, "x." * 3_000 + "x = 1"])
def test_a_file_that_is_nested_too_deep_is_a_mistake(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    assert f"{file} cannot be read: its values are nested too deep" in mistakes(
        AetherConfig.files(tmp_path)
    )


def test_a_number_too_long_for_python_is_a_mistake(tmp_path: Path) -> None:
    file = written(tmp_path, f"x = {'1' * 5_000}")
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said.startswith(f"{file} cannot be read: Exceeds the limit")


def test_a_file_may_begin_with_the_mark_of_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "aether.toml"
    file.write_bytes(b"\xef\xbb\xbfchannel_buffer_size = 7\r\nmax_propagation = 3\r\n")
    layered = AetherConfig.files(tmp_path).read()
    assert (layered.config.channel_buffer_size, layered.config.max_propagation) == (7, 3)
    assert layered.origin_of(("max_propagation",)) == f"{file}:2"


@pytest.mark.parametrize("text", ["\n[journal]\ncodec = 'json'\n", "\njournal.codec = 'json'\n"])
def test_what_is_missing_in_a_table_is_told_where_that_is(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    assert mistakes(AetherConfig.files(tmp_path)) == [f"{file}:2: journal.path is missing"]


def test_what_is_missing_besides_a_variable_is_told_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AETHER_JOURNAL__CODEC", "json")
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said == "AETHER_JOURNAL__CODEC: journal.path is missing"


def test_a_field_of_a_rule_that_there_is_not_is_told_as_any_other(tmp_path: Path) -> None:
    file = written(tmp_path, "[journal]\npath = 'x'\nretention = [{ max_agee = 1 }]\n")
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said.startswith(f"{file}:3: journal.retention=")
    assert said.endswith(
        "should be rules: 'max_agee' is no field of a rule; did you mean 'max_age'?"
    )


@pytest.mark.parametrize("section", sorted(AetherConfig.sections))
def test_a_variable_turns_off_a_section_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str
) -> None:
    written(tmp_path, f"[{section}]\n" + ("path = 'x'\n" if section == "journal" else ""))
    assert getattr(AetherConfig.files(tmp_path).read().config, section) is not None
    variable = f"AETHER_{section.upper()}"
    monkeypatch.setenv(variable, "null")
    layered = AetherConfig.files(tmp_path).read()
    assert getattr(layered.config, section) is None
    assert layered.origin_of((section,)) == variable
    arguments = {section: AetherConfig.sections[section].model_construct()}
    assert getattr(AetherConfig.files(tmp_path, **arguments).read().config, section) is not None


def test_variables_that_contradict_each_other_are_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AETHER_METRICS", "null")
    monkeypatch.setenv("AETHER_METRICS__DOMAINS", "3")
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said == (
        "AETHER_METRICS__DOMAINS says what is in metrics, which AETHER_METRICS says is none"
    )


def test_a_variable_turns_off_nothing_that_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AETHER_RETAIN", "null")
    (said,) = mistakes(AetherConfig.files(tmp_path))
    assert said.startswith("AETHER_RETAIN: retain=None should be")


def test_the_folder_is_where_it_was_wherever_the_program_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    for number, folder in enumerate((ours, other)):
        folder.mkdir()
        written(folder, f"channel_buffer_size = {number + 1}\n")
    monkeypatch.chdir(ours)
    files = AetherConfig.files()
    monkeypatch.chdir(other)
    layered = files.read()
    assert layered.config.channel_buffer_size == 1
    assert layered.origin_of(("channel_buffer_size",)) == "aether.toml:1"
