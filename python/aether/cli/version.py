"""What `aether --version` says."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["version_line"]


def version_line() -> str:
    """The command's name and the version of the distribution it belongs to."""
    try:
        return f"aether {version('aether-medium')}"
    except PackageNotFoundError:
        return "aether (not installed: run from a source tree)"
