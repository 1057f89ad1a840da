"""The settings of a medium.

`AetherConfig` is typed, frozen and checked: a program with a wrong setting fails where the
setting is made, with every mistake in one `ConfigError`. This module brings pydantic in and
is imported only when it is used.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from aether.channel import Channel
from aether.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["AetherConfig", "Overflow"]

Overflow: TypeAlias = Literal[
    "block", "drop_oldest", "drop_newest", "drop_faintest", "conflate", "error", "replay"
]
"""What a full mailbox does with one more wave."""

# What the native side counts with, and some 30 years: more than anybody waits.
_COUNT = 2**31 - 1
_SECONDS = 1e9

_Count = Annotated[int, Field(ge=1, le=_COUNT)]
_Seconds = Annotated[float, Field(le=_SECONDS)]


def _patterns(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(Channel(pattern) for pattern in given)


_Patterns = Annotated[Sequence[str], AfterValidator(_patterns)]


class AetherConfig(BaseModel):
    """How a medium treats its waves and mailboxes.

    Frozen: make a changed copy with `replace`. Numbers are taken as they are: a text such as
    ``"0.9"``, a `bool`, NaN and the infinities are mistakes.

    Raises:
        ConfigError: Fields are unknown, of the wrong type or out of range. All are listed.

    Example:
        >>> from aether import AetherConfig
        >>> config = AetherConfig(channel_buffer_size=100, overflow="drop_oldest")
        >>> config.attenuation_factor
        0.95
        >>> AetherConfig(attenuation_factor=2.0, chanel_buffer_size=10)
        Traceback (most recent call last):
            ...
        aether.errors.ConfigError: 2 mistakes in the configuration:
          attenuation_factor=2.0 should be less than or equal to 1
          chanel_buffer_size=10 is no field; did you mean 'channel_buffer_size'?
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    attenuation_factor: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="What is left of an amplitude after a hop, or after `decay_interval`: (0, 1].",
    )
    decay_interval: _Seconds = Field(
        default=1.0,
        gt=0,
        description="The time in which `attenuation_factor` works once, in seconds: above 0.",
    )
    max_propagation: _Count = Field(
        default=10,
        description="A wave with so many hops behind it goes nowhere: 1 or more.",
    )
    min_amplitude: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="A wave fainter than this goes nowhere: 0..1.",
    )
    channel_buffer_size: _Count = Field(
        default=1000,
        description="How many waves a mailbox holds unless it is made with another size: 1 or more.",
    )
    overflow: Overflow = Field(
        default="block",
        description="What a full mailbox does unless it is made with another policy.",
    )
    max_channel_length: int = Field(
        default=1024,
        ge=1,
        le=65535,
        description="The longest name of a channel or pattern, in bytes of UTF-8: 1..65535.",
    )
    stall_warning: _Seconds = Field(
        default=1.0,
        gt=0,
        description="An emission that waits longer logs who does not read, in seconds: above 0.",
    )
    drain_timeout: _Seconds = Field(
        default=5.0,
        ge=0,
        description="How long handlers may finish when the medium is left, in seconds: 0 or more.",
    )
    max_payload_bytes: _Count = Field(
        default=1_048_576,
        description="The largest payload for journal, NATS and gateway, in bytes: 1 or more.",
    )

    retain: _Patterns = Field(
        default=(),
        description="Of which channels the medium keeps the last wave in memory: patterns.",
    )
    retain_channels: _Count = Field(
        default=100_000,
        description="Of how many channels at most; then the one that was silent for longest is forgotten: 1 or more.",
    )

    # Type checkers see the constructor that the fields make, with their names and types.
    if not TYPE_CHECKING:

        def __init__(self, /, **values: Any) -> None:
            """Check all values."""
            try:
                super().__init__(**values)
            except ValidationError as error:
                mistakes = [_mistake(detail) for detail in error.errors(include_url=False)]
            else:
                return
            raise ConfigError(_report(mistakes))

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed.

        Args:
            changes: The new values by field.

        Raises:
            ConfigError: As for a new configuration.

        Example:
            >>> from aether import AetherConfig
            >>> AetherConfig(max_propagation=3).replace(min_amplitude=0.0).max_propagation
            3
        """
        return type(self)(**{**dict(self), **changes})


def _report(mistakes: list[str]) -> str:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return "\n  ".join([f"{count} in the configuration:", *mistakes])


def _mistake(detail: ErrorDetails) -> str:
    """One line: the field, its value, and the rule or the nearest name."""
    field = ".".join(map(str, detail["loc"]))
    given = f"{_shown(field)[1:-1]}={_shown(detail['input'])}"
    if detail["type"] != "extra_forbidden":
        return f"{given} {detail['msg'].removeprefix('Input ')}"
    names = list(AetherConfig.model_fields)
    nearest = difflib.get_close_matches(field, names, 1)
    if nearest:
        return f"{given} is no field; did you mean {nearest[0]!r}?"
    return f"{given} is no field; there are {', '.join(names)}"


def _shown(value: object) -> str:
    """The value, cut to a readable length."""
    try:
        return _short.repr(value)
    except ValueError:  # an int beyond what Python is willing to write out
        return f"<{type(value).__name__}>"


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60
