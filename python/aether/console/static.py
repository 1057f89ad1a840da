"""What is known of objects without asking them: names, classes and fields, read from where the interpreter keeps them.

Contract:
- No code of an object's class is run, nor of its metaclass: `cls.__name__`, `cls.__dict__`, `==` and `hasattr` may all be
  theirs, and `inspect.getattr_static` asks them too.
- Taken for plain are the dictionaries in which the interpreter looks, and texts as the names of attributes in them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, SimpleNamespace
from typing import Any

__all__ = ["field_of", "name_of", "shown_fields"]

# As type itself has them, whatever stands in their place in a metaclass.
_name = type.__dict__["__name__"].__get__
_order = type.__dict__["__mro__"].__get__
_attributes = type.__dict__["__dict__"].__get__

_MISSING: Any = object()


def name_of(kind: type[Any]) -> str:
    """The name of a class.

    Example:
        >>> name_of(bool)
        'bool'
    """
    return str.__str__(_name(kind))


def shown_fields(kind: type[Any]) -> Sequence[str] | None:
    """The fields that the `__repr__` of a dataclass shows, unless it has one of its own, which may leave out what is secret.

    Returns:
        Their names; `None`: it is no such dataclass.
    """
    fields, shows = _of_class(kind, "__dataclass_fields__"), _of_class(kind, "__repr__")
    if type(fields) is not dict or type(shows) is not FunctionType:
        return None
    if "__wrapped__" not in shows.__dict__:
        return None
    found = dataclasses.fields(SimpleNamespace(__dataclass_fields__=fields))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return [field.name for field in found if field.repr]


def field_of(given: object, name: str) -> Any:
    """The value of a field, or what stands in its place and would have to be asked.

    Raises:
        AttributeError: There is none.
    """
    kind = type(given)
    of_class, own = _of_class(kind, name), _MISSING
    if type(of_class) is MemberDescriptorType:
        return of_class.__get__(given)
    if not _goes_first(of_class):
        place = _of_class(kind, "__dict__")
        if type(place) is GetSetDescriptorType:
            own = dict[str, Any].get(place.__get__(given), name, _MISSING)
    found = of_class if own is _MISSING else own
    if found is _MISSING:
        raise AttributeError(name)
    return found


def _goes_first(found: object) -> bool:
    """Whether what a class has is asked before the object itself is."""
    kind = type(found)
    return any(_of_class(kind, name) is not _MISSING for name in ("__set__", "__delete__"))


def _of_class(kind: type[Any], name: str) -> Any:
    """What a class has of this name, or one of its bases."""
    for one in _order(kind):
        attributes: Mapping[str, Any] = _attributes(one)
        if name in attributes:
            return attributes[name]
    return _MISSING
