"""Waves at a steady interval: `medium.every`.

Contract:
- While the handlers of its medium run, a wave goes out each time that the interval is over, by the medium's clock: the first
  one after one interval. Times that were missed, since the clock has jumped or the loop was busy, are skipped, not made up for.
- It waits for nobody: where somebody is full and blocks, that time is skipped. What was skipped is counted.
- What goes wrong is logged once until it goes well again, and it goes on. It ends with the medium.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any

from aether._closing import Closing
from aether._native import Wave
from aether.errors import Closed, ForkedMedium, WouldBlock
from aether.events import said
from aether.handling.numbers import checked_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aether.medium import Aether
    from aether.timers import Timer

__all__ = ["Ticker"]

_log = said()


class Ticker(Closing):
    """Emits a wave at a steady interval until it is closed; see `Aether.every`."""

    __slots__ = (
        "_amplitude",
        "_begun",
        "_channel",
        "_closed",
        "_fails",
        "_headers",
        "_made",
        "_make",
        "_medium",
        "_timer",
        "emitted",
        "seconds",
        "skipped",
    )

    def __init__(
        self,
        medium: Aether,
        seconds: float,
        channel: str,
        make: Callable[[], Any],
        amplitude: float | None,
        headers: Mapping[str, str] | None,
    ) -> None:
        self.seconds = checked_seconds("seconds", seconds, zero=False)
        # What is wrong with it is told now, and not each time.
        checked = Wave(channel, amplitude=1.0 if amplitude is None else amplitude, headers=headers)
        self._channel = checked.channel
        self._amplitude = amplitude
        self._headers = headers
        self._medium = medium
        self._make = make
        self._timer: Timer | None = None
        self._begun = 0.0
        self._made = 0
        """How many intervals are over since it was started."""
        self._closed = False
        self._fails = False
        self.emitted = 0
        """How many waves went out."""
        self.skipped = 0
        """How many times nothing did: it was missed, or somebody is full."""

    @property
    def channel(self) -> str:
        """Where it emits."""
        return self._channel

    def start(self) -> None:
        """Begins in the running loop; a second time does nothing."""
        if self._timer is None and not self._closed:
            self._begun, self._made = self._medium.timers.now(), 0
            self._next()

    def stop(self) -> None:
        """Stops until it is started again, from any thread."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Ends it, from any thread; a second time does nothing."""
        self._closed = True
        self.stop()
        self._medium.forget_ticker(self)

    def _next(self) -> None:
        due = self._begun + (self._made + 1) * self.seconds
        timers = self._medium.timers
        self._timer = timers.after(due - timers.now(), self._tick)

    def _tick(self) -> None:
        timer = self._timer
        if self._closed or timer is None:
            return
        # Sums of intervals are no exact numbers.
        over = floor((self._medium.timers.now() - self._begun) / self.seconds + 1e-9)
        self.skipped += max(0, over - self._made - 1)
        self._made = max(over, self._made + 1)
        self._emit()
        # Unless it was stopped meanwhile, by another thread or by what makes the payload.
        if self._timer is timer:
            self._next()

    def _emit(self) -> None:
        try:
            self._medium.emit_nowait(
                self._channel, self._make(), amplitude=self._amplitude, headers=self._headers
            )
        except WouldBlock:
            self.skipped += 1
        except (Closed, ForkedMedium):
            self.close()
        except Exception:  # noqa: BLE001 - the next one may go well
            self.skipped += 1
            if not self._fails:
                _log.exception(
                    "what is emitted on %r every %s s failed",
                    str(self._channel),
                    self.seconds,
                    extra={"event": "every.failed", "channel": str(self._channel)},
                )
            self._fails = True
        else:
            self.emitted += 1
            self._fails = False
