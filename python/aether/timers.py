"""What is to happen at a moment of a medium's clock.

Contract:
- A call comes in the loop that asked for it, in the order of the moments, and of one moment in the order asked. It
  comes from the loop itself and never in the midst of a task, also where a task moves the clock by hand.
- With the machine's clock one alarm serves a whole loop. With a `ManualClock` nothing comes before it is moved.
- What a call raises is logged and keeps no other back. A loop that ends takes its calls with it.
"""

from __future__ import annotations

import contextlib
import heapq
import time
from functools import partial
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from aether._alarm import alarm
from aether._wait import Flag, Home, checkpoint, loop_time
from aether.events import said

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from aether._alarm import Alarm
    from aether._native import ManualClock

__all__ = ["Timer", "Timers"]

_log = said()

_MOST = 64
"""From so many on, it is worth to look for those that were cancelled."""


class Timer:
    """One call that is to come."""

    __slots__ = ("_call", "_when")

    def __init__(self, when: float, call: Callable[[], object]) -> None:
        self._when = when
        self._call: Callable[[], object] | None = call

    @property
    def when(self) -> float:
        """The moment, in monotonic seconds of the clock."""
        return self._when

    @property
    def is_pending(self) -> bool:
        """Whether the call is still to come."""
        return self._call is not None

    def cancel(self) -> None:
        """Has it not come, from any thread."""
        self._call = None

    def ring(self) -> None:
        """Makes the call, if it is still to come."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Timers:
    """The timers of one medium, in all loops. Without a clock of its own, it goes by the machine's."""

    __slots__ = ("__weakref__", "_clock", "_loops", "_monotonic")

    def __init__(self, clock: ManualClock | None) -> None:
        self._clock = clock
        self._monotonic = time.monotonic if clock is None else clock.now
        self._loops: dict[object, _LoopTimers] = {}

    def now(self) -> float:
        """What the clock shows, in monotonic seconds."""
        return self._monotonic()

    def waits_now(self) -> float:
        """What the clock shows that timeouts go by: the loop's, where this is the machine's."""
        return loop_time() if self._clock is None else self._monotonic()

    def after(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Has a function called in so many seconds, in the running loop."""
        return self.at(self._monotonic() + seconds, call)

    def at(self, moment: float, call: Callable[..., object], *args: object) -> Timer:
        """Has a function called at a moment of the clock, in the running loop."""
        timer = Timer(moment, partial(call, *args) if args else call)
        home = Home()
        timers = self._loops.get(home.key)
        if timers is None:
            self._forget_ended()
            timers = _LoopTimers(home, self._clock, self._monotonic, self._forget)
            self._loops[home.key] = timers
        timers.add(timer)
        return timer

    async def sleep(self, seconds: float) -> None:
        """Returns in so many seconds of the clock, after letting others run in any case."""
        if seconds <= 0:
            await checkpoint()
            return
        flag = Flag()
        timer = self.after(seconds, flag.set)
        try:
            await flag.wait()
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def moves(self, call: Callable[[], object]) -> Generator[None]:
        """Has a function called whenever somebody moves the clock meanwhile; the machine's moves by itself."""
        if self._clock is None:
            yield
            return
        self._clock.follow(call)
        try:
            yield
        finally:
            self._clock.unfollow(call)

    def real(self, seconds: float) -> float | None:
        """How long a thread waits for so many seconds of the clock to pass; `None`: until somebody moves it."""
        # The interpreter's locks take no more than some 290 years.
        return None if self._clock is not None or seconds == inf else min(seconds, 1e6)

    def next(self) -> float | None:
        """The moment of the next call in any loop; `None`: there is none."""
        self._forget_ended()
        moments = [timers.next() for timers in list(self._loops.values())]
        return min((moment for moment in moments if moment is not None), default=None)

    def _forget_ended(self) -> None:
        """Lets go of loops that have ended: whoever made them has not told their timers."""
        for key, timers in list(self._loops.items()):
            if not timers.home.is_here() and timers.home.is_over():
                self._loops.pop(key, None)
                timers.end()

    def _forget(self, timers: _LoopTimers) -> None:
        if self._loops.get(timers.home.key) is timers:
            del self._loops[timers.home.key]


class _LoopTimers:
    """Those of one loop. Only that loop touches them, but for a clock that is moved elsewhere."""

    __slots__ = ("_alarm", "_clock", "_forget", "_heap", "_monotonic", "_most", "_numbers", "home")

    def __init__(
        self,
        home: Home,
        clock: ManualClock | None,
        monotonic: Callable[[], float],
        forget: Callable[[_LoopTimers], object],
    ) -> None:
        self.home = home
        self._clock = clock
        self._monotonic = monotonic
        self._forget = forget
        self._heap: list[tuple[float, int, Timer]] = []
        self._most = _MOST
        self._numbers = count()
        self._alarm: Alarm | None = None
        if clock is None:
            self._alarm = alarm(self._ring)
        else:
            clock.follow(self)

    def __call__(self) -> None:
        """The clock was moved, in any thread."""
        self.home.soon(self._ring)

    def add(self, timer: Timer) -> None:
        if len(self._heap) >= self._most:
            # Those that were cancelled behind one that is still to come.
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapq.heapify(self._heap)
            self._most = max(_MOST, 2 * len(self._heap))
        first = not self._heap or timer.when < self._heap[0][0]
        heapq.heappush(self._heap, (timer.when, next(self._numbers), timer))
        if first:
            self._arm()

    def next(self) -> float | None:
        pending = [timer.when for _, _, timer in list(self._heap) if timer.is_pending]
        return min(pending, default=None)

    def end(self) -> None:
        """Lets go of the clock."""
        if self._alarm is not None:
            self._alarm.stop()
        elif self._clock is not None:
            self._clock.unfollow(self)

    def _ring(self) -> None:
        # By one look at the clock: what comes again at once, comes when the loop has had its turn.
        now = self._monotonic()
        while self._heap and self._heap[0][0] <= now:
            _, _, timer = heapq.heappop(self._heap)
            try:
                timer.ring()
            except Exception:  # noqa: BLE001 - the others are not to blame
                _log.exception("what a timer has called failed", extra={"event": "timer.failed"})
        self._arm()

    def _arm(self) -> None:
        while self._heap and not self._heap[0][2].is_pending:
            heapq.heappop(self._heap)
        if not self._heap:
            self.end()
            self._forget(self)
            return
        left = self._heap[0][0] - self._monotonic()
        if self._alarm is not None:
            self._alarm.set(max(0.0, left))
        elif left <= 0:
            self.home.soon(self._ring)
