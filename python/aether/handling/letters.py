"""Dead letters: waves whose handler has failed for good, on `dead.<channel>`.

Contract: a dead letter has the payload, strength and headers of its wave, and says in headers of its own why it is there:
`aether-reason` (`failed`), `aether-id`, `aether-error` (the class and the message of the error), `aether-attempts` and
`aether-handler` (the vibrator). It is emitted without waiting: one that nobody could take is counted as lost, and logged.
None is made of what the library emits itself, so that a handler of dead letters that fails makes no more of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aether._native import REPLY_HEADER, emit_derived, is_derived
from aether.errors import AetherError
from aether.events import said

if TYPE_CHECKING:
    from aether._native import Wave
    from aether.medium import Aether

__all__ = ["bury"]

_log = said()

_SAID = 1_024
"""So much of what an error says is kept, in characters."""


def bury(medium: Aether, wave: Wave[Any], error: BaseException, attempts: int, name: str) -> bool:
    """Emits the dead letter of a wave; false if none was made, or nobody could take it."""
    if is_derived(wave.channel):
        return False
    headers = {key: value for key, value in wave.headers.items() if key != REPLY_HEADER}
    headers |= {
        "aether-reason": "failed",
        "aether-id": wave.id,
        "aether-error": _said(error),
        "aether-attempts": str(attempts),
        "aether-handler": name,
    }
    try:
        sent = emit_derived(
            medium, f"dead.{wave.channel}", wave.payload, headers=headers, about=wave
        )
        why = "somebody is full, or the medium closed"
    except AetherError as refused:
        sent, why = False, str(refused)
    if not sent:
        _log.error(
            "the dead letter of a wave on %r is lost: %s",
            str(wave.channel),
            why,
            extra={
                "event": "dead_letter.lost",
                "vibrator": name,
                "channel": str(wave.channel),
                "wave_id": wave.id,
            },
        )
    return sent


def _said(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an error that cannot say what it is
        message = ""
    kind = type(error).__name__
    # A journal and a network take no lone surrogates.
    text = f"{kind}: {message}" if message else kind
    return text[:_SAID].encode("utf-8", "replace").decode("utf-8")
