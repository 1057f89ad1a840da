"""Requests and their answers.

A request is a wave with the address of a private slot in a header. The slot is a mailbox of one place
outside every route: the first answer fills it, later ones come to nothing. A request is answered by what a
handler returns (not `None`), or by `reply`.

When all handlers that got a request have ended without an answer and one of them failed, that is the answer
(`RequestFailed`). When nobody else got it and none failed, `None` is. A request that is dropped where it waits,
because its vibrator is closed or the medium is cleared, counts as one that failed there; what other readers
hold may still be answered.
"""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, TypedDict

from aether._native import REPLY_HEADER, Wave, reply_address
from aether._wait import checked_timeout
from aether.errors import Closed, NoReceiver, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from aether._native import Emitter, Mailbox, Medium
    from aether.timers import Timers

_numbers = count(1)

_DROPPED = {
    "abandoned": "its vibrator was closed, or its handler cancelled",
    "cleared": "medium.clear() drops what waits",
    "expired": "its ttl was over",
}


class RequestOptions(TypedDict, total=False):
    """What `request` takes besides, as for `emit_wave`."""

    amplitude: float | None
    phase: float | None
    frequency: float | None
    ttl: float | None
    cause: Wave[Any] | None
    compensates: Wave[Any] | None
    require: int | None
    """1 or more; at least 1 in any case."""


class _Dropped(Closed):
    """Why nobody will answer: the cause of a `RequestFailed`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"it was {reason} before it was answered ({_DROPPED[reason]})")


class _Failure:
    """In the place of an answer: why there is none."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Slot:
    """Where one request is answered."""

    __slots__ = (
        "__weakref__",
        "answer",
        "ended",
        "error",
        "expected",
        "handlers",
        "lost",
        "mailbox",
        "unread",
    )

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.expected: int | None = None
        """How many got the request; unknown until the emission is done."""
        self.handlers = 0
        """How many of them are handlers."""
        self.ended: list[str] = []
        """On which channel handlers have ended without an answer, as many as have: several threads add to it."""
        self.error: BaseException | None = None
        """How one of these failed."""
        self.lost: list[str] = []
        """Why readers that got it in a mailbox have dropped it, as many as have."""
        self.unread: BaseException | None = None
        """How one of these did."""
        self.answer: Wave[Any] | None = None


class Requests:
    """The open requests of one medium."""

    __slots__ = ("_slots", "_timers")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._slots: weakref.WeakValueDictionary[str, _Slot] = weakref.WeakValueDictionary()

    async def ask(
        self,
        medium: Medium,
        emitter: Emitter,
        channel: str,
        payload: Any,
        *,
        timeout: float | None,
        headers: Mapping[str, str] | None,
        options: RequestOptions,
    ) -> Wave[Any]:
        """Emits a request and awaits the first answer."""
        if unknown := options.keys() - RequestOptions.__annotations__.keys():
            known = ", ".join(("timeout", "headers", *RequestOptions.__annotations__))
            message = f"request() takes no {min(unknown)!r}; it takes {known}"
            raise TypeError(message)
        if headers is not None and not isinstance(headers, Mapping):
            message = f"headers must be a mapping of str to str, not {type(headers).__name__}"
            raise TypeError(message)
        slot = _Slot(
            medium.open_mailbox(
                "reply", order_by="fifo", overflow_by="drop_newest", buffer_size=1, aside=True
            )
        )
        address = f"{next(_numbers):x}"
        self._slots[address] = slot
        timeout = checked_timeout(timeout)
        now = self._timers.waits_now
        deadline = None if timeout is None else now() + timeout
        addressed = {**(headers or {}), REPLY_HEADER: address}
        # Without a receiver there is no answer, whatever was asked for.
        options["require"] = options.get("require") or 1
        request = emitter.emit_wave(channel, payload, headers=addressed, timeout=timeout, **options)
        try:
            receipt = await request
            if not receipt:
                message = (
                    f"the request on {str(channel)!r} was kept by nobody ({receipt.reason}), so nobody will "
                    "answer it"
                )
                raise NoReceiver(message)
            # In this order: from the second on, handlers in other threads settle it.
            slot.handlers = receipt.handlers
            slot.expected = receipt.delivered
            self._settle(slot, None)
            try:
                left = None if deadline is None else max(0.0, deadline - now())
                answer = await slot.mailbox.receive(left)
            except TimeoutError:
                if slot.error is None:
                    rows = medium.explain_rows(channel, 1.0)
                    silent = sorted({row[0] for row in rows if row[3] not in {"pattern", "closed"}})
                    message = (
                        f"the request on {str(channel)!r} was not answered within {timeout} s by "
                        f"{', '.join(map(repr, silent)) or 'anybody'}; a handler answers by what it returns, "
                        "a reader with reply(wave, payload)"
                    )
                    raise TimeoutError(message) from None
                raise _failed(channel, slot.error) from slot.error
        finally:
            self._slots.pop(address, None)
            slot.mailbox.close()
        if answer is None:
            message = f"the medium closed before the request on {str(channel)!r} was answered"
            raise Closed(message)
        if isinstance(answer.payload, _Failure):
            raise _failed(channel, answer.payload.error) from answer.payload.error
        return answer

    def reply(self, wave: Wave[Any], payload: Any, source: str | None) -> bool:
        """Answers a request: true if this was the first answer and somebody waits for it."""
        if not isinstance(wave, Wave):
            message = f"reply takes the Wave to answer, not {type(wave).__name__}"
            raise TypeError(message)
        address = reply_address(wave)
        if address is None:
            message = (
                f"the wave on {str(wave.channel)!r} is no request, so nobody waits for a reply; requests are "
                "made with request(), or answer by emitting on a channel that both know"
            )
            raise ValueError(message)
        slot = self._slots.get(address)
        return slot is not None and self._put(slot, wave, payload, source)

    def _slot(self, wave: Wave[Any]) -> _Slot | None:
        """Where a request is answered; `None`: it is none, or nobody waits for its answer any more."""
        address = reply_address(wave)
        return None if address is None else self._slots.get(address)

    def answered(self, wave: Wave[Any], answer: Any, source: str) -> None:
        """A handler has returned."""
        slot = self._slot(wave)
        if slot is None:
            return
        if answer is not None:
            self._put(slot, wave, answer, source)
        else:
            slot.ended.append(wave.channel)
            self._settle(slot, wave)

    def failed(self, wave: Wave[Any], error: BaseException) -> None:
        """A handler has raised."""
        slot = self._slot(wave)
        if slot is not None:
            slot.error = slot.error or error
            slot.ended.append(wave.channel)
            self._settle(slot, wave)

    def dropped(self, wave: Wave[Any], reason: str) -> None:
        """A handler was cancelled, or will not come to this wave any more."""
        if reply_address(wave) is not None:
            self.failed(wave, _Dropped(reason))

    def _unread(self, wave: Wave[Any], reason: str) -> None:
        """A reader will not come to this request any more."""
        slot = self._slot(wave)
        if slot is not None:
            slot.unread = _Dropped(reason)
            slot.lost.append(reason)
            self._settle(slot, wave)

    @contextlib.contextmanager
    def dropping(
        self, reason: str, readers: Iterable[Mailbox], handlers: Iterable[Mailbox]
    ) -> Generator[None]:
        """Around what empties these mailboxes: the requests that wait there fail, each at once."""
        if not self._slots:
            yield
            return
        unread = [wave for mailbox in set(readers) for wave in _waiting(mailbox)]
        unhandled = [wave for mailbox in set(handlers) for wave in _waiting(mailbox)]
        yield
        for wave in unread:
            self._unread(wave, reason)
        for wave in unhandled:
            self.dropped(wave, reason)

    def restore(self) -> int:
        """Puts answers back that were cleared before their askers came to them; returns how many."""
        slots = [slot for ref in self._slots.valuerefs() if (slot := ref()) is not None]
        lost = [slot for slot in slots if slot.answer and not slot.mailbox]
        return sum(slot.mailbox.put(slot.answer) for slot in lost if slot.answer)

    def _settle(self, slot: _Slot, wave: Wave[Any] | None) -> None:
        """Answers for who got the request, once nobody is left who may answer it."""
        if slot.expected is None or len(slot.ended) < slot.handlers:
            return
        # A reader may answer still; but where handlers answer and one has failed, others only look on.
        if slot.error is None and len(slot.ended) + len(slot.lost) < slot.expected:
            return
        error = slot.error or slot.unread
        if wave is None:
            wave = Wave("aether.request.ended")
        self._put(slot, wave, None if error is None else _Failure(error), None)

    @staticmethod
    def _put(slot: _Slot, wave: Wave[Any], payload: Any, source: str | None) -> bool:
        headers = {key: value for key, value in wave.headers.items() if key != REPLY_HEADER}
        answer = wave.replace(payload=payload, source=source, headers=headers).propagate()
        first = slot.mailbox.put(answer)
        if first:
            slot.answer = answer
        return first


def _waiting(mailbox: Mailbox) -> list[Wave[Any]]:
    """The requests that wait in a mailbox, which keep their place there."""
    # What a mailbox shows to the garbage collector is what waits in it; a look takes nothing out.
    held = [one for one in gc.get_referents(mailbox) if isinstance(one, Wave)]
    return [wave for wave in held if reply_address(wave) is not None]


def _failed(channel: str, error: BaseException) -> RequestFailed:
    what = (
        error
        if isinstance(error, _Dropped)
        else f"its handler raised {type(error).__name__}: {error}"
    )
    return RequestFailed(f"the request on {str(channel)!r} failed: {what}")
