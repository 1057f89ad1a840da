"""Each value of a configuration as a line of a TOML file would have it; what is secret is stars, in a URL too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

from pydantic import SecretBytes, SecretStr

from aether.config.lines import Key
from aether.config.settings import Settings, masked

__all__ = ["described"]


def described(settings: Settings, within: Key = ()) -> Iterator[tuple[Key, str]]:
    """Each field with its value, those of sections one by one.

    Example:
        >>> from aether import AetherConfig
        >>> next(described(AetherConfig()))
        (('attenuation_factor',), '0.95')
    """
    for name, value in settings:
        key = (*within, name)
        if isinstance(value, Settings):
            yield from described(value, key)
        else:
            yield key, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr | SecretBytes):
        return "'**********'"
    if value is None or isinstance(value, bool | int | str):
        return json.dumps(masked(value) if isinstance(value, str) else value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, cast('Sequence[Any]', value)))}]"
    if isinstance(value, Mapping):
        return _table(cast("Mapping[str, Any]", value).items())
    if is_dataclass(value):
        given = ((one.name, getattr(value, one.name)) for one in fields(value))
        return _table((name, one) for name, one in given if one is not None)
    return masked(str(value))


def _table(items: Iterable[tuple[str, Any]]) -> str:
    inside = ", ".join(f"{name} = {_shown(value)}" for name, value in items)
    return f"{{ {inside} }}" if inside else "{}"
