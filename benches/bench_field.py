"""The field: what it costs an emission to be recorded, and to look at what was recorded.

`recorded`: 1,000 waves are emitted on one channel, without a field and with one of
65,536 waves that covers it, so that it moves on now and then; heard by nobody, and
by a reader that takes them all afterwards. A wave that nobody hears is not made,
and its field has to read the clock for it. `columns`: all six columns of 65,536 waves as numpy
arrays. The peer is what one would write by hand: a deque of tuples, filled by
a function that is called beside the emission, made into arrays when asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from functools import partial
from time import time
from typing import Any

import numpy as np

from aether import Aether
from harness import Measure, Row, Run, Shape, Way, check, now, shape

WAVES = 1_000
SIZE = 65_536
CHANNEL = "bench.field.wave"
LOOKS = 200


@shape
async def emitted(heard: bool, kept: str) -> AsyncIterator[Run]:
    """Emissions with nothing, a field or a deque that keeps their numbers."""
    async with Aether() as medium:
        reader = medium.vibrator("reader", order="fifo", buffer_size=WAVES)
        if heard:
            reader.resonate_on(CHANNEL)
        field = medium.field("bench.field.*", SIZE) if kept == "field" else None
        ring = deque[tuple[Any, ...]](maxlen=SIZE)
        emit, numbers = medium.emit_nowait, range(WAVES)

        def emit_and_keep(channel: str, n: int) -> None:
            receipt = emit(channel, n)
            ring.append((time(), 1.0, 0.0, 1.0, channel, receipt.sequence))

        put = emit_and_keep if kept == "deque" else emit

        async def run() -> float:
            before = 0 if field is None else field.recorded
            start = now()
            for n in numbers:
                put(CHANNEL, n)
            took = now() - start
            if heard:
                check([wave.payload for wave in await reader.receive_many(WAVES)], numbers)
            if field is not None:
                check([field.recorded - before], [WAVES])
            return took / WAVES

        yield run


@shape
async def looked_at(kept: str) -> AsyncIterator[Run]:
    """All columns of a full field, or of a full deque."""
    medium = Aether()
    field = medium.field("*", SIZE)
    for _ in range(SIZE):
        medium.emit_nowait(CHANNEL)
    rows = field.columns()
    ring = deque(zip(*(column.tolist() for column in rows[:-1]), strict=True), maxlen=SIZE)

    def arrays() -> list[Any]:
        return [np.array(column) for column in zip(*ring, strict=True)]

    looks, look = (1, arrays) if kept == "deque" else (LOOKS, field.columns)

    async def run() -> float:
        start = now()
        for _ in range(looks):
            got = look()
        took = now() - start
        check(got[5].tolist(), rows.sequence.tolist())
        return took / looks

    yield run


def of(a_shape: Any, *arguments: object) -> Shape:
    return partial(a_shape, *arguments)


def recorded(name: str, heard: bool) -> Row:
    return Row(
        f"emission, recorded, {name}",
        "wave",
        (
            Way("aether", of(emitted, heard, "field")),
            Way("aether, no field", of(emitted, heard, "nothing")),
            Way("a deque beside it", of(emitted, heard, "deque"), 1.5, 1.2),
        ),
    )


ROWS = (
    recorded("nobody hears it", heard=False),
    recorded("one reader hears it", heard=True),
    Row(
        "columns of 65,536 waves",
        "look",
        (
            Way("aether", of(looked_at, "field")),
            Way("a deque made into arrays", of(looked_at, "deque"), 1_000.0, 100.0),
        ),
    ),
)


def test_field(measure: Measure) -> None:
    measure()
