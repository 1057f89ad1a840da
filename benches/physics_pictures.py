"""The two pictures of docs/physics.md, as SVG: `make physics-pictures`.

physics-stream.svg    a made-up hour of four kinds of patterns in random traffic, and where each was found
physics-history.svg   the commits of the tokio project by month, and the bursts that were found
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent))

from aether import Detection, PhysicsEngine, Wave
from aether.cli.demo import history_path
from aether.cli.demo.job import load
from aether.cli.demo.patterns import patterns
from aether.cli.events import EventReader

DOCS = Path(__file__).parents[1] / "docs"
WIDTH, LEFT, RIGHT = 960, 150, 24
STYLE = """
  .ground { fill: #ffffff } text { fill: #1f2733; font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif }
  .title { font-size: 16px; font-weight: 600 } .quiet { fill: #66717f } .grid { stroke: #e4e8ee }
  .dot { fill: #9aa5b4 } .hidden { fill: #0b7a75 } .bar { fill: #7cc4bf } .found { fill: none; stroke: #c2410c; stroke-width: 2 }
  .mark { fill: #c2410c } .said { fill: #c2410c; font-size: 11px }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #12171e } text { fill: #e3e8ef } .quiet { fill: #97a3b3 } .grid { stroke: #28303b }
    .dot { fill: #55606f } .hidden { fill: #41c7bd } .bar { fill: #1f7f79 } .found { stroke: #fb923c } .mark, .said { fill: #fb923c }
  }
"""
Row = tuple[str, list[tuple[Wave[object], bool]]]


def _svg(height: int, title: str, parts: Iterable[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
            _text(24, 32, title, "title"),
            *parts,
            "</svg>\n",
        )
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _hour() -> list[Row]:
    """Random traffic of an hour in five rows; in four of them something is hidden."""
    random = Random(11)

    def background(channel: str, every: float) -> list[tuple[Wave[object], bool]]:
        moment, waves = 0.0, list[tuple[Wave[object], bool]]()
        while (moment := moment + random.expovariate(1 / every)) < 3600:
            about = random.randrange(1000)
            waves.append((Wave(channel, {"order": about}, timestamp=1e9 + moment), False))
        return waves

    def at(
        channel: str, moment: float, about: object, phase: float = 0.0
    ) -> tuple[Wave[object], bool]:
        return Wave(channel, about, phase=phase, timestamp=1e9 + moment), True

    retries = [at("orders.retry", 900 + 60 * n + random.gauss(0, 6), "7") for n in range(40)]
    burst = [at("orders.created", 2200 + random.uniform(0, 60), f"b{n}") for n in range(25)]
    conflict = [at("orders.state", 1500, "9"), at("orders.state", 1545, "9", math.pi)]
    beats = [at("caches.refresh", 300 + 75 * n, "a") for n in range(40)]
    beats += [at("caches.refresh", 320 + 85 * n, "b") for n in range(36)]
    return [
        ("nothing", background("users.seen", 25)),
        ("retry storm", background("orders.retry", 30) + retries),
        ("burst", background("orders.created", 40) + burst),
        ("conflict", background("orders.state", 60) + conflict),
        ("two poll loops", background("caches.refresh", 60) + beats),
    ]


def stream() -> str:
    """Each wave as a dot, each detection as a ring."""
    engine = PhysicsEngine(window=120.0)
    rows = _hour()
    lines = {wave.channel: number for number, (_, waves) in enumerate(rows) for wave, _ in waves}
    everything = sorted(
        (pair for _, waves in rows for pair in waves), key=lambda pair: pair[0].timestamp
    )
    random, parts = Random(3), list[str]()
    scale = (WIDTH - LEFT - RIGHT) / 3600

    def place(wave: Wave[object]) -> tuple[float, float]:
        return LEFT + (wave.timestamp - 1e9) * scale, 78 + 62 * lines[wave.channel]

    for name, waves in rows:
        _, y = place(waves[0][0])
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts += [_text(24, y, name), _text(24, y + 15, str(waves[0][0].channel), "quiet")]
    found: list[tuple[Detection, float, float]] = []
    for wave, hidden in everything:
        x, y = place(wave)
        off = 0.0 if hidden else random.uniform(-9, 9)
        kind = "hidden" if hidden else "dot"
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y + off:.1f}" r="2.2"/>')
        if (one := engine.detect(wave.channel, wave)) is not None:
            found.append((one, x, y))
    below: dict[str, tuple[float, int]] = {}
    for one, x, y in found:
        period = f", every {one.period:.0f} s" if one.period else ""
        kind = one.pattern.replace("_", " ")
        parts.append(f'<circle class="found" cx="{x:.1f}" cy="{y:.1f}" r="7"/>')
        side = ("end", -12) if x > 0.75 * WIDTH else ("start", 12)
        last, line = below.get(one.channel, (-math.inf, -1))
        line = line + 1 if x - last < 200 else 0
        below[one.channel] = (x, line)
        parts.append(_text(x + side[1], y + 22 + 13 * line, f"{kind}{period}", "said", side[0]))
    parts.append(
        _text(LEFT, 392, "an hour; green: what is hidden; rings: when it was found", "quiet")
    )
    return _svg(410, "Patterns in random traffic", parts)


def history() -> str:
    """Commits a month as bars, bursts of commits as marks above."""
    with EventReader(history_path()) as reader:
        events = load(reader)
    commits = [event for event in events if event.channel.startswith("repo.")]
    months = Counter(_month(event.timestamp) for event in commits)
    bursts = [one for one in patterns(events) if one.channel.startswith("repo.")]
    first, last = min(months), max(months)
    step = (WIDTH - 2 * RIGHT) / (last - first + 1)
    highest = max(months.values())
    parts = list[str]()
    for month in range(first, last + 1):
        tall = 200 * months[month] / highest
        x = RIGHT + (month - first) * step
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{290 - tall:.1f}" width="{step - 1:.1f}" height="{tall:.1f}"/>'
        )
        if month % 12 == 0:
            parts.append(_text(x, 308, str(month // 12), "quiet"))
    for one in bursts:
        x = RIGHT + (_month(one.timestamp) - first + 0.5) * step
        parts.append(f'<path class="mark" d="M{x:.1f} 76 l-4 -9 l8 0 z"/>')
    about = f"commits a month, at most {highest}; marks: {len(bursts)} bursts of commits that were found"
    parts.append(_text(24, 54, about, "quiet"))
    return _svg(322, "Ten years of tokio", parts)


def _month(timestamp: float) -> int:
    year, month, *_ = time.gmtime(timestamp)
    return 12 * year + month - 1


def main() -> None:
    """Draw both."""
    for name, picture in (("stream", stream()), ("history", history())):
        (DOCS / f"physics-{name}.svg").write_text(picture, encoding="utf-8")
        print(DOCS / f"physics-{name}.svg")


if __name__ == "__main__":
    main()
