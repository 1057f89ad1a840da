"""What is looked after in the background, as a section of the configuration; and the console."""

from __future__ import annotations

import sys
from os import PathLike
from typing import Annotated, Any

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from aether.config.settings import LIVE, RESTART, Count, Seconds, Settings

__all__ = ["ConsoleConfig", "HealthConfig"]

_Bytes = Annotated[int, Field(ge=1, le=sys.maxsize)]


def _path(given: Any) -> Any:
    if given is not None and not isinstance(given, str | PathLike):
        raise PydanticCustomError("path", "Input should be a str or a path")
    return given


class HealthConfig(Settings):
    """What a medium looks after while it is entered, as a section of `AetherConfig`: see `Aether.health`.

    Without the section, nothing is measured in the background. It needs the extra `ops`.

    Raises:
        ConfigError: Fields are unknown, of the wrong type or out of range. All are listed.

    Example:
        >>> from aether import AetherConfig, HealthConfig
        >>> AetherConfig(health=HealthConfig(memory=2_000_000_000)).health.loop_lag
        0.5
    """

    interval: Seconds = Field(
        default=1.0,
        ge=1,
        json_schema_extra=LIVE,
        description="After how many seconds everything is measured again: 1 or more.",
    )
    loop_lag: Seconds = Field(
        default=0.5,
        gt=0,
        json_schema_extra=LIVE,
        description="The medium is not ready while its loop is later than this, in seconds: above 0.",
    )
    loop_silence: Seconds = Field(
        default=10.0,
        gt=0,
        json_schema_extra=LIVE,
        description="The medium is not live while its loop has not answered for so long, in seconds: above 0.",
    )
    memory: _Bytes | None = Field(
        default=None,
        json_schema_extra=LIVE,
        description="It is not ready while the process uses more than so many bytes (RSS); `None`: however much.",
    )
    unread: Seconds | None = Field(
        default=30.0,
        gt=0,
        json_schema_extra=LIVE,
        description="It is not ready while waves wait for somebody who has taken none for so long, in seconds: above 0.",
    )
    leak_window: Seconds = Field(
        default=300.0,
        gt=0,
        json_schema_extra=LIVE,
        description="What only grows for so long is hinted at as a leak, in seconds: above 0.",
    )
    leak_bytes: _Bytes = Field(
        default=33_554_432,
        json_schema_extra=LIVE,
        description="By how many bytes the memory must have grown for that: 1 or more.",
    )
    leak_waves: Count = Field(
        default=100,
        json_schema_extra=LIVE,
        description="By how many waves a mailbox must have grown for that: 1 or more.",
    )


class ConsoleConfig(Settings):
    """Where `aether top` and `aether tap` reach a process, as a section of `AetherConfig`: see `aether.console`.

    Example:
        >>> from aether import AetherConfig, ConsoleConfig
        >>> AetherConfig(console=ConsoleConfig(path="run/shop.sock")).console.path
        'run/shop.sock'
    """

    path: Annotated[str | PathLike[str] | None, PlainValidator(_path)] = Field(
        default=None,
        json_schema_extra=RESTART,
        description="The socket, which is made; `None`: one of this process, which the commands find by themselves.",
    )
