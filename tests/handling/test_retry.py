"""Retries: when a wave is handled again, after how long, and what becomes of one that fails for good."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import anyio
import pytest
from hypothesis import given, strategies as st
from tests.handling.passing import entered, passes
from tests.probes import turns

from aether import Aether, AetherConfig, Retry, Wave

STEADY: dict[str, Any] = {"wait_initial": 1.0, "wait_jitter": 0.0, "wait_exp_base": 1.0}
"""A second between any two attempts."""


class Flaky(Exception):
    """What goes away if one tries again."""


async def test_it_is_handled_again_until_it_goes_well(anyio_backend: object) -> None:
    seen: list[tuple[float, str | None, str]] = []
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", retry=Retry(on=Flaky, **STEADY))
        async def work(wave: Wave[Any]) -> None:
            seen.append((clock.now(), wave.headers.get("aether-attempt"), wave.id))
            if len(seen) < 3:
                raise Flaky

        await medium.emit_wave("a", headers={"tenant": "x"})
        await passes(clock, 10.0, 0.5)
        assert [(when, attempt) for when, attempt, _ in seen] == [
            (0.0, None),
            (1.0, "2"),
            (2.0, "3"),
        ]
        assert len({wave for _, _, wave in seen}) == 1, "it is the same wave"
        assert heard.all() == []
        assert worker.statistics().failed == 0


async def test_a_plain_function_is_handled_again_too(anyio_backend: object) -> None:
    seen: list[Wave[Any]] = []
    async with entered() as (medium, clock, worker, _):

        @worker.on("a", retry=Retry(on=Flaky, attempts=2, **STEADY))
        def work(wave: Wave[Any]) -> None:
            seen.append(wave)
            raise Flaky

        await medium.emit_wave("a", 7, amplitude=0.5)
        await passes(clock, 5.0, 1.0)
    first, second = seen
    assert second == first
    assert (second.payload, second.amplitude, second.sequence) == (7, 0.5, first.sequence)


async def test_what_fails_for_good_is_a_dead_letter(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, heard):

        @worker.on("orders.*", retry=Retry(on=Flaky, attempts=3, **STEADY))
        async def work(wave: Wave[Any]) -> None:
            raise Flaky("no luck")

        await medium.emit_wave("orders.created", {"id": 7}, amplitude=0.5, headers={"tenant": "x"})
        await passes(clock, 5.0, 1.0)
        (letter,) = heard.all()
        assert letter.channel == "dead.orders.created"
        assert letter.payload == {"id": 7}
        assert letter.amplitude == 0.5
        about = dict(letter.headers)
        assert about.pop("aether-id") != letter.id
        assert about == {
            "tenant": "x",
            "aether-reason": "failed",
            "aether-error": "Flaky: no luck",
            "aether-attempts": "3",
            "aether-handler": "worker",
        }
        assert worker.statistics().failed == 1


async def test_other_errors_are_final(anyio_backend: object) -> None:
    calls: list[int] = []
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", retry=Retry(on=Flaky, **STEADY))
        async def work(wave: Wave[Any]) -> None:
            calls.append(1)
            raise KeyError("x")

        await medium.emit_wave("a")
        await passes(clock, 5.0, 1.0)
        assert len(calls) == 1
        (letter,) = heard.all()
        assert letter.headers["aether-attempts"] == "1"


async def test_a_function_says_whether_and_when(anyio_backend: object) -> None:
    seen: list[float] = []
    async with entered() as (medium, clock, worker, _):

        def again(error: Exception) -> bool | float:
            return {"soon": 0.25, "later": 4.0, "never": False}[str(error)]

        @worker.on("a", retry=Retry(on=again, **STEADY))
        async def work(wave: Wave[Any]) -> None:
            seen.append(clock.now())
            raise Flaky(["soon", "later", "never"][len(seen) - 1])

        await medium.emit_wave("a")
        await passes(clock, 10.0, 0.25)
    assert seen == [0.0, 0.25, 4.25]


async def test_a_handler_that_is_cancelled_is_not_tried_again(anyio_backend: object) -> None:
    calls: list[int] = []
    async with entered(AetherConfig(drain_timeout=0.0)) as (medium, clock, worker, heard):

        @worker.on("a", retry=Retry(on=Exception, **STEADY))
        async def work(wave: Wave[Any]) -> None:
            calls.append(1)
            await anyio.sleep_forever()

        await medium.emit_wave("a")
        await turns(5)
    await passes(clock, 5.0, 1.0)
    assert len(calls) == 1
    assert heard.all() == []
    assert worker.statistics().dropped["abandoned"] == 1


async def test_one_that_waits_to_be_tried_again_can_be_cancelled(anyio_backend: object) -> None:
    calls: list[int] = []
    async with entered(AetherConfig(drain_timeout=0.0)) as (medium, clock, worker, heard):

        @worker.on("a", retry=Retry(on=Flaky, **STEADY))
        async def work(wave: Wave[Any]) -> None:
            calls.append(1)
            raise Flaky

        await medium.emit_wave("a")
        await turns(5)
    await passes(clock, 5.0, 1.0)
    assert len(calls) == 1
    assert heard.all() == []
    assert worker.statistics().dropped["abandoned"] == 1
    assert medium.timers.next() is None


async def test_over_the_budget_nothing_is_tried_again(
    anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    async with entered() as (medium, clock, worker, heard):
        retry = Retry(on=Flaky, wait_initial=0.0, wait_jitter=0.0, budget=0.2, attempts=5)

        @worker.on("a", retry=retry, concurrency=10, buffer_size=1000)
        async def work(wave: Wave[Any]) -> None:
            tries.append(1)
            raise Flaky

        with caplog.at_level(logging.WARNING, "aether"):
            for _ in range(200):
                await medium.emit_wave("a")
            await passes(clock, 1.0, 0.1)
        retries = len(tries) - 200
        # A fifth of all attempts, or a quarter of the first ones, and the ten that may always be.
        assert 40 <= retries <= 60
        assert len(heard.all()) == 200
        denied = [
            one for one in caplog.records if getattr(one, "event", "") == "handler.over_budget"
        ]
        assert denied


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_awaits_something_cancelled_has_failed_for_good(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, heard):

        @worker.on("a", retry=Retry(on=Exception, **STEADY))
        async def work(wave: Wave[Any]) -> None:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

        await medium.emit_wave("a")
        await passes(clock, 3.0, 1.0)
        (letter,) = heard.all()
        assert letter.headers["aether-error"] == "CancelledError"
        assert worker.statistics().failed == 1


async def test_order_is_kept_while_a_wave_is_tried_again(anyio_backend: object) -> None:
    seen: list[tuple[str, int]] = []
    async with entered() as (medium, clock, worker, _):

        @worker.on(
            "a", retry=Retry(on=Flaky, **STEADY), concurrency=4, key=lambda wave: wave.payload[0]
        )
        async def work(wave: Wave[Any]) -> None:
            if wave.payload == ("x", 1) and "aether-attempt" not in wave.headers:
                raise Flaky
            seen.append(wave.payload)

        for payload in [("x", 1), ("x", 2), ("y", 1), ("x", 3), ("y", 2)]:
            await medium.emit_wave("a", payload)
        await turns(20)
        assert seen == [("y", 1), ("y", 2)], "other keys go on"
        await passes(clock, 2.0, 0.5)
    assert seen[2:] == [("x", 1), ("x", 2), ("x", 3)]


async def test_dead_letters_that_fail_make_no_more_of_them(anyio_backend: object) -> None:
    async with entered() as (medium, clock, worker, heard):

        @worker.on("*", dead_letter=True)
        async def work(wave: Wave[Any]) -> None:
            raise Flaky

        await medium.emit_wave("a")
        await passes(clock, 1.0, 0.1)
        assert [wave.channel for wave in heard.all()] == ["dead.a"]
        assert worker.statistics().failed == 2


async def test_who_asks_gets_the_answer_of_the_last_attempt(anyio_backend: object) -> None:
    calls: list[int] = []
    async with entered() as (medium, clock, worker, _):

        @worker.on("ask", retry=Retry(on=Flaky, **STEADY))
        async def work(wave: Wave[Any]) -> str:
            calls.append(1)
            if len(calls) == 1:
                raise Flaky
            return "yes"

        async with anyio.create_task_group() as tasks:
            answers: list[Wave[Any]] = []

            async def ask() -> None:
                answers.append(await medium.request("ask", timeout=30))

            tasks.start_soon(ask)
            await turns(10)
            await passes(clock, 2.0, 1.0)
        assert answers[0].payload == "yes"


@given(
    attempt=st.integers(1, 200),
    initial=st.floats(0.0, 10.0),
    most=st.floats(0.0, 100.0),
    jitter=st.floats(0.0, 5.0),
    base=st.floats(1.0, 4.0),
)
def test_pauses_grow_and_have_an_end(
    attempt: int, initial: float, most: float, jitter: float, base: float
) -> None:
    retry = Retry(
        Exception,
        attempts=None,
        timeout=1e9,
        wait_initial=initial,
        wait_max=most,
        wait_jitter=jitter,
        wait_exp_base=base,
    )
    pause = retry.pause(Flaky(), attempt, 0.0)
    assert pause is not None
    grown = initial * base ** (attempt - 1)
    assert min(most, grown) - 1e-9 <= pause <= min(most, grown + jitter) + 1e-9


def test_no_attempt_begins_after_the_timeout() -> None:
    retry = Retry(Flaky, attempts=None, timeout=10.0, **STEADY)
    assert retry.pause(Flaky(), 5, 9.0) == 1.0
    assert retry.pause(Flaky(), 5, 9.1) is None


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"on": BaseException}, TypeError, "BaseException"),
        ({"on": "ValueError"}, TypeError, "on must be a class of errors"),
        ({"on": Flaky, "attempts": 0}, ValueError, "attempts must be 1 or more"),
        ({"on": Flaky, "attempts": None, "timeout": None}, ValueError, "for ever"),
        ({"on": Flaky, "wait_exp_base": 0.5}, ValueError, "wait_exp_base"),
        ({"on": Flaky, "wait_max": float("nan")}, ValueError, "wait_max"),
        ({"on": Flaky, "budget": 2}, ValueError, "budget must be a share"),
    ],
)
def test_mistakes_are_told(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Retry(**given)


def test_an_answer_that_is_none_is_told_with_what_it_was_about() -> None:
    retry = Retry(lambda error: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(
        TypeError, match="a bool or with seconds, not None; it was asked about Flaky"
    ):
        retry.pause(Flaky(), 1, 0.0)


def test_options_of_the_wrong_kind_are_told() -> None:
    worker = Aether().vibrator("worker")
    for options in ({"retry": 3}, {"circuit": "x"}, {"dead_letter": 1}, {"rate": "fast"}):
        with pytest.raises(TypeError, match=next(iter(options))):
            worker.on("a", **options)  # type: ignore[arg-type]
    for options in ({"timeout": 0}, {"timeout": -1.0}, {"rate": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            worker.on("a", **options)  # type: ignore[arg-type]
    worker.close()
