"""`--console`: lets `aether top` and `aether tap` look on while a command works."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import CliError

if TYPE_CHECKING:
    from aether import AetherConfig

__all__ = ["shown"]


@contextmanager
def shown(wanted: bool) -> Generator[AetherConfig | None]:
    """The configuration of media that are shown, at a socket that is there meanwhile; `None` if that is not wanted.

    Raises:
        CliError: The socket cannot be made.
    """
    if not wanted:
        yield None
        return
    from aether import AetherConfig, ConfigError, ConsoleConfig, HealthConfig
    from aether.console.server import hold

    try:
        holding = hold()
    except ConfigError as error:
        raise CliError(f"--console: {error}") from None
    try:
        measured = importlib.util.find_spec("psutil") is not None
        yield AetherConfig(console=ConsoleConfig(), health=HealthConfig() if measured else None)
    finally:
        holding.close()
