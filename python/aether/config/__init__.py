"""The settings of a medium.

`AetherConfig` and its sections are typed, frozen and checked: a program with a wrong setting fails
where the setting is made, with every mistake in one `ConfigError`. This package brings pydantic in
and is imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field, WrapValidator

from aether.channel import Channel
from aether.config.journal import JournalConfig, checked_journal
from aether.config.settings import Count, Seconds, Settings
from aether.options import Overflow

if TYPE_CHECKING:
    from aether.journal import Journal

__all__ = ["AetherConfig", "JournalConfig", "Overflow"]


def _patterns(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(Channel(pattern) for pattern in given)


class AetherConfig(Settings):
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

    sections: ClassVar[Mapping[str, type[Settings]]] = {"journal": JournalConfig}

    attenuation_factor: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="What is left of an amplitude after a hop, or after `decay_interval`: (0, 1].",
    )
    decay_interval: Seconds = Field(
        default=1.0,
        gt=0,
        description="The time in which `attenuation_factor` works once, in seconds: above 0.",
    )
    max_propagation: Count = Field(
        default=10,
        description="A wave with so many hops behind it goes nowhere: 1 or more.",
    )
    min_amplitude: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="A wave fainter than this goes nowhere: 0..1.",
    )
    channel_buffer_size: Count = Field(
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
    stall_warning: Seconds = Field(
        default=1.0,
        gt=0,
        description="An emission that waits longer logs who does not read, in seconds: above 0.",
    )
    drain_timeout: Seconds = Field(
        default=5.0,
        ge=0,
        description="How long handlers may finish when the medium is left, in seconds: 0 or more.",
    )
    max_payload_bytes: Count = Field(
        default=1_048_576,
        description="The largest payload for journal, NATS and gateway, in bytes: 1 or more.",
    )
    retain: Annotated[Sequence[str], AfterValidator(_patterns)] = Field(
        default=(),
        description="Of which channels the medium keeps the last wave in memory: patterns.",
    )
    retain_channels: Count = Field(
        default=100_000,
        description="Of how many channels at most; then the one that was silent for longest is forgotten: 1 or more.",
    )
    if TYPE_CHECKING:
        journal: JournalConfig | Journal | None = None
    else:
        journal: Annotated[JournalConfig | None, WrapValidator(checked_journal)] = Field(
            default=None,
            description="What the waves are written to before they are delivered; `None`: to nothing.",
        )
