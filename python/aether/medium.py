"""The medium: where vibrators resonate and waves spread.

Contract:
- Everything but running handlers works without a loop: at import time, in threads, before the medium is entered.
  How it is entered, runs and ends: see `aether.running`.
- A medium belongs to the process that uses it first: in the child of a fork it raises `ForkedMedium`.
- With a journal, each wave is written down before it is delivered: see `aether.journal`.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar

from aether import _native
from aether.channel import Channel
from aether.configured import of_files
from aether.expectation import Expectation
from aether.explanation import Explanation
from aether.groups import Groups
from aether.journaled import of_configuration, opened
from aether.monitored import Monitored
from aether.options import Options, Order, Overflow
from aether.requests import Requests
from aether.statistics import MediumStatistics, by_reason
from aether.threads import Emitting, end_with_the_program
from aether.traced import traced
from aether.vibrator import Vibrator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self, Unpack

    from aether._native import Mailbox, ManualClock, Wave
    from aether.config import AetherConfig
    from aether.config.files import ConfigFiles
    from aether.debugging import Payloads
    from aether.journal import Journal
    from aether.lane import Lane
    from aether.requests import RequestOptions

# The most waves that a mailbox can be told to hold.
_UNLIMITED = 2**31 - 1


class Aether(Emitting, Monitored):
    """A medium: routes, mailboxes, counters and a clock. Parts of a program meet here.

    Args:
        config: How waves and mailboxes are treated; `None`: the defaults of `AetherConfig`. `AetherConfig.files(...)`: what
            the files say, now and whenever they change.
        journal: Where each wave is written down before it is delivered; the medium opens it now, and closes it
            when it is closed. `None`: where the configuration says, or nowhere.
        clock: A clock to steer by hand, for tests; `None`: the machine's.

    Raises:
        TypeError: The configuration is no `AetherConfig`, or the journal no `Journal`.
        JournalError: The journal cannot be opened: somebody else writes there, or the folder cannot be used.

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
        "_groups",
        "_payloads",
        "_requests",
    )

    _default: ClassVar[Aether | None] = None
    # May be asked for again in the midst of it, by the end of some object.
    _choosing: ClassVar[threading.RLock] = threading.RLock()

    def __new__(
        cls,
        config: AetherConfig | ConfigFiles[AetherConfig] | None = None,
        *,
        journal: Journal | None = None,
        clock: ManualClock | None = None,
    ) -> Self:
        """Check the settings, and hand them to the native half."""
        config, reloading = of_files(config)
        tracing = None
        if config is None:
            with opened(journal) as writer:
                medium = super().__new__(cls, clock=clock, journal=writer)
        elif not hasattr(config, "attenuation_factor"):
            message = f"config must be an AetherConfig, not {type(config).__name__}"
            raise TypeError(message)
        else:
            journal = of_configuration(config) if journal is None else journal
            tracing = traced(config.tracing)
            with opened(journal, config.max_payload_bytes) as writer:
                medium = super().__new__(
                    cls,
                    attenuation_factor=config.attenuation_factor,
                    decay_interval=config.decay_interval,
                    max_propagation=config.max_propagation,
                    min_amplitude=config.min_amplitude,
                    max_channel_length=config.max_channel_length,
                    stall_warning=config.stall_warning,
                    retain=config.retain,
                    retain_channels=config.retain_channels,
                    metrics=None
                    if config.metrics is None
                    else (config.metrics.domains, config.metrics.vibrators),
                    clock=clock,
                    journal=writer,
                    tracer=None if tracing is None else tracing.tracer,
                )
        medium._journal = journal
        medium._begin_traced(tracing)
        medium._begin_configured(config, reloading)
        return medium

    def __init__(
        self,
        config: AetherConfig | ConfigFiles[AetherConfig] | None = None,
        *,
        journal: Journal | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        del config, journal  # `__new__` has seen to them
        self._requests = Requests()
        self._groups = Groups()
        self._begin_observed()
        self._begin_running(clock)
        self._begin_monitored()
        self._payloads: Payloads | None = None
        if self._config is not None and self._config.debug:
            from aether.debugging import Payloads

            self._payloads = Payloads(self)
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
    def requests(self) -> Requests:
        """The open requests; for vibrators and their handlers."""
        return self._requests

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
        with self.room_for_vibrator(name):
            return self._vibrator(
                name,
                order=order,
                overflow=overflow,
                buffer_size=buffer_size,
                noise_floor=noise_floor,
                ignore_own=ignore_own,
                group=group,
            )

    def _vibrator(
        self,
        name: str,
        *,
        order: Order,
        overflow: Overflow | None,
        buffer_size: int | None,
        noise_floor: float,
        ignore_own: bool,
        group: str | None,
    ) -> Vibrator:
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
        if self._payloads is not None:
            self._payloads.enclose(lane)
        self._lanes.add(lane, vibrator)
        if self._runs and self._home is not None:
            self._home.run(lane.start)

    def disown(self, vibrator: Vibrator) -> None:
        """Forgets the handlers of a vibrator that is closed, once they have ended what they are at."""
        self._lanes.release(vibrator)

    async def _stop(self, *, at_once: bool) -> None:
        await super()._stop(at_once=at_once)
        if self._payloads is not None:
            self._payloads.look()

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
        lanes = self._lanes.figures()
        counted = self.counters()
        counted["received"] -= lanes.behind + lanes.dropped.total()
        counted["waiting"] += lanes.behind
        lanes.dropped.update(counted["dropped"])
        counted["dropped"] = by_reason(lanes.dropped)
        _, floor, _, _ = self.pressure()
        return MediumStatistics(**counted, noise_floor=floor, refused=self.refused())

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

    # Waiting

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


def _forget_after_fork() -> None:
    # The child of a fork begins anew, also if another thread of its parent was just choosing.
    Aether._default = None  # noqa: SLF001 - of this file
    Aether._choosing = threading.RLock()  # noqa: SLF001 - of this file


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_after_fork)
