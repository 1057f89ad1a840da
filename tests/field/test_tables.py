"""A field as a table of other libraries, and what is said where they are missing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from aether import Aether

COLUMNS = ["timestamp", "amplitude", "phase", "frequency", "channel", "sequence"]


def filled() -> Any:
    medium = Aether()
    field = medium.field("*", 100)
    for number in range(150):
        medium.emit_nowait(f"n.{number % 3}", amplitude=(number + 10) / 256)
    return field


def test_a_data_frame_shares_the_columns() -> None:
    pytest.importorskip("pandas", reason="no wheel for this platform")
    field = filled()
    columns, frame = field.columns(), field.to_pandas()
    assert list(frame.columns) == COLUMNS
    assert frame.sequence.tolist() == list(range(51, 151))
    assert frame.channel.tolist() == [f"n.{number % 3}" for number in range(50, 150)]
    assert np.shares_memory(frame.amplitude.to_numpy(), columns.amplitude)
    sums = (frame.amplitude**2).groupby(frame.channel, observed=True).sum()
    assert dict(sums) == pytest.approx(field.energy())


def test_an_arrow_table_shares_the_columns() -> None:
    pytest.importorskip("pyarrow", reason="no wheel for this platform")
    field = filled()
    columns, table = field.columns(), field.to_arrow()
    assert table.column_names == COLUMNS
    assert table["sequence"].to_pylist() == list(range(51, 151))
    assert table["channel"].to_pylist() == [f"n.{number % 3}" for number in range(50, 150)]
    (chunk,) = table["amplitude"].chunks
    assert chunk.buffers()[1].address == columns.amplitude.ctypes.data
    del field, columns
    assert table["amplitude"][0].as_py() == 60 / 256


def test_empty_tables() -> None:
    field = Aether().field("a")
    pytest.importorskip("pandas", reason="no wheel for this platform")
    assert field.to_pandas().empty
    pytest.importorskip("pyarrow", reason="no wheel for this platform")
    assert field.to_arrow().num_rows == 0


@pytest.mark.parametrize(
    ("call", "library", "extra"),
    [
        ("to_pandas", "pandas", "pandas"),
        ("to_arrow", "pyarrow", "arrow"),
        ("plot", "matplotlib", "plot"),
        ("plot_spectrum", "matplotlib", "plot"),
    ],
)
def test_a_missing_library_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, call: str, library: str, extra: str
) -> None:
    for loaded in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, library, None)
    field = filled()
    with pytest.raises(
        ImportError, match=rf"needs {library}: .*aether-medium\[{extra}\]"
    ) as raised:
        getattr(field, call)()
    assert raised.value.name == library
