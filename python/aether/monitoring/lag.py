"""How late an event loop is: what is to be done at once is handed to it, and it notes when it does.

It works on every loop that takes calls from other threads, wakes an idle one a few times a second, and leaves nothing
behind in it: no timer, no task.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["LoopLag"]


class LoopLag:
    """Measures one loop, from another thread: nothing that it has answered is lost between the two.

    Args:
        post: Has a function called in the loop, soon; never if it has ended.
        clock: Seconds that do not go back.
    """

    __slots__ = ("_clock", "_noting", "_post", "_sent", "_worst")

    def __init__(
        self,
        post: Callable[[Callable[[], object]], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._clock = clock
        self._noting = threading.Lock()
        self._sent: float | None = None
        self._worst = 0.0

    def ping(self) -> None:
        """Asks the loop, unless it has still to answer."""
        if self._sent is None:
            self._sent = self._clock()
            self._post(self._answer)

    def _answer(self) -> None:
        now = self._clock()
        with self._noting:
            sent, self._sent = self._sent, None
            if sent is not None:
                self._worst = max(self._worst, now - sent)

    @property
    def silence(self) -> float:
        """For how many seconds it has not answered; 0: it has."""
        sent = self._sent
        return 0.0 if sent is None else max(0.0, self._clock() - sent)

    def take(self) -> float:
        """How late it was at worst since the last time, in seconds; what it has not answered yet counts too."""
        now = self._clock()
        with self._noting:
            worst, self._worst = self._worst, 0.0
            sent = self._sent
        return worst if sent is None else max(worst, now - sent)
