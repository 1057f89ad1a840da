"""Fan-out to 1, 10, 100 and 1,000 receivers; per delivery.

Ten messages are emitted, then every receiver takes its ten, one by one or all at
once. Queues are a list of queues, put to in a loop. What calls back (a plain
list of callables, pyee, blinker, reactivex, pymitter, abxbus, zenoh) queues
nothing: the receiver is a method that adds the number it is called with to its
sum, and has run when the emission returns. A plain list of callables, called
one after the other, is what a synchronous event bus costs at best.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from aether import Aether
from harness import Measure, Row, Run, Shape, Way, check, now, payloads, release, shape
from peers import zenoh_session
from queues import PIPES, open_many

NUMBERS = list(range(1, 11))
DELIVERIES = 20_000
ALONE = 50
CHANNEL = "bench.fanout.wave"


def between_clocks(readers: int) -> int:
    """How many bursts are measured in one go, so that reading the clock does not count."""
    return max(1, 100 // readers)


@shape
async def medium_receive(readers: int) -> AsyncIterator[Run]:
    async with Aether() as medium:
        vibrators = [medium.vibrator(f"reader-{i}") for i in range(readers)]
        for v in vibrators:
            v.resonate_on(CHANNEL)
        emit, receives = medium.emit_nowait, [v.receive for v in vibrators]
        at_once = between_clocks(readers)

        async def run() -> float:
            took = bursts = 0
            while bursts * readers * len(NUMBERS) < DELIVERIES:
                bursts += at_once
                got = []
                start = now()
                for _ in range(at_once):
                    for n in NUMBERS:
                        emit(CHANNEL, n)
                    got += [await receive() for receive in receives for _ in NUMBERS]
                took += now() - start
                check(payloads(got), NUMBERS * readers * at_once)
                took += release(got)
            return took / (bursts * readers * len(NUMBERS))

        yield run


@shape
async def medium_many(readers: int) -> AsyncIterator[Run]:
    async with Aether() as medium:
        vibrators = [medium.vibrator(f"reader-{i}") for i in range(readers)]
        for v in vibrators:
            v.resonate_on(CHANNEL)
        emit, receives = medium.emit_nowait, [v.receive_many for v in vibrators]
        at_once = between_clocks(readers)

        async def run() -> float:
            took = bursts = 0
            while bursts * readers * len(NUMBERS) < DELIVERIES:
                bursts += at_once
                got = []
                start = now()
                for _ in range(at_once):
                    for n in NUMBERS:
                        emit(CHANNEL, n)
                    got += [await receive(64) for receive in receives]
                took += now() - start
                check(map(payloads, got), [NUMBERS] * readers * at_once)
                took += release(got)
            return took / (bursts * readers * len(NUMBERS))

        yield run


@shape
async def pipes_receive(open_one, readers: int, wanted: int = DELIVERIES) -> AsyncIterator[Run]:
    async with open_many(open_one, readers) as (puts, gets):
        at_once = between_clocks(readers)

        async def run() -> float:
            took = bursts = 0
            while bursts * readers * len(NUMBERS) < wanted:
                bursts += at_once
                got = []
                start = now()
                for _ in range(at_once):
                    for n in NUMBERS:
                        for put in puts:
                            put(n)
                    got += [await get() for get in gets for _ in NUMBERS]
                took += now() - start
                check(got, NUMBERS * readers * at_once)
                took += release(got)
            return took / (bursts * readers * len(NUMBERS))

        yield run


class Adder:
    """What a handler is at least: a method that keeps something."""

    __slots__ = ("__weakref__", "sum")

    def __init__(self) -> None:
        self.sum = 0

    def add(self, number: int) -> None:
        self.sum += number


Opened = Iterator[Callable[[int], object]]


@contextmanager
def plain_list(receivers: list[Adder]) -> Opened:
    calls = [receiver.add for receiver in receivers]

    def emit(number: int) -> None:
        for call in calls:
            call(number)

    yield emit


@contextmanager
def pyee_emitter(receivers: list[Adder]) -> Opened:
    from pyee import EventEmitter

    emitter = EventEmitter()
    for receiver in receivers:
        emitter.add_listener("wave", receiver.add)
    yield partial(emitter.emit, "wave")


@contextmanager
def blinker_signal(receivers: list[Adder]) -> Opened:
    from blinker import Signal

    signal = Signal()
    calls = [receiver.add for receiver in receivers]
    for call in calls:
        signal.connect(call, weak=False)
    yield signal.send  # the number goes as the sender: keyword arguments cost more


@contextmanager
def reactivex_subject(receivers: list[Adder]) -> Opened:
    from reactivex.subject import Subject

    subject = Subject[int]()
    for receiver in receivers:
        subject.subscribe(receiver.add)
    yield subject.on_next
    subject.dispose()


@contextmanager
def pymitter_emitter(receivers: list[Adder]) -> Opened:
    from pymitter import EventEmitter

    emitter = EventEmitter()
    for receiver in receivers:
        emitter.on("wave", receiver.add)
    yield partial(emitter.emit, "wave")


@contextmanager
def zenoh_callbacks(receivers: list[Adder]) -> Opened:
    import zenoh

    def calling(add: Callable[[int], None]) -> Any:
        def call(sample: zenoh.Sample) -> None:
            add(int(sample.payload.to_bytes()))

        return zenoh.handlers.Callback(call, indirect=False)  # in the thread that emits

    with zenoh_session() as session, ExitStack() as stack:
        for receiver in receivers:
            stack.enter_context(
                session.declare_subscriber("bench/fanout/wave", calling(receiver.add))
            )
        publisher = stack.enter_context(session.declare_publisher("bench/fanout/wave"))
        buffers = [zenoh.ZBytes(b"%d" % n) for n in range(NUMBERS[-1] + 1)]
        yield lambda number: publisher.put(buffers[number])


@shape
async def callbacks(opened: Any, readers: int, wanted: int = DELIVERIES) -> AsyncIterator[Run]:
    receivers = [Adder() for _ in range(readers)]
    with opened(receivers) as emit:

        async def run() -> float:
            took = bursts = 0
            while bursts * readers * len(NUMBERS) < wanted:
                bursts += 1
                start = now()
                for n in NUMBERS:
                    emit(n)
                took += now() - start
            check([r.sum for r in receivers], [sum(NUMBERS) * bursts] * readers)
            for receiver in receivers:
                receiver.sum = 0
            return took / (bursts * readers * len(NUMBERS))

        yield run


@shape
async def abxbus_bus(readers: int) -> AsyncIterator[Run]:
    from abxbus import BaseEvent, EventBus

    class Wave(BaseEvent[None]):
        number: int

    def handler(receiver: Adder) -> Callable[[Any], None]:
        def add(event: Any) -> None:
            receiver.add(event.number)

        return add

    receivers = [Adder() for _ in range(readers)]
    bus = EventBus(
        max_history_size=0,  # as it was fastest: no history, handlers one after the other
        warn_on_duplicate_handler_names=False,
        event_handler_detect_file_paths=False,
    )
    for receiver in receivers:
        bus.on(Wave, handler(receiver))
    events = max(1, 50 // readers)

    async def run() -> float:
        start = now()
        for _ in range(events):
            await bus.emit(Wave(number=1)).now()
        took = now() - start
        check([r.sum for r in receivers], [events] * readers)
        for receiver in receivers:
            receiver.sum = 0
        return took / (events * readers)

    yield run
    await bus.destroy()


@shape
async def medium_emit_alone(readers: int) -> AsyncIterator[Run]:
    async with Aether() as medium:
        vibrators = [medium.vibrator(f"reader-{i}") for i in range(readers)]
        for v in vibrators:
            v.resonate_on(CHANNEL)
        emit, numbers = medium.emit_nowait, list(range(ALONE))

        async def run() -> float:
            start = now()
            for n in numbers:
                emit(CHANNEL, n)
            took = now() - start
            got = [payloads(await v.receive_many(ALONE + 1)) for v in vibrators]
            check(got, [numbers] * readers)
            return took / (ALONE * readers)

        yield run


@shape
async def queues_put_alone(readers: int) -> AsyncIterator[Run]:
    boxes: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in range(readers)]
    puts, numbers = [q.put_nowait for q in boxes], list(range(ALONE))

    async def run() -> float:
        start = now()
        for n in numbers:
            for put in puts:
                put(n)
        took = now() - start
        got = [[q.get_nowait() for _ in range(q.qsize())] for q in boxes]
        check(got, [numbers] * readers)
        return took / (ALONE * readers)

    yield run


TARGETS = {1: (4, 1.8), 10: (8, 4), 100: (10, 5), 1000: (11, 5)}
SLOW = ("anyio stream", "trio channel", "janus", "culsans", "aiologic")
CALLBACKS = (
    ("pyee", pyee_emitter, "pyee"),
    ("blinker", blinker_signal, "blinker"),
    ("reactivex", reactivex_subject, "reactivex"),
    ("pymitter", pymitter_emitter, "pymitter"),
    ("zenoh", zenoh_callbacks, "zenoh"),
)


def of(a_shape: Callable[..., object], *arguments: object) -> Shape:
    return partial(a_shape, *arguments)  # type: ignore[return-value]


def against_queues(readers: int) -> tuple[Way, ...]:
    return tuple(
        Way(
            pipe.name,
            of(pipes_receive, pipe.open, readers, DELIVERIES // (10 if pipe.name in SLOW else 1)),
            *(TARGETS[readers] if pipe.name == "asyncio.Queue" else ()),
            loop=pipe.loop,
            needs=pipe.needs,
        )
        for pipe in PIPES
    )


def against_callables(readers: int) -> Way:
    targets = (1.9, 1.0) if readers == 1000 else ()
    return Way("list of callables", of(callbacks, plain_list, readers), *targets)


ROWS = (
    *(
        Row(
            f"fan-out to {n:,}",
            "delivery",
            (
                Way("aether", of(medium_receive, n)),
                Way("aether, receive_many", of(medium_many, n)),
                *against_queues(n),
                against_callables(n),
                *(
                    Way(name, of(callbacks, opened, n, DELIVERIES // 4), needs=needs)
                    for name, opened, needs in CALLBACKS
                ),
                Way("abxbus", of(abxbus_bus, n), needs="abxbus"),
            ),
            picture=n in {10, 1000},
        )
        for n in TARGETS
    ),
    Row(
        "fan-out to 1,000, receive_many",
        "delivery",
        (
            Way("aether", of(medium_many, 1000)),
            Way("asyncio.Queue", of(pipes_receive, PIPES[0].open, 1000), *TARGETS[1000]),
            against_callables(1000),
        ),
    ),
    Row(
        "fan-out to 1,000, emit alone",
        "delivery",
        (
            Way("aether", of(medium_emit_alone, 1000)),
            Way("asyncio.Queue, put_nowait alone", of(queues_put_alone, 1000), 100, 12),
        ),
    ),
)


def test_fanout(measure: Measure) -> None:
    measure()
