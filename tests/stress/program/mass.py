"""The mass: many waves from publisher threads to loops in other threads, while others come and go.

    python -m tests.stress.program --publishers 8 --loops 8 --waves 10000000

Contract:
- Each wave goes to the mailbox of one loop, which blocks: none may be lost, none come twice, and each loop sees
  each publisher's waves in the order in which they were emitted. So the next number is known, and one comparison
  for each wave checks it all.
- Meanwhile two threads resonate, detune, take and close on the same channels, with mailboxes that drop; each of
  these accounts for what entered it.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio

import aether

from .choices import LOOPS, generator
from .ledger import Broken

SIZE = 4096
"""How many waves a loop's mailbox holds."""


class Mass:
    """One such run."""

    def __init__(self, seed: str, publishers: int, loops: int, waves: int, patience: float) -> None:
        self.seed = seed
        self.each = max(1, waves // (publishers * loops))
        """Waves from each publisher to each loop."""
        self.patience = patience
        self.medium = aether.Aether()
        self.kinds = [kind for kind, _ in zip(itertools.cycle(LOOPS), range(loops), strict=False)]
        self.readers = [
            self.medium.vibrator(f"loop{number}", buffer_size=SIZE) for number in range(loops)
        ]
        for number, reader in enumerate(self.readers):
            reader.resonate_on(f"to.{number}")
        self.publishers = publishers
        self.next = [[0] * publishers for _ in range(loops)]
        """What each loop expects of each publisher."""
        self.errors: list[BaseException] = []
        self.over = threading.Event()
        self.churned = [0, 0]
        self.entered = [0, 0]

    # The actors

    def publish(self, who: int) -> None:
        rng = generator(self.seed, "publisher", who)
        left = {f"to.{number}": iter(range(self.each)) for number in range(len(self.readers))}
        while left:
            channel = rng.choice(list(left))
            numbers = itertools.islice(left[channel], rng.randint(1, 200))
            if not self._emit(rng, channel, who, numbers):
                del left[channel]

    def _emit(self, rng: random.Random, channel: str, who: int, numbers: Iterator[int]) -> bool:
        emit, count = rng.choice((self.medium.emit_sync, self.medium.emitter().emit_sync)), 0
        for number in numbers:
            receipt = emit(channel, (who, number))
            count += 1
            if not receipt.delivered:
                raise Broken(f"{(who, number)} on {channel} did not reach its loop: {receipt!r}")
        return count > 0

    async def read(self, loop: int) -> None:
        expected, v = self.next[loop], self.readers[loop]
        left = self.each * self.publishers
        while left:
            waves = await v.receive_many(256)
            for wave in waves:
                who, number = wave.payload
                if number != expected[who]:
                    raise Broken(f"loop {loop} got {(who, number)}, not number {expected[who]}")
                expected[who] = number + 1
            left -= len(waves)

    def run_loop(self, loop: int) -> None:
        kind = self.kinds[loop]
        options = {} if kind == "trio" else {"use_uvloop": kind == "uvloop"}
        backend = "trio" if kind == "trio" else "asyncio"
        anyio.run(self.read, loop, backend=backend, backend_options=options)

    def churn(self, who: int) -> None:
        rng = generator(self.seed, "churn", who)
        policies = ("drop_oldest", "drop_newest", "drop_faintest", "conflate")
        while not self.over.is_set():
            v = self.medium.vibrator("churn", overflow=rng.choice(policies), buffer_size=8)
            patterns = rng.sample(["to.*", "to.+", "to.0", "+.1", "*"], 2)
            v.resonate_on(*patterns)
            got = 0
            for _ in range(rng.randint(0, 20)):
                with contextlib.suppress(aether.WouldBlock):
                    v.receive_nowait()
                    got += 1
                if rng.random() < 0.1:
                    time.sleep(0)
            v.detune(patterns[0])
            v.close()
            s = v.statistics()
            if s.received != got or s.current_buffer_used or s.missed != sum(s.dropped.values()):
                raise Broken(f"a vibrator that took {got} waves says {s}")
            self.churned[who] += 1
            self.entered[who] += s.received + s.missed
            # Whoever never waits keeps the interpreter's lock from those who do.
            time.sleep(rng.uniform(0.0, 0.002))

    # The run

    def start(self, target: Callable[..., Any], *args: Any) -> threading.Thread:
        def body() -> None:
            try:
                target(*args)
            except BaseException as error:
                self.errors.append(error)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        return thread

    def run(self) -> None:
        """Runs to the end, or to the first broken promise, and says what it comes to."""
        total = self.each * self.publishers * len(self.readers)
        began = said = time.monotonic()
        threads = [self.start(self.run_loop, loop) for loop in range(len(self.readers))]
        threads += [self.start(self.publish, who) for who in range(self.publishers)]
        churners = [self.start(self.churn, who) for who in range(2)]
        while any(thread.is_alive() for thread in threads):
            if self.errors:
                raise self.errors[0]
            time.sleep(0.1)
            if time.monotonic() - said > 5.0:
                said = time.monotonic()
                print(self._line(said - began), flush=True)
        self.over.set()
        for thread in churners:
            thread.join(self.patience)
        if self.errors:
            raise self.errors[0]
        self._check(total)
        print(self._line(time.monotonic() - began))
        print(f"passed: {total:,} waves, each in its order, none lost", flush=True)

    def _check(self, total: int) -> None:
        for loop, expected in enumerate(self.next):
            if expected != [self.each] * self.publishers:
                raise Broken(f"loop {loop} got {expected} waves, not {self.each} of each publisher")
        s = self.medium.statistics()
        entered = s.received + s.waiting + sum(s.dropped.values())
        matched = total + sum(self.entered)
        if (s.emitted, entered, s.waiting) != (total, matched, 0):
            raise Broken(f"{total} emitted, {matched} matched, 0 wait: but {s}")
        for reader in self.readers:
            if reader.statistics().missed:
                raise Broken(f"{reader.name} has lost waves: {reader.statistics()}")
            reader.close()

    def _line(self, seconds: float) -> str:
        done = self.progress()
        return (
            f"{seconds:6.0f} s  {done:,} waves ({done / seconds:,.0f}/s) to {len(self.readers)} loops  "
            f"churned {sum(self.churned):,} vibrators, which {sum(self.entered):,} waves entered"
        )

    # For the watchdog

    def progress(self) -> int:
        """A number that grows with each wave that is read."""
        return sum(map(sum, self.next))

    def describe(self) -> Iterator[str]:
        """What there is to see if it does not."""
        yield repr(self.medium.statistics())
        for number, reader in enumerate(self.readers):
            yield f"{reader.name} ({self.kinds[number]}): {reader.statistics()}"
            yield str(self.medium.explain(f"to.{number}"))
