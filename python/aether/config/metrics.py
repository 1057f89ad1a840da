"""What a medium counts and measures for its metrics, as a section of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aether.config.settings import RESTART, Settings

__all__ = ["MetricsConfig"]

# So many series of one metric nobody wants, and the native side makes room for them ahead.
_MOST = 10_000

_Series = Annotated[int, Field(ge=0, le=_MOST)]


class MetricsConfig(Settings):
    """The metrics of a medium, as a section of `AetherConfig`; an empty one turns them on. See `aether.metrics`.

    Raises:
        ConfigError: Fields are unknown, of the wrong type or out of range. All are listed.

    Example:
        >>> from aether import AetherConfig, MetricsConfig
        >>> AetherConfig(metrics=MetricsConfig(domains=20)).metrics.vibrators
        200
    """

    domains: _Series = Field(
        default=100,
        json_schema_extra=RESTART,
        description="How many first tokens of channels have series of their own; the others are `other`: 0..10000.",
    )
    vibrators: _Series = Field(
        default=200,
        json_schema_extra=RESTART,
        description="How many names of vibrators, and of durable cursors, have: 0..10000.",
    )
