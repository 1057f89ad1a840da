"""One round: a medium from its making to its end, with everything that goes on in between."""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any

import anyio
import anyio.from_thread

from .checks import Running, at_rest
from .choices import Listening, Plan
from .ledger import Admitted, Broken
from .payloads import OnPurpose, Payload, alive
from .publishers import Publisher, Task, Thread
from .readers import Handled, TaskReader, ThreadReader
from .trouble import Trouble, canceller
from .world import PATIENCE, Voice, World

PART = 4.0
"""Seconds after which publishers pause, if they have not done their part before."""


class Witness(TaskReader):
    """Hears every wave, and loses none but what expires."""

    def note(self, wave: Any) -> None:
        super().note(wave)
        if wave is not None:
            payload, channel = wave.payload, str(wave.channel)
            self.world.witnessed.append(
                Admitted(
                    wave.sequence, payload.who, payload.number, channel, wave.amplitude, wave.source
                )
            )


class Round:
    """Runs one plan. Its figures are there when `run` has returned."""

    def __init__(self, plan: Plan, plant: str | None = None, patience: float = PATIENCE) -> None:
        self.plan = plan
        self.world = World(plan, plant, patience)
        self.portals: list[Any] = []
        self.threads: list[threading.Thread] = []
        self.tasks: list[Future[None]] = []
        """Of readers, which end when their vibrators do."""
        self.others: list[Future[None]] = []
        self.running = Running(self.world)
        self.trouble = Trouble(self)
        self.publishers: list[Publisher] = []
        self.rng: random.Random = self.world.rng("round")
        self.readers = 0

    # What starts actors

    def start(self, target: Callable[[], object]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self.threads.append(thread)
        thread.start()

    def add(self, plan: Listening) -> Voice:
        """One more vibrator, with those who read it."""
        world = self.world
        voice = Voice(world, plan)
        if plan.handler is not None:
            Handled(world, voice, plan)
            voice.begin(world)
            return voice
        for where, count in plan.readers:
            for _ in range(count):
                self.readers += 1
                if where == "thread":
                    self.start(ThreadReader(world, voice, self.readers).run)
                    continue
                task = TaskReader(world, voice, where, self.readers)
                self.tasks.append(self.portals[int(where)].start_task_soon(task.run))
        voice.begin(world)
        voice.resonate(world, plan.patterns)
        return voice

    def add_member(self, voice: Voice, number: int, waves: int) -> None:
        """A member of a group that takes so many waves, or what it gets in some time, and goes."""
        plan, world = voice.plan, self.world
        loop = plan.readers[0][0]
        member = world.medium.vibrator(f"{plan.name}.{number}", group=plan.name, **plan.options)

        async def read() -> None:
            with (
                contextlib.suppress(Exception)
                if world.ending.is_set()
                else contextlib.nullcontext()
            ):
                with anyio.move_on_after(0.05):
                    for _ in range(waves):
                        wave = await member.receive()
                        if wave is None:
                            break
                        world.note(voice.ear, f"loop {loop}", wave)
            member.close()

        voice.ear.slack += 1
        voice.members.append(self.portals[int(loop)].start_task_soon(read))
        self.tasks.append(voice.members[-1])

    def await_in_a_loop(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Awaits something in one of the loops, for a thread."""
        return self.rng.choice(self.portals).call(function, *args)

    # The round

    def run(self) -> None:
        before = threading.active_count()
        switch, threshold = sys.getswitchinterval(), gc.get_threshold()
        sys.setswitchinterval(self.plan.switch_interval)
        gc.set_threshold(self.plan.gc_threshold, *threshold[1:])
        try:
            with contextlib.ExitStack() as loops:
                for kind in self.plan.loops:
                    backend = "trio" if kind == "trio" else "asyncio"
                    options = {} if kind == "trio" else {"use_uvloop": kind == "uvloop"}
                    portal = anyio.from_thread.start_blocking_portal(backend, options)
                    self.portals.append(loops.enter_context(portal))
                self._run()
            for thread in self.threads:
                thread.join(PATIENCE)
                if thread.is_alive():
                    raise Broken(f"a thread has not ended: {thread}")
            self.world.check()
        finally:
            sys.setswitchinterval(switch)
            gc.set_threshold(*threshold)
        self.counts = self.world.ledger.counts
        self.waves = len(self.world.ledger.admitted)
        self.taken = sum(voice.ear.received() for voice in self.world.voices)
        self.looks = self.running.looks
        self.dropped = self.world.medium.statistics().dropped
        self._leave_nothing(before)

    def _run(self) -> None:
        world, plan = self.world, self.plan
        home = self.portals[0].start_task_soon(self._home)
        self._until(world.entered.is_set)
        if plan.sighted:
            self._add_witness()
        for listening in plan.listeners:
            self.add(listening)
        for number in range(plan.publishing_threads):
            thread = Thread(world, f"p{number}")
            self.publishers.append(thread)
            self.start(thread.run)
        for number in range(plan.publishing_tasks):
            task = Task(world, f"pt{number}")
            self.publishers.append(task)
            portal = self.portals[number % len(self.portals)]
            self.others.append(portal.start_task_soon(task.run))
        for number, portal in enumerate(self.portals):
            self.others.append(portal.start_task_soon(canceller, world, number))
        self.start(self.trouble.run)
        self.start(self._sample)
        self._publish()
        world.ending.set()
        self._wait_for([home, *self.others])
        if plan.end == "drop":
            for voice in world.voices:
                if voice.vibrator is not None:
                    voice.vibrator.close()
        self._wait_for(self.tasks)
        for thread in self.threads:
            thread.join(PATIENCE)
        at_rest(world)
        waiting = world.medium.statistics().waiting
        if waiting:
            raise Broken(f"{waiting} waves wait in a medium that has ended by {plan.end}")

    def _add_witness(self) -> None:
        options = {"order": "fifo", "overflow": "drop_newest", "buffer_size": 2**20}
        voice = Voice(self.world, Listening("witness", (">",), options, ()))
        witness = Witness(self.world, voice, "0", 0)
        self.tasks.append(self.portals[0].start_task_soon(witness.run))
        voice.begin(self.world)
        voice.resonate(self.world, (">",))

    def _publish(self) -> None:
        """Part after part; in a storm, the medium is ended in the midst of the last one."""
        world, plan = self.world, self.plan
        for part in range(plan.parts):
            world.paused.clear()
            world.part = part + 1
            last = part + 1 == plan.parts
            if plan.end == "storm" and last:
                time.sleep(self.rng.uniform(0.0, 0.5))
                return
            deadline = time.monotonic() + PART

            def done(part: int = part, deadline: float = deadline) -> bool:
                if time.monotonic() > deadline:
                    world.paused.set()
                return len(world.at_gate) == (part + 1) * len(self.publishers)

            self._until(done)
            world.paused.set()
            turns = self.trouble.turns
            self._until(lambda turns=turns: self.trouble.idle and self.trouble.turns > turns + 1)
            at_rest(world)
        # Something that waits at the end.
        for number in range(20):
            self._last(number)

    def _last(self, number: int) -> None:
        world = self.world
        channel = world.channel(self.rng)
        with contextlib.suppress(Exception):
            receipt = world.medium.emit_nowait(channel, Payload("last", number))
            world.ledger.receipt(receipt, ("last", number, channel, 1.0, None))

    def _until(self, holds: Callable[[], bool]) -> None:
        # That nothing moves any more is for the watchdog to find.
        while not holds():
            self.world.check()
            time.sleep(0.002)

    def _wait_for(self, tasks: list[Future[None]]) -> None:
        _, pending = wait(tasks, PATIENCE)
        self.world.check()
        for task in tasks:
            if task in pending:
                raise Broken(f"a task has not ended {PATIENCE} s after the medium has: {task}")
            if not task.cancelled() and (error := task.exception()) is not None:
                raise Broken(f"a task has failed: {error!r}") from error

    async def _home(self) -> None:
        """Enters the medium, and ends it as planned."""
        world, medium, end = self.world, self.world.medium, self.plan.end
        if end == "storm":
            end = self.rng.choice(("aclose", "leave", "drain", "raise"))
        if end == "drop":
            async with medium.running():
                world.entered.set()
                await self._until_ending()
            return
        with contextlib.suppress(OnPurpose):
            async with medium:
                world.entered.set()
                await self._until_ending()
                if end == "aclose":
                    await medium.aclose()
                elif end == "drain":
                    await medium.drain()
                elif end == "raise":
                    raise OnPurpose

    async def _until_ending(self) -> None:
        while not self.world.ending.is_set():
            await anyio.sleep(0.005)

    def _sample(self) -> None:
        try:
            while not self.world.ending.is_set():
                self.running.look()
                time.sleep(0.02)
        except BaseException as error:
            self.world.fail(error)

    def _leave_nothing(self, threads: int) -> None:
        """After it: no payload, no thread and no medium is left over."""
        medium = weakref.ref(self.world.medium)
        while self.publishers:
            self.publishers.pop().close()
        del self.world, self.trouble, self.running
        self.tasks, self.others, self.threads = [], [], []
        left = alive()
        if left:
            raise Broken(
                f"{len(left)} payloads are left over, such as {left[0]!r}: {gc.get_referrers(left[0])}"
            )
        if medium() is not None:
            raise Broken(f"the medium is left over, held by {gc.get_referrers(medium())}")
        deadline = time.monotonic() + PATIENCE
        while threading.active_count() > threads:
            if time.monotonic() > deadline:
                raise Broken(f"threads are left over: {threading.enumerate()}")
            time.sleep(0.01)

    # For the watchdog

    def progress(self) -> int:
        """A number that grows with whatever the actors do."""
        world = getattr(self, "world", None)
        if world is None:
            return -1
        return world.ledger.progress([voice.ear for voice in tuple(world.voices)])

    def describe(self) -> Iterator[str]:
        """What there is to see if it does not."""
        world = self.world
        yield f"plan: {self.plan}"
        yield f"{world.medium!r} {world.medium.statistics()} {world.medium.health()}"
        for channel in ("load.a.1", "load.b.2", "load.c.3", "relay.1", "after.1.x"):
            yield str(world.medium.explain(channel))
        for voice in tuple(world.voices):
            if voice.vibrator is not None:
                yield f"{voice.ear.name}: {voice.vibrator.statistics()}"
