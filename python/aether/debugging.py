"""Payloads that are changed after their emission: found with `AetherConfig(debug=True)`.

Contract:
- What a payload holds is noted when its wave is admitted, before anybody has it, and compared when a handler has ended with
  it, when the next waves are emitted, and when the handlers of the medium are stopped. What differs is logged as
  `payload.changed`, once, with its place, the channel and who has got it; nobody is stopped.
- Noted are numbers, texts, bytes, arrays, the items of lists, tuples, deques, sets and dicts, the fields of objects, up to
  `_MOST_PLACES` of them and `_DEEPEST` deep; everything else goes by what object it is. No code of the payload's classes runs.
- What an object works out and keeps for itself is no change: a cached property, or a field with a leading underscore that was
  not there, or was `None`. So a `Path` may be printed, and a hash be kept.
- It is slow, and keeps the last `_KEPT` payloads alive: for tests, and to look for a mistake. Without `debug` there is none.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from hashlib import blake2b
from types import GetSetDescriptorType, MemberDescriptorType, NoneType
from typing import TYPE_CHECKING, Any, cast

from aether._native import covers
from aether.console.payloads import short
from aether.events import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aether._native import Wave
    from aether.lane import Handler, Lane
    from aether.medium import Aether

__all__ = ["Payloads", "changed", "noted"]

_log = said()

_KEPT = 10_000
_LOOKED_AT = 16
"""So many of the latest are compared at each emission."""
_MOST_PLACES = 10_000
_DEEPEST = 100
_SHOWN = 60
_TRIES = 100
_TOLD_APART = 10_000
"""So much of a long key tells it from others."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
"""What nothing can change, and what is compared by value."""


@dataclass(slots=True)
class _Noted:
    wave: Wave[Any]
    places: dict[str, _Value]
    receivers: tuple[str, ...]


class Payloads:
    """What the payloads of one medium held when they were emitted."""

    def __init__(self, medium: Aether) -> None:
        self._noted: OrderedDict[str, _Noted] = OrderedDict()
        # Waves are emitted in any thread; again in the same one, if the collector has it so.
        self._lock = threading.RLock()
        self._rows = medium.explain_rows
        self._tap = medium.tap("*", self._emitted)

    def _emitted(self, wave: Wave[Any]) -> None:
        with self._lock:
            before = list(self._noted.values())[-_LOOKED_AT:]
        for one in before:
            self._compare(one, "the next wave was emitted")
        receivers = {
            name
            for name, patterns, *_ in self._rows(str(wave.channel), 1.0)
            if any(covers(pattern, wave.channel) for pattern in patterns)
        }
        latest = _Noted(wave, noted(wave.payload), tuple(sorted(receivers)))
        with self._lock:
            # A wave that is emitted once more is the same, and may have been changed in between. What goes out of here may end
            # with this, and what ends may do anything: not under the lock.
            gone = [self._noted.pop(wave.id, None)]
            self._noted[wave.id] = latest
            while len(self._noted) > _KEPT:
                gone.append(self._noted.popitem(last=False)[1])
        del gone

    def look(self) -> None:
        """Compares all."""
        with self._lock:
            all_noted = list(self._noted.values())
        for one in all_noted:
            self._compare(one, "the handlers were stopped")

    def enclose(self, lane: Lane) -> None:
        """Compares each payload when this handler has ended with it; for the medium."""
        name = getattr(lane.handler, "__qualname__", type(lane.handler).__name__)
        lane.enclose(functools.partial(self._handled, f"{name} of {lane.name!r} had ended with it"))

    async def _handled(self, when: str, call: Handler, wave: Wave[Any]) -> Any:
        try:
            answer: Any = call(wave)
            return await answer if hasattr(answer, "__await__") else answer
        finally:
            with self._lock:
                one = self._noted.get(wave.id)
            if one is not None:
                self._compare(one, when)

    def _compare(self, one: _Noted, when: str) -> None:
        now = noted(one.wave.payload)
        with self._lock:
            before, one.places = one.places, now
        where = changed(before, now)
        if where is None:
            return
        channel = str(one.wave.channel)
        _log.error(
            "the payload of a wave of %r was changed after its emission: %s; it was seen when %s, and has gone to %s, who"
            " share it with whoever emitted it: emit a copy, or change one",
            channel,
            where,
            when,
            ", ".join(one.receivers) or "nobody",
            extra={
                "event": "payload.changed",
                "channel": channel,
                "wave_id": one.wave.id,
                "receivers": one.receivers,
                "place": where,
            },
        )


def noted(payload: object) -> dict[str, _Value]:
    """What a payload holds, by place.

    Example:
        >>> noted({"id": 7, "items": ["a"]})
        {'payload': (dict), "payload['id']": (int 7), "payload['items']": (list), "payload['items'][0]": (str 'a')}
    """
    places: dict[str, _Value] = {}
    above: set[int] = set()
    """The containers around what is looked at: one that holds itself is no deeper for it."""

    def note(value: object, place: str, *, private: bool = False) -> None:
        if len(places) >= _MOST_PLACES or len(above) > _DEEPEST:
            return
        kind = type(value)
        if kind in _PLAIN:
            places[place] = _Value(kind, value, private=private)
            return
        inside = None if id(value) in above else _inside(value)
        if inside is None:
            places[place] = _Value(kind, _content(value), private=private)
            return
        places[place] = _Value(kind, private=private)
        above.add(id(value))
        for step, item in _distinct(inside):
            note(item, f"{place}{step}", private=step.startswith("._"))
        above.discard(id(value))

    note(payload, "payload")
    return places


class _Value:
    """The class of what is at a place, and its value; what is in a container has places of its own."""

    __slots__ = ("kind", "private", "value")

    def __init__(self, kind: type, value: object = None, *, private: bool = False) -> None:
        self.kind = kind
        self.value = value
        self.private = private
        """It is in a field with a leading underscore."""

    def __repr__(self) -> str:
        value = "" if self.value is None else f" {short(self.value, _SHOWN)}"
        return f"({self.kind.__name__}{value})"

    def same(self, other: _Value) -> bool:
        """Whether nothing has changed; of what is no plain value, it is the same object."""
        if self.kind is not other.kind or self.value is other.value:
            return self.kind is other.kind
        plain = type(self.value) in _PLAIN and type(other.value) is type(self.value)
        # Two NaN are no change, and 0.0 and -0.0 are one.
        return plain and (self.value == other.value or repr(self.value) == repr(other.value))


def changed(before: dict[str, _Value], now: dict[str, _Value]) -> str | None:
    """The first place that differs, and how; `None`: none.

    Example:
        >>> payload = {"id": 7}
        >>> before = noted(payload)
        >>> payload["id"] = 8
        >>> changed(before, noted(payload))
        "payload['id'] was 7, and is 8"
    """
    for place, value in before.items():
        other = now.get(place)
        if other is None:
            return f"{place} is gone"
        if value.same(other) or _is_kept(value, other):
            continue
        if value.kind is not other.kind:
            return f"{place} was a {value.kind.__name__}, and is a {other.kind.__name__}"
        if value.kind not in _PLAIN:
            return f"{place} holds something else"
        return f"{place} was {short(value.value, _SHOWN)}, and is {short(other.value, _SHOWN)}"
    fresh = [place for place in now if place not in before]
    kept = [place for place in now if _is_kept(before.get(place), now[place])] if fresh else []
    inside = tuple(f"{place}{step}" for place in kept for step in ".[{")
    known = {*kept, *(place for place in fresh if place.startswith(inside))}
    return next((f"{place} is new" for place in fresh if place not in known), None)


def _is_kept(before: _Value | None, now: _Value) -> bool:
    """Whether an object has worked something out, and keeps it for itself."""
    return now.private and (before is None or before.kind is NoneType)


# The methods of these, as a class that derives from one may have others; of any items, as nobody knows which.
_DICT: Any = dict
_LIST: Any = list
_DEQUE: Any = deque
_TUPLE: Any = tuple
_SET: Any = set
_FROZENSET: Any = frozenset


def _inside(value: object) -> list[tuple[str, object]] | None:
    """What is in a container or an object, each with the step to it; `None`: it is looked at as one."""
    # By the class alone: an instance may say of itself that it is something else.
    kind = type(value)
    if issubclass(kind, dict):
        items = [(f"[{_named(key)}]", item) for key, item in _LIST(_DICT.items(value))]
        return items + list(_fields(value))
    if issubclass(kind, (list, tuple, deque)):
        all_of = (
            _LIST.copy(value)
            if issubclass(kind, list)
            else _TUPLE.__iter__(value)
            if issubclass(kind, tuple)
            else _copied(value)
        )
        return [(f"[{at}]", one) for at, one in enumerate(all_of)]
    if issubclass(kind, (set, frozenset)):
        copied = (_SET if issubclass(kind, set) else _FROZENSET).copy(value)
        # In no order that would last: each item is a place of its own.
        return [(f"{{{_named(one)}}}", one) for one in sorted(copied, key=id)]
    if issubclass(kind, (bytearray, memoryview, type)) or callable(value):
        return None
    return list(_fields(value)) or None


def _copied(queue: object) -> list[object]:
    """What is in a deque; its own `copy` would make one of its class."""
    for _ in range(_TRIES):
        # Without the interpreter's lock, another thread may come in between.
        with contextlib.suppress(RuntimeError):
            return list(_DEQUE.__iter__(queue))
    return []


def _named(key: object) -> str:
    """A key, or an item of a set, as a step; those that differ only behind what is shown are told apart."""
    text = short(key, _SHOWN)
    if len(text) < _SHOWN:
        return text
    return f"{text}~{blake2b(short(key, _TOLD_APART).encode(errors='replace'), digest_size=4).hexdigest()}"


def _distinct(steps: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    """The same, with numbers behind those that look alike."""
    seen: Counter[str] = Counter()
    for step, item in steps:
        seen[step] += 1
        yield (step if seen[step] == 1 else f"{step}#{seen[step]}"), item


def _fields(value: object) -> Iterator[tuple[str, object]]:
    """The fields of an instance, of its `__dict__` and of its slots."""
    kind = type(value)
    own: Any = {}
    if kind.__dictoffset__:
        where = _of_class(kind, "__dict__")
        # A class may have made something else of it, which would run.
        if isinstance(where, GetSetDescriptorType | MemberDescriptorType):
            own = where.__get__(value, kind)
    for name, item in _LIST(_DICT.items(own)):
        if not isinstance(_of_class(kind, name), functools.cached_property):
            yield f".{name}", item
    for base in kind.__mro__:
        for name, slot in vars(base).items():
            if isinstance(slot, MemberDescriptorType) and base.__module__ != "builtins":
                try:
                    yield f".{name}", slot.__get__(value, kind)
                except AttributeError:
                    continue


def _of_class(kind: type, name: str) -> object:
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def _content(value: object) -> object:
    """What a buffer holds, as a digest; anything else is itself."""
    try:
        held = memoryview(cast("Any", value)).tobytes()
    except (TypeError, ValueError, BufferError):
        # Of moments and the like, numpy gives no view.
        array: Any = getattr(sys.modules.get("numpy"), "ndarray", None)
        if array is None or not issubclass(type(value), array):
            return value
        held = array.tobytes(value)
    return blake2b(held, digest_size=16).digest()
