"""Routing over 100 to 1,000,000 patterns; per emission.

Patterns have 2 to 6 tokens: 80 % literal, 15 % with a wildcard at the end, 5 %
with one before it; 100 readers share them. Channels that come again are 10,000,
few of them often (Zipf).

- `to nobody, warm`: channels that no pattern takes, and that were seen twice before.
- `to nobody, cold`: names that were never seen before.
- `to readers`: any channels, with the receiving: what arrives is counted by each reader.
- `churn`: the same, and each tenth emission a pattern is taken back and another
  one added, of the same kinds as above.

Who gets what is held against an oracle that knows no trie: it asks a dict for
each of the few patterns that could take a channel. The medium delivers once to
a mailbox that several patterns take, a callback is called for each of them.

The Python trie keeps its answers for 16,384 topics where they come again; under
churn, and where none comes twice, it is asked without them: they would only
cost. paho's matcher answers with the callbacks, which are called. pymitter
has no wildcard for many tokens: such a pattern is registered once for each
length; it looks at every name beside the right one, and is asked over 10,000
patterns at most. zenoh looks at every subscription, and is asked over 1,000 at
most. blinker, pyee and reactivex have no patterns.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache, partial
from itertools import count
from typing import Any

from aether import Aether
from harness import Measure, Row, Run, Shape, Way, check, now, shape
from peers import TopicTrie, zenoh_session

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
EMISSIONS = 5_000
CHANNELS = 10_000
READERS = 100
CHANGES = EMISSIONS // 10
PARTS = ("to nobody, warm", "to nobody, cold", "to readers", "churn 1 in 10")

Call = Callable[[int], object]


def takers(channel: str, patterns: dict[str, int]) -> list[int]:
    """The readers of every pattern that takes `channel`, by asking for each that could."""
    tokens = channel.split(".")
    asked = [channel]
    asked += [".".join([*tokens[:i], "+", *tokens[i + 1 :]]) for i in range(1, len(tokens))]
    asked += [".".join([*tokens[:i], "*"]) for i in range(1, len(tokens))]
    return [patterns[pattern] for pattern in asked if pattern in patterns]


class Universe:
    """Patterns with their readers, and channels, drawn from one seed."""

    def __init__(self, size: int) -> None:
        self._dice = random.Random(size)
        self._words = [f"word{i}" for i in range(1_000)]
        self.patterns: dict[str, int] = {}
        while len(self.patterns) < size:
            self.patterns.setdefault(self._pattern(), len(self.patterns) % READERS)
        self.quiet: list[str] = []
        while len(self.quiet) < CHANNELS:
            candidate = ".".join(self._name())
            if not takers(candidate, self.patterns) and not takers(
                f"{candidate}.never", self.patterns
            ):
                self.quiet.append(candidate)
        literal = [p for p in list(self.patterns)[: 2 * CHANNELS] if "*" not in p and "+" not in p]
        self.heard = self._dice.choices(literal, k=CHANNELS // 2) + self.quiet[: CHANNELS // 2]
        self._dice.shuffle(self.heard)
        self.weights = [1 / rank for rank in range(1, CHANNELS + 1)]
        # What churn takes back and adds: of each pair one is there.
        coming: dict[str, None] = {}
        while len(coming) < min(size, CHANGES):
            pattern = self._pattern()
            if pattern not in self.patterns:
                coming[pattern] = None
        leaving = self._dice.sample(list(self.patterns), len(coming))
        self.pairs = list(zip(leaving, coming, strict=True))

    def _name(self) -> list[str]:
        dice = self._dice
        return [
            f"area{dice.randrange(50)}",
            *dice.choices(self._words, k=dice.randint(1, 5)),
        ]

    def _pattern(self) -> str:
        tokens, kind = self._name(), self._dice.random()
        if kind > 0.95:
            tokens[self._dice.randrange(1, len(tokens))] = "+"
        elif kind > 0.8:
            tokens = [*tokens[:5], "*"]
        return ".".join(tokens)


universe = cache(Universe)


class Counts:
    """What each reader gets in one run, by its number of messages and the sum of their numbers."""

    def __init__(self) -> None:
        self.got = [[0, 0] for _ in range(READERS)]

    def call(self, reader: int) -> Call:
        mine = self.got[reader]

        def got(number: int) -> None:
            mine[0] += 1
            mine[1] += number

        return got

    def check(self, wanted: list[list[int]]) -> None:
        check(self.got, wanted)
        for mine in self.got:
            mine[:] = 0, 0


class Contest:
    """The job of one run; a contestant says how it emits, subscribes and takes what waits."""

    def __init__(
        self, size: int, emissions: int = EMISSIONS, spell: Callable[[str], str] = str
    ) -> None:
        self.all = universe(size)
        self.emissions = emissions
        self._spell = spell
        self._dice = random.Random(emissions)
        self._fresh = count()
        self._patterns = dict(self.all.patterns)
        self._pairs = [(old, new, self.all.patterns[old]) for old, new in self.all.pairs]
        self._next = 0

    def _drawn(self, channels: list[str]) -> list[str]:
        return self._dice.choices(channels, self.all.weights, k=self.emissions)

    def _unseen(self) -> list[str]:
        return [
            f"{self.all.quiet[i % CHANNELS]}.n{next(self._fresh)}" for i in range(self.emissions)
        ]

    def _changes(self) -> list[tuple[str, str, int]]:
        """What leaves, what comes, and for which reader, pair after pair, forth and back."""
        changes = []
        for _ in range(self.emissions // 10):
            old, new, reader = self._pairs[self._next]
            changes.append((old, new, reader))
            self._pairs[self._next] = new, old, reader
            self._next = (self._next + 1) % len(self._pairs)
        return changes

    def _wanted(
        self, names: list[str], once: bool, changes: list[tuple[str, str, int]]
    ) -> list[list[int]]:
        """What each reader is to get: [messages, sum]; `once`: however many of its patterns match."""
        got = [[0, 0] for _ in range(READERS)]
        for number, name in enumerate(names):
            if changes and number % 10 == 0:
                old, new, reader = changes[number // 10]
                del self._patterns[old]
                self._patterns[new] = reader
            found = takers(name, self._patterns)
            for reader in set(found) if once else found:
                got[reader][0] += 1
                got[reader][1] += number
        return got

    async def run(
        self,
        emit: Callable[[str, int], object],
        cold: Callable[[str, int], object],
        change: Callable[[str, str, int], None],
        check_counts: Callable[[list[list[int]]], None],
        take: Callable[[list[list[int]]], Awaitable[None]] | None = None,
    ) -> tuple[float, ...]:
        """All four parts, checked. `cold` emits what will not come again; `take` receives, if need be."""
        took = []
        for kind, names in zip(
            PARTS,
            (
                self._drawn(self.all.quiet),
                self._unseen(),
                self._drawn(self.all.heard),
                self._drawn(self.all.heard),
            ),
            strict=True,
        ):
            churn = kind.startswith("churn")
            call = cold if churn or kind.endswith("cold") else emit
            changes = self._changes() if churn else []
            wanted = self._wanted(names, take is not None, changes)
            spelled = [self._spell(name) for name in names]
            # What comes again has come twice before, as a full cache takes a newcomer in the second time.
            for _ in range(1 if churn or kind.endswith("cold") else 3):
                took_now = await self._once(call, spelled, change, changes, wanted, take)
                check_counts(wanted)
            took.append(took_now / self.emissions)
        return tuple(took)

    @staticmethod
    async def _once(
        call: Callable[[str, int], object],
        names: list[str],
        change: Callable[[str, str, int], None],
        changes: list[tuple[str, str, int]],
        wanted: list[list[int]],
        take: Callable[[list[list[int]]], Awaitable[None]] | None,
    ) -> int:
        """What one pass took, in ns."""
        receive = take if take is not None and any(messages for messages, _ in wanted) else None
        start = now()
        if changes:
            left = iter(changes)
            for number, name in enumerate(names):
                if number % 10 == 0:
                    change(*next(left))
                call(name, number)
        else:
            for number, name in enumerate(names):
                call(name, number)
        if receive is not None:
            await receive(wanted)
        return now() - start


@shape
async def medium(size: int) -> AsyncIterator[Run]:
    contest = Contest(size)
    async with Aether() as aether:
        vibrators = [aether.vibrator(f"reader-{i}", buffer_size=EMISSIONS) for i in range(READERS)]
        patterns = list(contest.all.patterns)
        for reader, v in enumerate(vibrators):
            v.resonate_on(*patterns[reader::READERS])
        got: list[list[Any]] = [[] for _ in vibrators]

        def change(old: str, new: str, reader: int) -> None:
            vibrators[reader].detune(old)
            vibrators[reader].resonate_on(new)

        async def take(wanted: list[list[int]]) -> None:
            for reader, (messages, _) in enumerate(wanted):
                if messages:
                    got[reader] = await vibrators[reader].receive_many(messages)

        def check_counts(wanted: list[list[int]]) -> None:
            check([[len(mine), sum(w.payload for w in mine)] for mine in got], wanted)
            waiting = [v.statistics().current_buffer_used for v in vibrators]
            check(waiting, [0] * READERS, "left over")
            got[:] = [[] for _ in vibrators]

        emit = aether.emit_nowait
        yield lambda: contest.run(emit, emit, change, check_counts, take)


@shape
async def trie(size: int) -> AsyncIterator[Run]:
    contest, counts = Contest(size), Counts()
    topics = TopicTrie(cache=16_384)
    calls = [counts.call(i) for i in range(READERS)]
    for pattern, reader in contest.all.patterns.items():
        topics.subscribe(pattern, calls[reader])

    def change(old: str, new: str, reader: int) -> None:
        topics.unsubscribe(old, calls[reader])
        topics.subscribe(new, calls[reader])

    yield lambda: contest.run(topics.publish, topics.publish_uncached, change, counts.check)


@shape
async def paho(size: int) -> AsyncIterator[Run]:
    from paho.mqtt.matcher import MQTTMatcher

    def mqtt(name: str) -> str:
        return name.replace(".", "/").replace("*", "+/#")  # a lone # takes the parent too

    contest, counts = Contest(size, EMISSIONS // 5, mqtt), Counts()
    matcher = MQTTMatcher()
    calls = [counts.call(i) for i in range(READERS)]
    for pattern, reader in contest.all.patterns.items():
        matcher[mqtt(pattern)] = calls[reader]
    match = matcher.iter_match

    def emit(name: str, number: int) -> None:
        for call in match(name):
            call(number)

    def change(old: str, new: str, reader: int) -> None:
        del matcher[mqtt(old)]
        matcher[mqtt(new)] = calls[reader]

    yield lambda: contest.run(emit, emit, change, counts.check)


@shape
async def pymitter(size: int) -> AsyncIterator[Run]:
    from pymitter import EventEmitter

    contest, counts = Contest(size, EMISSIONS // (10 if size < 10_000 else 50)), Counts()
    emitter = EventEmitter(wildcard=True)
    calls: dict[str, Call] = {}  # each its own, since a pattern takes back by its function

    def names(pattern: str) -> list[str]:
        head, star, _ = pattern.partition("*")
        lengths = range(1, 8 - head.count("."))
        name = head.replace("+", "*")
        return [name + ".".join("*" * n) for n in lengths] if star else [name]

    def subscribe(pattern: str, reader: int) -> None:
        calls[pattern] = partial(counts.call(reader))
        for name in names(pattern):
            emitter.on(name, calls[pattern])

    def change(old: str, new: str, reader: int) -> None:
        gone = calls.pop(old)
        for name in names(old):
            emitter.off(name, gone)
        subscribe(new, reader)

    for pattern, reader in contest.all.patterns.items():
        subscribe(pattern, reader)
    yield lambda: contest.run(emitter.emit, emitter.emit, change, counts.check)


@shape
async def zenoh(size: int) -> AsyncIterator[Run]:
    from zenoh import Sample, ZBytes
    from zenoh.handlers import Callback

    def key(name: str) -> str:
        return name.replace(".", "/").replace("*", "*/**").replace("+", "*")

    contest, counts = Contest(size, EMISSIONS // 10, key), Counts()
    buffers = [ZBytes(b"%d" % n) for n in range(EMISSIONS)]
    subscribers: dict[str, Any] = {}
    with zenoh_session() as session:
        put = session.put

        def emit(name: str, number: int) -> None:
            put(name, buffers[number])

        def subscribe(pattern: str, reader: int) -> None:
            call = counts.call(reader)

            def got(sample: Sample) -> None:
                call(int(sample.payload.to_bytes()))

            in_place = Callback(got, indirect=False)
            subscribers[pattern] = session.declare_subscriber(key(pattern), in_place)

        def change(old: str, new: str, reader: int) -> None:
            subscribers.pop(old).undeclare()
            subscribe(new, reader)

        for pattern, reader in contest.all.patterns.items():
            subscribe(pattern, reader)
        yield lambda: contest.run(emit, emit, change, counts.check)


def of(a_shape: Callable[..., object], *arguments: object) -> Shape:
    return partial(a_shape, *arguments)  # type: ignore[return-value]


GOAL = {"to nobody, warm": 3.0, "to nobody, cold": 3.5}
FLOOR = {"to nobody, warm": 2.0, "to nobody, cold": 2.0}
ROWS = tuple(
    Row(
        f"routing, {size:,} patterns",
        "emission",
        (
            Way("aether", of(medium, size)),
            Way("Python trie", of(trie, size), GOAL, FLOOR),
            Way("paho's matcher", of(paho, size), needs="paho"),
            *((Way("pymitter", of(pymitter, size), needs="pymitter"),) if size <= 10_000 else ()),
            *((Way("zenoh", of(zenoh, size), needs="zenoh"),) if size <= 1_000 else ()),
        ),
        parts=PARTS,
        patience=120 if size <= 100_000 else 600,
        picture=("to readers", "churn 1 in 10") if size == 10_000 else False,
    )
    for size in SIZES
)


def test_routing(measure: Measure) -> None:
    measure()
