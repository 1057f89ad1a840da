"""The journal, as a section of the configuration."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from os import PathLike
from typing import Annotated, Any, Literal, cast

from pydantic import Field, PlainValidator, ValidatorFunctionWrapHandler
from pydantic_core import PydanticCustomError

from aether.config.settings import RESTART, Settings, instead
from aether.journal.keeping import folder_of
from aether.journal.retention import Retain, checked_rules

__all__ = ["JournalConfig", "checked_journal"]

_FIELDS = [one.name for one in fields(Retain)]

_Bytes = Annotated[int, Field(ge=4096, le=sys.maxsize)]


def _folder(given: Any) -> Any:
    try:
        folder_of(given)
    except TypeError:
        raise PydanticCustomError("folder", "Input should be a str or a path") from None
    return given


def _rules(given: Any) -> tuple[Retain, ...]:
    """Rules as they are, or as tables of their fields."""
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise PydanticCustomError("rules", "Input should be a list of rules")
    try:
        return checked_rules("retention", [_rule(one) for one in given])
    except (TypeError, ValueError) as error:
        why = {"why": str(error)}
        raise PydanticCustomError("rule", "Input should be rules: {why}", why) from None


def _rule(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    table = cast("Mapping[str, Any]", given)
    for name in table:
        if name not in _FIELDS:
            message = f"{name!r} is no field of a rule{instead(str(name), _FIELDS)}"
            raise ValueError(message)
    return Retain(**table)


def checked_journal(given: object, check: ValidatorFunctionWrapHandler) -> Any:
    """A section, or a `Journal` as it is; who has none has not imported it."""
    module = sys.modules.get("aether.journal")
    if module is not None and isinstance(given, module.Journal):
        return given
    return check(given)


class JournalConfig(Settings):
    """The journal of a medium, as a section of `AetherConfig`: `aether.journal.Journal` says what the fields mean.

    For codecs of your own, give `AetherConfig` a `Journal`.

    Raises:
        ConfigError: Fields are unknown, of the wrong type or out of range. All are listed.

    Example:
        >>> from aether import AetherConfig, JournalConfig
        >>> AetherConfig(journal=JournalConfig(path="history", durability="os")).journal.codec
        'msgpack'
    """

    path: Annotated[str | PathLike[str], PlainValidator(_folder)] = Field(
        json_schema_extra=RESTART,
        description="The folder. It is made when the medium is.",
    )
    codec: Literal["msgpack", "json", "pickle"] = Field(
        default="msgpack",
        json_schema_extra=RESTART,
        description="How payloads are written.",
    )
    durability: Literal["fsync", "os", "none"] = Field(
        default="fsync",
        json_schema_extra=RESTART,
        description="When a wave counts as written, and is delivered.",
    )
    on_failure: Literal["refuse", "deliver_undurably"] = Field(
        default="refuse",
        json_schema_extra=RESTART,
        description="What becomes of a wave that the journal refuses.",
    )
    segment_bytes: _Bytes = Field(
        default=67_108_864,
        json_schema_extra=RESTART,
        description="The size at which a file of the journal is complete, in bytes: 4,096 or more.",
    )
    pending_bytes: _Bytes = Field(
        default=67_108_864,
        json_schema_extra=RESTART,
        description="How many bytes may wait for the disk before emissions wait: 4,096 or more.",
    )
    snapshot_interval: int = Field(
        default=1000,
        ge=1,
        le=sys.maxsize,
        json_schema_extra=RESTART,
        description="After how many waves a snapshot is taken: 1 or more.",
    )
    retention: Annotated[Sequence[Retain], PlainValidator(_rules)] = Field(
        default=(),
        json_schema_extra=RESTART,
        description="What is kept: rules, or tables of their fields.",
    )
    retention_interval: float = Field(
        default=60.0,
        gt=0,
        le=2_678_400,
        json_schema_extra=RESTART,
        description="After how many seconds the rules are applied again: above 0, at most 31 days.",
    )
    prune_past_cursors: bool = Field(
        default=False,
        json_schema_extra=RESTART,
        description="Whether retention takes what durable cursors and vibrators that are behind have still to come to.",
    )
