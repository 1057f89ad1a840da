"""What type checkers make of the journal."""

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

from aether import Channel, Wave
from aether.journal import Codec, Codecs, Damage, Gap, Journal, Replay


class Own:
    """A codec by its shape alone."""

    name = "own"
    tag = 16

    def encode(self, payload: Any, /) -> bytes:
        """As text."""
        return str(payload).encode()

    def decode(self, data: bytes, /) -> Any:
        """As text."""
        return data.decode()


def codecs_by_name_and_by_shape() -> None:
    own: Codec = Own()
    Journal("folder", codec=own, also=[Own()])
    assert_type(Codecs("json").encode(7), tuple[int, bytes])


async def waves_of_a_replay(journal: Journal) -> None:
    replay = journal.replay(
        "orders.*", after=3, headers={"a": "b"}, where=lambda wave: wave.payload
    )
    assert_type(replay, Replay)
    for wave in replay:
        assert_type(wave, Wave[Any])
    async for wave in replay:
        assert_type(wave, Wave[Any])
    assert_type(replay.gaps, list[Gap])
    assert_type(replay.torn_tail, Damage | None)


def columns_of_a_replay(replay: Replay) -> None:
    columns = replay.to_columns()
    assert_type(columns.sequence, npt.NDArray[np.uint64])
    assert_type(columns.channels, tuple[Channel[Any], ...])
