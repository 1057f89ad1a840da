"""What all settings have in common: they are frozen, and every mistake is told, in one `ConfigError`."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretBytes,
    SecretStr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from aether.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "LIVE",
    "RESTART",
    "Count",
    "Seconds",
    "Settings",
    "instead",
    "masked",
    "mistakes_in",
    "report",
]

# What the native side counts with, and some 30 years: more than anybody waits.
_COUNT = 2**31 - 1
_SECONDS = 1e9

# What is in the names of secrets.
_SECRETS = (
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "private_key",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
)

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

    # Whoever looks at a configuration, or writes it down, sees no secret; what is in it is whole.
    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What its `repr` shows."""
        for name, value in super().__repr_args__():
            yield name, masked(value) if isinstance(value, str) else value

    @model_serializer(mode="wrap", when_used="json")
    def _masked_values(self, values: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            name: masked(value) if isinstance(value, str) else value
            for name, value in values(self).items()
        }

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


# What is not empty after the path of a URL.
_QUERY = re.compile(r"([?#]).+", re.DOTALL)


def masked(text: str) -> str:
    """A text without what may be secret in a URL: the names and passwords of who uses it, and its query, whatever they are.

    All goes from the first ``//`` to the last ``@``, as a password that is not escaped may have anything in it. Where the
    first ``//`` is perhaps none of a URL, all goes from the beginning on, as it does without one if there is a colon. Where
    nobody knows which a ``?`` is of, all goes after it too.

    Example:
        >>> masked("http://ada:pw@host/path?key=secret")
        'http://***@host/path?***'
    """
    before, _, host = text.rpartition("@")
    start, slashes, _ = before.partition("//")
    after = "" if _QUERY.search(before + "@") else "@" + _QUERY.sub(r"\1***", host)
    if slashes and re.fullmatch(r"[^@:?#]*:?", start):
        return f"{start}//***{after}"
    return f"***{after}" if slashes or ":" in before else _QUERY.sub(r"\1***", text)


def _mistake(settings: type[Settings], detail: ErrorDetails) -> str:
    """One line: the field, its value, and the rule or the nearest name."""
    loc = detail["loc"]
    field = _shown(".".join(map(str, loc)))[1:-1]
    if detail["type"] == "missing":
        return f"{field} is missing"
    if detail["type"] != "extra_forbidden":
        value = "..." if _is_secret(settings, loc) else _shown(detail["input"])
        return f"{field}={value} {masked(detail['msg'].removeprefix('Input '))}"
    # Its value is not shown: it may be a secret whose name nobody knows.
    for section in loc[:-1]:
        settings = settings.sections.get(str(section), settings)
    return f"{field} is no field{instead(str(loc[-1]), settings.model_fields)}"


def instead(name: str, names: Iterable[str]) -> str:
    """The end of what is said of a name that there is not: the one that was meant, or all."""
    known = list(names)
    nearest = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {nearest[0]!r}?" if nearest else f"; there are {', '.join(known)}"


def _hides(annotation: Any) -> bool:
    return annotation in (SecretStr, SecretBytes) or any(map(_hides, get_args(annotation)))


def _secrets(settings: type[Settings]) -> Iterator[str]:
    """The names of all secrets, those of sections too."""
    for name, field in settings.model_fields.items():
        if name in settings.sections:
            yield from _secrets(settings.sections[name])
        elif _hides(field.annotation):
            yield name


def _is_secret(settings: type[Settings], loc: tuple[str | int, ...]) -> bool:
    """Whether what stands here is not to be shown: a secret, what is in one, or what has one in it.

    A name that is nearly that of a secret counts too, wherever it stands.
    """
    secrets = list(_secrets(settings))
    inside: type[Settings] | None = settings
    for name in map(str, loc):
        known = inside.model_fields.get(name) if inside is not None else None
        if any(word in name.lower().replace("-", "_") for word in _SECRETS):
            return True
        if known is None and difflib.get_close_matches(name, secrets, 1):
            return True
        inside = inside.sections.get(name) if inside is not None else None
        if known is not None and inside is None and _hides(known.annotation):
            return True
    return inside is not None and next(_secrets(inside), None) is not None


def _shown(value: object) -> str:
    """The value, cut to a readable length; of a table its keys alone, as nobody knows what is in it."""
    try:
        return _short.repr(value)
    except ValueError:  # an int beyond what Python is willing to write out
        return f"<{type(value).__name__}>"


class _Short(reprlib.Repr):
    """What may be shown of a value that is wrong. All is masked before it is cut: half a password is one too."""

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(masked(x), level)

    def repr_dict(self, x: Mapping[Any, Any], level: int) -> str:  # noqa: ARG002 - as it is called
        keys = [f"{_plain.repr(key)}: ..." for key in list(x)[: self.maxdict]]
        return f"{{{', '.join([*keys, '...'] if len(x) > self.maxdict else keys)}}}"

    def repr_instance(self, x: object, level: int) -> str:
        if isinstance(x, Mapping):
            return self.repr_dict(cast("Mapping[object, object]", x), level)
        try:
            text = masked(repr(x))
        except Exception:  # noqa: BLE001 - whatever it is, the mistake is told
            return f"<{type(x).__name__}>"
        half = self.maxother // 2
        return text if len(text) <= self.maxother else f"{text[:half]}...{text[-half:]}"


_plain = reprlib.Repr()
_short = _Short()
_short.maxstring = _short.maxother = 60
