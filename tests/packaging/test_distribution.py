"""What an installed `aether-medium` promises, and that the settings of this repository keep their rules."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def table(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def installed() -> metadata.Distribution:
    return metadata.distribution("aether-medium")


def test_the_version_is_the_one_of_the_cargo_workspace(installed: metadata.Distribution) -> None:
    assert installed.version == table("Cargo.toml")["workspace"]["package"]["version"]


def test_the_console_command_can_be_loaded(installed: metadata.Distribution) -> None:
    (command,) = installed.entry_points.select(group="console_scripts")
    assert command.name == "aether"
    assert callable(command.load())


def test_the_package_is_typed() -> None:
    package = resources.files("aether")
    assert (package / "py.typed").is_file()
    assert (package / "_native.pyi").is_file()


def test_the_licence_comes_along(installed: metadata.Distribution) -> None:
    assert installed.metadata["License-Expression"] == "MIT"
    assert [path.name for path in installed.files or [] if path.name == "LICENSE"] == ["LICENSE"]


def test_each_supported_python_is_classified(installed: metadata.Distribution) -> None:
    assert installed.metadata["Requires-Python"] == ">=3.11"
    classifiers = installed.metadata.get_all("Classifier") or []
    assert "Programming Language :: Python :: 3.11" in classifiers


def test_each_lint_switched_off_has_its_reason() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lint = settings[settings.index("[tool.ruff.lint]") : settings.index("[tool.mypy]")]
    rules = re.findall(r'^ +"[A-Z]+[0-9]*",.*$', lint, re.MULTILINE)
    assert rules
    assert [rule for rule in rules if not re.search(r"# \w", rule)] == []
