"""No reference to a payload is kept: each way out of the medium lets it go.

The payload's weak reference is dead once its last visible holder is, after one pass of the collector
at most. Each way has a test of its own, so that the name of a failing test says what holds on to it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import aether

pytestmark = pytest.mark.anyio
POLICIES = ["block", "drop_oldest", "drop_newest", "drop_faintest", "conflate", "error"]
ORDERS = ["amplitude", "fifo", "fresh"]


class Payload:
    """Something one can hold weakly, and that can hold something."""

    def __init__(self, *held: Any) -> None:
        self.held = held


class Watch:
    """Makes payloads and says which of them are still there."""

    def __init__(self) -> None:
        self.refs: list[weakref.ref[Payload]] = []

    def __call__(self, *held: Any) -> Payload:
        payload = Payload(*held)
        self.refs.append(weakref.ref(payload))
        return payload

    def alive(self) -> int:
        gc.collect()
        return self.there()

    def there(self) -> int:
        """How many are there without a pass of the collector, which in a run of all tests takes long."""
        return sum(ref() is not None for ref in self.refs)


@pytest.fixture
def new() -> Watch:
    return Watch()


@pytest.fixture
def medium() -> Any:
    return aether.Aether(clock=aether.ManualClock(0.0))


def forget(make: Callable[[], Any]) -> None:
    """Make something and let it go."""
    make()
    gc.collect()


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("overflow", POLICIES)
def test_waiting_payload_is_held_and_received_one_is_not(
    medium: Any, new: Watch, order: str, overflow: str
) -> None:
    v = medium.vibrator("v", order=order, overflow=overflow)
    v.resonate_on("a.*")
    for number in range(5):
        medium.emit_nowait(f"a.{number}", new())
    assert new.alive() == 5
    for left in (4, 3, 2, 1, 0):
        wave = v.receive_nowait()
        assert new.there() == left + 1, "the wave in hand holds its payload"
        del wave
        assert new.there() == left
    v.close()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("overflow", [p for p in POLICIES if p not in ("block", "error")])
def test_dropped_by_overflow(medium: Any, new: Watch, order: str, overflow: str) -> None:
    v = medium.vibrator("v", order=order, overflow=overflow, buffer_size=2)
    v.resonate_on("a")
    receipts = [medium.emit_nowait("a", new(), amplitude=0.5) for _ in range(10)]
    assert new.alive() == (1 if overflow == "conflate" else 2)
    assert len(receipts) == 10
    v.close()
    assert new.alive() == 0


@pytest.mark.parametrize("overflow", ["block", "error"])
def test_refused_with_would_block(medium: Any, new: Watch, overflow: str) -> None:
    v = medium.vibrator("v", overflow=overflow, buffer_size=1)
    v.resonate_on("a")
    medium.emit_nowait("a", None)
    for _ in range(3):
        with pytest.raises(aether.WouldBlock):
            medium.emit_nowait("a", new())
    with pytest.raises(aether.NoReceiver):
        medium.emit_nowait("nowhere", new(), require=1)
    assert new.alive() == 0
    v.close()


def test_emitted_to_nobody(medium: Any, new: Watch) -> None:
    medium.emit_nowait("nobody", new())
    medium.emit_nowait("nobody", new(), amplitude=0.001)
    medium.emit_nowait("nobody", new(), headers={"k": "v"}, ttl=1.0)
    assert new.alive() == 0


@pytest.mark.parametrize("end", ["clear", "close", "drop the medium"])
def test_discarded_all_at_once(new: Watch, end: str) -> None:
    medium = aether.Aether()
    vs = [medium.vibrator(f"v{i}", order=order) for i, order in enumerate(ORDERS)]
    for v in vs:
        v.resonate_on("a")
    for _ in range(5):
        medium.emit_nowait("a", new())
    assert new.alive() == 5
    if end == "clear":
        assert medium.clear() == 15
    for v in vs:
        if end == "close":
            v.close()
    if end == "drop the medium":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del medium, vs, v
            gc.collect()
    assert new.alive() == 0
    if end == "clear":
        for v in vs:
            v.close()


def test_expired_and_faded_are_let_go_on_taking(new: Watch) -> None:
    clock = aether.ManualClock(0.0)
    medium = aether.Aether(clock=clock)
    v = medium.vibrator("v", order="fresh", noise_floor=0.5)
    v.resonate_on("a")
    medium.emit_nowait("a", new(), ttl=1.0)
    medium.emit_nowait("a", new())
    clock.advance(1000.0)
    with pytest.raises(aether.WouldBlock):
        v.receive_nowait()
    assert new.alive() == 0
    v.close()


def test_missed_and_statistics_hold_nothing(medium: Any, new: Watch) -> None:
    v = medium.vibrator("v", overflow="drop_oldest", buffer_size=1)
    v.resonate_on("a")
    for _ in range(3):
        medium.emit_nowait("a", new())
    assert v.receive_nowait() is not None
    kept = (v.missed, v.statistics(), medium.statistics(), medium.explain("a"))
    assert new.alive() == 0
    assert kept
    v.close()


def test_group_left_by_all_members(medium: Any, new: Watch) -> None:
    a = medium.vibrator("a", group="g")
    b = medium.vibrator("b", group="g")
    a.resonate_on("a")
    medium.emit_nowait("a", new())
    a.close()
    assert new.alive() == 1, "what a leaving member did not take stays for the others"
    b.close()
    assert new.alive() == 0


async def test_awaited_receive_and_emission(new: Watch) -> None:
    async with aether.Aether() as medium:
        v = medium.vibrator("v")
        v.resonate_on("a")
        for _ in range(3):
            await medium.emit_wave("a", new())
        await v.receive()
        async for _wave in v:
            del _wave
            break
        waves = await v.receive_many(5)
        assert new.alive() == 1
        del waves
        assert new.alive() == 0
        await medium.emit_many([("a", new()), aether.Wave("a", new())])
        await v.receive_many(5)
        await turns()
        assert new.alive() == 0
        v.close()


async def test_parked_receive_lets_go(new: Watch) -> None:
    """The wave went through a parked task, its future and the loop: none of them keeps it."""
    async with aether.Aether() as medium:
        v = medium.vibrator("v")
        v.resonate_on("a")
        count = 0

        async def read() -> None:
            nonlocal count
            for _ in range(5):
                await v.receive()
                count += 1
            await anyio.sleep_forever()

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for number in range(5):
                await turns()
                medium.emit_nowait("a", new())
                while count == number:
                    await anyio.lowlevel.checkpoint()
            await turns()
            assert new.alive() == 0
            group.cancel_scope.cancel()
        v.close()


async def test_cancelled_emission(new: Watch) -> None:
    async with aether.Aether() as medium:
        v = medium.vibrator("v", buffer_size=1)
        v.resonate_on("a")
        medium.emit_nowait("a", None)

        async def put() -> None:
            await medium.emit_wave("a", new())

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(put)
            await turns()
            assert new.alive() == 3
            group.cancel_scope.cancel()
        await turns()
        assert new.alive() == 0
        with pytest.raises(TimeoutError):
            await medium.emit_wave("a", new(), timeout=0.001)
        await turns()
        assert new.alive() == 0
        v.close()


async def test_handlers_let_go_of_their_wave(new: Watch, caplog: pytest.LogCaptureFixture) -> None:
    """Handled, failed and answered waves, with keys too; the lane then idles."""
    # The record of a failure has the frames of the handler, and they the wave.
    caplog.set_level(logging.CRITICAL, logger="aether")
    async with aether.Aether() as medium:
        v = medium.vibrator("v")
        seen = []

        @v.on("plain.*", key=lambda w: w.channel)  # type: ignore[untyped-decorator]
        async def plain(wave: Any) -> None:
            await anyio.lowlevel.checkpoint()
            seen.append(wave.channel)

        @v.on("fails")  # type: ignore[untyped-decorator]
        async def fails(wave: Any) -> None:
            seen.append(wave.channel)
            raise LookupError("on purpose")

        @v.on("sync", concurrency=3)  # type: ignore[untyped-decorator]
        def plain_function(wave: Any) -> int:
            seen.append(wave.channel)
            return 1

        for channel in ("plain.1", "plain.2", "fails", "sync"):
            await medium.emit_wave(channel, new())
        assert await medium.settle(30.0)
        await turns(20)
        assert sorted(seen) == ["fails", "plain.1", "plain.2", "sync"]
        assert new.alive() == 0
        await v.aclose()


async def test_request_and_reply_let_go(new: Watch) -> None:
    async with aether.Aether() as medium:
        v = medium.vibrator("v")

        @v.on("ask")  # type: ignore[untyped-decorator]
        async def answer(wave: Any) -> Any:
            return new()

        for _ in range(3):
            reply = await medium.request("ask", new(), timeout=30.0)
            assert isinstance(reply.payload, Payload)
        del reply
        assert await medium.settle(30.0)
        await turns(20)
        assert new.alive() == 0
        with pytest.raises(aether.NoReceiver):
            await medium.request("nobody", new())
        await turns()
        assert new.alive() == 0
        await v.aclose()


async def test_unanswered_request_lets_go(new: Watch) -> None:
    async with aether.Aether() as medium:
        v = medium.vibrator("v")
        v.resonate_on("ask")
        with pytest.raises(TimeoutError):
            await medium.request("ask", new(), timeout=0.001)
        wave = await v.receive()
        assert new.alive() == 1
        await v.reply(wave, new())
        del wave
        await turns()
        assert new.alive() == 0, "a late answer goes nowhere"
        v.close()


async def test_expect_lets_go(new: Watch) -> None:
    async with aether.Aether() as medium:
        waiting = medium.expect("a", where=lambda w: w.amplitude > 0.5, timeout=30.0)
        await medium.emit_wave("a", new(), amplitude=0.2)
        await medium.emit_wave("a", new())
        wave = await waiting
        assert new.alive() == 1
        del wave, waiting
        await medium.emit_wave("a", new())
        assert new.alive() == 0
        given_up = medium.expect("a", timeout=0.001)
        with pytest.raises(TimeoutError):
            await given_up
        await medium.emit_wave("a", new())
        del given_up
        assert new.alive() == 0
        assert medium.active_channels() == ()


async def test_left_medium_lets_go(new: Watch) -> None:
    """What nobody took by the end of `async with` does not live on in the closed medium."""
    medium = aether.Aether(aether.AetherConfig(drain_timeout=0.05))
    with pytest.raises(LookupError):
        async with medium:
            v = medium.vibrator("v")
            v.resonate_on("a")
            await medium.emit_wave("a", new())
            raise LookupError("on purpose")
    v.close()
    await turns()
    assert new.alive() == 0


# -- cycles


@pytest.mark.parametrize("order", ORDERS)
def test_payload_that_holds_its_vibrator(new: Watch, order: str) -> None:
    """payload -> vibrator -> mailbox -> payload, the medium gone as well."""
    medium = aether.Aether()
    v = medium.vibrator("in-a-cycle", order=order)
    v.resonate_on("a")
    medium.emit_nowait("a", new(v, medium))
    del medium, v
    with pytest.warns(ResourceWarning, match="in-a-cycle"):
        assert new.alive() == 0


@pytest.mark.parametrize("order", ORDERS)
def test_payload_that_comes_to_hold_its_vibrator(new: Watch, order: str) -> None:
    """The collector does not know such a dict when it is emitted, and nor then the wave."""
    medium = aether.Aether()
    v = medium.vibrator("v", order=order)
    v.resonate_on("a")
    payload: dict[str, Any] = {"id": 1}
    medium.emit_nowait("a", payload)
    payload["held"] = new(v)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del medium, v, payload
        assert new.alive() == 0


def test_payload_that_holds_its_vibrator_on_a_medium_that_lives(medium: Any, new: Watch) -> None:
    v = medium.vibrator("in-a-cycle")
    v.resonate_on("a")
    medium.emit_nowait("a", new(v))
    del v
    with pytest.warns(ResourceWarning, match="in-a-cycle"):
        assert new.alive() == 0
    assert medium.active_channels() == ()
    assert medium.emit_nowait("a", 1).matched == 0


def test_two_vibrators_that_hold_each_other_through_payloads(new: Watch) -> None:
    medium = aether.Aether()
    a, b = medium.vibrator("a"), medium.vibrator("b")
    a.resonate_on("to.a")
    b.resonate_on("to.b")
    medium.emit_nowait("to.a", new(b, medium))
    medium.emit_nowait("to.b", new(a, b.emitter()))
    del medium, a, b
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        assert new.alive() == 0


def test_handler_that_closes_over_its_medium(new: Watch) -> None:
    """Handlers hold the vibrator, which holds the medium, which holds the handlers."""
    medium = aether.Aether()
    v = medium.vibrator("v")
    sentinel = new(medium, v)

    @v.on("a")  # type: ignore[untyped-decorator]
    async def handle(wave: Any, keep: Any = sentinel) -> None:
        keep.held[0].emit_nowait("b", wave.payload)

    medium.emit_nowait("a", new())
    del medium, v, sentinel, handle
    assert new.alive() == 0


def park_and_walk_away(sentinel: Payload, act: str) -> None:
    """Leave a task parked in `act`, on a loop that is closed and dropped."""
    medium = aether.Aether()
    v = medium.vibrator("v", buffer_size=1)
    v.resonate_on("a")

    async def park() -> None:
        if act == "receive":
            await v.receive()
        elif act == "receive_many":
            await v.receive_many(4)
        elif act == "iterator":
            async for _ in v:
                pass
        elif act == "request":
            await medium.request("a", sentinel, timeout=1000.0)
        elif act == "settle":
            v.on("a")(print)
            await medium.emit_wave("a", sentinel)
            await medium.settle(1000.0)
        elif act == "drain":
            await medium.emit_wave("a", sentinel)
            await v.drain(1000.0)
        else:
            await medium.emit_wave("a", None)
            await medium.emit_wave("a", sentinel)

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending"
    task = loop.create_task(park())

    async def wait() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    loop.run_until_complete(wait())
    assert not task.done()
    loop.close()


@pytest.mark.parametrize(
    "act", ["receive", "receive_many", "iterator", "emit", "request", "settle", "drain"]
)
def test_parked_task_on_a_loop_thrown_away(new: Watch, act: str) -> None:
    """task -> awaitable -> mailbox -> waiter -> future -> task."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        park_and_walk_away(new(), act)
        assert new.alive() == 0


def test_task_thrown_away_while_its_medium_lives(medium: Any, new: Watch) -> None:
    """A waiter whose task is gone takes neither a wave nor a wake-up from the next one."""
    v = medium.vibrator("v")
    v.resonate_on("a")

    async def park(sentinel: Payload) -> None:
        await v.receive()

    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)
        task = loop.create_task(park(new()))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del task, loop
        gc.collect()
    medium.emit_nowait("a", "still there")

    async def read() -> Any:
        return (await v.receive()).payload

    assert asyncio.run(read()) == "still there"
    assert new.alive() == 0
    v.close()


async def test_awaitables_never_awaited_hold_nothing(new: Watch) -> None:
    async with aether.Aether() as medium:
        v = medium.vibrator("v")
        v.resonate_on("a")
        v.receive()
        v.receive_many(4)
        v.__aiter__().__anext__()
        with pytest.warns(RuntimeWarning, match="never.awaited"):
            forget(lambda: medium.emit_wave("never.awaited", new()))
        assert new.alive() == 0
        assert v.statistics().tasks_waiting_receive == 0
        v.close()


# -- warnings


def test_unclosed_vibrator_gives_a_resource_warning_and_is_detuned(medium: Any) -> None:
    v = medium.vibrator("forgotten")
    v.resonate_on("a")
    held = [v]
    del v
    with pytest.warns(ResourceWarning, match="forgotten"):
        forget(held.pop)
    assert medium.active_channels() == ()
    assert medium.emit_nowait("a").matched == 0


@pytest.mark.parametrize("end", ["close", "aclose", "handlers", "medium"])
def test_no_resource_warning(end: str) -> None:
    """Closed one way or another, or kept by the medium for its handlers."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        async def main() -> None:
            async with aether.Aether() as medium:
                v = medium.vibrator("v")
                v.resonate_on("a")
                if end == "close":
                    v.close()
                elif end == "aclose":
                    await v.aclose()
                elif end == "handlers":
                    v.on("b")(lambda wave: None)
                    del v
                    gc.collect()
                    assert "b" in medium.active_channels()

        asyncio.run(main())
        gc.collect()


@pytest.mark.parametrize(
    "make",
    [
        lambda m, v: m.emit_wave("lost.channel", 1),
        lambda m, v: m.emit(aether.Wave("lost.channel", 1)),
        lambda m, v: v.emit_wave("lost.channel", 1),
        lambda m, v: v.emit(aether.Wave("lost.channel", 1)),
        lambda m, v: v.emitter().emit_wave("lost.channel", 1),
        lambda m, v: v.emitter().emit(aether.Wave("lost.channel", 1)),
        lambda m, v: m.emit_many([("lost.channel", 1)]),
    ],
    ids=["medium", "medium-wave", "vibrator", "vibrator-wave", "emitter", "emitter-wave", "many"],
)
def test_emission_never_awaited_names_its_channel(medium: Any, make: Any) -> None:
    v = medium.vibrator("v")
    v.resonate_on("lost.channel")
    with pytest.warns(RuntimeWarning, match=r"lost\.channel"):
        forget(lambda: make(medium, v))
    assert v.statistics().current_buffer_used == 0, "nothing is emitted before it is awaited"
    v.close()


def test_resonating_and_detuning_unawaited_gives_no_warning(medium: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        v = medium.vibrator("v")
        v.resonate_on("a")
        v.detune("a")
        v.receive()
        v.close()
        gc.collect()
