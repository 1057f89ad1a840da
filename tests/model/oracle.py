"""A plain Python model of the medium: lists, dictionaries and the sentences of the design.

The model knows nothing of the implementation. It keeps, for each mailbox, the waves that are alive
(neither expired nor faded) in the order they entered, and a count of those that died where they
waited. When a dead wave is counted is left open by the design ("on taking and before a full mailbox
blocks"), so `World.check` allows either moment and holds the sum exact instead:

    entered = received + dropped (by reason) + current_buffer_used

`World` makes each step on the real medium and on the model, and compares what comes back.
Times advance by multiples of an odd number, so that no two loudnesses are equal by accident and
rounding never decides an order.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

import aether

ATTENUATION = 0.95
MAX_PROPAGATION = 10
MIN_AMPLITUDE = 0.01
TICK = 0.731
ORDERS = ("amplitude", "fifo", "fresh")
POLICIES = ("block", "drop_oldest", "drop_newest", "drop_faintest", "conflate", "error")
AMPLITUDES = (1.0, 0.75, 0.5, 0.25)
CHANNELS = ("a", "a.b", "a.c", "a.b.c", "b", "b.b", "b.b.b.b")
PATTERNS = (
    *CHANNELS,
    "*",
    ">",
    "+",
    "a.*",
    "a.>",
    "a.+",
    "+.b",
    "*.b",
    "a.*.c",
    "a.+.c",
    "+.+",
    "*.*",
    "+.>",
    "b.*",
)


def canonical(pattern: str) -> str:
    """`+` for one token, `>` for the tail."""
    *front, last = pattern.split(".")
    front = ["+" if token == "*" else token for token in front]
    return ".".join([*front, ">" if last == "*" else last])


def covers(pattern: str, other: str) -> bool:
    """Whether every channel of `other` is one of `pattern`, token by token."""

    def walk(p: list[str], q: list[str]) -> bool:
        if not p or not q:
            return not p and not q
        if p[0] == ">":
            return True
        if q[0] == ">" or (p[0] != "+" and p[0] != q[0]):
            return False
        return walk(p[1:], q[1:])

    return walk(canonical(pattern).split("."), canonical(other).split("."))


@dataclass(eq=False)
class Item:
    """One wave as it waits in one mailbox."""

    payload: int
    channel: str
    amplitude: float
    priority: float
    count: int
    source: str | None
    timestamp: float
    ttl: float | None
    sequence: int = -1
    entered: float = 0.0
    place: int = 0

    def loudness(self, now: float) -> float:
        return self.amplitude * ATTENUATION ** (now - self.entered)


@dataclass(eq=False)
class Box:
    """A mailbox: what it was made with, who shares it, what waits and what it has counted."""

    order: str
    overflow: str
    capacity: int
    floor: float
    ignore_own: bool
    group: str | None
    patterns: set[str] = field(default_factory=set)
    members: list[Any] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    entered: int = 0
    received: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dead: int = 0
    lost: list[int] = field(default_factory=list)
    closed: bool = False

    def is_dead(self, item: Item, now: float) -> bool:
        expired = item.ttl is not None and now - item.timestamp > item.ttl
        faded = self.order == "fresh" and item.loudness(now) < self.floor
        return expired or faded

    def bury(self, now: float) -> None:
        """Take out of `waiting` what died there: the medium may count it now or later."""
        for item in [item for item in self.waiting if self.is_dead(item, now)]:
            self.waiting.remove(item)
            self.dead += 1
            self.lost.append(item.sequence)

    def lose(self, item: Item, reason: str) -> None:
        self.dropped[reason] += 1
        self.lost.append(item.sequence)

    def full(self, now: float) -> bool:
        self.bury(now)
        return len(self.waiting) >= self.capacity

    def refuses(self, now: float) -> bool:
        return self.overflow in ("block", "error") and self.full(now)

    def deliver(self, item: Item, now: float) -> str | None:
        """Let it in; the reason if it was dropped instead."""
        self.entered += 1
        if self.overflow == "conflate":
            for index, old in enumerate(self.waiting):
                if old.channel == item.channel:
                    item.place = old.place
                    self.waiting[index] = item
                    self.lose(old, "conflated")
                    return None
        if self.full(now):
            if self.overflow == "drop_newest":
                self.lose(item, "full")
                return "full"
            if self.overflow == "drop_faintest":
                fresh = self.order == "fresh"
                faintest = min(
                    [*self.waiting, item],
                    key=lambda i: (i.loudness(now) if fresh else i.amplitude, -i.place),
                )
                self.lose(faintest, "faintest")
                if faintest is item:
                    return "faintest"
                self.waiting.remove(faintest)
            else:
                oldest = min(self.waiting, key=lambda i: i.place)
                self.waiting.remove(oldest)
                self.lose(oldest, "oldest")
        self.waiting.append(item)
        return None

    def take(self, now: float) -> Item | None:
        self.bury(now)
        if not self.waiting:
            return None
        if self.order == "fifo":
            best = min(self.waiting, key=lambda i: i.place)
        elif self.order == "amplitude":
            best = min(self.waiting, key=lambda i: (-i.priority, i.place))
        else:
            best = min(self.waiting, key=lambda i: (-i.loudness(now), i.place))
        self.waiting.remove(best)
        self.received += 1
        return best

    def discard(self, reason: str, now: float) -> None:
        self.bury(now)
        for item in self.waiting:
            self.lose(item, reason)
        self.waiting.clear()


@dataclass(eq=False)
class Member:
    """One vibrator: its handle, the box it reads, and its own counters."""

    name: str
    handle: Any
    box: Box
    received: int = 0
    emitted: int = 0
    attempts: int = 0
    missed_sum: int = 0
    closed: bool = False


class World:
    """The medium and its model, stepped together."""

    def __init__(self) -> None:
        self.clock = aether.ManualClock(1000.0)
        self.medium = aether.Aether(clock=self.clock)
        self.members: list[Member] = []
        self.payload = 0
        self.place = 0
        self.sequence = -1
        self.objects: dict[int, Any] = {}
        self.held: list[tuple[Item, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing unclosed behind, whatever failed."""
        for member in self.members:
            member.handle.close()

    @property
    def now(self) -> float:
        return self.clock.now()

    @property
    def live(self) -> list[Member]:
        return [m for m in self.members if not m.closed]

    @property
    def boxes(self) -> list[Box]:
        return list(dict.fromkeys(m.box for m in self.members))

    # -- vibrators and patterns

    def create(
        self,
        order: str = "amplitude",
        overflow: str = "block",
        capacity: int = 2,
        floor: float = 0.0,
        ignore_own: bool = False,
        group: str | None = None,
    ) -> Member:
        if overflow == "conflate" and order == "fresh":
            floor = 0.0  # where a faded wave of the channel waits, "in place" has two readings
        mates = [m for m in self.live if group is not None and m.box.group == group]
        if mates:
            box = mates[0].box
            order, overflow, capacity = box.order, box.overflow, box.capacity
            floor, ignore_own = box.floor, box.ignore_own
        else:
            box = Box(order, overflow, capacity, floor, ignore_own, group)
        name = f"v{len(self.members)}"
        handle = self.medium.vibrator(
            name,
            order=order,
            overflow=overflow,
            buffer_size=capacity,
            noise_floor=floor,
            ignore_own=ignore_own,
            group=group,
        )
        member = Member(name, handle, box)
        box.members.append(member)
        self.members.append(member)
        return member

    def join_with_other_options(self, member: Member) -> None:
        box = member.box
        if box.group is None or box.closed:
            return
        try:
            self.medium.vibrator(
                "stranger",
                order=box.order,
                overflow=box.overflow,
                buffer_size=box.capacity + 1,
                noise_floor=box.floor,
                ignore_own=box.ignore_own,
                group=box.group,
            )
        except ValueError:
            return
        raise AssertionError("a member with another buffer_size was let in")

    def resonate(self, member: Member, *patterns: str) -> None:
        if member.closed:
            expect(aether.Closed, lambda: member.handle.resonate_on(*patterns))
            return
        member.handle.resonate_on(*patterns)
        member.box.patterns |= {canonical(p) for p in patterns}

    def detune(self, member: Member, pattern: str) -> None:
        if member.closed or canonical(pattern) not in member.box.patterns:
            return
        member.handle.detune(pattern)
        member.box.patterns.discard(canonical(pattern))

    def remove_channel(self, pattern: str) -> None:
        gone = [
            (b, p) for b in self.boxes if not b.closed for p in b.patterns if covers(pattern, p)
        ]
        count = self.medium.remove_channel(pattern)
        assert count in (len(gone), len({p for _, p in gone})), (count, gone)
        for box, p in gone:
            box.patterns.discard(p)

    def close(self, member: Member) -> None:
        member.handle.close()
        if member.closed:
            return
        member.closed = True
        if all(m.closed for m in member.box.members):
            member.box.closed = True
            member.box.patterns.clear()
            member.box.discard("abandoned", self.now)

    def clear(self) -> None:
        low = high = 0
        for box in self.boxes:
            if box.closed:
                continue
            reader = next(m for m in box.members if not m.closed)
            box.bury(self.now)
            low += len(box.waiting)
            high += reader.handle.statistics().current_buffer_used
            box.discard("cleared", self.now)
        count = self.medium.clear()
        assert low <= count <= high, (low, count, high)

    # -- emission

    def matching(self, channel: str, amplitude: float, emitter: Member | None) -> list[Box]:
        def reached(box: Box) -> bool:
            own = box.ignore_own and emitter is not None and emitter.box is box
            heard = amplitude >= box.floor
            return not own and heard and any(covers(p, channel) for p in box.patterns)

        return [box for box in self.boxes if not box.closed and reached(box)]

    def emit(
        self,
        emitter: Member | None,
        channel: str,
        amplitude: float | None = None,
        *,
        how: str = "nowait",
        ttl: float | None = None,
        cause: tuple[Item, Any] | None = None,
        again: tuple[Item, Any] | None = None,
        require: int | None = None,
    ) -> None:
        """One emission: a new wave, a `cause=`, or a wave received before sent on."""
        now = self.now
        before = again or cause
        given = amplitude
        if before is not None and given is None:
            amplitude = before[0].amplitude * ATTENUATION
        elif given is None:
            amplitude = 1.0
        if again is not None:
            channel, ttl = again[0].channel, again[0].ttl
            payload = again[0].payload
        else:
            self.payload += 1
            payload = self.payload
        count = 0 if before is None else before[0].count
        matched = self.matching(channel, amplitude, emitter)
        if any(box.overflow == "conflate" for box in matched):
            ttl = None if again is None else ttl  # see the module: a dead wave has no "place"
        item = Item(
            payload=payload,
            channel=channel,
            amplitude=amplitude,
            priority=amplitude if before is None else before[0].priority,
            count=count + 1,
            source=emitter.name if emitter is not None else None,
            timestamp=now if again is None else again[0].timestamp,
            ttl=ttl,
        )
        target = self.medium if emitter is None else emitter.handle
        if how == "emitter" and emitter is not None:
            target = emitter.handle.emitter()
        options: dict[str, Any] = {}
        if given is not None:
            options["amplitude"] = given
        if ttl is not None and again is None:
            options["ttl"] = ttl
        if cause is not None:
            options["cause"] = cause[1]
        if require is not None:
            options["require"] = require

        def act() -> Any:
            if again is not None:
                return drive(target.emit(again[1]))
            return target.emit_nowait(channel, payload, **options)

        if emitter is not None and emitter.closed:
            expect(aether.Closed, act)
            return
        audible = amplitude if given is not None or before is None else before[0].amplitude
        nowhere = None
        if count >= MAX_PROPAGATION:
            nowhere = "max_propagation"
        elif audible < MIN_AMPLITUDE:
            nowhere = "min_amplitude"
        if nowhere is None and require is not None and len(matched) < require:
            expect(aether.NoReceiver, act)
            return
        if nowhere is None and any(box.refuses(now) for box in matched):
            if again is None:  # an awaited emission would wait
                expect(aether.WouldBlock, act)
            return
        if nowhere is not None and require is not None:
            return
        receipt = act()
        if emitter is not None:
            emitter.attempts += 1
        if nowhere is not None:
            assert receipt.sequence is None
            assert (receipt.matched, receipt.delivered, bool(receipt)) == (0, 0, False)
            assert (receipt.reason, dict(receipt.reasons)) == (nowhere, {nowhere: 1})
            return
        if emitter is not None:
            emitter.emitted += 1
        assert receipt.sequence > self.sequence, "sequences grow"
        self.sequence = item.sequence = receipt.sequence
        reasons: Counter[str] = Counter()
        for box in matched:
            self.place += 1
            copy = Item(**{**item.__dict__, "entered": now, "place": self.place})
            reason = box.deliver(copy, now)
            if reason is not None:
                reasons[reason] += 1
        assert receipt.matched == len(matched), (receipt, len(matched))
        assert receipt.dropped == reasons.total(), receipt
        assert receipt.delivered == receipt.matched - receipt.dropped
        assert dict(receipt.reasons) == dict(reasons)
        assert receipt.reason in (reasons or [None]), receipt
        assert bool(receipt) is (receipt.delivered > 0)

    # -- receiving

    def compare(self, member: Member, expected: Item, wave: Any) -> None:
        assert wave.payload == expected.payload, (expected, wave, wave.payload)
        assert wave.channel == expected.channel
        assert wave.sequence == expected.sequence
        assert wave.propagation_count == expected.count
        assert math.isclose(wave.amplitude, expected.amplitude, rel_tol=1e-12)
        assert math.isclose(wave.priority, expected.priority, rel_tol=1e-12)
        assert wave.timestamp == expected.timestamp
        assert wave.ttl == expected.ttl
        if expected.source is not None:
            assert wave.source == expected.source
        assert self.objects.setdefault(expected.sequence, wave) is wave, "one object for everybody"
        self.held = [*self.held[-7:], (expected, wave)]
        member.received += 1

    def check_missed(self, member: Member, expected: Item) -> None:
        """Position matters in a FIFO; in every order no loss is reported twice."""
        box = member.box
        before = [s for s in box.lost if s < expected.sequence]
        told = member.handle.missed
        if box.order == "fifo" and box.overflow != "conflate" and box.group is None:
            assert told == len(before), (told, before, expected)
        box.lost = [s for s in box.lost if s >= expected.sequence]
        member.missed_sum += told
        if box.group is None:
            assert member.missed_sum <= member.handle.statistics().missed

    def receive(self, member: Member) -> None:
        box, act = member.box, member.handle.receive_nowait
        if member.closed:
            expect(aether.EndOfStream, act)
            return
        expected = box.take(self.now)
        if expected is None:
            expect(aether.WouldBlock, act)
            assert member.handle.statistics().current_buffer_used == 0
            return
        wave = act()
        self.compare(member, expected, wave)
        self.check_missed(member, expected)

    def drain(self, member: Member, most: int = 1_000_000) -> None:
        """Take wave after wave, to the first WouldBlock."""
        while most > 0 and not member.closed:
            most -= 1
            empty = not [i for i in member.box.waiting if not member.box.is_dead(i, self.now)]
            self.receive(member)
            if empty:
                return

    async def await_receive(self, member: Member) -> None:
        if member.closed:
            assert await member.handle.receive() is None
            return
        expected = member.box.take(self.now)
        if expected is not None:
            self.compare(member, expected, await member.handle.receive())
            self.check_missed(member, expected)

    async def await_many(self, member: Member, most: int) -> None:
        if member.closed:
            assert await member.handle.receive_many(most) == []
            return
        taken = []
        while len(taken) < most and (item := member.box.take(self.now)) is not None:
            taken.append(item)
        if taken:
            waves = await member.handle.receive_many(most)
            assert len(waves) == len(taken)
            for item, wave in zip(taken, waves, strict=True):
                self.compare(member, item, wave)
            last = max(item.sequence for item in taken)
            member.box.lost = [s for s in member.box.lost if s > last]

    # -- what must hold after each step

    def advance(self, ticks: int) -> None:
        self.clock.advance(TICK * ticks)

    def check(self) -> None:
        now = self.now
        for member in self.members:
            box, s = member.box, member.handle.statistics()
            box.bury(now)
            label = (member.name, box.order, box.overflow, s)
            dropped = {reason: count for reason, count in s.dropped.items() if count}
            if member.closed and not box.closed:
                continue  # one who left a group: the box goes on without it
            assert sum(dropped.values()) == s.missed, label
            total = sum(m.received for m in box.members)
            assert total == box.received, label
            assert s.received in (member.received, total), label
            assert box.entered == total + s.missed + s.current_buffer_used, (label, box)
            assert len(box.waiting) <= s.current_buffer_used, (label, box)
            assert s.current_buffer_used <= box.capacity == s.max_buffer_size, label
            assert s.tasks_waiting_receive == s.tasks_waiting_send == 0, label
            assert member.emitted <= s.emitted <= member.attempts, label
            for reason in ("full", "oldest", "faintest"):
                assert dropped.get(reason, 0) == box.dropped[reason], (reason, label)
            for reason in ("conflated", "cleared", "abandoned"):
                extra = dropped.get(reason, 0) - box.dropped[reason]
                assert 0 <= extra <= box.dead, (reason, label)
            faded, expired = dropped.get("faded", 0), dropped.get("expired", 0)
            assert faded + expired <= box.dead, label
            assert not faded or box.order == "fresh", label
        patterns = {p for box in self.boxes if not box.closed for p in box.patterns}
        active = self.medium.active_channels()
        assert isinstance(active, tuple)
        assert list(active) == sorted(active)
        assert sorted(str(c.canonical) for c in active) == sorted(patterns)

    def explain(self, channel: str, amplitude: float) -> None:
        rows = {
            str(getattr(row.vibrator, "name", row.vibrator)): row
            for row in self.medium.explain(channel, amplitude).rows
        }
        reached = self.matching(channel, amplitude, None)
        for member in self.live:
            if member.box.group is None and not member.box.full(self.now):
                row = rows.get(member.name)
                assert bool(row and row.reached) is (member.box in reached), (member.name, row)
                assert row is None or bool(row.reason) is not row.reached, row

    def finish(self) -> None:
        """Take everything that waits, then close: every wave is accounted for."""
        for member in self.live:
            self.drain(member)
            assert member.handle.statistics().current_buffer_used == 0
        self.check()
        for member in self.members:
            self.close(member)
        self.check()
        assert self.medium.active_channels() == ()


def drive(awaitable: Any) -> Any:
    """The result of an await that finishes in place, but for a turn given to the loop."""
    steps = awaitable.__await__()
    while True:
        try:
            assert next(steps) is None
        except StopIteration as end:
            return end.value


def expect(error: type[BaseException], act: Any) -> None:
    """`act` raises exactly `error`."""
    try:
        result = act()
    except error:
        return
    raise AssertionError(f"{error.__name__} expected, got {result!r}")
