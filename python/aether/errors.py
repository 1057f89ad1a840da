"""The errors of Aether.

One family under `AetherError`. Where a caller would expect a builtin, the class is
one of that kind too, so that ``except ValueError`` takes a bad channel. Wrong types
are plain `TypeError`, passed time limits plain `TimeoutError`.

Each message says what was wrong, with which value, and what to do. Each class says
here when it is raised, what it leaves behind, and the remedy. The medium works on
after every one of them.

Example:
    >>> from aether import AetherError, Channel
    >>> try:
    ...     Channel("orders..created")
    ... except AetherError as error:
    ...     print(type(error).__name__, "is a ValueError:", isinstance(error, ValueError))
    ChannelError is a ValueError: True
"""

from __future__ import annotations

__all__ = [
    "AetherError",
    "ChannelError",
    "CircuitOpen",
    "Closed",
    "ConfigError",
    "Deadlock",
    "EndOfStream",
    "ForkedMedium",
    "JournalError",
    "JournalFailed",
    "JournalFull",
    "LimitExceeded",
    "NoReceiver",
    "NotAllowed",
    "PayloadError",
    "RequestFailed",
    "WouldBlock",
    "WrongLoop",
]


class AetherError(Exception):
    """The base of every error that Aether defines; never raised itself."""


class ChannelError(AetherError, ValueError):
    """A name is no channel, or a pattern stands where a concrete channel is needed.

    Nothing was done. The message quotes the name, points at the token and says the rule.
    For names from outside, build the channel with `Channel.of`, which takes each part for
    one token.
    """


class ConfigError(AetherError, ValueError):
    """A configuration has fields that are unknown or out of range.

    No configuration was made. The message lists every mistake with the field, the value
    and the rule; a misspelt field comes with the nearest name.
    """


class PayloadError(AetherError, ValueError):
    """A payload cannot be encoded, or is larger than `max_payload_bytes`.

    Nothing was emitted. Only the journal and the network encode: inside the process any
    object will do. Send less, or raise the limit.
    """


class WouldBlock(AetherError):
    """A call that never waits would have had to.

    An emission met a full mailbox that blocks (or has the policy `error`), or as many waiting waves as
    `limits.queued` allows, or has no turn by the limits of its emitter, and reached nobody; a receive met an empty mailbox and took nothing. Await the waiting form, try
    later, or give the mailbox more room or a policy that drops.
    """


class EndOfStream(AetherError):
    """Nothing waits here and nothing will come: the vibrator or its medium is closed.

    Raised by `receive_nowait` alone; the other forms return ``None`` or an empty list, or
    end their loop. Stop reading.
    """


class Closed(AetherError):
    """The medium or the vibrator is closed, or closing, and takes no more from outside.

    Nothing was emitted and nothing changed. Make a new one, or emit before you leave
    ``async with medium``.
    """


class Deadlock(AetherError):
    """Every task that reads the full mailbox waits itself to emit in the same ring.

    Nothing was emitted; the other emitters of the ring wait on. The message writes the
    ring out. An emission with a timeout is never told: it ends by itself, and so does any
    ring that it is part of. Break the ring: let one mailbox drop, give it more room than the ring has waves, or
    read and emit in tasks of their own.
    """


class NoReceiver(AetherError):
    """Fewer receivers than required match: of a request, or of an emission with `require`.

    Nothing was emitted. The message says of each vibrator why the wave does not reach it.
    Resonate first, and emit then.
    """


class LimitExceeded(AetherError):
    """There are as many vibrators, patterns or handlers as `AetherConfig.limits` allows.

    Nothing was made, and nothing changed. The message names the limit. Close what is not needed, or raise the limit,
    which can be done while the medium runs. Too many waves are `WouldBlock`.
    """


class CircuitOpen(AetherError):
    """The circuit breaker of a handler is open, and refuses what comes.

    The wave was not handled: it goes out as a dead letter, unless its handler says otherwise. Wait until the circuit has
    closed, or give the breaker another `when_open`.
    """


class RequestFailed(AetherError):
    """Every receiver of a request has finished, none has answered, and one has failed.

    The request was delivered and handled. The handler's error is the ``__cause__``. Mend
    the handler, or send the request again if it may be handled twice. A request that was
    dropped where it waited, and so handled by nobody, has failed too; the message says why.
    """


class WrongLoop(AetherError, RuntimeError):
    """A vibrator is awaited from two event loops at a time.

    Nothing was received or emitted by this call, and the other loop is not disturbed. Give
    each loop a vibrator of its own, or emit across with `emit_nowait`.
    """


class ForkedMedium(AetherError, RuntimeError):
    """A medium that was used before ``fork`` is used in the child.

    Nothing was done; the parent's medium is not touched. Make the medium in the child, or
    start processes with ``spawn``.
    """


class NotAllowed(AetherError, PermissionError):
    """The right to emit or to resonate on this channel is missing.

    Nothing was done. Have the right granted, or use a channel that is granted.
    """


class JournalError(AetherError):
    """The journal cannot do what was asked; the base of its errors."""


class JournalFull(JournalError):
    """The journal has no room for another wave.

    The wave was neither written nor delivered. Make room, or let the journal keep less.
    """


class JournalFailed(JournalError):
    """Writing to the journal has failed, and it takes no more.

    The wave was not delivered; what was acknowledged before is safe. Mend what the message
    names, then open the journal again.
    """
