"""Who still has to be done with which wave: flat, however long a soak takes."""

from __future__ import annotations

from collections import Counter

__all__ = ["Ledger"]


class Ledger:
    """What each participant has been sent and is not done with.

    A wave is entered before it is emitted, and struck out once it has been handled for good: with success, or as a dead letter.
    What is struck out and not there was done twice; what is there at the end was lost.
    """

    def __init__(self, participants: list[str]) -> None:
        self._open: dict[str, dict[int, float]] = {name: {} for name in participants}
        self.done: Counter[str] = Counter()
        self.doubled: list[tuple[str, int]] = []
        self.latencies: list[int] = [0] * 64
        """How many took so long, by powers of two of a tenth of a microsecond."""

    def enter(self, names: list[str], number: int, now: float) -> None:
        """A wave is about to go to these."""
        for name in names:
            self._open[name][number] = now

    def withdraw(self, names: list[str], number: int) -> None:
        """It did not go out."""
        for name in names:
            del self._open[name][number]

    def strike(self, name: str, number: int, now: float) -> None:
        """One of them is done with it."""
        begun = self._open[name].pop(number, None)
        if begun is None:
            self.doubled.append((name, number))
            return
        self.done[name] += 1
        self.latencies[min(63, int((now - begun) * 1e7).bit_length())] += 1

    def open(self) -> dict[str, list[int]]:
        """What is not done, by participant."""
        return {name: sorted(waves) for name, waves in self._open.items() if waves}

    def waiting(self) -> int:
        """How many are not done."""
        return sum(map(len, self._open.values()))

    def latency(self, share: float) -> float:
        """Seconds in which this share was done, to a power of two."""
        total, seen = sum(self.latencies), 0
        for bits, count in enumerate(self.latencies):
            seen += count
            if seen >= share * total:
                return 2**bits / 1e7
        return float("inf")
