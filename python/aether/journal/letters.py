"""The dead letters of a journal, and what was decided about them.

Contract:
- A letter is a wave on `dead.<channel>`. It is open until it was retried or dropped, which the journal itself says: by a wave
  on `aether.dead.retried` or `aether.dead.dropped` with the letter's sequence, as its payload and as `aether-letter`. So
  nothing is changed that was written.
- `retry` emits the wave anew on the channel that it came from, with the payload, numbers and headers that it had, and then
  says so. Ended in between, it is emitted once more the next time: at least once, never lost.
- Payloads are read and written with the codecs of the journal that is given; those of a path alone are read without, and
  one that was written with a codec of your own is a `PayloadError`.
- To decide, the journal is opened for writing: no other process may have it open then. To list, any may.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aether._native import emit_derived
from aether.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from os import PathLike

    from aether._native import Wave
    from aether.journal.journal import Journal
    from aether.medium import Aether

__all__ = ["DeadLetters", "open_letters"]

_RETRIED, _DROPPED = "aether.dead.retried", "aether.dead.dropped"
_LETTER = "aether-letter"
_LARGEST = 1 << 30


def origin(letter: Wave[Any]) -> str:
    """The channel that a dead letter came from."""
    return letter.channel.partition(".")[2]


def open_letters(journal: Journal | str | PathLike[str], pattern: str = "*") -> list[Wave[Any]]:
    """The dead letters of a journal that nobody has decided about yet, in the order of their sequences.

    Args:
        journal: The journal, or its folder; as `Journal(path, codec=...)` where its payloads need that.
        pattern: From which channels.

    Raises:
        ChannelError: `pattern` is no pattern.
        JournalError: There is no such journal, or it cannot be read.
        PayloadError: One of their payloads needs a codec that the journal was not given.

    Example:
        >>> import tempfile
        >>> from aether import Aether
        >>> from aether.journal import Journal, open_letters
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     medium = Aether(journal=Journal(folder))
        ...     _ = medium.emit_sync("dead.orders.created", {"id": 7})
        ...     medium.journal.close()
        ...     [letter.payload for letter in open_letters(folder)]
        [{'id': 7}]
    """
    from aether.channel import Channel
    from aether.journal.journal import Journal

    wanted, journal = Channel(pattern), _journal(journal)
    # What was decided comes after what it is about, so this is read first: a letter too many is better than one too few.
    decisions = Journal.as_written(journal.path).replay("aether.dead.*")
    decided = {wave.headers.get(_LETTER) for wave in decisions}

    def is_open(letter: Wave[Any]) -> bool:
        return str(letter.sequence) not in decided and wanted.covers(origin(letter))

    return list(journal.replay("dead.*", where=is_open))


def _journal(journal: Journal | str | PathLike[str]) -> Journal:
    from aether.journal.journal import Journal

    return journal if isinstance(journal, Journal) else Journal(journal)


class DeadLetters:
    """The open dead letters of a journal that was opened to decide about them; see `deciding`."""

    __slots__ = ("_medium", "_open")

    def __init__(self, medium: Aether, letters: Iterable[Wave[Any]]) -> None:
        self._medium = medium
        self._open = {letter.sequence or 0: letter for letter in letters}

    @classmethod
    @contextmanager
    def deciding(cls, journal: Journal | str | PathLike[str]) -> Generator[DeadLetters]:
        """Opens a journal to decide about its dead letters.

        Args:
            journal: As for `open_letters`.

        Raises:
            JournalError: There is no such journal, or another process has it open.
            PayloadError: One of the payloads needs a codec that the journal was not given.
        """
        from aether.config import AetherConfig
        from aether.medium import Aether

        journal = _journal(journal)
        letters = open_letters(journal)
        # What was written once may be written again, whatever limit its program had.
        medium = Aether(AetherConfig(max_payload_bytes=_LARGEST), journal=journal)
        try:
            yield cls(medium, letters)
        finally:
            medium.shut("closed", at_once=False)
            journal.close()

    def __iter__(self) -> Iterator[Wave[Any]]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, sequence: object) -> bool:
        return sequence in self._open

    def retry(self, sequence: int) -> None:
        """Emits the wave of a letter anew on its channel.

        Raises:
            KeyError: No letter of this sequence is open.
            JournalError: It could not be written.
        """
        letter = self._open[sequence]
        headers = {
            key: text for key, text in letter.headers.items() if not key.startswith("aether-")
        }
        headers["aether-retried"] = letter.headers.get("aether-id", letter.id)
        self._medium.emit_sync(
            origin(letter),
            letter.payload,
            amplitude=letter.amplitude,
            phase=letter.phase,
            frequency=letter.frequency,
            headers=headers,
        )
        self._decide(_RETRIED, sequence)

    def drop(self, sequence: int) -> None:
        """Wants nothing more of a letter.

        Raises:
            KeyError: No letter of this sequence is open.
            JournalError: It could not be written.
        """
        self._decide(_DROPPED, sequence)

    def _decide(self, channel: str, sequence: int) -> None:
        letter = self._open[sequence]
        headers = {
            "aether-id": letter.headers.get("aether-id", letter.id),
            _LETTER: str(sequence),
        }
        if not emit_derived(self._medium, channel, sequence, headers=headers):
            message = (
                f"that dead letter {sequence} was decided about could not be written; decide again"
            )
            raise JournalError(message)
        del self._open[sequence]
