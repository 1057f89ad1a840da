"""What type checkers see of a field; run by `make typecheck`, not by pytest."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aether import Aether, Channel
from aether.physics import Columns, Detected, Field


def a_field_has_typed_columns(medium: Aether, found: list[Detected]) -> None:
    field = medium.field("orders.*", size=100)
    assert_type(field, Field)
    assert_type(field.pattern, Channel[Any])
    assert_type(field.size, int)
    assert_type(len(field), int)
    columns = field.columns()
    assert_type(columns, Columns)
    assert_type(columns.timestamp, NDArray[np.float64])
    assert_type(columns.amplitude, NDArray[np.float64])
    assert_type(columns.channel, NDArray[np.uint32])
    assert_type(columns.sequence, NDArray[np.uint64])
    assert_type(columns.channels, tuple[Channel[Any], ...])
    assert_type(field.rate(60.0), float)
    assert_type(field.plot(found), Figure)


def energy_by_channel_or_of_all(field: Field) -> None:
    assert_type(field.energy(), dict[Channel[Any], float])
    assert_type(field.energy(by="channel"), dict[Channel[Any], float])
    assert_type(field.energy(by=None), float)


def what_is_wrong_is_told(medium: Aether) -> None:
    medium.field(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    medium.field("a", size="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    medium.field("a").energy("pattern")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
