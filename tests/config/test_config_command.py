"""`aether config` as people meet it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.test_command import aether
from tests.config.writing import written


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


def test_show_tells_every_value_with_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "channel_buffer_size = 7\n[journal]\npath = 'history'\n")
    monkeypatch.setenv("AETHER_ENV", "prod")
    monkeypatch.setenv("AETHER_OVERFLOW", "error")
    shown = aether("config", "show")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.startswith("files: aether.toml, aether.prod.toml (not there)\n")
    rows = {row[0]: row[1:] for row in shown.rows()}
    assert rows["channel_buffer_size"] == ["7", "aether.toml:1"]
    assert rows["overflow"] == ['"error"', "AETHER_OVERFLOW"]
    assert rows["journal.path"] == ['"history"', "aether.toml:3"]
    assert rows["journal.codec"] == ['"msgpack"', "default"]
    assert rows["stall_warning"] == ["1.0", "default"]


@pytest.mark.parametrize("command", ["show", "check"])
def test_all_mistakes_are_told_at_once(tmp_path: Path, command: str) -> None:
    file = written(tmp_path, "overflw = 'block'\nmax_propagation = 0\n", "aether.test.toml")
    done = aether("config", command, tmp_path, "--environment", "test")
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines() == [
        "2 mistakes in the configuration:",
        f"  {file}:1: overflw is no field; did you mean 'overflow'?",
        f"  {file}:2: max_propagation=0 should be greater than or equal to 1",
    ]


def test_check_says_that_nothing_is_wrong(tmp_path: Path) -> None:
    done = aether("config", "check", tmp_path)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"files: {tmp_path / 'aether.toml'} (not there)\nno mistakes\n"


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_folder_that_there_is_not_is_a_mistake(tmp_path: Path, command: str) -> None:
    for folder in (tmp_path / "nowhere", written(tmp_path, "")):
        done = aether("config", command, folder)
        assert (done.status, done.out) == (1, "")
        assert f"there is no folder {folder}" in done.err


def test_no_command_shows_a_secret(tmp_path: Path) -> None:
    written(
        tmp_path,
        "[tracing]\nendpoint = 'http://u:s3cr3t@h/?key=s3cr3t'\nheaders = { x = 's3cr3t' }\n[health]\n",
    )
    shown = aether("config", "show", tmp_path)
    assert (shown.status, shown.err) == (0, "")
    assert "s3cr3t" not in shown.out
    assert "http://***@h/?***" in shown.out
    rows = {row[0]: row[1:] for row in shown.rows()}
    assert rows["health.interval"] == ["1.0", "default"]
    written(tmp_path, "[tracin.headers]\nauthorization = 'Bearer s3cr3t'\n")
    done = aether("config", "check", tmp_path)
    assert (done.status, done.out) == (1, "")
    assert "tracin is no field" in done.err
    assert "s3cr3t" not in done.err
