"""What has changed between two runs: which waves are missing, new, changed, or came in another order.

Contract:
- Each channel is compared by itself, in the order of its waves; how those of different channels came between each other says
  nothing. Ids, times, sequences and traces are of a run, and not compared; all else that a wave says is.
- As much as can be is taken as the same (see `aether.testing.aligning`). Of the rest, equal waves have *moved*. What was and what
  is in the same place, between two waves that are the same, has *changed*, in the order of both: those whose payloads are most
  alike, then one after the other. The others are *missing* or *added*.
- `diff(a, a)` has nothing. Removing from a channel what is missing, has changed or moved, by its place before, and putting in
  what is added, has changed or moved, by its place after, makes the one of the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import msgspec

from aether._native import Wave
from aether._printable import printable
from aether.records.entries import Entry
from aether.records.lines import line_of
from aether.testing.aligning import aligned, alike
from aether.testing.differing import shown

__all__ = ["Change", "Diff", "diff"]

Kind: TypeAlias = Literal["missing", "added", "changed", "moved"]

_OF_A_RUN = {"traceparent", "tracestate", "aether-id", "aether-retried"}
"""Headers that are other ones in each run."""
_FIELDS = (
    *("payload", "source", "amplitude", "phase", "frequency", "ttl"),
    *("propagation_count", "headers", "compensates", "request"),
)
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Change:
    """A wave that differs.

    Attributes:
        kind: `missing`, `added`, `changed` or `moved`.
        channel: Whose.
        before: What it was; `None`: it is added.
        after: What it is; `None`: it is missing.
        place_before: The how many-th of its channel it was, from 0.
        place_after: The how many-th it is.
        fields: In what it has changed, such as `payload['id'] was 7, is 8`; the first 20.
    """

    kind: Kind
    channel: str
    before: Entry | None
    after: Entry | None
    place_before: int | None
    place_after: int | None
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        before, after = self.place_before, self.place_after
        place = f"#{(before if before is not None else after or 0) + 1}"
        if self.kind == "moved":
            place = f"{place} to #{(after or 0) + 1}"
        entry = self.before or self.after
        said = ", ".join(self.fields) or shown(None if entry is None else entry.payload)
        return printable(f"{self.kind:8}{self.channel} {place}: {said}")


@dataclass(frozen=True, slots=True)
class Diff:
    """The differences of two runs: true if there are any; iterates over them; prints as a line for each.

    Attributes:
        changes: Channel by channel, as they came first; within one in its order.
        waves_before: How many waves were compared.
        waves_after: With how many.
    """

    changes: tuple[Change, ...]
    waves_before: int
    waves_after: int

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.changes), self.summary()])

    def summary(self) -> str:
        """All in a line."""
        if not self.changes:
            return f"no difference in {_many(self.waves_before, 'wave')}"
        counts = Counter(change.kind for change in self.changes)
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
        channels = len({change.channel for change in self.changes})
        waves = f"{_many(self.waves_before, 'wave')} before, {self.waves_after:,} after"
        return (
            f"{_many(len(self), 'difference')} in {_many(channels, 'channel')} ({kinds}); {waves}"
        )


def diff(
    before: Iterable[Wave[Any] | Entry],
    after: Iterable[Wave[Any] | Entry],
    *,
    ignore: Collection[str] = (),
    order: bool = True,
) -> Diff:
    """What has changed from one run to another.

    Args:
        before: A `Recording`, a record that `load` has read, or any waves.
        after: The same.
        ignore: Names that are not compared: fields of a wave, headers, and keys of payloads at any depth. For what is another
            one in each run.
        order: Whether waves that have moved count.

    Raises:
        TypeError: `ignore` is one text.

    Example:
        >>> from aether import Wave
        >>> from aether.testing import diff
        >>> before = [Wave("a", {"id": 1, "sum": 7}), Wave("a", 2), Wave("b", 3)]
        >>> print(diff(before, [Wave("a", {"id": 9, "sum": 8}), Wave("a", 2)], ignore=["id"]))
        changed a #1: payload['sum'] was 7, is 8
        missing b #1: 3
        2 differences in 2 channels (1 changed, 1 missing); 3 waves before, 2 after
    """
    if isinstance(ignore, str):
        message = f"ignore is a list of names; write [{ignore!r}]"
        raise TypeError(message)
    ignored = frozenset(ignore)
    old, new = _by_channel(before), _by_channel(after)
    keys = _Keys(ignored)
    changes: list[Change] = []
    for channel in dict.fromkeys((*old, *new)):
        changes += _of_channel(channel, old.get(channel, []), new.get(channel, []), keys)
    kept = (change for change in changes if order or change.kind != "moved")
    return Diff(tuple(kept), sum(map(len, old.values())), sum(map(len, new.values())))


def _by_channel(waves: Iterable[Wave[Any] | Entry]) -> dict[str, list[Entry]]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for one in waves:
        entry = one if isinstance(one, Entry) else Entry.of_line(line_of(one))
        found[entry.channel].append(entry)
    return found


def _of_channel(channel: str, old: list[Entry], new: list[Entry], keys: _Keys) -> list[Change]:
    olds, news = [keys.of(one) for one in old], [keys.of(one) for one in new]
    pairs = aligned(olds, news)
    same_old, same_new = {at for at, _ in pairs}, {at for _, at in pairs}
    # Equal ones in other places.
    places: defaultdict[int, deque[int]] = defaultdict(deque)
    for at, key in enumerate(news):
        if at not in same_new:
            places[key].append(at)
    moved = {
        at: places[key].popleft()
        for at, key in enumerate(olds)
        if at not in same_old and places[key]
    }
    gone_to = set(moved.values())
    changes: list[Change] = []
    first_old = first_new = 0
    for end_old, end_new in [*pairs, (len(old), len(new))]:
        out = [at for at in range(first_old, end_old) if at not in moved]
        come = [at for at in range(first_new, end_new) if at not in gone_to]
        for at in range(first_old, end_old):
            if at in moved:
                to = moved[at]
                changes.append(Change("moved", channel, old[at], new[to], at, to))
        likes = alike([keys.leaves(old[at]) for at in out], [keys.leaves(new[at]) for at in come])
        was = now = 0
        for end_was, end_now in [*likes, (len(out), len(come))]:
            gone, new_ones = out[was:end_was], come[now:end_now]
            both = min(len(gone), len(new_ones))
            changed = [*zip(gone[:both], new_ones[:both], strict=True)]
            changes += (keys.changed(channel, old, new, *pair) for pair in changed)
            changes += (Change("missing", channel, old[x], None, x, None) for x in gone[both:])
            changes += (Change("added", channel, None, new[y], None, y) for y in new_ones[both:])
            if end_was < len(out):
                changes.append(keys.changed(channel, old, new, out[end_was], come[end_now]))
            was, now = end_was + 1, end_now + 1
        first_old, first_new = end_old + 1, end_new + 1
    return changes


class _Keys:
    """Numbers of waves that are the same but for what is ignored."""

    def __init__(self, ignored: frozenset[str]) -> None:
        self._ignored = ignored
        self._fields = [name for name in _FIELDS if name not in ignored]
        self._known: dict[bytes, int] = {}

    def of(self, entry: Entry) -> int:
        """The number of all waves like it."""
        key = _key([self._compared(entry, name) for name in self._fields])
        return self._known.setdefault(key, len(self._known))

    def leaves(self, entry: Entry) -> set[tuple[str, bytes]]:
        """What is in its payload, with the places."""
        return set(_leaves(self._compared(entry, "payload"), ""))

    def changed(self, channel: str, old: list[Entry], new: list[Entry], x: int, y: int) -> Change:
        """The x-th of the one is the y-th of the other now."""
        before, after = old[x], new[y]
        found: list[str] = []
        for name in self._fields:
            found += _differences(self._compared(before, name), self._compared(after, name), name)
        more = len(found) - _MOST_FIELDS
        fields = (*found[:_MOST_FIELDS], f"and {more} more") if more > 0 else tuple(found)
        return Change("changed", channel, before, after, x, y, fields)

    def _compared(self, entry: Entry, name: str) -> Any:
        value: Any = getattr(entry, name)
        if name == "headers":
            headers = entry.headers or {}
            kept = {key: one for key, one in headers.items() if key not in _OF_A_RUN}
            return _without(kept, self._ignored)
        return _without(value, self._ignored) if name == "payload" else value


def _leaves(value: Any, place: str) -> Iterator[tuple[str, bytes]]:
    if isinstance(value, dict):
        for key, one in cast("dict[object, Any]", value).items():
            yield from _leaves(one, f"{place}[{key!r}]")
    elif isinstance(value, list):
        for at, one in enumerate(cast("list[object]", value)):
            yield from _leaves(one, f"{place}[{at}]")
    else:
        yield place, _key(value)


def _without(value: Any, ignored: frozenset[str]) -> Any:
    if not ignored:
        return value
    if isinstance(value, dict):
        items = cast("dict[object, Any]", value).items()
        return {key: _without(one, ignored) for key, one in items if key not in ignored}
    if isinstance(value, list):
        return [_without(one, ignored) for one in cast("list[object]", value)]
    return value


def _differences(before: Any, after: Any, place: str) -> Iterator[str]:
    """The innermost places in which two values differ."""
    if _key(before) == _key(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        old, new = cast("dict[object, Any]", before), cast("dict[object, Any]", after)
        for key in dict.fromkeys((*old, *new)):
            here = f"{place}[{shown(key)}]"
            if key not in new:
                yield f"{here} was {shown(old[key])}, is gone"
            elif key not in old:
                yield f"{here} is new: {shown(new[key])}"
            else:
                yield from _differences(old[key], new[key], here)
        return
    if isinstance(before, list) and isinstance(after, list):
        olds, news = cast("list[object]", before), cast("list[object]", after)
        if len(olds) == len(news):
            for at, (was, now) in enumerate(zip(olds, news, strict=True)):
                yield from _differences(was, now, f"{place}[{at}]")
            return
        yield f"{place} had {_many(len(olds), 'item')}, has {len(news):,}"
        return
    yield _was_and_is(cast("object", before), cast("object", after), place)


def _was_and_is(before: object, after: object, place: str) -> str:
    if type(before) is type(after) or before is None or after is None:
        return f"{place} was {shown(before)}, is {shown(after)}"
    kinds = type(before).__name__, type(after).__name__
    return f"{place} was {shown(before)} ({kinds[0]}), is {shown(after)} ({kinds[1]})"


def _array(value: Any) -> Any:
    """What is no plain data: an array, or of msgpack."""
    if hasattr(value, "tobytes"):
        return [str(value.dtype), list(value.shape), value.tobytes()]
    return repr(value)


_encode = msgspec.msgpack.Encoder(enc_hook=_array, order="deterministic").encode


def _key(value: Any) -> bytes:
    """Bytes that are equal for equal values of the same types."""
    try:
        return _encode(value)
    except (TypeError, OverflowError, ValueError):
        return b"\xc1" + repr(_ordered(value)).encode("utf-8", "surrogatepass")


def _ordered(value: Any) -> Any:
    """Dictionaries with keys of any kind as lists in one order."""
    if isinstance(value, dict):
        pairs = cast("dict[object, Any]", value).items()
        return ("dict", sorted((repr(_ordered(key)), _ordered(one)) for key, one in pairs))
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in cast("list[object]", value)]
    return _array(value) if hasattr(value, "tobytes") else value


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
