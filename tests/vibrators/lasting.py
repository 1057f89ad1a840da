"""Readers that begin with the last wave of each channel, beside a plain list; and while threads emit.

For media that retain waves and for media with a journal alike.
"""

from __future__ import annotations

import threading
from typing import Any

import anyio
import anyio.lowlevel
from hypothesis import strategies as st
from tests.probes import PATIENCE, last, payloads

from aether import Aether, Channel, Vibrator

CHANNELS = ["a", "a.b", "a.b.c", "b", "b.b"]
PATTERNS = ["*", "a.*", "+.b", "a", "b", "c"]

Step = tuple[str, bool, list[str]]
"""A channel to emit on, unless a reader is to begin; and patterns to ask for, or to begin with."""

STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(CHANNELS), st.booleans(), st.lists(st.sampled_from(PATTERNS), min_size=1)
    ),
    max_size=30,
)


def newest(emitted: list[str], patterns: list[str]) -> list[int]:
    """The places of the last wave of each channel that a pattern matches."""
    places = {channel: place for place, channel in enumerate(emitted)}
    return sorted(place for channel, place in places.items() if matched(channel, patterns))


def matched(channel: str, patterns: list[str]) -> bool:
    return any(Channel(channel).matches(pattern) for pattern in patterns)


async def follow(medium: Aether, steps: list[Step], emitted: list[str]) -> None:
    """What each reader gets: the last of each channel, in order, then all that is emitted.

    The payload of a wave is its place in `emitted`, which has what was emitted before and grows.
    """
    readers: list[tuple[Vibrator, list[str], list[int]]] = []
    for channel, begins, patterns in steps:
        if begins:
            reader = medium.vibrator("reader", order="fifo", overflow="drop_oldest")
            reader.resonate_on(*patterns, last=True)
            readers.append((reader, patterns, newest(emitted, patterns)))
        else:
            await medium.emit_wave(channel, len(emitted))
            for _, heard, to_come in readers:
                if matched(channel, heard):
                    to_come.append(len(emitted))
            emitted.append(channel)
        for pattern in patterns:
            assert last(medium, pattern) == newest(emitted, [pattern])
    for reader, _, to_come in readers:
        assert payloads(reader) == to_come
        reader.close()


async def begin_while_threads_emit(medium: Aether, *, emitters: int, each: int) -> None:
    """Each reader sees the numbers of each channel grow by one, from its last wave on."""
    started = threading.Barrier(emitters + 1)

    def emit(channel: str) -> None:
        started.wait()
        for number in range(each):
            medium.emit_nowait(channel, number)

    threads = [threading.Thread(target=emit, args=(f"s.{one}",)) for one in range(emitters)]
    for thread in threads:
        thread.start()
    started.wait()
    readers: list[tuple[Vibrator, dict[str, int]]] = []
    while any(thread.is_alive() for thread in threads) or not readers:
        # What was delivered before the call is not skipped, and what is older is not the last.
        before = {str(wave.channel): wave.sequence or 0 for wave in medium.last("s.*")}
        reader = medium.vibrator("reader", order="fifo", buffer_size=2 * emitters * each)
        reader.resonate_on("s.*", last=True)
        if len(readers) < 12:
            readers.append((reader, before))
        else:
            reader.close()
        await anyio.lowlevel.checkpoint()
    await medium.emit_wave("s.end", -1)
    for reader, before in readers:
        seen: dict[str, list[Any]] = {}
        with anyio.fail_after(PATIENCE):
            while "s.end" not in seen:
                wave = await reader.receive()
                assert wave is not None
                seen.setdefault(wave.channel, []).append(wave)
        del seen["s.end"]
        assert len(seen) == emitters
        for channel, waves in seen.items():
            numbers = [wave.payload for wave in waves]
            assert numbers == list(range(numbers[0], each))
            assert waves[0].sequence >= before.get(channel, 0)
        reader.close()
    assert last(medium, "s.*") == [*[each - 1] * emitters, -1]
