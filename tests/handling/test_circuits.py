"""Circuit breakers around handlers: who passes, what becomes of the others, and who is told."""

from __future__ import annotations

import logging
import threading
from typing import Any

import anyio
import pytest
from tests.handling.passing import entered, passes
from tests.probes import turns

from aether import Aether, AetherConfig, ChannelError, CircuitBreaker, CircuitChange, Retry, Wave


class Down(Exception):
    """What a service says that is down."""


def breaker(**options: Any) -> CircuitBreaker:
    """One that opens after four calls of which two failed, for ten seconds."""
    options = {
        "minimum": 4,
        "calls": 4,
        "open_for": 10.0,
        "probes": 2,
        "when_open": "refuse",
    } | options
    return CircuitBreaker("service", **options)


def changes(waves: list[Wave[Any]]) -> list[tuple[str, str]]:
    told = [wave.payload for wave in waves if wave.channel == "aether.circuit.service"]
    assert all(isinstance(one, CircuitChange) for one in told)
    return [(one.before, one.after) for one in told]


async def test_it_opens_and_refuses_and_closes_again(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    handled: list[str] = []
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", circuit=breaker())
        async def work(wave: Wave[Any]) -> None:
            handled.append(wave.payload)
            if wave.payload == "bad":
                raise Down

        with caplog.at_level(logging.INFO, "aether"):
            for payload in ("good", "bad", "good", "bad", "refused"):
                await medium.emit_wave("a", payload)
            await turns(10)
            assert handled == ["good", "bad", "good", "bad"]
            waves = heard.all()
            assert changes(waves) == [("closed", "open")]
            letters = {
                wave.payload: wave.headers["aether-error"]
                for wave in waves
                if wave.channel == "dead.a"
            }
            assert letters["refused"].startswith("CircuitOpen: circuit 'service' is open")
            assert "10 s" in letters["refused"]
            await passes(clock, 10.0)
            for payload in ("good", "good", "good"):
                await medium.emit_wave("a", payload)
            await turns(10)
        assert handled[4:] == ["good"] * 3
        assert changes(heard.all()) == [("open", "half_open"), ("half_open", "closed")]
        said = [
            record for record in caplog.records if getattr(record, "event", "") == "circuit.changed"
        ]
        assert [record.levelname for record in said] == ["WARNING", "INFO", "INFO"]


async def test_a_change_that_nobody_can_take_is_said_and_harms_no_wave(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    handled: list[int] = []
    async with entered() as (medium, clock, worker, heard):
        full = medium.vibrator("full", buffer_size=1)
        full.resonate_on("aether.circuit.*", "fill")
        medium.emit_nowait("fill")

        @worker.on("a", circuit=breaker(slow_after=1.0, slow_rate=0.5))
        async def work(wave: Wave[Any]) -> None:
            clock.advance(1.0)
            handled.append(wave.payload)

        with caplog.at_level(logging.WARNING, "aether"):
            for number in range(4):
                await medium.emit_wave("a", number)
            await turns(10)
        assert handled == [0, 1, 2, 3]
        assert worker.statistics().failed == 0
        assert heard.all() == [], "nobody else got it either"
        events = [getattr(record, "event", "") for record in caplog.records]
        assert events == ["circuit.changed", "circuit.untold"]
        full.close()


async def test_exactly_so_many_probes_pass(anyio_backend: object) -> None:
    handled: list[int] = []
    async with entered() as (medium, clock, worker, heard):
        gate = anyio.Event()

        @worker.on("a", circuit=breaker(probes=3), concurrency=10)
        async def work(wave: Wave[Any]) -> None:
            if wave.payload < 0:
                raise Down
            handled.append(wave.payload)
            await gate.wait()

        for _ in range(4):
            await medium.emit_wave("a", -1)
        await turns(10)
        await passes(clock, 10.0)
        for number in range(10):
            await medium.emit_wave("a", number)
        await turns(20)
        assert len(handled) == 3
        refused = [wave for wave in heard.all() if wave.channel == "dead.a" and wave.payload >= 0]
        assert len(refused) == 7
        assert "once a probe has ended" in refused[0].headers["aether-error"]
        gate.set()
        await turns(10)
        assert changes(heard.all()) == [("half_open", "closed")]


async def test_they_may_wait_until_it_has_closed(anyio_backend: object) -> None:
    handled: list[tuple[int, float]] = []
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", circuit=breaker(when_open="wait", probes=1), concurrency=2)
        async def work(wave: Wave[Any]) -> None:
            if wave.payload < 0:
                raise Down
            handled.append((wave.payload, clock.now()))
            await medium.timers.sleep(1.0)

        for payload in (-1, -1, -1, -1, 1, 2, 3):
            await medium.emit_wave("a", payload)
        await turns(20)
        assert handled == []
        assert worker.statistics().current_buffer_used == 1, "two wait with their workers"
        await passes(clock, 9.5, 0.5)
        assert handled == []
        await passes(clock, 5.0, 0.5)
        assert sorted(payload for payload, _ in handled) == [1, 2, 3]
        assert sorted(when for _, when in handled) == [10.0, 11.0, 11.0]
        assert [wave.payload for wave in heard.all() if wave.channel == "dead.a"] == [-1] * 4


async def test_what_waits_for_it_uses_up_no_time_for_retries(anyio_backend: object) -> None:
    handled: list[float] = []
    async with entered() as (medium, clock, worker, heard):
        circuit = breaker(when_open="wait", open_for=30.0, calls=1, minimum=1, probes=1)

        @worker.on("a", circuit=circuit, retry=Retry(on=Down, wait_jitter=0.0))
        async def work(wave: Wave[Any]) -> None:
            handled.append(clock.now())
            if clock.now() < 100.0:
                raise Down

        await medium.emit_wave("a")
        await passes(clock, 130.0, 0.5)
        assert len(handled) == 5, "at once, and each time that it may be asked"
        assert handled[-1] > 100.0
        assert [wave for wave in heard.all() if wave.channel == "dead.a"] == []
        assert worker.statistics().failed == 0


async def test_what_attempts_take_uses_it_up(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, heard):
        circuit = breaker(when_open="wait", open_for=30.0, calls=1, minimum=1, probes=1)

        @worker.on("a", circuit=circuit, retry=Retry(on=Down, timeout=25.0, wait_jitter=0.0))
        async def work(wave: Wave[Any]) -> None:
            await medium.timers.sleep(10.0)
            raise Down

        await medium.emit_wave("a")
        await passes(clock, 200.0, 0.5)
        [letter] = [wave for wave in heard.all() if wave.channel == "dead.a"]
        assert letter.headers["aether-attempts"] == "3"


async def test_or_go_to_somebody_else(anyio_backend: object) -> None:
    elsewhere: list[int] = []
    async with entered() as (medium, _clock, worker, _heard):

        async def instead(wave: Wave[Any]) -> str:
            elsewhere.append(wave.payload)
            return "from the cache"

        @worker.on("a", circuit=breaker(when_open=instead))
        async def work(wave: Wave[Any]) -> None:
            raise Down

        for number in range(4):
            await medium.emit_wave("a", number)
        await turns(10)
        answer = await medium.request("a", 4, timeout=5)
        assert answer.payload == "from the cache"
        assert elsewhere == [4]


async def test_a_cancelled_probe_leaves_its_place(anyio_backend: object) -> None:
    begun: list[int] = []
    async with entered(AetherConfig(drain_timeout=0.0)) as (medium, clock, worker, _):
        shared = breaker(probes=1, when_open="wait")

        @worker.on("a", circuit=shared)
        async def work(wave: Wave[Any]) -> None:
            if wave.payload < 0:
                raise Down
            begun.append(wave.payload)
            await anyio.sleep_forever()

        other = medium.vibrator("other")

        @other.on("b", circuit=shared)
        async def besides(wave: Wave[Any]) -> None:
            begun.append(wave.payload)

        for _ in range(4):
            await medium.emit_wave("a", -1)
        await turns(10)
        await passes(clock, 10.0)
        await medium.emit_wave("a", 1)
        await turns(5)
        await medium.emit_wave("b", 2)
        await turns(5)
        assert begun == [1], "the one place is taken"
        for lane in medium.lanes:
            if lane.name == "worker":
                lane.cancel()
        await turns(10)
        assert begun == [1, 2]
        other.close()


async def test_what_is_slow_opens_it_too(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", circuit=breaker(slow_after=2.0, slow_rate=0.5))
        async def work(wave: Wave[Any]) -> None:
            await medium.timers.sleep(2.0)

        for _ in range(4):
            await medium.emit_wave("a")
        await passes(clock, 9.0, 0.5)
        assert changes(heard.all()) == [("closed", "open")]


async def test_each_target_has_its_own(anyio_backend: object) -> None:
    handled: list[str] = []
    async with entered() as (medium, _clock, worker, heard):

        @worker.on("a", circuit=breaker(by=lambda wave: wave.payload))
        async def work(wave: Wave[Any]) -> None:
            handled.append(wave.payload)
            if wave.payload == "down":
                raise Down

        for payload in ["down", "up"] * 6:
            await medium.emit_wave("a", payload)
        await turns(20)
        assert handled.count("down") == 4
        assert handled.count("up") == 6
        told = [wave.payload for wave in heard.all() if wave.channel == "aether.circuit.service"]
        assert [(one.target, one.after) for one in told] == [("down", "open")]


async def test_other_errors_are_no_failures_of_it(anyio_backend: object) -> None:
    async with entered() as (medium, _clock, worker, heard):

        @worker.on("a", circuit=breaker(on=Down))
        async def work(wave: Wave[Any]) -> None:
            raise ValueError("the order is wrong, not the service")

        for _ in range(8):
            await medium.emit_wave("a")
        await turns(20)
        assert changes(heard.all()) == []


async def test_a_breaker_is_another_on_another_medium(anyio_backend: object) -> None:
    shared = breaker()
    async with entered() as (one, _, worker, heard), entered() as (two, _, other, _):

        @worker.on("a", circuit=shared)
        async def fails(wave: Wave[Any]) -> None:
            raise Down

        seen: list[int] = []

        @other.on("a", circuit=shared)
        async def works(wave: Wave[Any]) -> None:
            seen.append(wave.payload)

        for number in range(4):
            await one.emit_wave("a", number)
        await turns(10)
        assert changes(heard.all()) == [("closed", "open")]
        for number in range(4):
            await two.emit_wave("a", number)
        await turns(10)
        assert seen == [0, 1, 2, 3]


def test_probes_are_exact_under_threads() -> None:
    """Eight threads ask at once, each half open time anew."""
    shared = breaker(probes=3)
    medium = Aether()
    circuits = shared.of(medium)
    wave = Wave("a")
    now = 0.0
    for _ in range(4):
        passage = circuits.of(wave)
        assert passage.asks(now) is None
        passage.ended(Down(), 0.0, now)
    for round_ in range(1, 30):
        now = round_ * 10.0
        passed: list[Any] = []
        barrier = threading.Barrier(8)

        def ask(
            passed: list[Any] = passed, now: float = now, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            for _ in range(50):
                passage = circuits.of(wave)
                if passage.asks(now) is None:
                    passed.append(passage)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(passed) == 3
        for passage in passed:
            passage.ended(Down(), 0.0, now)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"failure_rate": 0}, ValueError),
        ({"failure_rate": 1.5}, ValueError),
        ({"probes": 0}, ValueError),
        ({"open_for": -1}, ValueError),
        ({"when_open": "ignore"}, ValueError),
        ({"when_open": 3}, TypeError),
        ({"by": "host"}, TypeError),
        ({"seconds": 0}, ValueError),
        ({"calls": 2.5}, TypeError),
    ],
)
def test_mistakes_are_told(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        CircuitBreaker("service", **options)


def test_its_name_is_one_token() -> None:
    for name in ("a.b", "", "*"):
        with pytest.raises(ChannelError):
            CircuitBreaker(name)


async def test_a_rule_of_failures_that_fails_itself_keeps_no_place(anyio_backend: object) -> None:
    """A probe whose place were lost would leave the circuit half open for ever."""
    handled: list[str] = []

    def counts(error: Exception) -> bool:
        if handled[-1] == "strange":
            raise LookupError("no such kind")
        return True

    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", circuit=breaker(minimum=1, calls=1, probes=1, on=counts))
        async def work(wave: Wave[Any]) -> None:
            handled.append(wave.payload)
            if wave.payload != "good":
                raise Down

        await medium.emit_wave("a", "bad")
        await passes(clock, 10.0)
        await medium.emit_wave("a", "strange")
        await passes(clock, 10.0)
        await medium.emit_wave("a", "good")
        await passes(clock, 1.0)
        assert handled == ["bad", "strange", "good"]
        half, opened, closed = "half_open", "open", "closed"
        assert changes(heard.all()) == [
            (closed, opened),
            (opened, half),
            (half, opened),
            (opened, half),
            (half, closed),
        ]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"seconds": 5.0, "minimum": 0}, ValueError, "minimum must be 1 or more"),
        ({"seconds": 5.0, "minimum": "3"}, TypeError, "minimum must be an int"),
        ({"on": int}, TypeError, "on must be a class of errors"),
        ({"on": (OSError, lambda error: True)}, TypeError, "on must be a class of errors"),
        ({"by": "host"}, TypeError, "by must be a function of a wave"),
    ],
)
def test_what_is_no_rule_is_refused_before_any_wave(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        CircuitBreaker("service", **options)
