"""Tracing, as a section of the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from aether.config.settings import LIVE, RESTART, Count, Seconds, Settings

__all__ = ["TracingConfig"]

# As RFC 9110 has the names and the values of headers; a value in the alphabet that HTTP has for it.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[!-~\xa0-\xff](?:[\t -~\xa0-\xff]*[!-~\xa0-\xff])?)?")

_URL = re.compile(r"https?://[^/?#\s]+\S*")


def _url(given: str) -> str:
    try:
        # The port is read where it is asked for.
        whole = urlsplit(given).hostname and urlsplit(given).port != 0
    except ValueError:
        whole = False
    if not whole or not _URL.fullmatch(given) or not given.isprintable():
        message = "Input should be a URL such as http://localhost:4318/v1/traces"
        raise PydanticCustomError("url", message)
    return given


def _names(given: object) -> object:
    """What is no name is not shown: as a rule there is a value in it."""
    if isinstance(given, Mapping):
        names = cast("Mapping[object, object]", given)
        if not all(_NAME.fullmatch(name) for name in names if isinstance(name, str)):
            message = "Input should have names without spaces and colons, such as x-api-key"
            raise PydanticCustomError("header_name", message)
        return names
    return given


def _value(given: SecretStr) -> SecretStr:
    if not _VALUE.fullmatch(given.get_secret_value()):
        message = (
            "Input should be printable text in Latin-1, without white space where it begins or ends"
        )
        raise PydanticCustomError("header_value", message)
    return given


_Headers = Annotated[
    Mapping[str, Annotated[SecretStr, AfterValidator(_value)]], BeforeValidator(_names)
]


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
    endpoint: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None,
        json_schema_extra=RESTART,
        description="Where spans are sent to: the URL of an OTLP receiver over HTTP, with its path; `None`: to nobody.",
    )
    headers: _Headers = Field(
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
