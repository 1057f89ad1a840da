"""What the layers of a configuration come to, and what is said of their mistakes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, strategies as st
from pydantic import Field, SecretStr
from tests.config.writing import written

from aether import Aether, AetherConfig, ConfigError, JournalConfig, TracingConfig
from aether.config.described import described
from aether.config.files import ConfigFiles
from aether.config.settings import Settings, masked


class Login(Settings):
    """Settings with a secret."""

    user: str = Field(default="", description="Who.")
    password: SecretStr | None = Field(default=None, strict=False, description="Hidden.")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


def mistakes(files: ConfigFiles[AetherConfig]) -> list[str]:
    """What is said of each mistake."""
    with pytest.raises(ConfigError) as caught:
        files.read()
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


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
        f"{file}:2: chanel_buffer_size=100 is no field; did you mean 'channel_buffer_size'?",
        f"{file}:3: overflow='blok' should be 'block', 'drop_oldest'",
        f"{file}:7: journal.segmentbytes=5 is no field; did you mean 'segment_bytes'?",
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


def test_a_secret_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "user = 'ada'\npassword = 'hunter2'\n")
    layered = ConfigFiles(Login, tmp_path).read()
    assert layered.config.password is not None
    assert layered.config.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(layered)
    assert dict(described(layered.config)) == {
        ("user",): '"ada"',
        ("password",): "'**********'",
    }
    for text in ("password = ['hunter2']\n", "pasword = 'hunter2'\n", "api_token = 'hunter2'\n"):
        written(tmp_path, text)
        with pytest.raises(ConfigError) as caught:
            ConfigFiles(Login, tmp_path).read()
        assert "hunter2" not in str(caught.value)
        assert text.split()[0] in str(caught.value)


def test_what_is_missing_says_which_extra_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = AetherConfig.files(tmp_path)
    for name in ("pydantic_settings", "watchfiles"):
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


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # What is in a table that nobody knows.
        (
            '[tracin.headers]\nauthorization = "Bearer s3cr3t"',
            "tracin={'headers': ...} is no field",
        ),
        ('[headers]\nauthorization = "Bearer s3cr3t"', "headers=... is no field"),
        ('[[tracin]]\nvalue = "s3cr3t"', "tracin=[{'value': ...}] is no field"),
        ('[tracing]\nmore = [[{ deep = "s3cr3t" }]]', "tracing.more=[[{'deep': ...}]] is no field"),
        ('overflow = { x = "s3cr3t" }', "overflow={'x': ...} should be 'block'"),
        # What is in a secret, or has one in it.
        (
            '[tracing.headers]\nauthorization = ["s3cr3t"]',
            "tracing.headers.authorization=... should",
        ),
        ('[tracing.headers]\nx.y = "s3cr3t"', "tracing.headers.x=... should be a valid string"),
        ('[tracing]\nheaders = "s3cr3t"', "tracing.headers=... should be a valid"),
        ('[tracing]\nheader = "s3cr3t"', "tracing.header=... is no field; did you mean 'headers'?"),
        ('tracing = "s3cr3t"', "tracing=... should be a valid"),
        ('[journal]\npath = "x"\nheaders = "s3cr3t"', "journal.headers=... is no field"),
        ('[tracing]\nX-Api-Key = "s3cr3t"', "tracing.X-Api-Key=... is no field"),
        ('authorization = "Bearer s3cr3t"', "authorization=... is no field"),
        # URLs, also those with mistakes.
        (
            '[tracing]\nendpoint = "htp://u:s3cr3t@h/"',
            "tracing.endpoint='htp://***@h/' String should",
        ),
        ('[tracing]\nendpoint = "u:s3cr3t@h"', "tracing.endpoint='***@h' String should"),
        ('[tracing]\nendpoint = "http:/u:s3cr3t@h"', "tracing.endpoint='***@h' String should"),
        (
            f'[tracing]\nendpoint = "htp://{"u" * 40}:s3cr3t@h/"',
            "tracing.endpoint='htp://***@h/' String should",
        ),
        # No text of what is no field is shown, whatever it is called.
        ('endpoint = "s3cr3t"', "endpoint=... is no field"),
        ('colour = "s3cr3t"', "colour=... is no field"),
        ('colours = ["s3cr3t", 5]', "colours=[..., 5] is no field"),
        ('retain = ["http://u:s3cr3t@h/ "]', "retain=['http://***@h/ '] "),
    ],
)
def test_a_mistake_shows_no_secret(tmp_path: Path, text: str, said: str) -> None:
    written(tmp_path, text)
    (line,) = mistakes(AetherConfig.files(tmp_path))
    assert f": {said}" in line
    assert SECRET not in line


def test_a_mistake_shows_no_secret_of_an_argument(tmp_path: Path) -> None:
    headers = MappingProxyType({"x": SECRET})
    tracing = TracingConfig(endpoint=f"http://u:{SECRET}@h/")
    files = AetherConfig.files(tmp_path, tracin=headers, journal=tracing)
    said = mistakes(files)
    assert len(said) == 2
    assert SECRET not in "".join(said)
    assert "tracin={'x': ...} is no field" in said[1]


def test_what_is_no_secret_is_still_shown(tmp_path: Path) -> None:
    written(tmp_path, "[tracing]\nsample = 2.0\nkep = 5\nendpoint = 'ftp://h:4318/a@b'\n")
    said = mistakes(AetherConfig.files(tmp_path))
    assert "tracing.sample=2.0 should" in said[0]
    assert "tracing.kep=5 is no field; did you mean 'keep'?" in said[1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:pw@h:4318/v1", "http://***@h:4318/v1"),
        ("http://pw@h/v1/a@b", "http://***@b"),
        ("http://u:p w@h/", "http://***@h/"),
        ("http://u: @h/", "http://***@h/"),
        ("http://u:p\n//w@h/", "http://***@h/"),
        ("http://tok/en@h/", "http://***@h/"),
        ("u:pw@h", "***@h"),
        ("http:/u:pw@h", "***@h"),
        ("u:pw@h //a@b", "***@b"),
        ("u:p//w@h", "***@h"),
        ("http://u:p/w@h/", "http://***@h/"),
        ("http://u:p@w@h/", "http://***@h/"),
        # Nobody knows where a password ends but that it is before the last of these.
        ("to http://u:pw@h and https://u:pw@i", "to http://***@i"),
        ("http://h:4318/v1", "http://h:4318/v1"),
        ("http://h/a@b", "http://***@b"),
        ("ada@host //", "ada@host //"),
        ("orders.*", "orders.*"),
    ],
)
def test_urls_are_shown_without_who_uses_them(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(user=st.text(), before=st.text(), after=st.text(), scheme=st.sampled_from(["nats:", ""]))
def test_nothing_of_a_password_is_shown_whatever_is_in_it(
    user: str, before: str, after: str, scheme: str
) -> None:
    url = f"{scheme}//{user}:{before}{SECRET}{after}@host/v1"
    assert masked(url) == f"{scheme}//***@host/v1"
    plain = url.partition("//")[2]
    shown = masked(plain)
    assert shown.endswith("***@host/v1")
    assert SECRET not in shown
    tracing = {"endpoint": url, "service": 5, "colour": url}
    said = mistakes(AetherConfig.files(Path("none"), tracing=tracing, overflow=plain))
    assert len(said) >= 3
    assert SECRET not in "".join(said)


def test_the_url_of_a_configuration_is_shown_without_its_password() -> None:
    config = AetherConfig(tracing=TracingConfig(endpoint=f"http://u:{SECRET}@h:4318/v1"))
    rows = dict(described(config))
    assert rows["tracing", "endpoint"] == '"http://***@h:4318/v1"'


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
