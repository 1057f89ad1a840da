"""The ledger of a round: what went in, what came out, and since when who listens.

Contract:
- Publishers and readers append to lists, which no payload's end can get in the way of; nothing here locks.
- An `Ear` stands for one mailbox. Where its patterns were changed while waves were emitted, a wave is certain to
  have matched or may have; `Ear.expected` counts both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aether


class Broken(Exception):
    """A promise is broken; the message is the evidence."""


class Admitted(NamedTuple):
    """One wave that the medium has admitted."""

    sequence: int
    who: str
    number: int
    channel: str
    amplitude: float
    source: str | None


class Taken(NamedTuple):
    """One wave that a reader has got."""

    sequence: int
    who: str
    number: int
    channel: str
    priority: float


def covers(pattern: str, channel: str) -> bool:
    """Whether a pattern takes a channel, by the words of the design."""
    names, tokens = pattern.split("."), channel.split(".")
    open_ended = names[-1] in {"*", ">"}
    if open_ended:
        names.pop()
    if len(tokens) < len(names) + open_ended or (len(tokens) > len(names) and not open_ended):
        return False
    return all(name in {"*", "+", token} for name, token in zip(names, tokens, strict=False))


@dataclass
class Span:
    """Sequences between which a pattern was resonated on: at least, and at most."""

    opened: tuple[int, int]
    """Before and after the call that began it."""
    closed: tuple[float, float] = (float("inf"), float("inf"))
    """Before and after the first call that ended it."""

    def end(self, before: float, after: float) -> None:
        self.closed = (min(self.closed[0], before), min(self.closed[1], after))

    @property
    def certain(self) -> tuple[float, float]:
        return self.opened[1], self.closed[0]

    @property
    def possible(self) -> tuple[float, float]:
        return self.opened[0], self.closed[1]


def _counted(sequences: list[int], spans: Iterable[tuple[float, float]]) -> int:
    """How many of these sorted sequences lie in one of the spans: after their begin, up to their end."""
    total, reached = 0, 0
    for begin, end in sorted(spans):
        first = max(bisect_right(sequences, begin), reached)
        last = bisect_right(sequences, end)
        if last > first:
            total += last - first
            reached = last
    return total


@dataclass(eq=False)
class Ear:
    """One mailbox, as the ledger knows it."""

    name: str
    order: str
    overflow: str
    noise_floor: float = 0.0
    ignores: str | None = None
    spans: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    taken: dict[str, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    """What each reader got, in the order in which it did. Readers of one loop are one."""
    given_up: list[int] = field(default_factory=list)
    """An entry for each wave whose handler was cancelled: it is counted as abandoned."""
    slack: int = 0
    """How many waves its readers may have in hand that are not noted yet."""

    def note(self, reader: str, wave: Any) -> None:
        """A reader has got a wave."""
        payload = wave.payload
        self.taken[reader].append(
            Taken(wave.sequence, payload.who, payload.number, str(wave.channel), wave.priority)
        )

    def received(self) -> int:
        """How many were taken, less those that were given up."""
        return sum(map(len, tuple(self.taken.values()))) - len(self.given_up)

    def opens(self, pattern: str, call: Callable[[], object], clock: Callable[[], int]) -> None:
        """Has it resonate on a pattern."""
        before = clock()
        call()
        self.spans[pattern].append(Span((before, clock())))

    def ends(
        self, before: int, after: int, covered: Callable[[str], bool] = lambda _: True
    ) -> None:
        """These patterns were taken back between two sequences."""
        for pattern, spans in tuple(self.spans.items()):
            if covered(pattern):
                for span in spans:
                    span.end(before, after)

    def hears(self, wave: Admitted) -> bool:
        """Whether it hears so faint a wave of this emitter."""
        return wave.amplitude >= self.noise_floor and (
            self.ignores is None or wave.source != self.ignores
        )

    def expected(self, waves: Waves) -> tuple[int, int]:
        """How many waves it must have been reached by, at least and at most."""
        certain = possible = 0
        for example, sequences in waves.alike:
            if not self.hears(example):
                continue
            spans = [
                s for p, all_ in self.spans.items() if covers(p, example.channel) for s in all_
            ]
            certain += _counted(sequences, (span.certain for span in spans))
            possible += _counted(sequences, (span.possible for span in spans))
        return certain, possible

    def may_have(self, wave: Admitted) -> bool:
        """Whether it may have been reached by this one."""
        return self.hears(wave) and any(
            span.possible[0] < wave.sequence <= span.possible[1]
            for pattern, spans in self.spans.items()
            if covers(pattern, wave.channel)
            for span in spans
        )


class Waves:
    """Admitted waves, sorted into those that no mailbox can tell apart."""

    def __init__(self, admitted: Iterable[Admitted]) -> None:
        self.by_sequence = {wave.sequence: wave for wave in admitted}
        kinds: dict[Any, list[int]] = defaultdict(list)
        for sequence in sorted(self.by_sequence):
            wave = self.by_sequence[sequence]
            kinds[wave.channel, wave.amplitude, wave.source].append(sequence)
        self.alike = [(self.by_sequence[s[0]], s) for s in kinds.values()]


class Ledger:
    """Everything that was noted in a round."""

    def __init__(self) -> None:
        self.admitted: list[Admitted] = []
        self.figures: list[tuple[int, int, tuple[tuple[str, int], ...]]] = []
        """Matched, delivered and reasons of each receipt."""
        self.attempts: list[int] = []
        """An entry for each emission that is begun and may not be noted yet; the first half of a pair."""
        self.concluded: list[int] = []
        """The second half."""
        self.maybe: set[tuple[str, int]] = set()
        """Attempts of which nobody was told what became of them."""
        self.counts: Counter[str] = Counter()
        self.cleared: list[int] = []

    def receipt(
        self, receipt: aether.Receipt, wave: tuple[str, int, str, float, str | None]
    ) -> None:
        """A publisher was told what its emission did."""
        if receipt.matched != receipt.delivered + receipt.dropped:
            message = f"a receipt does not add up: {receipt!r}"
            raise Broken(message)
        if receipt.sequence is None:
            return
        reasons = tuple(receipt.reasons.items()) if receipt.dropped else ()
        if sum(count for _, count in reasons) != receipt.dropped:
            message = f"the reasons of a receipt do not add up: {receipt!r}"
            raise Broken(message)
        self.figures.append((receipt.matched, receipt.delivered, reasons))
        self.admitted.append(Admitted(receipt.sequence, *wave))

    def in_flight(self) -> int:
        """How many emissions may be under way."""
        concluded = len(self.concluded)
        return len(self.attempts) - concluded

    def progress(self, ears: Iterable[Ear]) -> int:
        """A number that grows with whatever happens."""
        return len(self.attempts) + len(self.concluded) + sum(ear.received() for ear in ears)


def out_of_order(taken: list[Taken], ear: Ear) -> Iterator[tuple[Taken, Taken]]:
    """Pairs that one reader got in the wrong order."""
    last: dict[Any, Taken] = {}
    for wave in taken:
        if ear.overflow == "conflate":
            line: Any = wave.channel
        elif ear.order == "amplitude":
            line = wave.priority
        elif ear.order == "fifo":
            line = None
        else:
            return
        if line in last and last[line].sequence >= wave.sequence:
            yield last[line], wave
        last[line] = wave
