"""Bytes of 1 KiB to 16 MiB as payload, put and then taken by one task; per message.

A hundred are put and then taken: ten different ones, ten times; ten by zenoh.

Inside a process nothing has to be copied: who hands on references takes the same
time for any size, and what arrives is the very object that was sent. zenoh could
leave the process at any time, and so copies bytes into a buffer of its own and
out again; given a ready buffer (`ZBytes`), it hands that on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial

from aether import Aether
from harness import Measure, Row, Run, Shape, Way, check, now, payloads, release, shape
from peers import zenoh_session
from queues import PIPES

BURST = 10
REPEATED = 10
BURSTS = 20
CHANNEL = "bench.bytes.wave"
SIZES = {"1 KiB": 1 << 10, "64 KiB": 1 << 16, "1 MiB": 1 << 20, "16 MiB": 1 << 24}


def blobs(size: int) -> list[bytes]:
    """Ten different ones."""
    return [bytes([i + 1]) * size for i in range(BURST)]


@shape
async def medium(size: int) -> AsyncIterator[Run]:
    sent = blobs(size) * REPEATED
    async with Aether() as aether:
        reader = aether.vibrator("reader")
        reader.resonate_on(CHANNEL)
        emit, receive = aether.emit_nowait, reader.receive

        async def run() -> float:
            took = 0
            for _ in range(BURSTS):
                start = now()
                for blob in sent:
                    emit(CHANNEL, blob)
                got = [await receive() for _ in sent]
                took += now() - start
                check(map(id, payloads(got)), map(id, sent))
                took += release(got)
            return took / (BURSTS * len(sent))

        yield run


@shape
async def pipe(open_one, size: int) -> AsyncIterator[Run]:
    sent = blobs(size) * REPEATED
    async with open_one() as (put, get):

        async def run() -> float:
            took = 0
            for _ in range(BURSTS):
                start = now()
                for blob in sent:
                    put(blob)
                got = [await get() for _ in sent]
                took += now() - start
                check(map(id, got), map(id, sent))
                took += release(got)
            return took / (BURSTS * len(sent))

        yield run


@shape
async def zenoh(size: int, ready: bool) -> AsyncIterator[Run]:
    from zenoh import ZBytes
    from zenoh.handlers import FifoChannel

    sent = blobs(size)
    buffers = [ZBytes(blob) for blob in sent] if ready else sent
    bursts = max(1, min(50, (64 << 20) // (size * BURST)))
    with zenoh_session() as session:
        subscriber = session.declare_subscriber("bench/bytes/wave", FifoChannel(BURST))
        publisher = session.declare_publisher("bench/bytes/wave")
        put, recv = publisher.put, subscriber.handler.recv

        async def run() -> float:
            took = 0
            for _ in range(bursts):
                start = now()
                for buffer in buffers:
                    put(buffer)
                got = [recv().payload for _ in sent]
                if not ready:
                    got = [payload.to_bytes() for payload in got]
                took += now() - start
                check([bytes(payload) for payload in got], sent)
                took += release(got)
            return took / (bursts * BURST)

        yield run
        subscriber.undeclare()
        publisher.undeclare()


def of(a_shape: Callable[..., object], *arguments: object) -> Shape:
    return partial(a_shape, *arguments)  # type: ignore[return-value]


ROWS = tuple(
    Row(
        f"bytes of {name}",
        "message",
        (
            Way("aether", of(medium, size)),
            Way("asyncio.Queue", of(pipe, PIPES[0].open, size)),
            Way("zenoh, bytes to bytes", of(zenoh, size, False), needs="zenoh"),
            Way("zenoh, a ready buffer", of(zenoh, size, True), needs="zenoh"),
        ),
        picture=name == "1 MiB",
    )
    for name, size in SIZES.items()
)


def test_bytes(measure: Measure) -> None:
    measure()
