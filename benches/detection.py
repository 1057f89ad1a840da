"""How well `PhysicsEngine.detect` finds patterns, and what a wave costs: `make detection`.

    python benches/detection.py [--seeds held-out | tuning] [--streams 60] [--random 300000] [--markdown]

Streams come from `streams.py`, with seeds of their own for tuning and for what is reported (*held out*). For each
kind of pattern it prints, beside two windows with a threshold (`rivals.py`):

    recall      episodes that were found, of all
    precision   detections of the right kind, place and thing during an episode, of all detections of that kind in these
                streams; a second one in the same episode counts as wrong
    delay       waves of the episode that had come when it was found, median and 90th percentile

and then false alarms on random traffic, and the time of one `detect`. Nothing is asserted here; a smaller version is
in `tests/detection/test_quality.py`.
"""

from __future__ import annotations

import argparse
import gc
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from random import Random
from time import perf_counter_ns
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parent))

from aether import Aether, Detection, ManualClock, PhysicsEngine, Wave
from rivals import FixedCount, ZScore
from streams import PATTERNS, Episode, Event, Stream, clumps, days, poisson

__all__ = ["HELD_OUT", "TUNING", "Score", "alarms", "measured", "random_traffic", "timed"]

TUNING, HELD_OUT = 0, 3_000_000
"""The first seed of each set."""
LOADS = (0.1, 1.0, 10.0, 100.0)
JITTERS = (0.0, 0.05, 0.1, 0.2, 0.3)
STEADY = ("retry storm", "poll loop", "duplicate producers", "bouncing message")
KINDS = {
    "conflict": "cancellation",
    "saga": "cancellation",
    "burst": "resonance",
    "beat": "beat",
} | dict.fromkeys(STEADY, "standing_wave")


class Detector(Protocol):
    """What finds patterns in events."""

    def detect(self, event: Event) -> str | None:
        """The kind of pattern that the event completes."""


class Ours:
    """The engine, shown waves."""

    name = "aether"

    def __init__(self) -> None:
        self.engine = PhysicsEngine()
        self._clock = ManualClock(0.0)
        self._medium = Aether(clock=self._clock)
        self._waves: dict[int, Wave[object]] = {}
        self.last: Detection | None = None

    def detect(self, event: Event) -> str | None:
        """The kind of pattern that the event completes."""
        self.last = self.engine.detect(event.channel, self._wave(event))
        return None if self.last is None else self.last.pattern.value

    def _wave(self, event: Event) -> Wave[object]:
        if event.undoes is not None:
            # Only a medium makes waves that undo others.
            self._clock.advance(event.time - self._clock.now())
            undone = self._waves[id(event.undoes)]
            inbox = self._medium.vibrator("inbox")
            inbox.resonate_on("*")
            self._medium.emit_nowait(event.channel, event.payload, compensates=undone)
            made = inbox.receive_nowait()
            inbox.close()
            return made
        wave = Wave(
            event.channel,
            event.payload,
            phase=event.phase,
            amplitude=event.amplitude,
            source=event.source,
            timestamp=event.time,
        )
        if event.episode is not None:
            self._waves[id(event)] = wave
        return wave


DETECTORS: tuple[Callable[[], Detector], ...] = (Ours, FixedCount, ZScore)


@dataclass(slots=True)
class Score:
    """What a detector did on streams of one kind."""

    episodes: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0
    delays: list[int] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """Episodes found, of all."""
        return self.found / self.episodes if self.episodes else math.nan

    @property
    def precision(self) -> float:
        """Right detections, of all."""
        told = self.right + self.wrong
        return self.right / told if told else math.nan

    def add(self, other: Score) -> None:
        """Take another one in."""
        self.episodes += other.episodes
        self.found += other.found
        self.right += other.right
        self.wrong += other.wrong
        self.delays += other.delays


def scored(stream: Stream, detector: Detector, kind: str) -> Score:
    """Plays a stream to a detector, and scores what it says of one kind; wrong is anything else that it says."""
    score = Score(episodes=sum(episode.kind == kind for episode in stream.episodes))
    for episode in stream.episodes:
        episode.waves, episode.found = 0, None
    for event in stream.events:
        if event.episode is not None:
            event.episode.waves += 1
        said = detector.detect(event)
        if said is None or (said != kind and said in stream.also):
            continue
        hit = next((one for one in stream.episodes if _is_of(event, said, one)), None)
        if said != kind or hit is None or hit.found is not None:
            score.wrong += 1
            continue
        hit.found = hit.waves
        score.right += 1
        score.found += 1
        score.delays.append(hit.waves)
    return score


def _is_of(event: Event, said: str, episode: Episode) -> bool:
    return (
        said == episode.kind
        and event.channel in episode.channels
        and (event.episode is episode or said == "resonance")
        and episode.begin <= event.time <= episode.end
    )


def measured(
    first_seed: int, streams: int, names: Iterable[str] = PATTERNS
) -> dict[tuple[str, str, float], Score]:
    """By pattern, detector and jitter: scores over all loads, `streams` streams each."""
    scores: dict[tuple[str, str, float], Score] = defaultdict(Score)
    for name in names:
        jitters = JITTERS if name in STEADY else (0.02,)
        for jitter, load in product(jitters, LOADS):
            for number in range(streams):
                for make in DETECTORS:
                    detector = make()
                    if KINDS[name] in {"cancellation", "beat"} and not isinstance(detector, Ours):
                        continue
                    random = Random(f"{first_seed + number} {name} {jitter} {load}")
                    stream = PATTERNS[name](random, load, jitter)
                    score = scored(stream, detector, KINDS[name])
                    scores[name, detector.name, jitter].add(score)
    return scores


def random_traffic(seed: int, waves: int) -> Iterator[tuple[str, Iterator[Event], int]]:
    """Traffic with nothing in it: what it is, its events, and how many."""
    for keys, channels in ((1, 1), (5, 1), (50, 4), (1000, 4), (None, 4)):
        random = Random(f"{seed} {keys} {channels}")
        rate = 10 ** random.uniform(-2, 3)
        what = f"Poisson, {'new' if keys is None else keys} keys, {channels} channels"
        yield what, poisson(random, rate, keys, channels, waves), waves
    random = Random(f"{seed} others")
    yield "rates that swing by 9", days(random, 10.0, 5, waves), waves
    yield "clumps of one key", clumps(random, 1.0, 50, waves), waves


def alarms(detector: Detector, events: Iterable[Event]) -> Counter[str]:
    """Everything that a detector says of events with nothing in them."""
    said = map(detector.detect, events)
    return Counter(kind for kind in said if kind is not None)


def timed(waves: int) -> dict[str, float]:
    """Nanoseconds of one `detect`, the least of five runs each: the digest with it, and without."""
    random = Random(7)
    made = [
        Wave(
            event.channel,
            {**event.payload, "lines": [1, 2, 3], "user": "ada"},
            timestamp=event.time,
        )  # type: ignore[dict-item]
        for event in poisson(random, 100.0, 200, 4, waves)
    ]
    engines: dict[str, Callable[[], PhysicsEngine]] = {
        "detect, payload of 3 fields": PhysicsEngine,
        "detect, key=lambda wave: an int": lambda: PhysicsEngine(
            key=lambda wave: wave.payload["about"]
        ),
        "detect, no key (bursts only)": lambda: PhysicsEngine(key=lambda wave: None),
    }
    least: dict[str, float] = {}
    for name, make in engines.items():
        for _ in range(5):
            detect = make().detect
            gc.collect()
            start = perf_counter_ns()
            for wave in made:
                detect(wave.channel, wave)
            took = (perf_counter_ns() - start) / waves
            least[name] = min(took, least.get(name, took))
    return least


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], markdown: bool) -> None:
    rows = list(rows)
    if markdown:
        print("|", " | ".join(head), "|")
        print("|---" + "|---:" * (len(head) - 1) + "|")
        for row in rows:
            print("|", " | ".join(row), "|")
    else:
        widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
        for row in [head, *rows]:
            cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
            print(row[0].ljust(widths[0]), *cells[1:], sep="  ")
    print()


def _figures(score: Score) -> tuple[str, str, str]:
    delays = sorted(score.delays)
    delay = f"{delays[len(delays) // 2]} / {delays[len(delays) * 9 // 10]}" if delays else "-"
    precision = "-" if math.isnan(score.precision) else f"{score.precision:.3f}"
    return f"{score.recall:.3f}", precision, delay


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--seeds", choices=("held-out", "tuning"), default="held-out")
    arguments.add_argument(
        "--streams", type=int, default=50, help="for each pattern, jitter and load"
    )
    arguments.add_argument(
        "--random", type=int, default=300_000, help="waves of each random traffic"
    )
    arguments.add_argument("--markdown", action="store_true")
    chosen = arguments.parse_args()
    seed = HELD_OUT if chosen.seeds == "held-out" else TUNING
    scores = measured(seed, chosen.streams)
    names = [make.name for make in (Ours, FixedCount, ZScore)]
    head = ["pattern, jitter", "streams"]
    head += [f"{name}: {what}" for name in names for what in ("recall", "precision", "delay")]
    rows: list[list[str]] = []
    for name, jitter in dict.fromkeys((name, jitter) for name, _, jitter in scores):
        shown = f"{name}, {jitter:.0%}" if name in STEADY else name
        row = [shown, str(chosen.streams * len(LOADS))]
        for detector in names:
            known = (name, detector, jitter) in scores
            row += _figures(scores[name, detector, jitter]) if known else ("-", "-", "-")
        rows.append(row)
    for title, wanted in (
        ("standing waves, jitter to 10 %", lambda name, jitter: name in STEADY and jitter <= 0.1),
        ("standing waves, jitter 20 %", lambda name, jitter: name in STEADY and jitter == 0.2),
        ("standing waves, jitter 30 %", lambda name, jitter: name in STEADY and jitter == 0.3),
        ("cancellations", lambda name, _: KINDS[name] == "cancellation"),
    ):
        row = [title, ""]
        for detector in names:
            total = Score()
            for (name, who, jitter), score in scores.items():
                if who == detector and wanted(name, jitter):
                    total.add(score)
            row += _figures(total) if total.episodes else ("-", "-", "-")
        rows.append(row)
    _table(head, rows, chosen.markdown)

    head = ["random traffic", "waves", *(f"{name}: alarms in 100,000" for name in names)]
    rows, totals = [], Counter[str]()
    poissons = 0
    for place in range(7):
        row: list[str] = []
        for make in (Ours, FixedCount, ZScore):
            what, events, waves = list(random_traffic(seed, chosen.random))[place]
            said = alarms(make(), events)
            row = row or [what, f"{waves:,}"]
            row.append(f"{said.total() / waves * 1e5:.2f}")
            if what.startswith("Poisson"):
                totals[make.name] += said.total()
        poissons += chosen.random if row[0].startswith("Poisson") else 0
        rows.append(row)
    rows.append(
        [
            "Poisson, all",
            f"{poissons:,}",
            *(f"{totals[name] / poissons * 1e5:.2f}" for name in names),
        ]
    )
    _table(head, rows, chosen.markdown)

    _table(
        ["time of a wave", "ns"],
        [[name, f"{took:.0f}"] for name, took in timed(20_000).items()],
        chosen.markdown,
    )


if __name__ == "__main__":
    main()
