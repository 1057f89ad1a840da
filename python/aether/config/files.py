"""A configuration from its layers: defaults < `aether.toml` < `aether.<environment>.toml` < variables < arguments.

Contract:
- The environment is the argument `environment`, or what `AETHER_ENV` says; without one, there is no second file. A file
  that is not there has no values. The folder is the one of this name when it was named, wherever the program goes.
- Variables are named after fields: `AETHER_CHANNEL_BUFFER_SIZE`, and `AETHER_JOURNAL__PATH` in a section. Lists and tables
  are JSON. Others that begin with `AETHER_` are left alone, but for one that is nearly the name of a field: systems make
  variables of such names on their own.
- Tables are merged key by key; of everything else, the last layer counts.
- All mistakes of all layers are told in one `ConfigError`, each with its file and line, or its variable. A value that may
  be secret is not shown.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from aether.config.lines import Key, key_lines
from aether.config.settings import Settings, mistakes_in, report
from aether.config.variables import ENVIRONMENT, variables_of
from aether.errors import ConfigError

__all__ = ["ConfigFiles", "Layer", "Layered"]

_S = TypeVar("_S", bound=Settings)
_V = TypeVar("_V")

FILE = "aether.toml"

# What is said of a file that had values. An accident must not turn values into defaults; who means it can say so.
_WANTED = "if it is to have no values any more, leave a comment in it"
_GONE = f"was there, and is gone: put it back, or, {_WANTED}"
_EMPTY = f"had values, and is empty: put them back, or, {_WANTED}"


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place."""

    name: str
    """A file, `"variables"` or `"arguments"`."""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    places: Mapping[Key, str] = field(default_factory=dict[Key, str])
    """Where each key stands: a file with its line, or a variable."""
    mistakes: tuple[str, ...] = ()
    """Why some of it cannot be read."""

    def place_of(self, key: Key) -> str:
        """Where a key stands, or else what is in it, or what it is in."""
        found = _nearest(self.places, key)
        return self.name if found is None else found


@dataclass(frozen=True, slots=True)
class Layered(Generic[_S]):
    """A configuration, and where each of its values comes from."""

    config: _S
    origins: Mapping[Key, str]
    """By field; one that is not here has its default."""
    files: frozenset[Path] = frozenset()
    """The files that have values."""

    def origin_of(self, key: Key) -> str:
        """Where a value comes from: `"default"` if no layer has it."""
        settings: Any = self.config
        for name in key:
            if not isinstance(settings, Settings):
                break
            # Also in a section that is there: nobody has said anything of this field.
            if name not in settings.model_fields_set:
                return "default"
            settings = getattr(settings, str(name))
        found = _nearest(self.origins, key)
        return "default" if found is None else found


class ConfigFiles(Generic[_S]):
    """Where a configuration comes from. It is read anew each time.

    Args:
        settings: Which configuration: `AetherConfig`.
        folder: Where the files are.
        environment: Which second file there is; `None`: what the variable `AETHER_ENV` says.
        arguments: Values by field, which count above all others.
    """

    def __init__(
        self,
        settings: type[_S],
        folder: str | PathLike[str] = ".",
        *,
        environment: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings = settings
        self._given = Path(folder)
        self.folder = self._given.absolute()
        self.environment = environment or os.environ.get(ENVIRONMENT) or None
        self.arguments = dict(arguments or {})

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are looked for, the last of which counts most."""
        names = [FILE]
        if self.environment is not None:
            names.append(f"aether.{self.environment}.toml")
        return tuple(self.folder / name for name in names)

    def shown(self, path: Path) -> str:
        """A file as it is told of: in the folder as it was named."""
        return str(self._given / path.name)

    def read(self, had: Collection[Path] = ()) -> Layered[_S]:
        """The configuration as it is now.

        Args:
            had: The files that had values: that one of them is gone or empty is a mistake.

        Raises:
            ConfigError: Some layer has mistakes. All are listed.
        """
        files = {
            path: _of_file(path, self.shown(path), had_values=path in had) for path in self.files
        }
        layers = [*files.values(), *self._others()]
        mistakes = [mistake for layer in layers for mistake in layer.mistakes]
        values: dict[str, Any] = {}
        owners: dict[Key, Layer] = {}
        for layer in layers:
            _merge(values, layer.values, layer, owners)
        config, wrong = mistakes_in(self.settings, values)
        mistakes += _in_order(layers, [(_nearest(owners, key), key, said) for key, said in wrong])
        if config is None or mistakes:
            raise ConfigError(report(mistakes))
        origins = {key: layer.place_of(key) for key, layer in owners.items()}
        return Layered(
            config, origins, frozenset(path for path, layer in files.items() if layer.values)
        )

    def _others(self) -> Iterator[Layer]:
        values, places, mistakes = variables_of(self.settings, os.environ)
        yield Layer("variables", values, places, mistakes)
        yield Layer("arguments", self.arguments)


def _of_file(path: Path, shown: str, *, had_values: bool) -> Layer:
    try:
        text = _text_of(path)
        values, lines = tomllib.loads(text or ""), key_lines(text or "")
    except tomllib.TOMLDecodeError as error:
        why = f"is no TOML: {error}"
    except (OSError, ValueError) as error:
        why = f"cannot be read: {error}"
    except RecursionError:
        why = "cannot be read: its values are nested too deep"
    else:
        if (text and text.strip()) or not had_values:
            places = {key: f"{shown}:{line}" for key, line in lines.items()}
            return Layer(path.name, values, places)
        why = _GONE if text is None else _EMPTY
    return Layer(path.name, mistakes=(f"{shown} {why}",))


def _text_of(path: Path) -> str | None:
    """What is in a file; none if it is not there."""
    if path.exists() and not path.is_file():
        # Who opens a pipe waits for good.
        message = "it is no file"
        raise OSError(message)
    try:
        # Some editors begin a file with a mark that it is UTF-8.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None


def _in_order(layers: list[Layer], wrong: list[tuple[Layer | None, Key, str]]) -> Iterator[str]:
    """What is wrong with where it stands, as one comes to it who reads the layers."""
    for layer in layers:
        order = {place: number for number, place in enumerate(layer.places.values())}
        found = [(layer.place_of(key), said) for owner, key, said in wrong if owner is layer]
        for place, said in sorted(found, key=lambda one: order.get(one[0], -1)):
            yield said if layer.name == "arguments" else f"{place}: {said}"
    yield from (said for owner, _, said in wrong if owner is None)


def _merge(
    into: dict[str, Any],
    values: Mapping[str, Any],
    layer: Layer,
    owners: dict[Key, Layer],
    within: Key = (),
) -> None:
    for name, value in values.items():
        key = (*within, name)
        known = into.get(name)
        if isinstance(value, Mapping):
            # What was no table before is one now.
            inner = into[name] = cast("dict[str, Any]", known if isinstance(known, dict) else {})
            owners.pop(key, None)
            if not value:
                owners[key] = layer
            _merge(inner, cast("Mapping[str, Any]", value), layer, owners, key)
            continue
        for other in [other for other in owners if other[: len(key)] == key]:
            del owners[other]
        into[name] = value
        owners[key] = layer


def _nearest(known: Mapping[Key, _V], key: Key) -> _V | None:
    """What is known of a key, or else of something in it, or of what it is in."""
    # What is missing in a table stands with what is there.
    parts = (key[:length] for length in range(len(key), 0, -1))
    return next((found for part in parts if (found := _within(known, part)) is not None), None)


def _within(known: Mapping[Key, _V], key: Key) -> _V | None:
    if key in known:
        return known[key]
    return next((one for other, one in known.items() if other[: len(key)] == key), None)
