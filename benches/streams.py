"""Labelled streams of waves from seeded generators: random traffic, and patterns hidden in it.

A *stream* is a list of events in the order of time, and the *episodes* that are hidden in it. Each generator takes a
seed, the *load* (the rate of the pattern over that of the background, 0.1 to 100) and what else it varies. The
background is Poisson traffic on the same channel and on others, with keys that never come back, or that do.

    random traffic      Poisson, of one rate; `clumps` and `days` are random too, of rates that change
    retry_storm         one thing comes back, each interval off by the jitter (standard deviation over period)
    poll_loop           a clock ticks, each tick is off by the jitter, one in twenty is missed
    duplicates          two producers of one thing, with one period
    bounce              two services hand one message to and fro, each takes a time of its own
    conflict            a thing is created and cancelled: another channel, antiphase up to 0.2 rad, not the same amplitude
    saga                three steps, each compensated on a channel of its own with a payload of its own
    burst               5 to 50 times the usual rate, random, in phase
    beat                two poll loops whose periods differ by 5 to 30 %, by key or by source
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

__all__ = ["PATTERNS", "Episode", "Event", "Stream", "clumps", "days", "poisson"]

WARM_UP = 300
"""Waves of background before the pattern begins."""
SCALE = (1e-3, 1e2)
"""The mean interval of a background, in seconds: log-uniform in this range."""
WINDOW = 60.0
"""What the engine takes for a meeting; streams are scaled so that partners are within it."""


@dataclass(slots=True)
class Event:
    """One wave to be."""

    time: float
    channel: str
    payload: object
    phase: float = 0.0
    amplitude: float = 1.0
    source: str | None = None
    episode: Episode | None = None
    undoes: Event | None = None


@dataclass(slots=True, eq=False)
class Episode:
    """A pattern that is there."""

    kind: str
    channels: set[str]
    begin: float
    end: float = -math.inf
    about: object = None
    """The payload of its waves; `None`: any."""
    waves: int = 0
    found: int | None = None
    """How many of its waves had come when it was found."""


@dataclass(slots=True)
class Stream:
    """Events in the order of time, and what is hidden in them."""

    name: str
    events: list[Event]
    episodes: list[Episode] = field(default_factory=list)
    also: frozenset[str] = frozenset()
    """Kinds that are there as well, but not labelled: a storm at many times the usual rate is a burst too."""


def poisson(
    random: Random, rate: float, keys: int | None, channels: int, count: int
) -> Iterator[Event]:
    """Random traffic; without `keys`, none comes back."""
    time = random.uniform(1e9, 2e9)
    for number in range(count):
        time += random.expovariate(rate)
        about = number if keys is None else random.randrange(keys)
        yield Event(time, f"channel.{random.randrange(channels)}", {"about": about})


def clumps(random: Random, rate: float, keys: int, count: int) -> Iterator[Event]:
    """Random clumps of random size: each is one thing said several times in quick succession."""
    time, number = random.uniform(1e9, 2e9), 0
    while number < count:
        time += random.expovariate(rate)
        about = random.randrange(keys)
        for _ in range(1 + int(random.expovariate(0.5))):
            time += random.expovariate(rate * 50)
            yield Event(time, "channel.0", {"about": about})
            number += 1


def days(random: Random, rate: float, keys: int, count: int) -> Iterator[Event]:
    """Random traffic whose rate swings between a third and three times its mean, once in 2,000 waves."""
    time = random.uniform(1e9, 2e9)
    for number in range(count):
        time += random.expovariate(rate * 3 ** math.sin(math.tau * number / 2000))
        yield Event(time, "channel.0", {"about": random.randrange(keys)})


def _embedded(
    name: str,
    random: Random,
    load: float,
    period: float,
    hidden: list[Event],
    episodes: list[Episode],
    also: frozenset[str],
    phases: bool = False,
) -> Stream:
    """Hidden events, whose times are from 0 on, in a background; a pattern wave comes every `period`."""
    rate = 1 / (period * load)
    keys = random.choice((None, 20, 1000))
    start = WARM_UP / rate
    end = start + max(event.time for event in hidden) + 20 / rate
    base = random.uniform(1e9, 2e9)
    events, time, number = list[Event](), 0.0, 0
    while (time := time + random.expovariate(rate)) < end:
        about = f"b{number}" if keys is None else f"b{random.randrange(keys)}"
        phase = random.uniform(0, math.tau) if phases else 0.0
        channel = random.choice(("main", "main", "side.a", "side.b"))
        events.append(Event(base + time, channel, {"about": about}, phase=phase))
        number += 1
    for event in hidden:
        event.time += base + start
    events.extend(hidden)
    events.sort(key=lambda event: event.time)
    for event in events:
        if (episode := event.episode) is not None:
            episode.begin = min(episode.begin, event.time)
            episode.end = max(episode.end, event.time)
    return Stream(name, events, episodes, also)


def _period(random: Random) -> float:
    return math.exp(random.uniform(*map(math.log, SCALE)))


def _piling(load: float) -> frozenset[str]:
    """Half of the background is on the channel of the pattern: from its own rate on, that trebles the waves there."""
    return frozenset({"resonance"} if load >= 1 else ())


def _repeated(
    name: str,
    random: Random,
    load: float,
    times: list[float],
    period: float,
    sources: tuple[str | None, ...],
) -> Stream:
    episode = Episode("standing_wave", {"main"}, math.inf, about={"about": "it"})
    hidden = [
        Event(time, "main", episode.about, source=sources[number % len(sources)], episode=episode)
        for number, time in enumerate(sorted(times))
    ]
    also = _piling(load)
    return _embedded(name, random, load, period, hidden, [episode], also)


def retry_storm(random: Random, load: float, jitter: float) -> Stream:
    period, time, times = _period(random), 0.0, list[float]()
    for _ in range(random.randint(40, 80)):
        time += period * max(0.02, random.gauss(1, jitter))
        times.append(time)
    return _repeated("retry storm", random, load, times, period, (None,))


def poll_loop(random: Random, load: float, jitter: float) -> Stream:
    period = _period(random)
    ticks = [tick for tick in range(1, random.randint(45, 85)) if random.random() > 0.05]
    # Two ticks make an interval: together they are off by the jitter.
    times = [period * (tick + random.gauss(0, jitter / math.sqrt(2))) for tick in ticks]
    return _repeated("poll loop", random, load, times, period, ("poller",))


def duplicates(random: Random, load: float, jitter: float) -> Stream:
    period = _period(random)
    offset = random.uniform(0.05, 0.5)
    times = [
        period * (tick + start + random.gauss(0, jitter / math.sqrt(2)))
        for tick in range(1, random.randint(25, 45))
        for start in (0.0, offset)
    ]
    sources = random.choice(((None,), ("first", "second")))
    return _repeated("duplicate producers", random, load, times, period / 2, sources)


def bounce(random: Random, load: float, jitter: float) -> Stream:
    there = _period(random)
    back = there * random.uniform(0.3, 1.0)
    time, times = 0.0, list[float]()
    for hop in range(random.randint(50, 80)):
        time += (there if hop % 2 else back) * max(0.02, random.gauss(1, jitter))
        times.append(time)
    return _repeated("bouncing message", random, load, times, (there + back) / 2, ("a", "b"))


def conflict(random: Random, load: float, _jitter: float) -> Stream:
    spread_phases = random.random() < 0.25
    hidden, episodes = list[Event](), list[Episode]()
    period = WINDOW / 20 / max(1.0, load) * random.uniform(0.2, 1.0)
    time = 0.0
    for number in range(20):
        time += random.expovariate(0.5 / period)
        about = {"about": f"order {number}"}
        amplitude = random.uniform(0.4, 1.0)
        phase = random.uniform(0, math.tau) if spread_phases else 0.0
        off = 0.0 if spread_phases else random.uniform(-0.2, 0.2)
        second = amplitude * random.uniform(0.6, 1.0)
        apart = min(random.expovariate(2 / period), 0.9 * WINDOW)
        kind = random.randrange(4)
        first = Event(time, "main", about, phase, amplitude)
        hidden.append(first)
        if (
            kind == 0
        ):  # the same thing again, in phase, is no conflict; nor is what is too faint, or too late
            hidden.append(Event(time + apart, "side.a", about, phase, amplitude))
            hidden.append(
                Event(time + 1.5 * WINDOW + apart, "side.a", about, phase + math.pi, second)
            )
            continue
        if kind == 1:
            faint = Event(time + apart / 2, "side.a", about, phase + math.pi, amplitude * 0.3)
            hidden.append(faint)
        episode = Episode("cancellation", {"main", "side.a"}, math.inf, about=about)
        first.episode = episode
        episodes.append(episode)
        hidden.append(
            Event(time + apart, "side.a", about, phase + math.pi + off, second, episode=episode)
        )
    also = _piling(load)
    return _embedded("conflict", random, load, period, hidden, episodes, also, spread_phases)


def saga(random: Random, load: float, _jitter: float) -> Stream:
    hidden, episodes = list[Event](), list[Episode]()
    period = WINDOW / 60 / max(1.0, load)
    time = 0.0
    for number in range(10):
        time += random.expovariate(0.25 / period)
        steps = [
            Event(time + step * period * 0.3, f"step.{step}", {"order": number, "step": step})
            for step in range(3)
        ]
        hidden.extend(steps)
        if random.random() < 0.3:
            continue  # this one succeeds
        for place, step in enumerate(reversed(steps)):
            episode = Episode("cancellation", {step.channel, "undo"}, math.inf)
            undo = Event(
                time + period * (1.0 + place * random.uniform(0.1, 0.3)),
                "undo",
                {"undo": place, "order": number},
                episode=episode,
                undoes=step,
            )
            step.episode = episode
            hidden.append(undo)
            episodes.append(episode)
    also = _piling(load)
    return _embedded("saga", random, load, period, hidden, episodes, also)


def burst(random: Random, load: float, _jitter: float) -> Stream:
    factor = min(max(load, 5.0), 50.0)
    usual = _period(random)
    time, hidden = 0.0, list[Event]()
    episode = Episode("resonance", {"main"}, math.inf)
    for number in range(random.randint(40, 80)):
        # Half of the background is on this channel.
        time += random.expovariate(factor / (2 * usual))
        about = {"about": f"new {number}"}
        hidden.append(Event(time, "main", about, random.uniform(0, 0.3), episode=episode))
    return _embedded("burst", random, 1.0, usual, hidden, [episode], frozenset())


def beat(random: Random, load: float, jitter: float) -> Stream:
    period = _period(random)
    periods = (period, period * (1 + random.uniform(0.05, 0.3)))
    by_source = random.random() < 0.5
    beating = Episode("beat", {"main"}, math.inf)
    hidden, episodes = list[Event](), [beating]
    for number, own in enumerate(periods):
        about = {"about": "it"} if by_source else {"about": number}
        offset = random.random()
        for tick in range(60):
            time = own * (tick + offset + random.gauss(0, min(jitter, 0.1) / math.sqrt(2)))
            source = f"loop {number}" if by_source else None
            hidden.append(Event(max(0.0, time), "main", about, source=source, episode=beating))
    also = _piling(load) | {"standing_wave"}
    return _embedded("beat", random, load, period / 2, hidden, episodes, also)


PATTERNS: dict[str, Callable[[Random, float, float], Stream]] = {
    "retry storm": retry_storm,
    "poll loop": poll_loop,
    "duplicate producers": duplicates,
    "bouncing message": bounce,
    "conflict": conflict,
    "saga": saga,
    "burst": burst,
    "beat": beat,
}
"""What can be hidden, by name."""
