"""Tracing, as a section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from aether.config.settings import LIVE, RESTART, Count, Seconds, Settings

__all__ = ["TracingConfig"]

_Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+")]


class TracingConfig(Settings):
    """Which waves of a medium are followed, and where that is told, as a section of `AetherConfig`.

    `aether.tracing` says what is followed and how.

    Raises:
        ConfigError: Fields are unknown, of the wrong type or out of range. All are listed.

    Example:
        >>> from aether import AetherConfig, TracingConfig
        >>> AetherConfig(tracing=TracingConfig(sample=1.0)).tracing.keep
        10000
    """

    sample: float = Field(
        default=0.01,
        ge=0,
        le=1,
        json_schema_extra=LIVE,
        description="Of the waves that nothing led to, the share that begins a trace: 0..1.",
    )
    traces_per_second: float = Field(
        default=100.0,
        gt=0,
        le=1e9,
        json_schema_extra=LIVE,
        description="How many traces begin in a second at most, whatever the share: above 0.",
    )
    keep: Count = Field(
        default=10_000,
        json_schema_extra=RESTART,
        description="How many spans are kept for `medium.trace`, and until they are exported: 1 or more.",
    )
    endpoint: _Url | None = Field(
        default=None,
        json_schema_extra=RESTART,
        description="Where spans are sent to: the URL of an OTLP receiver over HTTP, with its path; `None`: to nobody.",
    )
    headers: Mapping[str, SecretStr] = Field(
        default={},
        json_schema_extra=RESTART,
        description="What is sent along, for receivers that want to know who sends.",
    )
    export_timeout: Seconds = Field(
        default=10.0,
        gt=0,
        json_schema_extra=RESTART,
        description=(
            "How long a request may wait, in seconds: for a connection, for each next part of the head of the answer, for "
            "all the rest of it; and before it is tried again: above 0."
        ),
    )
    shutdown_timeout: Seconds = Field(
        default=2.0,
        ge=0,
        json_schema_extra=RESTART,
        description="How long the end of the medium may wait for the receiver, in seconds: 0 or more.",
    )
