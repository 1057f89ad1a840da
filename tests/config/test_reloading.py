"""Files that change: what is made of it by who looks at them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.config.looking import Looking, errors
from tests.config.writing import linked, replaced, written

Write = Callable[[Path, str], object]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AETHER_ENV", raising=False)


@pytest.mark.parametrize("write", [written, replaced])
def test_a_change_is_applied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    write(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path, monkeypatch)
    assert looking.look() == []
    write(tmp_path, "max_propagation = 22")
    (config,) = looking.look()
    assert config.max_propagation == 22
    assert looking.look() == []


def test_a_second_file_may_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AETHER_ENV", "prod")
    written(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path, monkeypatch)
    written(tmp_path, "max_propagation = 2", "aether.prod.toml")
    assert [config.max_propagation for config in looking.look()] == [2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("max_propagation = 0", "aether.toml:1: max_propagation=0 should be greater than"),
        ("max_propagatoin = 5", "did you mean 'max_propagation'?"),
        ("max_propagation = ", "is no TOML"),
        ("[journal", "is no TOML"),
        ("x = " + "[" * 3_000, "nested too deep"),
        (None, "was there, and is gone"),
    ],
)
def test_what_has_mistakes_is_left_out_and_told_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    text: str | None,
    why: str,
) -> None:
    file = written(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path, monkeypatch)
    if text is None:
        file.unlink()
    else:
        written(tmp_path, text)
    assert looking.look() == looking.look() == []
    (said,) = errors(caplog)
    assert said.startswith("the configuration stays as it is: ")
    assert why in said
    assert "\n" not in said
    written(tmp_path, "max_propagation = 333")
    assert [config.max_propagation for config in looking.look()] == [333]
    assert errors(caplog) == []


def test_files_that_change_while_they_are_read_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AETHER_ENV", "prod")
    written(tmp_path, "max_propagation = 1")
    written(tmp_path, "decay_interval = 1.0", "aether.prod.toml")
    looking = Looking(tmp_path, monkeypatch)
    files = looking.reloading._files
    read = type(files).read

    def late(self: Any, had: Any) -> Any:
        config = read(self, had)
        monkeypatch.setattr(type(files), "read", read)
        written(tmp_path, "decay_interval = 22.0", "aether.prod.toml")
        return config

    monkeypatch.setattr(type(files), "read", late)
    written(tmp_path, "max_propagation = 22")
    (config,) = looking.look()
    assert (config.max_propagation, config.decay_interval) == (22, 22.0)


def test_a_link_that_is_turned_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked(tmp_path, "max_propagation = 1", 1)
    looking = Looking(tmp_path, monkeypatch)
    for number in range(2, 5):
        linked(tmp_path, f"max_propagation = {number}", number)
        assert [config.max_propagation for config in looking.look()] == [number]


def test_whatever_goes_wrong_while_files_are_read_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path, monkeypatch)
    files = type(looking.reloading._files)
    read = files.read
    monkeypatch.setattr(files, "read", lambda *_: 1 / 0)
    written(tmp_path, "max_propagation = 22")
    assert looking.look() == looking.look() == []
    (said,) = errors(caplog)
    assert said == "the configuration stays as it is: ZeroDivisionError: division by zero"
    assert looking.reloading.refused == 1
    monkeypatch.setattr(files, "read", read)
    written(tmp_path, "max_propagation = 333")
    assert [config.max_propagation for config in looking.look()] == [333]


@pytest.mark.parametrize("empty", [None, "", " \n\n"])
def test_a_file_that_had_values_is_not_gone_by_accident(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    empty: str | None,
) -> None:
    monkeypatch.setenv("AETHER_ENV", "prod")
    file = written(tmp_path, "max_propagation = 1")
    overlay = written(tmp_path, "drain_timeout = 60.0", "aether.prod.toml")
    looking = Looking(tmp_path, monkeypatch)
    overlay.unlink() if empty is None else overlay.write_text(empty)
    assert looking.look() == []
    (said,) = errors(caplog)
    assert f"{overlay} " + ("was there" if empty is None else "had values") in said
    assert "leave a comment in it" in said
    # What comes then is told as well, with all that is wrong.
    written(tmp_path, "max_propagation = 22")
    assert looking.look() == []
    assert errors(caplog) == [said]
    written(tmp_path, "max_propagatoin = 333")
    assert looking.look() == looking.look() == []
    (both,) = errors(caplog)
    assert "2 mistakes" in both
    assert str(overlay) in both
    assert f"{file}:1: max_propagatoin is no field" in both
    written(tmp_path, "max_propagation = 4444")
    overlay.write_text("# Nothing is different in production.")
    (config,) = looking.look()
    assert (config.max_propagation, config.drain_timeout) == (4444, 5.0)
    # Now it has none: it may go.
    overlay.unlink()
    assert len(looking.look()) == 1
    assert errors(caplog) == []


def test_a_replaced_file_counts_within_300_ms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal. The system may take 75 ms to tell."""
    replaced(tmp_path, "max_propagation = 1")
    looking = Looking(tmp_path, monkeypatch)
    replaced(tmp_path, "max_propagation = 22")
    assert len(looking.look()) == 1
    assert looking.time.now <= 0.2
