"""What was emitted, for a test to compare with what was to be.

Contract:
- A recording has each wave of its pattern that the medium has admitted since it began, heard or not, of every emitter and in
  the order of admission. Channels that the library derives (`dead.<channel>`) are in it too.
- Nobody waits for it, and it changes no receipt. It keeps what it has seen, without a bound, until it is closed; if anything
  were lost it says so instead of an answer.
- A payload that is changed after its emission is recorded as it is when it is compared, or saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aether._closing import Closing
from aether._native import covers
from aether._printable import printable
from aether.channel import Channel
from aether.testing.differing import ANYTHING, differing, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from aether._native import Wave
    from aether.medium import Aether

__all__ = ["Recording", "record"]

_UNBOUNDED = 2**62
_MOST_SHOWN = 10


def record(medium: Aether, pattern: str = "*") -> Recording:
    """Keeps what is emitted from now on, to be asked what it was.

    Args:
        medium: Any medium; it needs no virtual clock.
        pattern: Which channels.

    Raises:
        ChannelError: The pattern is no pattern.
        ForkedMedium: The medium was used before this process was forked.

    Example:
        >>> from aether import Aether
        >>> from aether.testing import record
        >>> medium = Aether()
        >>> with record(medium, "orders.*") as seen:
        ...     _ = medium.emit_nowait("orders.created", {"id": 7})
        ...     _ = seen.assert_emitted("orders.created", payload={"id": 7}, times=1)
        ...     seen.assert_not_emitted("orders.failed")
        ...     print([wave.payload for wave in seen])
        [{'id': 7}]
    """
    return Recording(medium, pattern)


class Recording(Closing):
    """The waves of a pattern since some moment; `record` makes one."""

    def __init__(self, medium: Aether, pattern: str = "*") -> None:
        self.pattern = Channel(pattern)
        self._medium = medium
        self._began = medium.now()
        self._ring = medium.ring(pattern, _UNBOUNDED)
        self._waves: list[Wave[Any]] = []

    def close(self) -> None:
        """Records no more; what was seen can still be asked for. A second time does nothing."""
        self._take()
        self._ring.close()

    @property
    def waves(self) -> list[Wave[Any]]:
        """What was emitted, in the order of admission."""
        self._take()
        return self._waves.copy()

    def __iter__(self) -> Iterator[Wave[Any]]:
        return iter(self.waves)

    def __len__(self) -> int:
        return len(self.waves)

    def __repr__(self) -> str:
        return f"<Recording of {str(self.pattern)!r}: {len(self)} waves>"

    def clear(self) -> None:
        """Forgets what was until now."""
        self._take()
        self._waves.clear()

    def save(self, path: str | PathLike[str], *, replace: bool = False) -> None:
        """Writes what was emitted to a file, for `load`, `aether replay` and `diff`; see `aether.records`.

        Payloads are written as they are now. What cannot be written (an object of a class that is none of data, more than
        1 MiB) is a text for people there.

        Args:
            path: Where to.
            replace: Whether a file that is there already is written over.

        Raises:
            FileExistsError: There is one.
            OSError: It cannot be written.
        """
        from aether.records.files import RecordFile
        from aether.records.lines import line_of

        waves = self.waves
        with RecordFile(path, str(self.pattern), self._began, replace=replace) as file:
            file.write(line_of(wave) for wave in waves)
            file.end(self._medium.now())

    def assert_emitted(
        self, pattern: str | None = None, *, payload: object = ANYTHING, times: int | None = None
    ) -> list[Wave[Any]]:
        """Fails unless such waves were emitted.

        Args:
            pattern: On which channels; `None`: on any that is recorded.
            payload: What it equals, or a function that says whether it is the one. One that raises has said no.
            times: How often, exactly; `None`: once or more.

        Returns:
            These waves, in the order of admission.

        Raises:
            AssertionError: There were none, or not so many; the message shows what was emitted instead, near misses first.
            ChannelError: The pattern is no pattern.
            ValueError: The pattern has channels that are not recorded.
        """
        __tracebackhide__ = True
        waves, wanted = self.waves, self._wanted(pattern)
        found = [wave for wave in waves if self._misses(wave, wanted, payload) is None]
        if len(found) == times or (times is None and found):
            return found
        if not times and times is not None:
            count = "no wave"
        else:
            count = "a wave" if times is None else "1 wave" if times == 1 else f"{times} waves"
        message = (
            f"{count} on {str(wanted)!r}{_with(payload)} {'was' if times in (None, 0, 1) else 'were'} to be emitted, and"
            f" there {'was' if len(found) == 1 else 'were'} {len(found) or 'none'}; {self._instead(waves, wanted, payload)}"
        )
        raise AssertionError(message)

    def assert_not_emitted(self, pattern: str | None = None, *, payload: object = ANYTHING) -> None:
        """Fails if such a wave was emitted. Only what follows at once can be seen: `settle` or `advance` first.

        Args:
            pattern: As for `assert_emitted`.
            payload: As for `assert_emitted`.

        Raises:
            AssertionError: There was one.
            ChannelError: The pattern is no pattern.
            ValueError: The pattern has channels that are not recorded.
        """
        __tracebackhide__ = True
        self.assert_emitted(pattern, payload=payload, times=0)

    def _take(self) -> None:
        waves, missed = self._ring.take()
        self._waves += waves
        # Those of two threads may be put in the other way round than they were admitted.
        self._waves.sort(key=lambda wave: cast("int", wave.sequence))
        if missed:
            message = f"the recording of {str(self.pattern)!r} has lost {missed} waves, and proves nothing"
            raise RuntimeError(message)

    def _wanted(self, pattern: str | None) -> Channel[Any]:
        wanted = self.pattern if pattern is None else Channel(pattern)
        if not covers(self.pattern, wanted):
            message = f"{str(wanted)!r} has channels that are not recorded, as only {str(self.pattern)!r} is; record more"
            raise ValueError(message)
        return wanted

    @staticmethod
    def _misses(wave: Wave[Any], wanted: Channel[Any], payload: object) -> str | None:
        """Why a wave is not the one; `None`: it is."""
        if not wave.channel.matches(wanted):
            return "another channel"
        return differing(payload, wave.payload)

    def _instead(self, waves: list[Wave[Any]], wanted: Channel[Any], payload: object) -> str:
        """What was emitted, with that first which is nearest."""
        if not waves:
            return f"nothing was emitted on {str(self.pattern)!r}"
        rows: list[tuple[int, int, str]] = []
        for number, wave in enumerate(waves):
            here = wave.channel.matches(wanted)
            why = differing(payload, wave.payload)
            near = (
                0
                if here and why is None
                else 1
                if here
                else 2
                if why is None and payload is not ANYTHING
                else 3
            )
            text = ("as wanted", why or "", "another channel, the payload as wanted", "")[near]
            line = f"  {number + 1:>4}  {printable(str(wave.channel))}  {shown(wave.payload)}"
            rows.append((near, number, f"{line}    # {text}" if text else line))
        rows.sort()
        lines = [line for _, _, line in rows[:_MOST_SHOWN]]
        if more := len(rows) - len(lines):
            lines.append(f"  and {more} more")
        count = "1 wave was" if len(waves) == 1 else f"{len(waves)} waves were"
        return f"{count} emitted on {str(self.pattern)!r}, near misses first:\n" + "\n".join(lines)


def _with(payload: object) -> str:
    return "" if payload is ANYTHING else f" with the payload {shown(payload)}"
