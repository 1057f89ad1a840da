"""Random emissions, takings, finishings and losses, beside a plain model of who has what.

The model has a list for each mailbox and each hand, and says of each wave who has it and how the others have ended. What
`handled(timeout=0)` says must agree after every step, for who follows the wave from its emission on and for who asks late.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import anyio.lowlevel
from hypothesis import given, settings, strategies as st

from aether import Aether, Handled, ManualClock, Receipt, Vibrator, Wave, WouldBlock

CAPACITY = 2
READERS = ("block", "drop_oldest", "drop_newest", "conflate")
HANDLERS = ("lane", "keyed")
CHANNELS = ("a", "b")
TTL = 2.0


@dataclass
class Box:
    """What one receiver has, in the model."""

    name: str
    overflow: str = "block"
    waiting: list[int] = field(default_factory=list)
    hand: list[int] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    is_open: bool = True

    def has(self, wave: int) -> bool:
        return wave in self.waiting or wave in self.hand


class Model:
    """Who has which wave."""

    def __init__(self) -> None:
        self.boxes = {name: Box(name, name) for name in READERS}
        self.boxes |= {name: Box(name) for name in HANDLERS}
        self.channel: dict[int, str] = {}
        self.expires: dict[int, float] = {}
        self.now = 0.0

    def purge(self) -> None:
        for box in self.boxes.values():
            for wave in list(box.waiting):
                if self.expires[wave] < self.now:
                    box.waiting.remove(wave)
                    box.ends[wave] = "expired"

    def emit(self, wave: int, channel: str, ttl: float | None) -> None:
        self.channel[wave] = channel
        self.expires[wave] = float("inf") if ttl is None else self.now + ttl
        self.purge()
        for box in self.boxes.values():
            if box.is_open:
                self._put(box, wave)

    def _put(self, box: Box, wave: int) -> None:
        if box.overflow == "conflate":
            for other in box.waiting:
                if self.channel[other] == self.channel[wave]:
                    box.ends[other] = "conflated"
                    box.waiting[box.waiting.index(other)] = wave
                    return
        if box.overflow != "block" and len(box.waiting) >= CAPACITY:
            if box.overflow == "drop_newest":
                box.ends[wave] = "full"
                return
            box.ends[box.waiting.pop(0)] = "oldest"
        box.waiting.append(wave)

    def ask(self, name: str, most: int) -> list[int]:
        self.purge()
        box = self.boxes[name]
        for wave in box.hand:
            box.ends[wave] = "read"
        box.hand, box.waiting = box.waiting[:most], box.waiting[most:]
        return box.hand

    def close(self, name: str) -> None:
        box = self.boxes[name]
        box.is_open = False
        for wave in box.waiting:
            box.ends[wave] = "expired" if self.expires[wave] < self.now else "abandoned"
        for wave in box.hand:
            box.ends[wave] = "left"
        box.waiting, box.hand = [], []

    def clear(self) -> None:
        self.purge()
        for box in self.boxes.values():
            for wave in box.waiting:
                box.ends[wave] = "cleared"
            box.waiting = []


Step = tuple[Any, ...]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.sampled_from(CHANNELS), st.sampled_from([None, TTL])),
        st.tuples(st.just("emit"), st.sampled_from(CHANNELS), st.none()),
        st.tuples(st.just("take"), st.sampled_from(READERS)),
        st.tuples(st.just("take_many"), st.sampled_from(READERS), st.integers(1, 3)),
        st.tuples(st.just("finish"), st.sampled_from(HANDLERS), st.booleans()),
        st.tuples(st.just("pass"), st.sampled_from([0.5, 1.5])),
        st.tuples(st.just("close"), st.sampled_from(READERS)),
        st.tuples(st.just("clear")),
    ),
    max_size=30,
)


class Both:
    """The medium and the model, step by step."""

    def __init__(self, medium: Aether, clock: ManualClock) -> None:
        self.medium = medium
        self.clock = clock
        self.model = Model()
        self.over = False
        self.receipts: dict[int, Receipt] = {}
        self.following: dict[int, asyncio.Task[Handled]] = {}
        self.doors: dict[tuple[str, int], asyncio.Future[bool]] = {}
        self.readers: dict[str, Vibrator] = {}
        for name in READERS:
            size = 100 if name == "block" else CAPACITY
            options: dict[str, Any] = {"order": "fifo", "overflow": name}
            vibrator = medium.vibrator(name, buffer_size=size, **options)
            vibrator.resonate_on("*")
            self.readers[name] = vibrator
        self.workers = [
            self._worker("lane", None),
            self._worker("keyed", lambda wave: wave.channel),
        ]

    def _worker(self, name: str, key: Any) -> Vibrator:
        worker = self.medium.vibrator(name)

        @worker.on("*", key=key, concurrency=2)
        async def work(wave: Wave[Any]) -> None:
            if self.over:
                return
            door = self.doors[name, wave.payload] = asyncio.get_running_loop().create_future()
            if not await door:
                raise ValueError("no")

        return worker

    async def turns(self) -> None:
        for _ in range(12):
            await anyio.lowlevel.checkpoint()

    def take_up(self) -> None:
        """Handlers take what waits, two at a time; by key, all that comes goes into their hands."""
        self.model.purge()
        for name in HANDLERS:
            box = self.model.boxes[name]
            while box.waiting and (name == "keyed" or len(box.hand) < 2):
                if name == "keyed" and self._keyed_is_busy():
                    break
                box.hand.append(box.waiting.pop(0))

    def _keyed_is_busy(self) -> bool:
        """Both workers are in a handler, so that nobody takes what waits."""
        hand = self.model.boxes["keyed"].hand
        return len({self.model.channel[wave] for wave in hand}) == 2

    async def step(self, step: Step) -> None:
        kind, *rest = step
        model = self.model
        if kind == "emit":
            channel, ttl = rest
            number = len(self.receipts)
            receipt = self.medium.emit_nowait(channel, number, ttl=ttl)
            model.emit(number, channel, ttl)
            self.receipts[number] = receipt
            if number % 2:
                self.following[number] = asyncio.create_task(receipt.handled())
        elif kind in {"take", "take_many"}:
            name, *most = rest
            if not model.boxes[name].is_open:
                return
            expected = model.ask(name, most[0] if most else 1)
            got: list[Wave[Any]] = []
            if most and expected:
                got = await self.readers[name].receive_many(most[0])
            else:
                with contextlib.suppress(WouldBlock):
                    got = [self.readers[name].receive_nowait()]
            assert [wave.payload for wave in got] == expected
        elif kind == "finish":
            name, well = rest
            doors = [(who, wave) for who, wave in self.doors if who == name]
            if doors:
                _, wave = doors[0]
                self.doors.pop(doors[0]).set_result(well)
                box = model.boxes[name]
                box.hand.remove(wave)
                box.ends[wave] = "handled" if well else "failed"
                await self.turns()
                self._behind_expired()
        elif kind == "pass":
            self.clock.advance(rest[0])
            model.now += rest[0]
        elif kind == "close":
            self.readers[rest[0]].close()
            model.close(rest[0])
        else:
            self.medium.clear()
            # What stands behind a key still waits.
            keyed = model.boxes["keyed"]
            first = {model.channel[wave]: wave for wave in reversed(keyed.hand)}
            for wave in [wave for wave in keyed.hand if wave not in first.values()]:
                keyed.hand.remove(wave)
                keyed.ends[wave] = "cleared"
            model.clear()
        await self.turns()
        self.take_up()
        await self.agree()

    def _behind_expired(self) -> None:
        """What is at the head of a key and expired is passed over by its handler."""
        box = self.model.boxes["keyed"]
        while True:
            heads = {self.model.channel[wave]: wave for wave in reversed(box.hand)}
            gone = [
                wave
                for wave in heads.values()
                if self.model.expires[wave] < self.model.now and ("keyed", wave) not in self.doors
            ]
            if not gone:
                return
            for wave in gone:
                box.hand.remove(wave)
                box.ends[wave] = "expired"

    async def ask(self, receipt: Receipt) -> tuple[Handled | None, str]:
        """What it says now, or who has not finished."""
        try:
            return await receipt.handled(timeout=0), ""
        except TimeoutError as error:
            return None, str(error)

    async def agree(self) -> None:
        for number, receipt in self.receipts.items():
            boxes = [
                box for box in self.model.boxes.values() if box.has(number) or number in box.ends
            ]
            at_work = {box.name for box in boxes if box.has(number)}
            ends = {box.name: box.ends[number] for box in boxes if number in box.ends}
            bad = {name: how for name, how in ends.items() if how not in {"read", "handled"}}
            assert receipt.matched == len(boxes)
            follows = self.following.get(number)
            if follows is not None:
                assert follows.done() == (not at_work), (number, at_work)
            told, late = await self.ask(receipt)
            assert bool(late) == bool(at_work), (number, ends, late)
            if told is None:
                assert {name for name in self.model.boxes if f"{name!r} " in late} == at_work
                continue
            assert Counter({one.vibrator: 1 for one in told.outcomes}) == Counter(bad.keys())
            assert {one.vibrator: one.how for one in told.outcomes} == bad
            assert (told.finished, told.unknown) == (len(ends) - len(bad), 0)
            if follows is not None:
                named = {one.vibrator: one.how for one in follows.result().outcomes}
                assert named.items() >= bad.items()
                assert named.items() <= ends.items()
                assert follows.result().finished == len(ends) - len(named)

    async def end(self) -> None:
        self.over = True
        for door in self.doors.values():
            door.set_result(True)
        for task in self.following.values():
            task.cancel()
        await asyncio.gather(*self.following.values(), return_exceptions=True)
        for vibrator in (*self.readers.values(), *self.workers):
            vibrator.close()


@settings(max_examples=150)
@given(STEPS)
def test_it_says_what_a_plain_model_says(steps: list[Step]) -> None:
    async def main() -> None:
        clock = ManualClock()
        async with Aether(clock=clock) as medium:
            both = Both(medium, clock)
            try:
                for step in steps:
                    await both.step(step)
                for receipt in both.receipts.values():
                    follows: Any = receipt.follow(lambda: None)
                    at_work = sum(not task.done() for task in both.following.values())
                    assert follows.waiting == at_work + 1
                    follows.end()
            finally:
                await both.end()

    logging.getLogger("aether").setLevel(logging.CRITICAL)
    try:
        asyncio.run(main())
    finally:
        logging.getLogger("aether").setLevel(logging.NOTSET)
