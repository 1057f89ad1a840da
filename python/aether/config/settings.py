"""What all settings have in common: they are frozen, and every mistake is told, in one `ConfigError`."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, ValidationError

from aether.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["LIVE", "RESTART", "Count", "Seconds", "Settings", "mistakes_in", "report"]

# What the native side counts with, and some 30 years: more than anybody waits.
_COUNT = 2**31 - 1
_SECONDS = 1e9

# What is in the names of secrets.
_SECRETS = ("password", "passwd", "secret", "token", "credential", "private_key", "api_key")

# What a changed value does in a medium that runs.
LIVE: Any = {"reload": "live"}
RESTART: Any = {"reload": "restart"}

_S = TypeVar("_S", bound="Settings")

Count = Annotated[int, Field(ge=1, le=_COUNT)]
Seconds = Annotated[float, Field(le=_SECONDS)]


class Settings(BaseModel):
    """What `AetherConfig` and its sections have in common.

    Frozen: make a changed copy with `replace`. Numbers are taken as they are: a text such as
    ``"0.9"``, a `bool`, NaN and the infinities are mistakes.
    """

    sections: ClassVar[Mapping[str, type[Settings]]] = {}
    """The fields that are settings of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    # Type checkers see the constructor that the fields make, with their names and types.
    if not TYPE_CHECKING:

        def __init__(self, /, **values: Any) -> None:
            """Check all values."""
            try:
                super().__init__(**values)
            except ValidationError as error:
                mistakes = [mistake for _, mistake in _mistakes(type(self), error)]
            else:
                return
            raise ConfigError(report(mistakes))

        # It adds nothing of its own: mistakes of a section are told with those of the whole.
        __init__.__pydantic_base_init__ = True

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


def mistakes_in(
    settings: type[_S], values: Mapping[str, Any]
) -> tuple[_S | None, list[tuple[tuple[str | int, ...], str]]]:
    """The settings of these values; or none, and each mistake with the field that it is in."""
    try:
        return settings.__pydantic_validator__.validate_python(values), []
    except ValidationError as error:
        return None, _mistakes(settings, error)


def _mistakes(
    settings: type[Settings], error: ValidationError
) -> list[tuple[tuple[str | int, ...], str]]:
    details = error.errors(include_url=False)
    return [(detail["loc"], _mistake(settings, detail)) for detail in details]


def report(mistakes: list[str]) -> str:
    """What a `ConfigError` says of these."""
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return "\n  ".join([f"{count} in the configuration:", *mistakes])


def _mistake(settings: type[Settings], detail: ErrorDetails) -> str:
    """One line: the field, its value, and the rule or the nearest name."""
    *sections, name = detail["loc"]
    for section in sections:
        settings = settings.sections.get(str(section), settings)
    field = ".".join(map(str, detail["loc"]))
    value = "..." if _is_secret(settings, str(name)) else _shown(detail["input"])
    given = f"{_shown(field)[1:-1]}={value}"
    if detail["type"] == "missing":
        return f"{field} is missing"
    if detail["type"] != "extra_forbidden":
        return f"{given} {detail['msg'].removeprefix('Input ')}"
    names = list(settings.model_fields)
    nearest = difflib.get_close_matches(str(name), names, 1)
    if nearest:
        return f"{given} is no field; did you mean {nearest[0]!r}?"
    return f"{given} is no field; there are {', '.join(names)}"


def _hides(annotation: Any) -> bool:
    return annotation in (SecretStr, SecretBytes) or any(map(_hides, get_args(annotation)))


def _is_secret(settings: type[Settings], name: str) -> bool:
    """Whether a value of this name is not to be shown: a secret's, or perhaps one's, as the name is nearly its."""
    secrets = [known for known, field in settings.model_fields.items() if _hides(field.annotation)]
    return bool(difflib.get_close_matches(name, secrets, 1)) or any(
        word in name.lower() for word in _SECRETS
    )


def _shown(value: object) -> str:
    """The value, cut to a readable length."""
    try:
        return _short.repr(value)
    except ValueError:  # an int beyond what Python is willing to write out
        return f"<{type(value).__name__}>"


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60
