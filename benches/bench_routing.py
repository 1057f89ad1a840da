"""An emission that nobody resonates with, over 10,000 patterns; per emission.

Patterns have 2 to 6 tokens: 80 % literal, 15 % with a wildcard at the end, 5 %
with one before it. Warm: 10,000 channels, few of them often (Zipf). Cold: names
that were never seen before.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from functools import cache, partial
from itertools import count

from aether import Aether
from harness import PAYLOAD, Measure, Peer, Row, Run, Shape, now, shape
from peers import TopicTrie

PATTERNS = 10_000
EMISSIONS = 5_000
CHANNELS = 10_000
READERS = 100


@cache
def universe(patterns: int) -> tuple[list[str], list[str]]:
    """Patterns, and 10,000 channels that reach none of them, nor would with one more token."""
    dice = random.Random(patterns)
    words = [f"word{i}" for i in range(1_000)]

    def name() -> list[str]:
        return [f"area{dice.randrange(50)}", *dice.choices(words, k=dice.randint(1, 5))]

    taken: set[str] = set()
    while len(taken) < patterns:
        tokens, kind = name(), dice.random()
        if kind > 0.95:
            tokens[dice.randrange(1, len(tokens))] = "+"
        elif kind > 0.8:
            tokens = [*tokens[:5], "*"]
        taken.add(".".join(tokens))
    trie = TopicTrie()
    for pattern in taken:
        trie.subscribe(pattern, print)
    quiet: set[str] = set()
    while len(quiet) < CHANNELS:
        candidate = ".".join(name())
        if not trie.match(candidate) and not trie.match(f"{candidate}.never"):
            quiet.add(candidate)
    return sorted(taken), sorted(quiet)


def channels(patterns: int, *, warm: bool) -> Callable[[], list[str]]:
    """A function that gives the channels of one run."""
    quiet = universe(patterns)[1]
    if warm:
        weights = [1 / rank for rank in range(1, CHANNELS + 1)]
        dice = random.Random(CHANNELS)
        return lambda: dice.choices(quiet, weights, k=EMISSIONS)
    number = count()
    return lambda: [f"{quiet[i]}.n{next(number)}" for i in range(EMISSIONS)]


@shape
async def medium_silent(patterns: int, warm: bool) -> AsyncIterator[Run]:
    channels_of_run = channels(patterns, warm=warm)
    async with Aether() as medium:
        vibrators = [medium.vibrator(f"reader-{i}") for i in range(READERS)]
        for i, pattern in enumerate(universe(patterns)[0]):
            vibrators[i % READERS].resonate_on(pattern)
        emit = medium.emit_nowait
        for name in universe(patterns)[1] if warm else ():
            emit(name, PAYLOAD)

        async def run() -> float:
            names = channels_of_run()
            start = now()
            for name in names:
                emit(name, PAYLOAD)
            return (now() - start) / EMISSIONS

        yield run


@shape
async def trie_silent(patterns: int, warm: bool) -> AsyncIterator[Run]:
    channels_of_run = channels(patterns, warm=warm)
    trie = TopicTrie(cache=16_384 if warm else 0)  # where nothing comes twice, a cache only costs
    boxes: list[list[object]] = [[] for _ in range(READERS)]
    for i, pattern in enumerate(universe(patterns)[0]):
        trie.subscribe(pattern, boxes[i % READERS].append)
    publish = trie.publish
    for name in universe(patterns)[1] if warm else ():
        publish(name, PAYLOAD)

    async def run() -> float:
        names = channels_of_run()
        start = now()
        for name in names:
            publish(name, PAYLOAD)
        return (now() - start) / EMISSIONS

    yield run


def of(a_shape: Callable[[int, bool], object], patterns: int, *, warm: bool) -> Shape:
    return partial(a_shape, patterns, warm)  # type: ignore[return-value]


ROWS = tuple(
    Row(
        f"to nobody, {PATTERNS:,} patterns, {'warm' if warm else 'cold'}",
        "emission",
        of(medium_silent, PATTERNS, warm=warm),
        (
            Peer(
                "Python trie + cache" if warm else "Python trie",
                of(trie_silent, PATTERNS, warm=warm),
                goal,
                2,
            ),
        ),
        {"aether, 100,000 patterns": of(medium_silent, 100_000, warm=warm)},
    )
    for warm, goal in ((True, 3), (False, 3.5))
)


def test_routing(measure: Measure) -> None:
    measure()
