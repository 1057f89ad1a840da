"""Who waits for something of which there is not enough: first come, first served.

Contract:
- What is there is given to whoever has waited longest, in whatever loop or thread, by the medium's clock.
- Who is cancelled while it waits, or just when its turn has come, leaves it to the next. So does who gives up.
- Nobody passes by those who wait, and who finds nobody before it and enough there takes no lock.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Protocol

from aether._wait import Flag, Home, endless

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether.timers import Timers

__all__ = ["Line", "Supply"]


class Supply(Protocol):
    """What there is. Each call is one step, also where several threads make calls at once."""

    def take(self, now: float) -> float:
        """Takes one: 0.0; or says in how many seconds to ask again, infinite: once one is given back."""
        ...

    def give_back(self) -> None:
        """One that was taken may be taken by another."""


class _Place:
    """One that waits: in a loop, or in a thread without one."""

    __slots__ = ("home", "served", "wake")

    def __init__(self, home: Home | None, wake: Callable[[], object]) -> None:
        self.home = home
        self.wake = wake
        self.served = False
        """It has what it waited for."""

    def is_over(self) -> bool:
        return self.home is not None and self.home.is_over()


class Line:
    """Those who wait for one supply."""

    __slots__ = ("_armed", "_line", "_lock", "_open", "_supply", "_timers", "waited")

    def __init__(self, supply: Supply, timers: Timers) -> None:
        self._supply = supply
        self._timers = timers
        self._line: deque[_Place] = deque()
        self._lock = threading.Lock()
        self._armed: dict[object, Home] = {}
        """The loops that will look at it again, by their keys."""
        self._open = False
        self.waited = 0
        """How many had to wait."""

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._line)

    def take_now(self) -> bool:
        """Takes one if nobody waits for it and it is there."""
        # Without the lock: who comes while others wait is behind them in any case.
        if self._open:
            return True
        return not self._line and self._supply.take(self._timers.now()) == 0.0

    async def take(self, timeout: float | None = None) -> bool:
        """Returns when it has one; false: not in so many seconds of the clock."""
        if self.take_now():
            return True
        flag = Flag()
        place = self._join(Home(), flag.set)
        timer = None
        try:
            self._serve(place.home)
            if timeout is not None and not place.served:
                timer = self._timers.after(timeout, partial(self._expire, place))
            await flag.wait()
        except BaseException:
            self._leave(place)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        return place.served

    def take_sync(self, timeout: float | None = None) -> bool:
        """The same in a thread without a loop, which looks after itself."""
        if self.take_now():
            return True
        event = threading.Event()
        place = self._join(None, event.set)
        deadline = inf if timeout is None else self._timers.now() + timeout
        try:
            with self._timers.moves(place.wake):
                while True:
                    # In this order: what happens from here on wakes it.
                    event.clear()
                    pause = self._serve(None, place)
                    left = deadline - self._timers.now()
                    if place.served:
                        return True
                    if left <= 0:
                        self._expire(place)
                        return place.served
                    self._sleep(event, self._timers.real(min(pause, left)))
        except BaseException:
            self._leave(place)
            raise

    @staticmethod
    def _sleep(event: threading.Event, seconds: float | None) -> None:
        if seconds is not None:
            event.wait(seconds)
            return
        ident = threading.get_ident()
        endless.add(ident)
        try:
            event.wait()
        finally:
            endless.discard(ident)

    def look_again(self) -> None:
        """There may be more than before: it is given to those who wait."""
        if self._line:
            self._serve(None)

    def open(self) -> None:
        """Everybody passes from now on, and nobody waits."""
        self._open = True
        self._serve(None)

    def _join(self, home: Home | None, wake: Callable[[], object]) -> _Place:
        place = _Place(home, wake)
        with self._lock:
            self._line.append(place)
            self.waited += 1
        return place

    def _look(self, home: Home) -> None:
        with self._lock:
            self._armed.pop(home.key, None)
        self._serve(home)

    def _serve(self, home: Home | None, thread: _Place | None = None) -> float:
        """Gives all that is there, and comes back for the next in this loop; or says in how many seconds to.

        Without a loop, and with no `thread` that comes back itself as it waits, the first who waits is called to look.
        """
        due: list[_Place] = []
        looks: _Place | None = None
        with self._lock:
            wait = 0.0
            while self._line:
                if self._line[0].is_over():
                    self._line.popleft()
                    continue
                wait = 0.0 if self._open else self._supply.take(self._timers.now())
                if wait > 0.0:
                    break
                place = self._line.popleft()
                place.served = True
                due.append(place)
            fresh = home is not None and 0.0 < wait < inf and home.key not in self._armed
            if home is not None and fresh:
                # One that has ended in between does not, and would be kept.
                self._armed = {key: one for key, one in self._armed.items() if not one.is_over()}
                self._armed[home.key] = home
            if home is None and 0.0 < wait < inf and (thread is None or thread.served):
                looks = self._line[0]
        for place in due:
            place.wake()
        if home is not None and fresh:
            self._timers.after(wait, partial(self._look, home))
        if looks is not None and looks.home is None:
            looks.wake()
        elif looks is not None and looks.home is not None and looks.home.key not in self._armed:
            looks.home.run(partial(self._look, looks.home))
        return wait if wait > 0.0 else inf

    def _expire(self, place: _Place) -> None:
        """It has waited for long enough; unless its turn has come."""
        with self._lock:
            if place not in self._line:
                return
            self._line.remove(place)
        place.wake()
        # It may have been the one that was to look again.
        self.look_again()

    def _leave(self, place: _Place) -> None:
        with self._lock:
            if place in self._line:
                self._line.remove(place)
        if place.served:
            # Its turn had come: it is the next one's.
            self._supply.give_back()
        # It may have been the one that was to look again, and be dropped anywhere.
        self.look_again()
