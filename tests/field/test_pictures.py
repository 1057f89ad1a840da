"""The pictures of a field: what is in them, by matplotlib's own objects."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aether import Aether, Wave

pytest.importorskip("matplotlib", reason="no wheel for this platform")

START = 1.7e9


def filled(waves: list[tuple[str, float, float]], size: int = 100_000) -> Any:
    """A field of waves: channel, seconds since the start, amplitude."""
    medium = Aether()
    field = medium.field("*", size)

    async def main() -> None:
        for channel, seconds, amplitude in waves:
            await medium.emit(Wave(channel, timestamp=START + seconds, amplitude=amplitude))

    asyncio.run(main())
    return field


def names(figure: Any) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def cells(figure: Any) -> Any:
    return figure.axes[0].collections[0].get_array()


def test_a_waterfall_has_a_row_for_each_channel_the_loudest_first() -> None:
    field = filled([("a.faint", 0.0, 0.1), ("b.loud", 5.0, 0.9), ("c.middle", 10.0, 0.5)])
    figure = field.plot()
    assert names(figure) == ["b.loud", "c.middle", "a.faint"]
    shown = cells(figure)
    assert shown.sum(axis=1).tolist() == pytest.approx([0.9, 0.5, 0.1])
    # From left to right, in the order of time.
    columns = [int(np.flatnonzero(~row.mask)[0]) for row in shown]
    assert columns == [shown.shape[1] // 2, shown.shape[1] - 1, 0]
    assert "3 waves" in figure.axes[0].get_title(loc="left")
    assert "UTC" in figure.axes[0].get_xlabel()
    assert figure.axes[1].get_ylabel().startswith("amplitude")


def test_the_faint_channels_are_joined() -> None:
    waves = [(f"n.{number}", float(number), 1.0 - number / 100) for number in range(50)]
    figure = filled(waves).plot(channels=10)
    assert names(figure)[:2] == ["n.0", "n.1"]
    assert names(figure)[-1] == "other (41 channels)"
    assert len(names(figure)) == 10
    assert cells(figure).sum() == pytest.approx(sum(amplitude for *_, amplitude in waves))


def test_what_was_detected_is_marked_where_it_is() -> None:
    field = filled([("a", 0.0, 1.0), ("b", 100.0, 0.5)])
    found = [
        SimpleNamespace(pattern="standing_wave", channel="b", timestamp=START + 50),
        SimpleNamespace(pattern="resonance", channel="a", timestamp=START + 20),
        SimpleNamespace(pattern="resonance", channel="a", timestamp=START + 90),
        SimpleNamespace(pattern="resonance", channel="a", timestamp=START + 1e6),
        SimpleNamespace(pattern="resonance", channel="unknown", timestamp=START + 10),
    ]
    axes = field.plot(found).axes[0]
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert said == ["resonance (2)", "standing wave (1)"]
    marks = {marks.get_label(): marks.get_offsets().tolist() for marks in axes.collections[-2:]}
    assert marks["standing wave (1)"] == [[pytest.approx((START + 50) / 86400), 1.5]]
    assert [row for _, row in marks["resonance (2)"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    "waves",
    [
        [],
        [("a", 0.0, 1.0)],
        [("a", 0.0, 1.0)] * 3,
        [("a", 0.0, 1.0), ("a", 1e-7, 1.0)],
        [("a", -1e14, 1.0), ("a", 1e14, 1.0)],
        [("a", -1.7e9 - 1e300, 1.0), ("a", 1e300, 0.5)],
        [("ä." + "x" * 300, 0.0, 0.5), ("$a_b^{", 1.0, 1.0), ("$a_b^{$", 1.0, 1.0)],
    ],
)
def test_any_field_can_be_drawn(tmp_path: Path, waves: list[tuple[str, float, float]]) -> None:
    field = filled(waves)
    field.plot(title="$^{$").savefig(tmp_path / "picture.svg")
    field.plot([]).savefig(tmp_path / "picture.png")
    field.plot_spectrum().savefig(tmp_path / "spectrum.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_spectrum_names_the_rhythm() -> None:
    random = np.random.default_rng(7)
    beats = [("beat", 30.0 * number + float(random.normal(0, 0.5)), 1.0) for number in range(300)]
    noise = [("noise", float(random.uniform(0, 9000)), 0.1) for _ in range(300)]
    field = filled(sorted(beats + noise, key=lambda wave: wave[1]))
    axes = field.plot_spectrum().axes[0]
    assert axes.get_title(loc="left") == "rhythms of beat"
    assert "30 s" in [text.get_text() for text in axes.texts]
    assert len(field.plot_spectrum("noise").axes[0].texts) == 0


def test_bad_input() -> None:
    field = filled([("a", 0.0, 1.0)])
    with pytest.raises(ValueError, match="channels must be"):
        field.plot(channels=0)
    with pytest.raises(ValueError, match="'b'"):
        field.plot_spectrum("b")


def test_nothing_of_pyplot_is_touched() -> None:
    code = (
        "import sys, aether; m = aether.Aether(); f = m.field('a'); m.emit_nowait('a'); "
        "f.plot(); f.plot_spectrum(); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
