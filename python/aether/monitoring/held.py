"""What a medium holds for its readers and handlers at one moment: in their mailboxes, and behind the busy keys of handlers.

Contract:
- Nothing is taken out, and no lock is held while Python code runs: what moves from a mailbox behind a key between the two
  looks may be seen in neither.
- Payloads are measured by some of them, from all over what waits: `SAMPLED` of each mailbox or handler, and
  `SAMPLED_IN_ALL` of all; the others count as these do.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from aether.monitoring.payloads import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether.lane import Lane
    from aether.running import Running

__all__ = ["SAMPLED", "SAMPLED_IN_ALL", "Held", "Line", "held"]

SAMPLED = 16
"""Of how many waves of a mailbox the payloads are measured."""

SAMPLED_IN_ALL = 4096
"""Of how many waves of all mailboxes; and of how many that stand behind keys."""


@dataclass(frozen=True, slots=True)
class Line:
    """What stands behind one busy key.

    Attributes:
        first: Which comes next, by a number that no other that stood there in its mailbox has: a wave may come twice.
        waiting: How many waves there are.
    """

    first: int
    waiting: int


@dataclass(slots=True)
class Held:
    """What waits for one mailbox's readers, or for one handler.

    Attributes:
        number: Of the mailbox.
        vibrator: Whose it is.
        is_handler: Whether it is that of a handler.
        received: Waves that were taken from the mailbox.
        in_mailbox: Waves that wait in it.
        lines: What stands behind the busy keys of the handler.
        waiting: Waves that wait, in the mailbox and behind keys.
        bytes: Their payloads: an estimate.
    """

    number: int
    vibrator: str
    is_handler: bool
    received: int
    in_mailbox: int
    lines: Sequence[Line]
    waiting: int
    bytes: int


def held(medium: Running) -> tuple[list[Held], int]:
    """Where something waits, and the bytes that the routes take.

    Raises:
        ForkedMedium: The medium was used before this process was forked.
    """
    # Lanes first: what they take meanwhile counts as received.
    behind = _behind(medium.lanes)
    rows, routes = medium.survey(SAMPLED, SAMPLED_IN_ALL)
    found: list[Held] = []
    unmeasured: list[Held] = []
    measured = measured_bytes = 0
    for number, name, lane, wait, _, received, _, _, payloads in rows:
        lines, samples = behind.get(number, _NONE)
        if not wait and not lines:
            continue
        stand = sum(line.waiting for line in lines)
        size = estimate(wait, payloads)
        one = Held(number, name, lane, received, wait, lines, wait + stand, size)
        if payloads:
            measured, measured_bytes = measured + wait, measured_bytes + size
        elif wait:
            unmeasured.append(one)
        one.bytes += estimate(stand, samples)
        found.append(one)
    for one in unmeasured:
        one.bytes += one.in_mailbox * measured_bytes // max(1, measured)
    return found, routes


_Behind: TypeAlias = "tuple[Sequence[Line], Sequence[Any]]"
_NONE: _Behind = ((), ())


def _behind(lanes: Iterable[Lane]) -> dict[int, _Behind]:
    """What stands behind the busy keys of each handler, with some of the payloads, by the number of its mailbox."""
    standing = [(lane, lines) for lane in lanes if any(lines := lane.lines())]
    found: dict[int, _Behind] = {}
    for lane, lines in standing:
        each = min(SAMPLED, max(1, SAMPLED_IN_ALL // len(standing)))
        seen: list[Line] = []
        payloads: list[Any] = []
        for line in lines:
            # Its loop takes from it meanwhile.
            with contextlib.suppress(IndexError):
                seen.append(Line(line[0][2], len(line)))
                share = min(len(line), -(-each // len(lines)))
                payloads += [line[part * len(line) // share][0].payload for part in range(share)]
        found[lane.mailbox.number] = seen, payloads
    return found
