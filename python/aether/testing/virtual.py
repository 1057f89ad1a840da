"""A medium whose time passes only when a test says so.

Contract:
- Everything that goes by the medium's clock goes by the test's: time stamps, `ttl` and fading, delayed waves, `timeout=` of an
  emission, a request or a receive, pauses of retries, time limits of handlers, circuits, rates, and whatever else is a timer of
  the medium.
- `advance` goes from timer to timer in the order of their moments. At each, the clock stands there while all that follows
  from it is done, until every task waits; only then does time go on. So an hour passes at once, and always in the same order.
- What waits for something else (a thread, a socket, `asyncio.sleep`) is not waited for.
- Leaving drains by the test's clock: while a handler waits, time goes on, for at most `drain_timeout`. What then waits for a
  later moment is abandoned, and counted, at once.
"""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING

from aether._native import ManualClock
from aether.handling.numbers import checked_seconds
from aether.medium import Aether
from aether.testing.idle import until_idle

if TYPE_CHECKING:
    from typing import Self

    from aether.config import AetherConfig
    from aether.config.files import ConfigFiles
    from aether.journal import Journal
    from aether.lane import Lane
    from aether.lanes import Place
    from aether.testing.faults import Faults
    from aether.timers import Timers
    from aether.vibrator import Vibrator

__all__ = ["VirtualAether", "VirtualClock"]


class VirtualClock:
    """The clock of a `VirtualAether`, at `medium.clock`. It stands still but for `advance`."""

    __slots__ = ("_advancing", "_manual", "_timers")

    def __init__(self, manual: ManualClock, timers: Timers) -> None:
        self._manual = manual
        self._timers = timers
        self._advancing = False

    def __repr__(self) -> str:
        return f"<VirtualClock at {self.now():g} s>"

    def now(self) -> float:
        """What it shows, in seconds; the Unix time of the medium."""
        return self._manual.now()

    @property
    def next(self) -> float | None:
        """The moment of the next timer; `None`: nothing is to come."""
        return self._timers.next()

    async def advance(self, seconds: float) -> float:
        """Lets so much time pass, from timer to timer, and returns when everything that follows from it is done.

        Args:
            seconds: How much: 0 or more. With 0, what is due now is done.

        Returns:
            What the clock shows then.

        Raises:
            RuntimeError: It is advanced by another task already, or a task never waits.
            TypeError: `seconds` is no number.
            ValueError: It is negative or not finite.
        """
        end = self.now() + checked_seconds("seconds", seconds)
        await self._go(end)
        self._to(end)
        await self._idle()
        return self.now()

    async def advance_to_next(self) -> bool:
        """Lets time pass until the next timer has rung; false: there is none."""
        await self._idle()
        moment = self.next
        if moment is None:
            return False
        await self._go(moment)
        return True

    async def sleep(self, seconds: float) -> None:
        """Returns in so many seconds of this clock: for a reader of a test that is to be slow."""
        await self._timers.sleep(checked_seconds("seconds", seconds))

    async def _go(self, end: float) -> None:
        """Goes to all timers until then."""
        await self._idle()
        while (moment := self.next) is not None and moment <= end:
            self._to(moment)
            await self._idle()

    def _to(self, moment: float) -> None:
        """Shows this moment exactly: a timer must find the time that it was set for."""
        while (left := moment - self.now()) > 0.0:
            # The sum may be rounded up beyond it; from a float less, what is left in the next step has no rounding.
            self._manual.advance(left if self.now() + left <= moment else nextafter(left, 0.0))

    async def _idle(self) -> None:
        if self._advancing:
            message = "the clock is being advanced by another task; advance it in one place, such as the test itself"
            raise RuntimeError(message)
        self._advancing = True
        try:
            await until_idle()
        finally:
            self._advancing = False


class VirtualAether(Aether):
    """An `Aether` on a clock that the test moves.

    Args:
        config: As for `Aether`.
        journal: As for `Aether`.
        start: What the clock shows first, in Unix seconds.
        patience: Seconds of the loop's clock after which `settle` without a timeout gives up.

    Raises:
        TypeError: As for `Aether`.
        ValueError: `start` or `patience` is not finite.

    Example:
        >>> import asyncio
        >>> from aether import Retry
        >>> from aether.testing import VirtualAether
        >>> async def test():
        ...     tried = []
        ...     async with VirtualAether() as medium:
        ...         shop = medium.vibrator("shop")
        ...         @shop.on("orders.*", retry=Retry(on=OSError, wait_initial=10, wait_max=10, wait_jitter=0))
        ...         async def book(wave):
        ...             tried.append(medium.clock.now())
        ...             if len(tried) < 3:
        ...                 raise OSError("down")
        ...         await medium.emit_wave("orders.created")
        ...         await medium.clock.advance(20)
        ...     return tried
        >>> asyncio.run(test())
        [0.0, 10.0, 20.0]
    """

    __slots__ = ("_clock", "_faults", "_manual", "_patience")

    _manual: ManualClock

    def __new__(
        cls,
        config: AetherConfig | ConfigFiles[AetherConfig] | None = None,
        *,
        journal: Journal | None = None,
        start: float = 0.0,
        patience: float = 5.0,
    ) -> Self:
        """Make the clock first: the native half goes by it from the beginning."""
        checked_seconds("patience", patience)
        manual = ManualClock(start)
        medium = super().__new__(cls, config, journal=journal, clock=manual)
        medium._manual = manual
        return medium

    def __init__(
        self,
        config: AetherConfig | ConfigFiles[AetherConfig] | None = None,
        *,
        journal: Journal | None = None,
        start: float = 0.0,
        patience: float = 5.0,
    ) -> None:
        del start  # `__new__` has seen to it
        super().__init__(config, journal=journal, clock=self._manual)
        self._clock = VirtualClock(self._manual, self.timers)
        self._patience = patience
        self._faults: list[Faults] = []

    @property
    def clock(self) -> VirtualClock:
        """What the test moves: `await medium.clock.advance(60)`."""
        return self._clock

    async def settle(self, timeout: float | None = None) -> bool:
        """Waits until no handler runs and nothing waits for a handler or for a reader that waits.

        Time does not pass meanwhile: a handler that waits for the clock is still at work. `clock.advance` lets it go on.

        Args:
            timeout: Seconds to wait, by the clock of the loop; `None`: the medium's `patience`, and then it is an error.

        Returns:
            Whether it has settled.

        Raises:
            RuntimeError: Called by a handler of this medium, which would wait for itself.
            TimeoutError: It was called without a timeout and has not settled; the message says who is at work, and how long
                the clock is to be advanced.
        """
        if timeout is not None:
            return await super().settle(timeout)
        if await super().settle(self._patience):
            return True
        raise TimeoutError(self._at_work())

    def _at_work(self) -> str:
        now, moment = self.clock.now(), self.clock.next
        lanes = [(lane, one) for lane in self.lanes if (one := lane.statistics()).working]
        works = [f"{one.name} of {lane.name!r} ({one.working} waves)" for lane, one in lanes]
        clock = (
            f"its clock stands at {now:g} s, and no timer is to come"
            if moment is None
            else f"its clock stands at {now:g} s, and the next timer is at {moment:g} s: if that is what they wait for, "
            f"await medium.clock.advance({moment - now:g})"
        )
        return (
            f"the medium has not settled in {self._patience:g} s; at work: {', '.join(works) or 'no handler'}; waiting: "
            f"{self.statistics().waiting} waves; {clock}"
        )

    # What faults need: see `aether.testing.faults`.

    def adopt(self, lane: Lane, vibrator: Vibrator, place: Place) -> None:
        """Takes a new handler in, with the faults that are on."""
        for faults in self._faults:
            faults.enclose(lane)
        super().adopt(lane, vibrator, place)

    def add_faults(self, faults: Faults) -> None:
        """These faults are on; for `aether.testing.faults`."""
        self._faults.append(faults)
        for lane in self.lanes:
            faults.enclose(lane)

    def remove_faults(self, faults: Faults) -> None:
        """They are no more."""
        self._faults.remove(faults)

    async def _until_handled(self, timeout: float | None) -> None:
        if self._is_handling():
            await super()._until_handled(timeout)
            return
        end = inf if timeout is None else self.clock.now() + timeout
        while not await self.until_quiet(0.0):
            await self.clock.advance(0)
            moment = self.clock.next
            if moment is None:
                # They wait for something else, if they do not end now.
                await super()._until_handled(self._patience)
                return
            if moment > end:
                await self.clock.advance(end - self.clock.now())
                return
            await self.clock.advance_to_next()
