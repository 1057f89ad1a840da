"""Threads without a loop: `emit_sync` and `receive_sync`, and what becomes of threads when the program ends.

Contract:
- A thread waits on a lock of its own, so that Ctrl-C works. An error, or a timeout, takes it off every list.
- When the main thread has ended and every thread that the interpreter would still wait for waits itself, on
  a medium and for ever, nobody is left to wake them: the media are closed, which gives them the end.
- Then only daemon threads are left. The interpreter stops them wherever they are; in a medium they get
  `SystemExit`, which ends a thread without a word.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar, overload

from aether import _native
from aether._wait import endless, is_loop_running
from aether.errors import AetherError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import deprecated

    from aether._native import Receipt, Waiting, Wave
    from aether.channel import Channel
    from aether.limited import LimitedEmitter, Limiting

_T = TypeVar("_T")
_Value = TypeVar("_Value")

# Seconds that the end of the program waits for threads inside a medium.
_PATIENCE = 1.0


def refuse_in_a_loop(method: str, instead: str) -> None:
    """This would wait in this thread.

    Raises:
        RuntimeError: A loop runs in it, which would stand still.
    """
    if is_loop_running():
        message = f"{method} would stop the event loop that runs in this thread; use {instead}"
        raise RuntimeError(message)


def block(waiting: Waiting[_Value], method: str, instead: str) -> _Value:
    """Does an operation in this thread, waiting as long as it is ready to.

    Raises:
        RuntimeError: A loop runs in this thread, which would stand still.
    """
    refuse_in_a_loop(method, instead)
    thread = threading.current_thread()
    try:
        if done := waiting.attempt(thread):
            return done[0]
        return _wait(waiting, thread)
    except BaseException:
        waiting.abandon()
        raise


def _wait(waiting: Waiting[_Value], thread: threading.Thread) -> _Value:
    deadline: float | None = None
    while True:
        if deadline is None and (patience := waiting.patience) is not None:
            deadline = time.monotonic() + patience
        if deadline is not None and deadline <= time.monotonic():
            if done := waiting.run_out():
                return done[0]
            deadline = None
            continue
        gate = _thread.allocate_lock()
        gate.acquire()
        if waiting.enlist(gate, thread):
            _sleep(waiting, gate, deadline)
        if done := waiting.attempt(thread):
            return done[0]


def _sleep(waiting: Waiting[Any], gate: _thread.LockType, deadline: float | None) -> None:
    """Returns when the gate opens, or at the deadline."""
    ident = threading.get_ident()
    if deadline is None:
        endless.add(ident)
    try:
        slice_ = waiting.look()
        while True:
            left = slice_ if deadline is None else min(slice_, deadline - time.monotonic())
            if gate.acquire(timeout=max(0.0, left)):
                return
            if deadline is not None and deadline <= time.monotonic():
                return
            slice_ = waiting.look()
    finally:
        endless.discard(ident)


class Emitting(_native.Emitter):
    """What everybody who emits has in common."""

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def emit_sync(
            self,
            channel: Channel[_T],
            payload: _T,
            *,
            amplitude: float | None = None,
            phase: float | None = None,
            frequency: float | None = None,
            headers: Mapping[str, str] | None = None,
            ttl: float | None = None,
            cause: Wave | None = None,
            compensates: Wave | None = None,
            require: int | None = None,
            timeout: float | None = None,
        ) -> Receipt: ...

        @overload
        @deprecated("the payload is not of the type that the channel carries")
        def emit_sync(
            self,
            channel: Channel[Any],
            payload: Any,
            *,
            amplitude: float | None = None,
            phase: float | None = None,
            frequency: float | None = None,
            headers: Mapping[str, str] | None = None,
            ttl: float | None = None,
            cause: Wave | None = None,
            compensates: Wave | None = None,
            require: int | None = None,
            timeout: float | None = None,
        ) -> Receipt: ...
        @overload
        def emit_sync(
            self,
            channel: str,
            payload: Any = None,
            *,
            amplitude: float | None = None,
            phase: float | None = None,
            frequency: float | None = None,
            headers: Mapping[str, str] | None = None,
            ttl: float | None = None,
            cause: Wave | None = None,
            compensates: Wave | None = None,
            require: int | None = None,
            timeout: float | None = None,
        ) -> Receipt: ...

    def emit_sync(self, channel: str, payload: Any = None, **options: Any) -> Receipt:
        """Emits a new wave from a thread without a loop, and waits for room; Ctrl-C works meanwhile.

        Args and Raises as for `emit_wave`.

        Returns:
            What the emission did.

        Raises:
            RuntimeError: A loop runs in this thread, which would stand still: await `emit_wave` there.

        Example:
            >>> from aether import Aether
            >>> medium = Aether()
            >>> medium.emit_sync("orders.created", {"id": 7}, timeout=1.0).sequence
            1
        """
        waiting = self.begin_emit_sync(channel, payload, **options)
        return block(waiting, "emit_sync", "await emit_wave(...) or emit_nowait(...)")

    if TYPE_CHECKING:

        @property
        def limiting(self) -> Limiting:
            """What its medium knows of emitters with limits; for what makes them."""
            raise NotImplementedError

    @overload
    def emitter(self) -> Emitter: ...

    @overload
    def emitter(
        self,
        *,
        rate: float | None,
        burst: int | None = None,
        bulkhead: int | None = None,
        timeout: float | None = None,
    ) -> LimitedEmitter: ...

    @overload
    def emitter(
        self,
        *,
        rate: float | None = None,
        burst: int | None = None,
        bulkhead: int | None,
        timeout: float | None = None,
    ) -> LimitedEmitter: ...

    def emitter(
        self,
        *,
        rate: float | None = None,
        burst: int | None = None,
        bulkhead: int | None = None,
        timeout: float | None = None,
    ) -> Emitter:
        """A cheap handle that only emits, in the same name.

        Hand it to threads and to code that is not to receive. It does not keep the vibrator alive. With arguments it emits
        no more than they say, see `LimitedEmitter`: what is too much waits, first come first served.

        Args:
            rate: Waves in a second, on average: above 0. `None`: as many as come.
            burst: Waves at once, after a while without any: 1 or more. Without it: 1.
            bulkhead: Emissions under way at once, those that wait for room included: 1 or more. `None`: however many.
            timeout: Seconds to wait for a place and a turn, 0 or more. `None`: for ever.

        Raises:
            TypeError: An argument is no number.
            ValueError: An argument is out of range; or there is a `burst` without a `rate`, or a `timeout` and nothing to
                wait for.

        Example:
            >>> from aether import Aether, WouldBlock
            >>> emitter = Aether().emitter(rate=10, burst=2)
            >>> for number in range(3):
            ...     try:
            ...         print(emitter.emit_nowait("time.tick").sequence)
            ...     except WouldBlock:
            ...         print("not now")
            1
            2
            not now
        """
        if rate is None and burst is None and bulkhead is None and timeout is None:
            return Emitter(self)
        from aether.limited import LimitedEmitter

        entrance = self.limiting.entrance(rate, burst, bulkhead, timeout)
        return LimitedEmitter(self, entrance)


class Emitter(Emitting):
    """A handle that only emits, from any thread: made by `emitter()` of a medium or a vibrator.

    It keeps neither alive, and what it emits bears the name of the vibrator. It ends with
    the vibrator's `close`, and with the medium.

    Example:
        >>> from aether import Aether
        >>> medium = Aether()
        >>> emitter = medium.vibrator("clock").emitter()
        >>> emitter.emit_nowait("time.tick").sequence
        1
    """

    __slots__ = ("_limiting",)

    def __init__(self, of: Emitting) -> None:  # pyright: ignore[reportInconsistentConstructor] - the native half takes any
        self._limiting = of.limiting

    @property
    def limiting(self) -> Limiting:
        """What its medium knows of emitters with limits; for what makes them."""
        return self._limiting


# The end of the program

_media: weakref.WeakValueDictionary[int, _native.Medium] = weakref.WeakValueDictionary()


def end_with_the_program(medium: _native.Medium) -> None:
    """Sees to it that threads that wait on this medium neither keep the program alive nor break its end."""
    _media[id(medium)] = medium


def _release_threads() -> None:
    """The main thread has ended, and the interpreter waits for the others now."""
    pause = threading.Event()
    while True:
        alive = {
            thread.ident
            for thread in threading.enumerate()
            if not thread.daemon and thread is not threading.main_thread()
        }
        if not alive:
            return
        if alive <= endless:
            break
        pause.wait(0.02)
    # Daemon threads may still make some: taken in one step, which an iteration is not.
    for reference in _media.valuerefs():
        medium = reference()
        if medium is not None:
            with contextlib.suppress(AetherError):
                medium.shut("closed", at_once=True)


def _end_threads() -> None:
    """Nothing but daemon threads is left beside this one: they get `SystemExit` from a medium now.

    Whoever is inside one, in the midst of a payload's end or a wake-up, is given time to come out.
    """
    _native.end_threads()
    deadline = time.monotonic() + _PATIENCE
    while _native.threads_inside() and time.monotonic() < deadline:
        time.sleep(0.001)


# Before the interpreter waits for threads; concurrent.futures hooks in at the same place.
_register = getattr(threading, "_register_atexit", None)
if _register is not None:
    # Imported while the program ends, there is nobody to release any more.
    with contextlib.suppress(RuntimeError):
        _register(_release_threads)
atexit.register(_end_threads)

if sys.platform != "win32":

    def _forget_after_fork() -> None:
        _media.clear()
        endless.clear()

    os.register_at_fork(after_in_child=_forget_after_fork)
