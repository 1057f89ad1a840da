"""What is known of handlers and what stands around them: in statistics, and in metrics."""

from __future__ import annotations

from typing import Any

import anyio
from tests.handling.passing import entered, passes
from tests.operations.scraped import scrape

from aether import AetherConfig, CircuitBreaker, MetricsConfig, Rate, Retry, Wave


class Flaky(Exception):
    """What goes away if one tries again."""


async def test_each_handler_has_its_own(anyio_backend: object) -> None:
    config = AetherConfig(metrics=MetricsConfig(vibrators=10), drain_timeout=0.0)
    async with entered(config) as (medium, clock, worker, _):
        retry = Retry(
            on=Flaky, attempts=3, wait_initial=1.0, wait_jitter=0, wait_exp_base=1, budget=None
        )

        @worker.on("a", retry=retry)
        async def flaky(wave: Wave[Any]) -> None:
            raise Flaky

        breaker = CircuitBreaker("service", minimum=2, calls=2, when_open="refuse")

        @worker.on("b", timeout=1.0, circuit=breaker)
        async def slow(wave: Wave[Any]) -> None:
            await anyio.sleep_forever()

        @worker.on("c", rate=Rate(1.0))
        async def paced(wave: Wave[Any]) -> None: ...

        @worker.on("d")
        async def plain(wave: Wave[Any]) -> None:
            raise Flaky

        for channel, count in (("a", 2), ("b", 3), ("c", 1), ("d", 1)):
            for _ in range(count):
                await medium.emit_wave(channel)
        await passes(clock, 6.0, 0.5)
        for _ in range(3):
            await medium.emit_wave("c")
        await passes(clock, 0.5)
        first, second, third, last = worker.statistics().handlers
        assert (first.name.rpartition(".")[2], first.patterns) == ("flaky", ("a",))
        assert (first.retried, first.failed, first.dead_letters, first.timed_out) == (4, 2, 2, 0)
        assert (second.timed_out, second.refused, second.failed, second.dead_letters) == (
            2,
            1,
            3,
            3,
        )
        assert second.circuits == {None: "open"}
        assert (third.waiting_for_turn, third.working) == (1, 1)
        assert (last.failed, last.dead_letters, last.circuits) == (1, 0, {})
        samples = scrape(medium).samples
        counted = {
            dict(labels)["incident"]: value
            for (name, labels), value in samples.items()
            if name == "aether_handler_incidents_total" and dict(labels)["vibrator"] == "worker"
        }
        assert counted == {"retried": 4, "timed_out": 2, "refused": 1, "dead_letter": 5}
        states = {
            (dict(labels)["circuit"], dict(labels)["state"]): value
            for (name, labels), value in samples.items()
            if name == "aether_circuits"
        }
        assert states == {("service", "open"): 1}
