"""The journal: the durable history of a medium, as a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from aether import _native
from aether.errors import JournalError
from aether.journal.bounds import Bounds, Moment, checked_predicate
from aether.journal.codecs import Codec, Codecs
from aether.journal.replay import Replay

if TYPE_CHECKING:
    from aether import Wave

__all__ = ["Journal"]


class Journal:
    """A durable history: waves on a disk, in the order of their sequence.

    Args:
        path: The folder.
        codec: How payloads are written: ``"msgpack"``, ``"json"``, ``"pickle"`` (with a warning) or a `Codec`.
        also: Codecs that only read, for waves that were written with them.
        max_payload_bytes: How large a payload may be once it is encoded.

    Raises:
        JournalError: There are no journals on this system.
        TypeError: An argument is of the wrong type.
        ValueError: One is out of its range.
    """

    __slots__ = ("_codecs", "_path")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        codec: str | Codec = "msgpack",
        also: Iterable[Codec] = (),
        max_payload_bytes: int = 1_048_576,
    ) -> None:
        if sys.platform == "win32":
            raise JournalError(
                "there are no journals on Windows yet, only on Linux and macOS; run without one"
            )
        self._path = _folder(path)
        self._codecs = Codecs(codec, also=also, max_payload_bytes=max_payload_bytes)

    @property
    def path(self) -> str:
        """Its folder."""
        return self._path

    @property
    def codecs(self) -> Codecs:
        """How its payloads are written and read."""
        return self._codecs

    def __repr__(self) -> str:
        return f"<Journal {self._path!r}>"

    def replay(
        self,
        pattern: str = "*",
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        after: int | None = None,
        before: int | None = None,
        where: Callable[[Wave], object] | None = None,
        limit: int | None = None,
        amplitude: float | None = None,
        source: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Replay:
        """The waves of the journal that fit everything that is said, in the order of their sequences.

        All but `where` is asked of the records, without decoding a payload. It reads what is on the disk, also while
        another process writes to it.

        Args:
            pattern: Of which channels: a channel or pattern.
            since: Made then or later: Unix seconds, a `datetime` with a time zone, or a `timedelta` ago.
            until: Made earlier than that.
            after: With sequences above this: 0 or more.
            before: With sequences below this: 0 or more.
            where: A function that is asked last; what it takes for true comes.
            limit: How many at most.
            amplitude: So loud or louder: 0..1.
            source: Emitted by a vibrator of this name.
            headers: With these headers, and others perhaps.

        Returns:
            What ``for`` and ``async for`` read, or `to_columns()`. `gaps` says what is missing.

        Raises:
            ChannelError: `pattern` is no pattern.
            JournalError: There is no such folder, or it cannot be read.
            TypeError: An argument is of the wrong type.
            ValueError: One is out of its range.
        """
        bounds = Bounds.checked(
            self._path,
            pattern,
            since=since,
            until=until,
            after=after,
            before=before,
            limit=limit,
            amplitude=amplitude,
            source=source,
            headers=headers,
        )
        return Replay(self._reader, bounds, checked_predicate(where))

    def _reader(self, bounds: Bounds) -> _native.JournalReader:
        if sys.platform == "win32":
            raise JournalError("there are no journals on Windows yet")
        return _native.JournalReader(
            bounds.path,
            self._codecs.decode,
            pattern=bounds.pattern,
            after=bounds.after,
            before=bounds.before,
            since=bounds.since,
            until=bounds.until,
            amplitude=bounds.amplitude,
            source=bounds.source,
            headers=list(bounds.headers),
            limit=bounds.limit,
        )


def _folder(path: str | os.PathLike[str]) -> str:
    try:
        folder = os.fspath(path)
    except TypeError:
        raise TypeError(f"path must be a str or a path, not {type(path).__name__}") from None
    if not isinstance(folder, str):
        raise TypeError("path must be text, not bytes; os.fsdecode makes it so")
    return folder
