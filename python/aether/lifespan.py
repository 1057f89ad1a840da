"""A medium for the length of a program: until a signal comes, or the program is done.

Contract:
- Entering runs the handlers, as `async with medium` does. SIGTERM or SIGINT stops the intake at once, and has the block left
  at its next wait, as a cancelled task is, or by the `Closed` that it gets if it emits before that.
- Leaving drains: handlers finish what waits for them, the journal is flushed, all is closed, within `shutdown_timeout`.
  Then, or at a second signal, what is left is abandoned: counted, and logged with how much it was. Neither cuts short the
  writing of a journal: what was taken in stays there, and a disk that hangs would hold the process in any case.
- A signal while the block is done and drains ends nothing more: it is a first one.
- Of one within another the inner one gets the signal, and is drained; then the outer one gets it too.
- In the block's own thread and loop nothing else changes: handlers of signals that were there before are back afterwards.
  Only the main thread gets signals; elsewhere, and under a server that sees to them, they are left alone.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from aether._wait import Flag, Home
from aether.errors import Closed
from aether.events import said

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator

    import anyio

    from aether.medium import Aether

__all__ = ["Lifespan", "lifespan", "run"]

_log = said()

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Lifespan(Mapping[str, "Aether"]):
    """One life of a medium, from entering to closing.

    It is a mapping too, with the medium as `medium`: that is what a server takes the state of its requests from, so that
    a handler of FastAPI or Starlette finds it at `request.state.medium`.
    """

    __slots__ = (
        "_asked",
        "_body",
        "_closing",
        "_home",
        "_over",
        "abandoned",
        "forced",
        "medium",
        "signal",
    )

    def __init__(self, medium: Aether) -> None:
        self.medium = medium
        self.signal: int | None = None
        """The signal that has ended it."""
        self.abandoned = 0
        """How many waves were abandoned at the end."""
        self.forced = False
        """Whether a second signal has ended it."""
        self._home = Home()
        self._over = Flag()
        self._asked = False
        """Whether it was asked to end, and has not ended by itself."""
        self._body: anyio.CancelScope | None = None
        self._closing: anyio.CancelScope | None = None

    def __getitem__(self, key: str) -> Aether:
        if key != "medium":
            raise KeyError(key)
        return self.medium

    def __iter__(self) -> Iterator[str]:
        return iter(("medium",))

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return f"<Lifespan of {self.medium!r}>"

    def stop(self) -> None:
        """Ends it as a first signal does, from any thread; a second time as a second one."""
        self._home.soon(self._stop)

    async def stopped(self) -> None:
        """Returns when it is to end."""
        await self._over.wait()

    def _stop(self) -> None:
        if self._asked:
            self.forced = True
            if self._closing is not None:
                self._closing.cancel()
            return
        self._asked = True
        self._over.set()
        if self.medium.phase == "open":
            self.medium.shut("draining", at_once=False)
        if self._body is not None:
            self._body.cancel()

    def _why(self, seconds: float) -> str:
        """Why something was abandoned."""
        if self.forced:
            return "after a second signal"
        return (
            f"after {seconds} s"
            if self._closing is not None
            else "as an error came out of the block"
        )

    @contextmanager
    def _listening(self, *, listens: bool) -> Generator[None]:
        """Signals end it meanwhile."""
        if not listens or threading.current_thread() is not threading.main_thread():
            yield
            return

        before = {number: signal.signal(number, self._received) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            # It was for the whole program; but the one around this would have cut its draining short.
            for number, handler in before.items():
                outer = getattr(handler, "__self__", None)
                if number == self.signal and isinstance(outer, Lifespan):
                    for _ in range(1 + self.forced):
                        outer._received(number, None)  # noqa: SLF001

    def _received(self, number: int, _frame: object) -> None:
        self.signal = self.signal or number
        self.stop()


@asynccontextmanager
async def lifespan(
    medium: Aether, *, signals: bool, timeout: float | None
) -> AsyncGenerator[Lifespan]:
    """See `Aether.lifespan`."""
    import anyio

    life, seconds = Lifespan(medium), medium.shutdown_timeout if timeout is None else timeout
    before = _abandoned(medium)
    try:
        with life._listening(listens=signals):  # noqa: SLF001 - of this module
            async with medium:
                try:
                    with anyio.CancelScope() as life._body:  # noqa: SLF001
                        yield life
                except (Closed, BaseExceptionGroup) as error:
                    # It has emitted once more, before it was cancelled.
                    if not (life._asked and _is_closed(error)):  # noqa: SLF001
                        raise
                finally:
                    life._body = None  # noqa: SLF001
                    life._over.set()  # noqa: SLF001
                patience = 0 if life.forced else seconds
                with anyio.move_on_after(patience) as life._closing:  # noqa: SLF001
                    await medium.aclose(seconds)
    finally:
        life.abandoned = _abandoned(medium) - before
        if life.abandoned:
            _log.warning(
                "the medium was closed with %d wave%s abandoned, %s",
                life.abandoned,
                "" if life.abandoned == 1 else "s",
                life._why(seconds),  # noqa: SLF001
                extra={"event": "medium.abandoned", "waves": life.abandoned},
            )


def _abandoned(medium: Aether) -> int:
    """How many waves were abandoned so far, those that were to go out later included."""
    counted = medium.statistics()
    return counted.dropped["abandoned"] + counted.delayed.abandoned


def _is_closed(error: BaseException) -> bool:
    """Whether it is that a medium was closed, and no more than that; also in groups of tasks."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(Closed)[1] is None
    return isinstance(error, Closed)


def _only_end(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """What ends the program, if there is nothing else in a group that would be lost."""
    ends, others = group.split((SystemExit, KeyboardInterrupt))
    if ends is None or others is not None:
        return None
    first = ends.exceptions[0]
    return _only_end(first) if isinstance(first, BaseExceptionGroup) else first


def run(
    app: Aether | Callable[..., Awaitable[Any]],
    *,
    medium: Aether | None = None,
    backend: str = "asyncio",
    timeout: float | None = None,
) -> None:
    """Runs a program until it is done, or SIGTERM or SIGINT comes; then drains its medium and returns.

    Args:
        app: A medium, whose handlers run until a signal comes; or an async function, which is called with the medium.
        medium: The medium of that function; `None`: `Aether.default()`.
        backend: The loop: `asyncio`, `uvloop` or `trio`.
        timeout: Seconds for draining; `None`: the configuration's `shutdown_timeout`.

    Raises:
        SystemExit: Not all was done: with 128 + its number after a second signal, else with 1 where waves were abandoned. Or
            the program has raised it, in a task of its own too.
        TypeError: `app` is no medium and no async function.
        ValueError: There is no such backend.

    Example:
        >>> import aether
        >>> async def main(medium):
        ...     print((await medium.emit_wave("orders.created", 7)).matched)
        >>> aether.run(main)
        0
    """
    import anyio

    from aether.medium import Aether

    if backend not in ("asyncio", "uvloop", "trio"):
        message = f"backend must be 'asyncio', 'uvloop' or 'trio', not {backend!r}"
        raise ValueError(message)
    if not (isinstance(app, Aether) or callable(app)):
        message = (
            "app must be a medium, or an async function of a medium that is not called yet, not "
            f"{type(app).__name__}: aether.run(main)"
        )
        raise TypeError(message)
    target = app if isinstance(app, Aether) else medium or Aether.default()
    lives: list[Lifespan] = []

    async def main() -> None:
        async with target.lifespan(timeout=timeout) as life:
            lives.append(life)
            if isinstance(app, Aether):
                await life.stopped()
            else:
                await app(target)

    loop = "asyncio" if backend == "uvloop" else backend
    options = {"use_uvloop": True} if backend == "uvloop" else {}
    try:
        anyio.run(main, backend=loop, backend_options=options)
    except BaseExceptionGroup as group:
        # asyncio lets out of a group of tasks what ends the program; trio hands it on in a group.
        end = _only_end(group)
        if end is None:
            raise
        raise end from group
    life = lives[0]
    if life.forced and life.signal is not None:
        raise SystemExit(128 + life.signal)
    if life.abandoned:
        raise SystemExit(1)
