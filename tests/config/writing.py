"""Folders of configuration files, and what is said of them, for tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aether import AetherConfig, ConfigError
from aether.config.files import ConfigFiles

__all__ = ["linked", "mistakes", "replaced", "written"]


def mistakes(files: ConfigFiles[AetherConfig]) -> list[str]:
    """What is said of each mistake."""
    with pytest.raises(ConfigError) as caught:
        files.read()
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def written(folder: Path, text: str, name: str = "aether.toml") -> Path:
    """A file of this text, written in place."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def replaced(folder: Path, text: str, name: str = "aether.toml") -> Path:
    """The same, by a rename."""
    fresh = written(folder, text, f".{name}.new")
    fresh.replace(folder / name)
    return folder / name


def linked(folder: Path, text: str, number: int) -> None:
    """The same as Kubernetes mounts it: the file is a link into `..data`, which is a link to a folder."""
    data = folder / f"..{number}"
    data.mkdir()
    written(data, text)
    link = folder / "..data.new"
    link.symlink_to(data.name)
    link.replace(folder / "..data")
    file = folder / "aether.toml"
    if not os.path.lexists(file):
        file.symlink_to(Path("..data") / "aether.toml")
