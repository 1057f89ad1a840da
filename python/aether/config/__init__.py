"""The settings of a medium.

`AetherConfig` and its sections are typed, frozen and checked: a program with a wrong setting fails
where the setting is made, with every mistake in one `ConfigError`. This package brings pydantic in
and is imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, WrapValidator

from aether.channel import Channel
from aether.config.health import ConsoleConfig, HealthConfig
from aether.config.journal import JournalConfig, checked_journal
from aether.config.limits import LimitsConfig
from aether.config.metrics import MetricsConfig
from aether.config.settings import LIVE, RESTART, Count, Seconds, Settings
from aether.config.tracing import TracingConfig
from aether.options import Overflow

if TYPE_CHECKING:
    from aether.config.files import ConfigFiles
    from aether.journal import Journal

__all__ = [
    "AetherConfig",
    "ConsoleConfig",
    "HealthConfig",
    "JournalConfig",
    "LimitsConfig",
    "MetricsConfig",
    "Overflow",
    "TracingConfig",
]


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

    sections: ClassVar[Mapping[str, type[Settings]]] = {
        "health": HealthConfig,
        "console": ConsoleConfig,
        "journal": JournalConfig,
        "limits": LimitsConfig,
        "metrics": MetricsConfig,
        "tracing": TracingConfig,
    }

    @classmethod
    def files(
        cls,
        folder: str | PathLike[str] = ".",
        *,
        environment: str | None = None,
        **arguments: Any,
    ) -> ConfigFiles[Self]:
        """Where a configuration comes from: defaults < `aether.toml` < `aether.<environment>.toml` < variables < arguments.

        Hand it to `Aether`, which follows the files as they change; or `read` it. Variables are named
        `AETHER_CHANNEL_BUFFER_SIZE`, or `AETHER_JOURNAL__PATH` in a section. `aether config show` and `check` read the same.

        Args:
            folder: Where the files are; one that is not there has no values.
            environment: Which second file counts; `None`: what the variable `AETHER_ENV` says, or none.
            arguments: Values by field, which count above all others.

        Example:
            >>> from aether import AetherConfig
            >>> AetherConfig.files("deploy", overflow="drop_oldest").read().config.overflow
            'drop_oldest'
        """
        from aether.config.files import ConfigFiles

        return ConfigFiles(cls, folder, environment=environment, arguments=arguments)

    attenuation_factor: float = Field(
        default=0.95,
        gt=0,
        le=1,
        json_schema_extra=LIVE,
        description="What is left of an amplitude after a hop, or after `decay_interval`: (0, 1].",
    )
    decay_interval: Seconds = Field(
        default=1.0,
        gt=0,
        json_schema_extra=LIVE,
        description="The time in which `attenuation_factor` works once, in seconds: above 0.",
    )
    max_propagation: Count = Field(
        default=10,
        json_schema_extra=LIVE,
        description="A wave with so many hops behind it goes nowhere: 1 or more.",
    )
    min_amplitude: float = Field(
        default=0.01,
        ge=0,
        le=1,
        json_schema_extra=LIVE,
        description="A wave fainter than this goes nowhere: 0..1.",
    )
    channel_buffer_size: Count = Field(
        default=1000,
        json_schema_extra=LIVE,
        description="How many waves a mailbox holds unless it is made with another size: 1 or more.",
    )
    overflow: Overflow = Field(
        default="block",
        json_schema_extra=LIVE,
        description="What a full mailbox does unless it is made with another policy.",
    )
    max_channel_length: int = Field(
        default=1024,
        ge=1,
        le=65535,
        json_schema_extra=RESTART,
        description="The longest name of a channel or pattern, in bytes of UTF-8: 1..65535.",
    )
    stall_warning: Seconds = Field(
        default=1.0,
        gt=0,
        json_schema_extra=LIVE,
        description="An emission that waits longer logs who does not read, in seconds: above 0.",
    )
    drain_timeout: Seconds = Field(
        default=5.0,
        ge=0,
        json_schema_extra=LIVE,
        description="How long handlers may finish when the medium is left, in seconds: 0 or more.",
    )
    shutdown_timeout: Seconds = Field(
        default=30.0,
        ge=0,
        json_schema_extra=LIVE,
        description="How long `lifespan` and `run` drain and close after a signal, in seconds: 0 or more.",
    )
    max_payload_bytes: Count = Field(
        default=1_048_576,
        json_schema_extra=RESTART,
        description="The largest payload for journal, NATS and gateway, in bytes: 1 or more.",
    )
    retain: Annotated[Sequence[str], AfterValidator(_patterns)] = Field(
        default=(),
        json_schema_extra=RESTART,
        description="Of which channels the medium keeps the last wave in memory: patterns.",
    )
    retain_channels: Count = Field(
        default=100_000,
        json_schema_extra=RESTART,
        description="Of how many channels at most; then the one that was silent for longest is forgotten: 1 or more.",
    )
    health: HealthConfig | None = Field(
        default=None,
        json_schema_extra=LIVE,
        description="What is looked after in the background; `None`: nothing.",
    )
    console: ConsoleConfig | None = Field(
        default=None,
        json_schema_extra=RESTART,
        description="Where `aether top` and `aether tap` reach the process; `None`: nowhere.",
    )
    if TYPE_CHECKING:
        journal: JournalConfig | Journal | None = None
    else:
        journal: Annotated[JournalConfig | None, WrapValidator(checked_journal)] = Field(
            default=None,
            json_schema_extra=RESTART,
            description="What the waves are written to before they are delivered; `None`: to nothing.",
        )
    name: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        default="aether",
        json_schema_extra=RESTART,
        description="What tells this medium from others of the process in its metrics: 1..128 characters.",
    )
    limits: LimitsConfig | None = Field(
        default=None,
        json_schema_extra=LIVE,
        description="How much there may be in the medium; `None`: as much as comes.",
    )
    metrics: MetricsConfig | None = Field(
        default=None,
        json_schema_extra=RESTART,
        description="What is counted and measured for `aether.metrics`; `None`: nothing.",
    )
    tracing: TracingConfig | None = Field(
        default=None,
        json_schema_extra=RESTART,
        description="Which waves are followed; `None`: none.",
    )
    debug: bool = Field(
        default=False,
        json_schema_extra=RESTART,
        description="Whether payloads that are changed after their emission are found, and logged: for tests, as it is slow.",
    )
