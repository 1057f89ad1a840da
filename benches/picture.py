"""The picture of a comparison: an SVG with a panel for each job, a dot for each way to do it.

The scale goes by tens. A dot stands at the figure that the ratios go by, a thin
line spans the rounds from the least to the most, a dashed one goes through ours.
Light or dark follows the reader's setting.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from results import Comparison, Entry, format_value

__all__ = ["drawn"]

WIDTH, MARGIN, GUTTER = 1080, 28, 36
PANEL = (WIDTH - 2 * MARGIN - GUTTER) // 2
LABEL, VALUE = 164, 64  # what stands left and right of the scale
LINE, HEAD, FOOT = 19, 34, 30
TOP = 84

STYLE = """
  .ground { fill: #ffffff } text { fill: #1f2733; font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif }
  .title { font-size: 20px; font-weight: 600 } .job { font-size: 13px; font-weight: 600 }
  .quiet, .tick { fill: #66717f } .tick { font-size: 10px } .value { font-variant-numeric: tabular-nums }
  .grid { stroke: #e4e8ee } .ours-line { stroke: #0b7a75; stroke-dasharray: 2 3 }
  .spread { stroke: #9aa5b4; stroke-width: 2; stroke-linecap: round } .dot { fill: #5d6b7e }
  .ours .spread { stroke: #7cc4bf } .ours .dot { fill: #0b7a75 } .ours text { fill: #0b7a75; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #12171e } text { fill: #e3e8ef } .quiet, .tick { fill: #97a3b3 } .grid { stroke: #28303b }
    .spread { stroke: #55606f } .dot { fill: #a9b5c5 } .ours-line { stroke: #41c7bd }
    .ours .spread { stroke: #1f7f79 } .ours .dot { fill: #41c7bd } .ours text { fill: #41c7bd }
  }
"""


def drawn(comparison: Comparison) -> str:
    """The whole picture."""
    rows = [
        (row, entries) for row, entries in comparison.rows().items() if entries[0].picture
    ] or list(comparison.rows().items())
    depths = [TOP, TOP]
    panels: list[str] = []
    for row, entries in rows:
        column = depths.index(min(depths))
        x = MARGIN + column * (PANEL + GUTTER)
        panels += _panel(row, entries, x, depths[column])
        depths[column] += HEAD + LINE * len(entries) + FOOT
    height = max(depths) + MARGIN // 2
    machine, python = comparison.machine, comparison.versions["Python"]
    about = f"{machine['processor']}, {machine['cores']} cores, {python}, {comparison.date}"
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    how = "further left is less; the scale goes by tens; lines span the rounds"
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Benchmarks">',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        _text(MARGIN, 38, "Aether beside its peers", "title"),
        _text(MARGIN, 60, f"{how}; {about}", "quiet"),
        *panels,
        "</svg>\n",
    )
    return "\n".join(lines)


def _panel(row: str, entries: list[Entry], left: int, top: int) -> Iterator[str]:
    scale = _Scale(entries, left + LABEL, left + PANEL - VALUE)
    bottom = top + HEAD + LINE * len(entries)
    yield _text(left, top + 14, row, "job")
    yield _text(left + PANEL, top + 14, f"per {entries[0].unit}", "quiet", "end")
    for power in range(scale.low, scale.high + 1):
        x = scale.at(10.0**power)
        yield f'<line class="grid" x1="{x}" y1="{top + HEAD - 8}" x2="{x}" y2="{bottom}"/>'
        if (power - scale.low) % (1 + (scale.high - scale.low) // 6) == 0:
            yield _text(x, bottom + 13, _tick(power, entries[0].measure), "tick", "middle")
    mine = scale.at(entries[0].counts)
    yield f'<line class="ours-line" x1="{mine}" y1="{top + HEAD - 8}" x2="{mine}" y2="{bottom}"/>'
    ranked = sorted(entries, key=lambda entry: entry.counts)
    for number, entry in enumerate(ranked):
        y = top + HEAD + LINE * number + 4
        yield f'<g class="{"ours" if entry.ours else "peer"}">'
        yield _text(left + LABEL - 12, y + 4, entry.way.removeprefix("a task on "), "", "end")
        yield (
            f'<line class="spread" x1="{scale.at(entry.least)}" y1="{y}"'
            f' x2="{scale.at(entry.most)}" y2="{y}"/>'
        )
        yield f'<circle class="dot" cx="{scale.at(entry.counts)}" cy="{y}" r="4.5"/>'
        yield _text(left + PANEL, y + 4, format_value(entry.counts, entry.measure), "value", "end")
        yield "</g>"


class _Scale:
    """Whole powers of ten around all rounds, laid between two places."""

    def __init__(self, entries: list[Entry], left: float, right: float) -> None:
        self.low = math.floor(math.log10(max(1e-3, min(entry.least for entry in entries))))
        self.high = max(
            self.low + 1, math.ceil(math.log10(max(1e-3, *(entry.most for entry in entries))))
        )
        self._left, self._width = left, right - left

    def at(self, value: float) -> float:
        part = (math.log10(max(value, 1e-3)) - self.low) / (self.high - self.low)
        return round(self._left + self._width * min(1.0, max(0.0, part)), 1)


def _tick(power: int, measure: str) -> str:
    if measure != "ns" or power < 0:
        return f"{10.0**power:,g} {measure}"
    return f"{10 ** (power % 3)} {('ns', 'µs', 'ms', 's')[power // 3]}"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<text{marked} x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
