"""The medium: where vibrators resonate and waves spread.

Contract:
- Entering (`async with medium`) runs the handlers; leaving drains: no more waves from outside (`Closed`),
  handlers finish what waits for them and may still emit, for at most `drain_timeout`; readers get what is
  queued, and then the end. Left by an exception, or cancelled while it drains, it ends at once, counted.
- `running()` runs the handlers without closing afterwards, and can be entered again.
- `SystemExit` and `KeyboardInterrupt` out of a handler end the program: asyncio lets them out of the loop, and on trio
  these blocks are cancelled and raise them, as a nursery does with what its tasks raise. So a block is left there
  in the task that entered it.
- Everything else works without a loop: at import time, in threads, before the medium is entered.
- A medium belongs to the process that uses it first: in the child of a fork it raises `ForkedMedium`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

from aether import _native
from aether._wait import Blocks, Home, checked_timeout, checkpoint, loop_time, shielded
from aether.channel import Channel
from aether.errors import Closed, WrongLoop
from aether.expectation import Expectation
from aether.explanation import Explanation
from aether.groups import Groups
from aether.lane import others_idle
from aether.lanes import Lanes
from aether.requests import Requests
from aether.statistics import Health, MediumStatistics, by_reason
from aether.threads import Emitting, end_with_the_program
from aether.vibrator import Options, Order, Overflow, Vibrator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from types import TracebackType
    from typing import Self, Unpack

    from aether._native import Mailbox, ManualClock, Wave
    from aether.config import AetherConfig
    from aether.lane import Lane
    from aether.physics import Field, PhysicsEngine
    from aether.physics.watch import Watch
    from aether.requests import RequestOptions

# How often `settle` lets everybody run before it believes that nobody wants to.
_SETTLING_TURNS = 5

# The most waves that a mailbox can be told to hold.
_UNLIMITED = 2**31 - 1


class Aether(Emitting, _native.Medium):
    """A medium: routes, mailboxes, counters and a clock. Parts of a program meet here.

    Args:
        config: How waves and mailboxes are treated; `None`: the defaults of `AetherConfig`.
        clock: A clock to steer by hand, for tests; `None`: the machine's.

    Raises:
        TypeError: The configuration is no `AetherConfig`.

    Example:
        >>> import asyncio
        >>> from aether import Aether
        >>> medium = Aether()
        >>> greeter = medium.vibrator("greeter")
        >>> @greeter.on("users.joined")
        ... async def greet(wave):
        ...     print("welcome,", wave.payload)
        >>> async def main():
        ...     async with medium:
        ...         await medium.emit_wave("users.joined", "Ada")
        >>> asyncio.run(main())
        welcome, Ada
    """

    __slots__ = (
        "_blocks",
        "_config",
        "_entered",
        "_fields",
        "_groups",
        "_home",
        "_lanes",
        "_making",
        "_physics",
        "_requests",
        "_runs",
        "_vibrators",
        "_watches",
    )

    _default: ClassVar[Aether | None] = None
    # May be asked for again in the midst of it, by the end of some object.
    _choosing: ClassVar[threading.RLock] = threading.RLock()

    def __new__(
        cls, config: AetherConfig | None = None, *, clock: ManualClock | None = None
    ) -> Self:
        """Check the settings, and hand them to the native half."""
        if config is None:
            return super().__new__(cls, clock=clock)
        if not hasattr(config, "attenuation_factor"):
            message = f"config must be an AetherConfig, not {type(config).__name__}"
            raise TypeError(message)
        return super().__new__(
            cls,
            attenuation_factor=config.attenuation_factor,
            decay_interval=config.decay_interval,
            max_propagation=config.max_propagation,
            min_amplitude=config.min_amplitude,
            max_channel_length=config.max_channel_length,
            stall_warning=config.stall_warning,
            clock=clock,
        )

    def __init__(
        self, config: AetherConfig | None = None, *, clock: ManualClock | None = None
    ) -> None:
        del clock  # the native half has it
        self._config = config
        self._blocks = Blocks()
        self._requests = Requests()
        self._vibrators: weakref.WeakValueDictionary[int, Vibrator] = weakref.WeakValueDictionary()
        self._groups = Groups()
        self._lanes = Lanes()
        self._home: Home | None = None
        self._runs = 0
        self._entered: contextlib.AsyncExitStack | None = None
        self._physics: list[PhysicsEngine] = []
        self._watches: set[Watch] = set()
        self._fields: weakref.WeakValueDictionary[tuple[str, int], Field] = (
            weakref.WeakValueDictionary()
        )
        # May be asked for again in the midst of it, by the end of some object.
        self._making = threading.RLock()
        end_with_the_program(self)

    @classmethod
    def default(cls) -> Aether:
        """The medium that the modules of this process share without handing it around.

        Once it is closed, the next call makes a new one.
        """
        default = Aether._default
        if default is None or default.phase == "closed":
            made = Aether()
            with Aether._choosing:
                # Another thread may have made one meanwhile.
                default = Aether._default
                if default is None or default.phase == "closed":
                    default = Aether._default = made
        return default

    @property
    def config(self) -> AetherConfig:
        """How this medium treats waves and mailboxes."""
        if self._config is None:
            from aether.config import AetherConfig

            self._config = AetherConfig()
        return self._config

    @property
    def blocks(self) -> Blocks:
        """The blocks that run its handlers; for what ends the program."""
        return self._blocks

    @property
    def requests(self) -> Requests:
        """The open requests; for vibrators and their handlers."""
        return self._requests

    @property
    def physics(self) -> PhysicsEngine:
        """The physics of this medium's waves."""
        if not self._physics:
            from aether.physics import PhysicsEngine

            self._physics.append(PhysicsEngine())
        # Of those that threads have made at once, the first serves all.
        return self._physics[0]

    def __repr__(self) -> str:
        return f"<Aether {self.phase} with {len(self._vibrators)} vibrators>"

    # Vibrators

    def vibrator(
        self,
        name: str,
        *,
        order: Order = "amplitude",
        overflow: Overflow | None = None,
        buffer_size: int | None = None,
        noise_floor: float = 0.0,
        ignore_own: bool = False,
        group: str | None = None,
    ) -> Vibrator:
        """Makes a vibrator: the plain call behind `Vibrator.create`, which says what the options mean."""
        if not isinstance(name, str):
            message = f"the name of a vibrator must be a str, not {type(name).__name__}"
            raise TypeError(message)
        if group is not None and not isinstance(group, str):
            message = f"the name of a group must be a str, not {type(group).__name__}"
            raise TypeError(message)
        identity = _native.new_identity()
        options = Options(
            order=order,
            overflow=self._default_overflow if overflow is None else overflow,
            buffer_size=self._default_buffer_size if buffer_size is None else buffer_size,
            noise_floor=noise_floor,
            ignored=identity if ignore_own else 0,
        )
        if group is None:
            vibrator = Vibrator(
                self, name, self._open(name, options), identity, options.copy(), None
            )
        else:
            shared = self._groups.join((group,), name, options, self._open)
            options["ignored"] = shared.identity if ignore_own else 0
            vibrator = Vibrator(self, name, shared.mailbox, shared.identity, options.copy(), group)
            vibrator.share(shared)
        self._vibrators[id(vibrator)] = vibrator
        return vibrator

    def _alive(self) -> list[Vibrator]:
        """The vibrators of this moment: others may come meanwhile, in other threads."""
        # Taken in one step, which an iteration is not.
        references = self._vibrators.valuerefs()
        return [alive for one in references if (alive := one()) is not None]

    def _open(
        self, name: str, options: Options, *, lane: bool = False, readers: int = 0
    ) -> Mailbox:
        return self.open_mailbox(
            name,
            order_by=options["order"],
            overflow_by=options["overflow"],
            buffer_size=options["buffer_size"],
            noise_floor=options["noise_floor"],
            ignored=options["ignored"],
            lane=lane,
            readers=readers,
        )

    @property
    def _default_overflow(self) -> Overflow:
        return "block" if self._config is None else self._config.overflow

    @property
    def _default_buffer_size(self) -> int:
        return 1000 if self._config is None else self._config.channel_buffer_size

    def lane_mailbox(
        self,
        vibrator: Vibrator,
        patterns: tuple[str, ...],
        options: Options,
        readers: int,
    ) -> Mailbox:
        """The mailbox of a new handler; members of a group share it for the same patterns."""
        shared, canonical = None, tuple[str, ...]()
        if vibrator.group is None:
            mailbox = self._open(vibrator.name, options, lane=True, readers=readers)
        else:
            canonical = tuple(sorted(str(Channel(pattern).canonical) for pattern in patterns))
            # The second handler of a member for the same patterns shares with the others' second.
            key = (vibrator.group, str(vibrator.count_shared(canonical)), *canonical)
            shared = self._groups.join(key, vibrator.name, options, self._open, readers=readers)
            mailbox = shared.mailbox
        try:
            for pattern in patterns:
                mailbox.resonate(pattern)
        except BaseException:
            mailbox.leave()
            raise
        if shared is not None:
            vibrator.share(shared, canonical)
        return mailbox

    def adopt(self, lane: Lane, vibrator: Vibrator) -> None:
        """Takes a new handler in, and runs it if handlers run now."""
        self._lanes.add(lane, vibrator)
        if self._runs and self._home is not None:
            self._home.run(lane.start)

    def disown(self, vibrator: Vibrator) -> None:
        """Forgets the handlers of a vibrator that is closed, once they have ended what they are at."""
        self._lanes.release(vibrator)

    # Requests

    async def request(
        self,
        channel: str,
        payload: Any = None,
        *,
        timeout: float | None = 1.0,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Wave[Any]:
        """Emits a request and awaits the first answer.

        A handler answers by what it returns, unless that is `None`; a reader by `reply(wave, payload)`. If
        all who got it were handlers and all returned `None`, that is the answer.

        Args:
            channel: A concrete channel.
            payload: What to ask.
            timeout: Seconds to wait; `None`: for ever.
            headers: As for `emit_wave`.
            options: `amplitude`, `phase`, `frequency`, `ttl`, `cause`, `compensates` and `require`, as for
                `emit_wave`; without a receiver it is `NoReceiver` in any case.

        Returns:
            The answer: a wave, whose payload is what was returned or replied.

        Raises:
            NoReceiver: Nobody resonates on the channel.
            RequestFailed: The handler raised; its error is the cause. Or the request was dropped where it
                waited: its vibrator was closed, or the medium cleared.
            TimeoutError: No answer came in time.
            Closed: The medium is closed, or was while the request waited.
        """
        return await self._requests.ask(
            self, self, channel, payload, timeout=timeout, headers=headers, options=options
        )

    # Questions

    def statistics(self) -> MediumStatistics:
        """The counters of the medium now."""
        # Lanes first: what they have taken is counted as received when the mailboxes are asked.
        behind, dropped = self._lanes.figures()
        counted = self.counters()
        counted["received"] -= behind + dropped.total()
        counted["waiting"] += behind
        dropped.update(counted["dropped"])
        counted["dropped"] = by_reason(dropped)
        return MediumStatistics(**counted)

    def active_channels(self) -> tuple[Channel[Any], ...]:
        """The patterns that somebody resonates on, sorted; of several spellings of one, the first."""
        known: dict[str, Channel[Any]] = {}
        for spelled in self.active_patterns():
            channel = _native.restore_channel(spelled)
            known.setdefault(channel.canonical, channel)
        return tuple(sorted(known.values()))

    def explain(
        self, channel: str, amplitude: float = 1.0, *, emitter: Vibrator | None = None
    ) -> Explanation:
        """For each vibrator, whether a wave would reach it now and, if not, exactly why.

        Args:
            channel: A concrete channel.
            amplitude: The amplitude of the wave, 0..1; values outside are clamped, as a wave's are.
            emitter: Who would emit it: with `ignore_own`, it does not hear itself. Without it: the medium.

        Raises:
            ChannelError: The channel is none, or a pattern.
            TypeError: An argument is of the wrong type.
            ValueError: The amplitude is NaN.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> billing = medium.vibrator("billing", noise_floor=0.5)
            >>> _ = billing.resonate_on("orders.*")
            >>> print(medium.explain("orders.created", amplitude=0.2))
            orders.created at amplitude 0.2:
            vibrator  resonates on  wave         why
            billing   orders.*      not reached  noise floor: 0.2 is fainter than 0.5
        """
        if emitter is not None and not isinstance(emitter, Vibrator):
            message = f"emitter must be a Vibrator, not {type(emitter).__name__}"
            raise TypeError(message)
        if isinstance(amplitude, (int, float)):
            # In this order NaN stays what it is, and is refused like other types; an int may be beyond any float.
            amplitude = float(max(min(amplitude, 1.0), 0.0))
        rows = self.explain_rows(channel, amplitude, 0 if emitter is None else emitter.identity)
        return Explanation.of(str(channel), float(amplitude), rows)

    def health(self) -> Health:
        """Whether the medium takes waves, and whether somebody keeps emitters waiting."""
        phase = self.phase
        reasons = [] if phase == "open" else [f"the medium is {phase}"]
        reasons += [
            f"an emission on {channel!r} has waited {waited:.1f} s for {', '.join(full)}"
            for channel, full, waited in self.stalled()
        ]
        return Health(live=phase != "closed", ready=not reasons, reasons=tuple(reasons))

    def field(self, pattern: str, size: int = 65_536) -> Field:
        """The last `size` waves of a pattern, as columns for numpy; it records while somebody holds it.

        While it is held, the same pattern and size give the same field. Its columns stay readable when the
        medium is closed or gone.

        Args:
            pattern: A channel or pattern.
            size: How many waves to keep, 1..16,777,216. Each takes 44 bytes, at most twice.

        Raises:
            ChannelError: `pattern` is no pattern.
            Closed: The medium is closed.
            TypeError: An argument is of the wrong type.
            ValueError: `size` is out of range.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> field = medium.field("orders.*")
            >>> _ = medium.emit_nowait("orders.created", amplitude=0.5)
            >>> field.columns().amplitude
            array([0.5])
        """
        from aether.physics.field import Field

        fresh = Field(self, pattern, size)
        with self._making:
            return self._fields.setdefault((fresh.pattern.canonical, fresh.size), fresh)

    def watch(self, pattern: str, engine: PhysicsEngine | None = None) -> Watch:
        """Shows an engine each wave of a pattern, as it is emitted, and emits what the engine finds.

        A detection goes out on `physics.<kind>.<channel>`, with the `Detection` as payload: resonate on
        `physics.*`, or on `physics.standing_wave.*`. Nobody waits for that, and nothing that goes wrong
        reaches whoever emits. Channels that the library derives are not watched.

        Args:
            pattern: A channel or pattern.
            engine: What looks on; it may serve several watches. Without it: `physics`.

        Returns:
            A handle: `close` ends the watch, and so does leaving its `with` block. Without that it works as
            long as the medium does.

        Raises:
            ChannelError: `pattern` is no pattern.
            Closed: The medium is closed.
            TypeError: An argument is of the wrong type.

        Example:
            >>> from aether import Aether, PhysicsEngine
            >>> medium = Aether()
            >>> with medium.watch("orders.*", PhysicsEngine(window=10.0)) as watch:
            ...     _ = medium.emit_nowait("orders.created", {"id": 7})
            >>> watch.statistics().waves
            1
        """
        from aether.physics import PhysicsEngine
        from aether.physics.watch import Watch

        engine = self.physics if engine is None else engine
        if not isinstance(engine, PhysicsEngine):
            message = f"engine must be a PhysicsEngine, not {type(engine).__name__}"
            raise TypeError(message)
        if self.phase == "closed":
            message = f"watching {pattern!r}: the medium is closed; make a new one"
            raise Closed(message)
        watch = Watch(self, pattern, engine, self._watches.discard)
        self._watches.add(watch)
        return watch

    # Waiting

    async def settle(self, timeout: float | None = None) -> bool:
        """Waits until no handler runs and nothing waits for a handler or for a reader that waits.

        For tests, and for "is it done?". What runs outside handlers and readers is not known to the medium.

        Args:
            timeout: Seconds to wait, by the clock of the loop; `None`: for ever.

        Returns:
            Whether it has settled.

        Raises:
            RuntimeError: Called by a handler of this medium, which would wait for itself.
        """
        timeout = checked_timeout(timeout)
        if self._is_handling():
            message = "settle() was called by a handler, which would wait for its own end; call it outside"
            raise RuntimeError(message)
        deadline = None if timeout is None else loop_time() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - loop_time())
            if not await self.until_quiet(left):
                return False
            before = self.progress()
            for _ in range(_SETTLING_TURNS):
                await checkpoint()
            if self.progress() == before and await self.until_quiet(0.0):
                return True

    def expect(
        self,
        pattern: str,
        where: Callable[[Wave[Any]], object] | None = None,
        timeout: float | None = None,
    ) -> Expectation:
        """The next wave that matches, listening from this call on: `wave = await medium.expect("orders.*")`.

        With `where`, it keeps every wave that matches the pattern until it is awaited: do so soon, or close it.

        Args:
            pattern: A pattern.
            where: Only a wave for which this is true.
            timeout: Seconds to wait once it is awaited; `None`: for ever.

        Raises:
            ChannelError: The pattern is no pattern.
            TimeoutError: When awaited: no such wave came in time.
            Closed: When awaited: it was closed, or the medium was before such a wave came.
        """
        mailbox = self.open_mailbox(
            "expect",
            order_by="fifo",
            overflow_by="drop_newest",
            # What is no match takes no match's place; the queue grows only with what comes.
            buffer_size=1 if where is None else _UNLIMITED,
            aside=True,
        )
        mailbox.resonate(pattern)
        return Expectation(mailbox, pattern, where, timeout)

    # Running and ending

    async def __aenter__(self) -> Self:
        if self._entered is not None or self.phase != "open":
            message = (
                f"the medium is {self.phase}; make a new one"
                if self.phase != "open"
                else "the medium is entered already, and its handlers run: use it as it is there; what is to be "
                "entered more than once is 'async with medium.running()'"
            )
            raise Closed(message)
        self._start()
        self._entered = contextlib.AsyncExitStack()
        self._entered.enter_context(self._blocks.open())
        self._entered.push_async_exit(self._leave)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._entered is not None:
            await self._entered.__aexit__(kind, error, traceback)

    async def _leave(self, kind: object, _error: object, _traceback: object) -> None:
        if kind is None:
            await self.aclose()
        else:
            await shielded(self._end_at_once())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[Self]:
        """Runs the handlers inside, and does not close afterwards: it can be entered again.

        Leaving lets handlers that run finish, for at most `drain_timeout`; what waits for them stays.

        Raises:
            Closed: The medium is closed.
        """
        if self.phase != "open":
            message = f"the medium is {self.phase} and runs no handlers; make a new one"
            raise Closed(message)
        self._start()
        with self._blocks.open():
            try:
                yield self
            except BaseException:
                self._runs -= 1
                if not self._runs:
                    await shielded(self._stop(at_once=True))
                raise
            self._runs -= 1
            if not self._runs:
                await self._stop(at_once=False)

    def _start(self) -> None:
        if self._runs and self._home is not None and not self._home.is_here():
            message = "the handlers of this medium run in another event loop already; enter it in one loop at a time"
            raise WrongLoop(message)
        self._runs += 1
        self._home = Home()
        for lane in self._lanes:
            lane.start()

    async def _stop(self, *, at_once: bool) -> None:
        """Ends the workers: at once, or after the waves that they handle."""
        lanes = [lane for lane in self._lanes if lane.is_running]
        if not at_once:
            for lane in lanes:
                lane.stop()

            def idle() -> bool:
                return all(lane.working == 0 for lane in lanes)

            await self.until_empty([], idle, self._drain_timeout)
        for lane in lanes:
            lane.cancel()
        for lane in lanes:
            if not lane.is_current():
                await lane.ended.wait()

    @property
    def _drain_timeout(self) -> float:
        return 5.0 if self._config is None else self._config.drain_timeout

    async def drain(self, timeout: float | None = None) -> bool:
        """Takes no more waves from outside, and lets handlers and readers take what waits; then the end.

        Args:
            timeout: Seconds to wait for that; `None`: the configuration's `drain_timeout`.

        Returns:
            Whether everything was taken. What was not stays for them until the medium is closed.
        """
        timeout = self._drain_timeout if timeout is None else checked_timeout(timeout)
        self.shut("draining", at_once=False)
        deadline = None if timeout is None else loop_time() + timeout
        await self._until_handled(timeout)
        idle = others_idle(self._lanes)
        mailboxes = [vibrator.mailbox for vibrator in self._alive()]
        for mailbox in mailboxes:
            mailbox.finish()
        mailboxes += [lane.mailbox for lane in self._lanes]
        left = None if deadline is None else max(0.0, deadline - loop_time())
        return await self.until_empty(mailboxes, idle, left)

    def clear(self) -> int:
        """Drops what waits in every mailbox and behind the keys of handlers, counted as `cleared`.

        Requests among it fail with `RequestFailed`.

        Returns:
            How many waves were dropped.
        """
        readers = (vibrator.mailbox for vibrator in self._alive())
        handlers = (lane.mailbox for lane in self._lanes)
        with self._requests.dropping("cleared", readers, handlers):
            cleared = super().clear()
            answers = self._requests.restore()
            behind = sum(lane.drop_behind("cleared") for lane in self._lanes)
        return cleared - answers + behind

    async def aclose(self) -> None:
        """Ends the medium as leaving `async with` does. A second time does nothing."""
        if self.phase == "closed":
            return
        try:
            self.shut("draining", at_once=False)
            if self._runs:
                await self._until_handled(self._drain_timeout)
        except BaseException:
            await shielded(self._end_at_once())
            raise
        self._runs = 0
        for lane in self._lanes:
            lane.mailbox.close()
        self.shut("closed", at_once=False)
        await shielded(self._stop(at_once=True))

    async def _until_handled(self, timeout: float | None) -> None:
        """Waits until the handlers have done what waits for them; the one that calls this is left out."""
        if self._is_handling():
            mailboxes = [lane.mailbox for lane in self._lanes if not lane.is_current()]
            await self.until_empty(mailboxes, others_idle(self._lanes), timeout)
        else:
            await self.until_quiet(timeout)

    async def _end_at_once(self) -> None:
        self._runs = 0
        self.shut("closed", at_once=True)
        await self._stop(at_once=True)

    def _is_handling(self) -> bool:
        return any(lane.is_current() for lane in self._lanes)


def _forget_after_fork() -> None:
    # The child of a fork begins anew, also if another thread of its parent was just choosing.
    Aether._default = None  # noqa: SLF001 - of this file
    Aether._choosing = threading.RLock()  # noqa: SLF001 - of this file


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_after_fork)
