"""What environment variables say of a configuration, read by pydantic-settings; `null` turns off what may be off."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from aether.config.lines import Key
from aether.config.settings import Settings
from aether.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_settings import EnvSettingsSource

__all__ = ["ENVIRONMENT", "variables_of"]

ENVIRONMENT = "AETHER_ENV"
"""The variable that picks the second file."""

_PREFIX = "AETHER_"
_NESTED = "__"

# Further from a name than this, a variable is somebody else's.
_NEAR = 0.85


def variables_of(
    settings: type[Settings], variables: Mapping[str, str]
) -> tuple[dict[str, Any], dict[Key, str], tuple[str, ...]]:
    """The values, the variable of each, and why some of them cannot be read."""
    values: dict[str, Any] = {}
    places: dict[Key, str] = {}
    mistakes: list[str] = []
    ours = sorted(name for name in variables if name.upper().startswith(_PREFIX))
    if not (set(ours) - {ENVIRONMENT}):
        return values, places, ()
    names = list(_names(settings))
    source = _source(settings)
    from pydantic_settings import SettingsError

    for name in ours:
        if name == ENVIRONMENT:
            continue
        # One at a time: so it is known which variable says what.
        source.env_vars = {name.lower(): variables[name]}
        try:
            said = source()
        except SettingsError:
            mistakes.append(f"{name} is no JSON, as a list or a table has to be")
            continue
        field = name.upper().removeprefix(_PREFIX).lower()
        if not said and field in settings.model_fields and variables[name].strip() == "null":
            said = {field: None}  # which is taken for a variable that is not there
        if said:
            mistakes += _add(values, said, name, places)
        elif near := difflib.get_close_matches(name.upper(), names, 1, _NEAR):
            mistakes.append(f"{name} is no variable; did you mean {near[0]!r}?")
    return values, places, tuple(mistakes)


def _source(settings: type[Settings]) -> EnvSettingsSource:
    try:
        from pydantic_settings import EnvSettingsSource
    except ImportError:
        message = (
            "variables that begin with AETHER_ need pydantic-settings: pip install "
            "'aether-medium[ops]'"
        )
        raise ConfigError(message) from None
    # It reads fields and types alone, which all settings have.
    any_settings: Any = settings
    return EnvSettingsSource(any_settings, env_prefix=_PREFIX, env_nested_delimiter=_NESTED)


def _names(settings: type[Settings], prefix: str = _PREFIX) -> Iterator[str]:
    for name in settings.model_fields:
        yield prefix + name.upper()
        if name in settings.sections:
            yield from _names(settings.sections[name], prefix + name.upper() + _NESTED)


def _add(
    values: dict[str, Any],
    said: Mapping[str, Any],
    variable: str,
    places: dict[Key, str],
    within: Key = (),
) -> Iterator[str]:
    """Adds what a variable says to what others say, and tells where they contradict each other."""
    for name, value in said.items():
        key = (*within, name)
        other = places.get(key, "")
        if isinstance(value, Mapping):
            if not isinstance(values.setdefault(name, {}), dict):
                yield f"{variable} says what is in {'.'.join(map(str, key))}, which {other} says is none"
                continue
            places[key] = variable
            inner = cast("Mapping[str, Any]", value)
            yield from _add(values[name], inner, variable, places, key)
        else:
            places[key] = variable
            values[name] = value
