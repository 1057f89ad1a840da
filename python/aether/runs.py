"""`await vibrator.run(...)`: handlers that run for as long as somebody waits for them.

Contract:
- It runs the handlers that there are and those that are registered meanwhile. It is over when none of them
  runs any more, since their vibrator was closed or drained, or when there are none to begin with.
- Handlers that the medium runs already are not its own: they go on when it is over. `on_error` holds for all
  meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aether._wait import Flag, Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether import lane
    from aether._native import Wave
    from aether.lane import Lane

OnError: TypeAlias = "Literal['log', 'raise'] | Callable[[BaseException, Wave[Any]], object]"


class Run:
    """One `run` of a vibrator, in the loop that it was made in."""

    __slots__ = ("_before", "_failure", "_home", "_over", "_report", "_started")

    def __init__(self, on_error: OnError) -> None:
        report = self._keep if on_error == "raise" else None if on_error == "log" else on_error
        if report is not None and not callable(report):
            message = f"on_error must be 'log', 'raise' or a function, not {on_error!r}"
            raise (ValueError if isinstance(report, str) else TypeError)(message)
        self._report: lane.OnError = report
        self._failure: BaseException | None = None
        self._home = Home()
        self._over = Flag()
        self._before: dict[Lane, lane.OnError] = {}
        """The lanes that it runs, with what was called with their errors before."""
        self._started: list[Lane] = []
        """Those of them that nobody else runs."""

    def add(self, lane: Lane) -> None:
        """Runs one more lane, from any thread."""
        self._home.run(partial(self._add, lane))

    def _add(self, lane: Lane) -> None:
        if lane in self._before or self._over.is_set():
            return
        if not lane.is_running:
            self._started.append(lane)
        self._before[lane] = lane.on_error
        lane.on_error = self._report
        lane.on_ended.append(self._look)
        lane.start()

    async def until_over(self) -> None:
        """Returns when no lane runs any more, or raises what a handler has raised."""
        self._look()
        await self._over.wait()
        if self._failure is not None:
            raise self._failure

    def leave(self) -> None:
        """Ends the lanes that nobody else runs."""
        self._over.set()
        for lane in self._started:
            lane.cancel()
        for lane, before in self._before.items():
            lane.on_error = before
            lane.on_ended.remove(self._look)

    def _keep(self, error: BaseException, _wave: Wave[Any]) -> None:
        self._failure = self._failure or error
        self._over.set()

    def _look(self, _ended: Lane | None = None) -> None:
        if not any(lane.is_running for lane in self._before):
            self._over.set()
