"""What is secret in a configuration, or may be, and that nobody gets to see it."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, strategies as st
from pydantic import Field, SecretStr
from tests.config.writing import mistakes, written

from aether import Aether, AetherConfig, ConfigError, TracingConfig
from aether.config.described import described
from aether.config.files import ConfigFiles
from aether.config.settings import Settings, masked

SECRET = "s3cr3t"


class Login(Settings):
    """Settings with a secret."""

    user: str = Field(default="", description="Who.")
    password: SecretStr | None = Field(default=None, strict=False, description="Hidden.")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # What is in a table that nobody knows.
        (
            '[tracin.headers]\nauthorization = "Bearer s3cr3t"',
            "tracin is no field",
        ),
        ('[headers]\nauthorization = "Bearer s3cr3t"', "headers is no field"),
        ('[[tracin]]\nvalue = "s3cr3t"', "tracin is no field"),
        ('[tracing]\nmore = [[{ deep = "s3cr3t" }]]', "tracing.more is no field"),
        ('overflow = { x = "s3cr3t" }', "overflow={'x': ...} should be 'block'"),
        # What is in a secret, or has one in it.
        (
            '[tracing.headers]\nauthorization = ["s3cr3t"]',
            "tracing.headers.authorization=... should",
        ),
        ('[tracing.headers]\nx.y = "s3cr3t"', "tracing.headers.x=... should be a valid string"),
        ('[tracing]\nheaders = "s3cr3t"', "tracing.headers=... should be a valid"),
        ('[tracing]\nheader = "s3cr3t"', "tracing.header is no field; did you mean 'headers'?"),
        ('tracing = "s3cr3t"', "tracing=... should be a valid"),
        ('[journal]\npath = "x"\nheaders = "s3cr3t"', "journal.headers is no field"),
        ('[tracing]\nX-Api-Key = "s3cr3t"', "tracing.X-Api-Key is no field"),
        ('authorization = "Bearer s3cr3t"', "authorization is no field"),
        # URLs, also those with mistakes.
        (
            '[tracing]\nendpoint = "htp://u:s3cr3t@h/"',
            "tracing.endpoint='htp://***@h/' should be a URL",
        ),
        ('[tracing]\nendpoint = "u:s3cr3t@h"', "tracing.endpoint='***@h' should be a URL"),
        ('[tracing]\nendpoint = "http:/u:s3cr3t@h"', "tracing.endpoint='***@h' should be a URL"),
        (
            f'[tracing]\nendpoint = "htp://{"u" * 40}:s3cr3t@h/"',
            "tracing.endpoint='htp://***@h/' should be a URL",
        ),
        # The value of what is no field is not shown, whatever it is called.
        ('endpoint = "s3cr3t"', "endpoint is no field"),
        ('colour = "s3cr3t"', "colour is no field"),
        ('colours = ["s3cr3t", 5]', "colours is no field"),
        # The query of a URL.
        (
            '[tracing]\nendpoint = "htp://h/?api-key=s3cr3t"',
            "tracing.endpoint='htp://h/?***' should be a URL",
        ),
        ('[tracing]\nendpoint = "http://h/ ?k=s3cr3t"', "tracing.endpoint='http://h/ ?***' should"),
        ('[tracing]\nendpoint = "http:/h/?k=a@s3cr3t"', "tracing.endpoint='***' should"),
        # Headers, whichever part of them is wrong.
        (
            '[tracing.headers]\nauthorization = "Bearer s3cr3t\\n"',
            "tracing.headers.authorization=... should be printable text",
        ),
        (
            '[tracing.headers]\n"Authorization: Bearer s3cr3t" = ""',
            "tracing.headers=... should have names without spaces",
        ),
        (
            '[tracing.headers]\n"Authorization: Bearer s3cr3t" = 5',
            "tracing.headers=... should have names without spaces",
        ),
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
    assert "tracin is no field" in said[1]


def test_what_is_no_secret_is_still_shown(tmp_path: Path) -> None:
    written(tmp_path, "[tracing]\nsample = 2.0\nkep = 5\nkeep = 0\n")
    said = mistakes(AetherConfig.files(tmp_path))
    assert "tracing.sample=2.0 should" in said[0]
    assert "tracing.kep is no field; did you mean 'keep'?" in said[1]
    assert "tracing.keep=0 should" in said[2]


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
        ("http://h/v1?key=a&b", "http://h/v1?***"),
        ("http://h/v1#key=a", "http://h/v1#***"),
        ("http://h/v1?", "http://h/v1?"),
        ("http://u:pw@h/v1?key=a", "http://***@h/v1?***"),
        # Is it a password with a question mark, or an address in a query?
        ("http://u:p?w@h/v1", "http://***"),
        ("http://h/v1?to=a@b&key=c", "http://***"),
        ("h/v1?to=a@b&key=c", "h/v1?***"),
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
    password = f"{user}:{before}{SECRET}{after}"
    # With one of these, nobody knows where it ends.
    host = "" if {"?", "#"} & set(password) else "@host/v1"
    url = f"{scheme}//{password}@host/v1"
    assert masked(url) == f"{scheme}//***{host}"
    plain = url.partition("//")[2]
    shown = masked(plain)
    assert host in shown
    assert SECRET not in shown
    tracing = {"endpoint": url, "service": 5, "colour": url}
    said = mistakes(AetherConfig.files(Path("none"), tracing=tracing, overflow=plain))
    assert len(said) >= 3
    assert SECRET not in "".join(said)


@given(before=st.text(), after=st.text(), mark=st.sampled_from("?#"))
def test_nothing_of_a_query_is_shown_whatever_is_in_it(before: str, after: str, mark: str) -> None:
    url = f"http://host/v1{mark}{before}{SECRET}{after}"
    assert masked(url) == ("http://***" if "@" in before + after else f"http://host/v1{mark}***")
    said = mistakes(AetherConfig.files(Path("none"), overflow=url, retain=[url + " "]))
    assert SECRET not in "".join(said)


def test_the_url_of_a_configuration_is_shown_without_its_password() -> None:
    config = AetherConfig(tracing=TracingConfig(endpoint=f"http://u:{SECRET}@h:4318/v1"))
    rows = dict(described(config))
    assert rows["tracing", "endpoint"] == '"http://***@h:4318/v1"'


def test_no_way_to_look_at_a_configuration_shows_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "aether")
    url = f"http://ada:{SECRET}@h/v1?api-key={SECRET}"
    headers = {"authorization": f"Bearer {SECRET}"}
    config = AetherConfig(tracing={"endpoint": url, "headers": headers})  # type: ignore[arg-type]
    layered = AetherConfig.files(tmp_path, tracing=config.tracing).read()
    Aether().reconfigure(config)
    shown = [repr(config), str(config), f"{config}", config.model_dump_json(), repr(layered)]
    shown += [repr(config.tracing), str(config.model_dump(mode="json")), caplog.text]
    assert SECRET not in "".join(shown)
    assert all("http://***@h/v1?***" in one for one in shown[:-1])
    assert config.tracing is not None
    assert config.tracing.endpoint == url
    assert pickle.loads(pickle.dumps(config)) == config == config.replace(max_propagation=10)
    assert config.model_dump()["tracing"]["endpoint"] == url


@pytest.mark.parametrize("value", ["", "a", "Bearer a b", "a\tb", "\xe9", "a=b, c;d?e#f"])
def test_headers_are_taken_as_http_takes_them(value: str) -> None:
    config = TracingConfig(headers={"X-Api_Key.1": value})  # type: ignore[dict-item]
    assert config.headers["X-Api_Key.1"].get_secret_value() == value


@pytest.mark.parametrize("part", ["\n", "\r\nx: y", "\0", "\x7f", "\x85", "\u20ac", " ", "\t"])
def test_headers_that_http_does_not_know_are_refused(part: str) -> None:
    for value in (f"{SECRET}{part}", f"{part}{SECRET}"):
        with pytest.raises(ConfigError) as caught:
            TracingConfig(headers={"authorization": value})  # type: ignore[dict-item]
        assert "headers.authorization=... should be printable text in Latin-1" in str(caught.value)
        assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError, match=r"headers=\.\.\. should have names without spaces"):
        TracingConfig(headers={f"a{part}": "b"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///x",
        "http://?x",
        "http://h/a b",
        "http://h\n",
        "http://u:p@h:port/",
        "http://u:p@/v1",
        "http://h:70000",
    ],
)
def test_an_endpoint_is_a_url(url: str) -> None:
    with pytest.raises(ConfigError, match=r"endpoint=.* should be a URL such as"):
        TracingConfig(endpoint=url)
