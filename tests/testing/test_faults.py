"""Faults on purpose: each kind does what it says, and the same seed does the same again."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest
from hypothesis import given, settings, strategies as st
from tests.probes import assert_says

from aether import Aether, Retry, Wave
from aether.testing import Faults, InjectedError, VirtualAether, faults, record

STEADY: dict[str, Any] = {"wait_initial": 1.0, "wait_jitter": 0.0, "wait_exp_base": 1.0}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Handlers fail on purpose here."""
    caplog.set_level(logging.CRITICAL, "aether")


class Shop:
    """A handler that notes what it gets, and when."""

    def __init__(self, medium: VirtualAether, **options: Any) -> None:
        self.seen: list[tuple[float, Any]] = []
        self.vibrator = medium.vibrator("shop")

        @self.vibrator.on("orders.*", **options)
        async def book(wave: Wave[Any]) -> str:
            self.seen.append((medium.clock.now(), wave.payload))
            return f"booked {wave.payload}"


async def emit(medium: VirtualAether, count: int, channel: str = "orders.created") -> None:
    await medium.emit_many([(channel, number) for number in range(count)])
    await medium.clock.advance(1000)


def kinds(injected: Faults) -> list[tuple[str, Any]]:
    return [(one.kind, one.wave.payload) for one in injected.injected]


async def test_a_dropped_wave_does_not_come(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        shop = Shop(medium)
        with faults(medium, 1) as injected:
            injected.drop("orders.created")
            await emit(medium, 2)
            await emit(medium, 1, "orders.paid")
        assert shop.seen == [(1000.0, 0)]
        assert kinds(injected) == [("drop", 0), ("drop", 1)]
        await emit(medium, 1)
        assert len(shop.seen) == 2, "closed, nothing goes wrong any more"


async def test_a_delayed_wave_comes_later_and_those_behind_it_too(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        shop = Shop(medium)
        with faults(medium, 1) as injected:
            injected.delay("orders.*", 2.5)
            await emit(medium, 2)
        assert shop.seen == [(2.5, 0), (5.0, 1)]
        assert [(one.seconds, one.vibrator) for one in injected.injected] == [(2.5, "shop")] * 2


async def test_a_delay_is_between_the_least_and_the_most(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        shop = Shop(medium, concurrency=50)
        with faults(medium, 1) as injected:
            injected.delay("orders.*", (2.0, 4.0))
            await emit(medium, 50)
        whens = [when for when, _ in shop.seen]
        assert len(whens) == len(set(whens)) == 50
        assert 2.0 <= min(whens) < 2.5
        assert 3.5 < max(whens) <= 4.0


async def test_a_duplicated_wave_comes_twice_and_the_first_answer_counts(
    anyio_backend: object,
) -> None:
    async with VirtualAether() as medium:
        shop = Shop(medium)
        with faults(medium, 1) as injected:
            injected.duplicate("orders.*")
            answer = await medium.request("orders.created", 7)
            assert answer.payload == "booked 7"
            await medium.settle()
        assert shop.seen == [(0.0, 7), (0.0, 7)]


async def test_an_error_is_an_attempt_that_failed(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        shop = Shop(medium, retry=Retry(on=ConnectionError, attempts=3, **STEADY))
        with record(medium, "dead.*") as dead, faults(medium, 1) as injected:
            injected.error("orders.*", ConnectionError("down"))
            await emit(medium, 1)
            dead.assert_emitted("dead.orders.created", times=1)
        assert shop.seen == []
        assert kinds(injected) == [("error", 0)] * 3
        assert [one.wave.headers.get("aether-attempt") for one in injected.injected] == [
            None,
            "2",
            "3",
        ]


async def test_an_error_that_is_not_named_is_its_own(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        Shop(medium)
        failed: list[BaseException] = []
        vibrator = medium.vibrator("other")

        @vibrator.on("orders.*")
        def plain(_: Wave[Any]) -> None: ...

        async with anyio.create_task_group() as group:

            async def run() -> None:
                await vibrator.run(on_error=lambda error, _: failed.append(error))

            group.start_soon(run)
            await medium.clock.advance(0)
            with faults(medium, 1) as injected:
                injected.error("orders.*")
                await emit(medium, 1)
            group.cancel_scope.cancel()
        assert [type(error) for error in failed] == [InjectedError]
        assert len(injected.injected) == 2, "both handlers fail"


async def test_a_slow_handler_runs_into_its_time_limit(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        shop = Shop(medium, timeout=2.0)
        with faults(medium, 1) as injected:
            injected.slow("orders.*", 5.0)
            await emit(medium, 1)
            injected.slow("orders.*", 1.0)
        assert shop.seen == []
        assert shop.vibrator.statistics().handlers[0].timed_out == 1


async def test_a_slow_reader_fills_its_mailbox(anyio_backend: object) -> None:
    async with VirtualAether() as medium, anyio.create_task_group() as group:
        Shop(medium, buffer_size=1)
        emitted: list[float] = []

        async def hurry() -> None:
            for number in range(4):
                await medium.emit_wave("orders.created", number)
                emitted.append(medium.clock.now())

        with faults(medium, 1) as injected:
            injected.slow("orders.*", 10.0)
            group.start_soon(hurry)
            await medium.clock.advance(100)
        assert emitted == [0.0, 0.0, 10.0, 20.0]


async def test_handlers_to_come_have_faults_too(anyio_backend: object) -> None:
    async with VirtualAether() as medium:
        with faults(medium, 1) as injected:
            injected.drop("*")
            shop = Shop(medium)
            await emit(medium, 1)
        assert shop.seen == []
        late = medium.vibrator("late")

        @late.on("orders.*")
        async def book(wave: Wave[Any]) -> None:
            shop.seen.append((0.0, wave.payload))

        await emit(medium, 1)
        assert len(shop.seen) == 2, "nor any more than the others once they are closed"


async def run_of(seed: int, noise: int) -> tuple[list[tuple[str, Any, float]], list[Any]]:
    """What happens in a run, with so many waves that have nothing to do with it."""
    async with VirtualAether() as medium:
        shop = Shop(
            medium, concurrency=3, retry=Retry(on=OSError, attempts=4, budget=None, **STEADY)
        )
        with faults(medium, seed) as injected:
            injected.error("orders.*", OSError("down"), probability=0.4)
            injected.drop("orders.*", probability=0.2)
            injected.delay("orders.*", (0.0, 3.0), probability=0.5)
            injected.duplicate("orders.*", probability=0.2)
            injected.slow("orders.*", (0.0, 1.0), probability=0.3)
            other = medium.vibrator("noise")

            @other.on("noise")
            async def hum(_: Wave[Any]) -> None: ...

            for number in range(20):
                for _ in range(noise):
                    await medium.emit_wave("noise")
                await medium.emit_wave("orders.created", number)
                await medium.clock.advance(0.1)
            await medium.clock.advance(1000)
        happened = [
            (one.kind, one.wave.payload, one.seconds)
            for one in injected.injected
            if one.wave.channel != "noise"
        ]
        return happened, shop.seen


async def test_the_same_seed_does_the_same_and_another_something_else(
    anyio_backend: object,
) -> None:
    first = await run_of(7, 0)
    assert await run_of(7, 0) == first
    assert await run_of(7, 3) == first, "whatever else is emitted"
    assert await run_of(8, 0) != first
    assert {kind for kind, _, _ in first[0]} == {"drop", "delay", "duplicate", "slow", "error"}


def test_a_seed_does_the_same_on_each_loop_and_in_each_process() -> None:
    first = anyio.run(run_of, 7, 0)
    assert anyio.run(run_of, 7, 0, backend="trio") == first
    # As it was drawn when this was written.
    assert [(kind, payload) for kind, payload, _ in first[0]][:6] == SIX


SIX = [("delay", 0), ("slow", 2), ("error", 4), ("drop", 6), ("delay", 7), ("slow", 7)]


@given(st.integers(), st.floats(0.1, 0.9))
@settings(max_examples=20)
def test_they_happen_as_often_as_was_asked(seed: int, probability: float) -> None:
    async def main() -> None:
        async with VirtualAether() as medium:
            shop = Shop(medium)
            with faults(medium, seed) as injected:
                injected.drop("orders.*", probability=probability)
                await emit(medium, 400)
            # Six standard deviations.
            off = abs(len(injected.injected) - 400 * probability)
            assert off <= 6 * (400 * probability * (1 - probability)) ** 0.5
            assert len(shop.seen) + len(injected.injected) == 400

    anyio.run(main)


def test_what_makes_no_sense_is_refused() -> None:
    medium = VirtualAether()
    injected = faults(medium, 1)
    with pytest.raises(ValueError, match="probability must be a share"):
        injected.drop("a", probability=1.5)
    with pytest.raises(ValueError, match="the least and the most"):
        injected.delay("a", (2.0, 1.0))
    with pytest.raises(TypeError, match="error must be an Exception"):
        injected.error("a", KeyboardInterrupt)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="seed must be an int"):
        faults(medium, "7")  # type: ignore[arg-type]
    with pytest.raises(TypeError) as raised:
        faults(Aether(), 1)  # type: ignore[arg-type]
    assert_says(raised.value, "VirtualAether")
    injected.close()
    injected.close()
    with pytest.raises(ValueError, match="closed"):
        injected.drop("a")
    medium.shut("closed", at_once=True)
