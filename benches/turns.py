"""Running the ways of a row in turns, in one process, and what each round took.

A loop has a thread of its own, a *lane*, which holds its shapes open and runs
one when it is told to: so asyncio and trio take turns with each other, and one
of all threads is at work at any time. The caller waits, and notices a run that
never ends: a message is lost then, and the lane is left to itself.

A row that asks for fresh processes gets one for each round of each way.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import queue
import statistics
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from harness import Lost, Row, Run, Sample, Shape, Way

__all__ = ["LOOPS", "Figures", "Lane", "measure", "once"]

Main = Callable[[], Coroutine[Any, Any, Any]]


def _asyncio(main: Main) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(main())


def _uvloop(main: Main) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _trio(main: Main) -> None:
    import trio

    trio.run(main)


LOOPS: dict[str, Callable[[Main], None]] = {"asyncio": _asyncio, "uvloop": _uvloop, "trio": _trio}


class Lane:
    """A thread with a loop that runs one shape after the other, as it is told."""

    def __init__(self, loop: str) -> None:
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        # A daemon, since a run that never ends must not hold up the interpreter's end.
        threading.Thread(target=self._serve, args=(loop,), name=loop, daemon=True).start()

    def enter(self, key: str, a_shape: Shape, patience: float) -> None:
        """Set the shape up."""
        self._ask((key, a_shape), patience)

    def run(self, key: str, patience: float) -> Sample:
        """What one run of an entered shape returns."""
        result: Sample = self._ask((key, None), patience)
        return result

    def leave(self, patience: float = 60.0) -> None:
        """Tear the shapes down, and end."""
        self._ask(None, patience)

    def _ask(self, order: Any, patience: float) -> Any:
        self._orders.put(order)
        try:
            result, error = self._answers.get(timeout=patience)
        except queue.Empty:
            raise Lost(f"a message never came: nothing happened for {patience:g} s") from None
        if error is not None:
            raise error
        return result

    def _serve(self, loop: str) -> None:
        try:
            LOOPS[loop](self._obey)
            self._answers.put((None, None))
        except BaseException as error:
            self._answers.put((None, error))

    async def _obey(self) -> None:
        runs: dict[str, Run] = {}
        async with AsyncExitStack() as stack:
            # The loop stands still while it waits for orders: another lane has its turn.
            while (order := self._orders.get()) is not None:
                key, a_shape = order
                try:
                    if a_shape is None:
                        result: Any = await runs[key]()
                    else:
                        runs[key] = await stack.enter_async_context(a_shape())
                        result = None
                except Exception as error:
                    self._answers.put((None, error))
                else:
                    self._answers.put((result, None))


@dataclass
class Figures:
    """What the rounds of one way took, for one part of a row."""

    row: Row
    part: str
    way: Way
    loop: str
    rounds: list[float] = field(default_factory=list)

    @property
    def least(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def most(self) -> float:
        return max(self.rounds)

    @property
    def counts(self) -> float:
        """The figure that ratios go by."""
        return self.median if self.row.by == "median" else self.least


def once(a_shape: Shape, loop: str) -> Sample:
    """One measured run after a warm-up, under a fresh loop."""
    lane = Lane(loop)
    lane.enter("", a_shape, 120)
    lane.run("", 120)
    gc.collect()
    result = lane.run("", 120)
    lane.leave()
    return result


def measure(row: Row, *, rounds: int, seconds: float, loop: str = "asyncio") -> list[Figures]:
    """All rounds of a row: `rounds`, or as many (3 at least) as fit into `seconds`.

    Raises:
        Lost: Something was lost; the message starts with the names of the row and the way.
    """
    ways = [way for way in row.ways if way.installed]
    on = {way.name: loop if way.loop == "asyncio" else way.loop for way in ways}
    samples: dict[str, list[tuple[float, ...]]] = {way.name: [] for way in ways}
    runner = _Fresh(row, on) if row.fresh else _InTurns(row, on)
    collecting = gc.isenabled()
    try:
        gc.disable()  # while a million things are set up
        for way in ways:
            runner.enter(way)
        runner.ready()
        if collecting:
            gc.enable()
        if rounds > 1 and not row.fresh:
            for way in ways:
                runner.run(way)
        start = time.monotonic()
        for number in range(min(rounds, row.most_rounds)):
            if number >= min(rounds, 3) and time.monotonic() - start > seconds:
                break
            # Each round starts with another one, so that none always follows the same.
            first = number % len(ways)
            for way in (*ways[first:], *ways[:first]):
                sample = runner.run(way)
                samples[way.name].append(sample if isinstance(sample, tuple) else (sample,))
        runner.leave()  # what has lost something is left as it is: it may never answer
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()
    return [
        Figures(row, part, way, on[way.name], [sample[i] for sample in samples[way.name]])
        for i, part in enumerate(row.part_names())
        for way in ways
    ]


class _InTurns:
    """The ways of a row in one process, a lane for each loop."""

    def __init__(self, row: Row, on: dict[str, str]) -> None:
        self._row = row
        self._on = on
        self._lanes = {loop: Lane(loop) for loop in dict.fromkeys(on.values())}

    def enter(self, way: Way) -> None:
        with _naming(self._row, way):
            self._lanes[self._on[way.name]].enter(way.name, way.shape, self._row.patience)

    def ready(self) -> None:
        """What stands waiting is not walked over again and again."""
        gc.collect()
        gc.freeze()

    def run(self, way: Way) -> Sample:
        with _naming(self._row, way):
            return self._lanes[self._on[way.name]].run(way.name, self._row.patience)

    def leave(self) -> None:
        for lane in self._lanes.values():
            lane.leave()


class _Fresh:
    """Every run in a process of its own."""

    def __init__(self, row: Row, on: dict[str, str]) -> None:
        self._row = row
        self._on = on

    def enter(self, way: Way) -> None: ...

    def ready(self) -> None: ...

    def leave(self) -> None: ...

    def run(self, way: Way) -> Sample:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with _naming(self._row, way):
            process = context.Process(target=_alone, args=(theirs, way.shape, self._on[way.name]))
            process.start()
            theirs.close()
            try:
                if not ours.poll(self._row.patience):
                    raise Lost(f"nothing happened for {self._row.patience:g} s")
                result = ours.recv()
            except EOFError:
                raise Lost("its process ended without a word") from None
            finally:
                process.kill()
                process.join()
            if isinstance(result, str):
                raise Lost(result)
            return result


def _alone(connection: Any, a_shape: Shape, loop: str) -> None:
    """In the process: one run, without a warm-up."""
    lane = Lane(loop)
    try:
        lane.enter("", a_shape, 120)
        gc.collect()
        connection.send(lane.run("", 120))
        lane.leave()
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")


class _naming:
    """Whatever goes wrong inside is `Lost`, with the names of the row and the way."""

    def __init__(self, row: Row, way: Way) -> None:
        self._where = f"{row.name}: {way.name}"

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            what = str(error) if isinstance(error, Lost) else f"{type(error).__name__}: {error}"
            raise Lost(f"{self._where}: {what}") from error
