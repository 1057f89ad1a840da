"""Cancel storms: a receive or an emission that is cancelled at any moment loses and doubles nothing.

The sizes add up to more than 100,000 waves in all. Each storm is random, prints its seed, and ends
with the same sum: what the tasks took, and what is left in the mailbox, is what was admitted.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.conftest import NO_UVLOOP

import aether

pytestmark = [pytest.mark.anyio, pytest.mark.stress, pytest.mark.timeout(400)]
SCALE = 20 if os.environ.get("AETHER_TORTURE") else 1


def seeded() -> random.Random:
    seed = int(os.environ.get("AETHER_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    return random.Random(seed)


def run_uvloop(main: Coroutine[Any, Any, None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


@pytest.fixture(
    params=[asyncio.run, pytest.param(run_uvloop, marks=NO_UVLOOP)], ids=["asyncio", "uvloop"]
)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Native asyncio, on both of its loops: for what only `task.cancel` can do."""
    runner: Callable[[Coroutine[Any, Any, None]], None] = request.param
    return runner


async def turns(n: int) -> None:
    for _ in range(n):
        await anyio.lowlevel.checkpoint()


def take_rest(v: Any) -> list[Any]:
    waves = []
    while True:
        try:
            waves.append(v.receive_nowait())
        except aether.WouldBlock:
            return waves


def assert_exact(got: list[Any], admitted: set[int]) -> None:
    """Nothing lost, nothing twice, nothing that was not admitted."""
    twice = [payload for payload, n in Counter(got).items() if n > 1]
    assert not twice, f"delivered twice: {twice[:5]}"
    assert set(got) == admitted, (
        f"lost {sorted(admitted - set(got))[:5]}, uninvited {sorted(set(got) - admitted)[:5]}"
    )


def assert_nobody_waits(v: Any) -> None:
    s = v.statistics()
    assert (s.tasks_waiting_receive, s.tasks_waiting_send) == (0, 0)


def test_receivers_cancelled_in_the_tick_of_the_send(run: Any) -> None:
    """Sends and native `task.cancel` shuffled within one tick, before any receiver resumes."""
    rng = seeded()
    waves = 40_000 * SCALE

    async def main() -> None:
        async with aether.Aether() as medium:
            v = medium.vibrator("reader", order="fifo", buffer_size=100_000)
            v.resonate_on("storm")
            order: list[Any] = []

            async def take() -> None:
                order.append(await v.receive())

            tasks: list[asyncio.Task[None]] = []
            sent = 0
            while sent < waves:
                fresh = [asyncio.create_task(take()) for _ in range(rng.randint(0, 4))]
                tasks += fresh
                for _ in range(rng.randint(0, 2)):
                    await asyncio.sleep(0)
                steps = ["send"] * rng.randint(0, 4) + ["cancel"] * rng.randint(0, 4)
                rng.shuffle(steps)
                for step in steps:
                    if step == "send":
                        medium.emit_nowait("storm", sent)
                        sent += 1
                    elif tasks:
                        rng.choice(tasks).cancel()
                if rng.random() < 0.05:
                    order += take_rest(v)
                for _ in range(rng.randint(0, 2)):
                    await asyncio.sleep(0)
                tasks = [t for t in tasks if not t.done()]
                if len(tasks) > 20:
                    for t in tasks:
                        t.cancel()
            await turns(5)
            parked = [t for t in tasks if not t.done()]
            s = v.statistics()
            assert s.tasks_waiting_receive == len(parked)
            assert not (parked and s.current_buffer_used), "parked beside a waiting wave"
            for t in parked:
                t.cancel()
            await turns(3)
            assert_nobody_waits(v)
            order += take_rest(v)
            assert [w.payload for w in order] == list(range(sent)), "lost, doubled or out of order"
            v.close()

    run(main())


def test_emitters_cancelled_in_the_tick_of_the_receive(run: Any) -> None:
    """Room is made and the emitter that it was for is cancelled, in either order, in one tick."""
    rng = seeded()
    rounds = 10_000 * SCALE

    async def main() -> None:
        async with aether.Aether() as medium:
            v = medium.vibrator("reader", order="fifo", overflow="block", buffer_size=3)
            v.resonate_on("storm")
            admitted: list[int] = []
            got: list[int] = []
            number = 0

            async def put(payload: int) -> None:
                receipt = await medium.emit_wave("storm", payload)
                assert receipt.delivered == 1
                admitted.append(payload)

            tasks: list[asyncio.Task[None]] = []
            for _ in range(rounds):
                for _ in range(rng.randint(0, 4)):
                    tasks.append(asyncio.create_task(put(number)))
                    number += 1
                for _ in range(rng.randint(0, 2)):
                    await asyncio.sleep(0)
                steps = ["take"] * rng.randint(0, 4) + ["cancel"] * rng.randint(0, 3)
                rng.shuffle(steps)
                for step in steps:
                    if step == "cancel":
                        if tasks:
                            rng.choice(tasks).cancel()
                    elif v.statistics().current_buffer_used:
                        got.append(v.receive_nowait().payload)
                tasks = [t for t in tasks if not t.done()]
            while [t for t in tasks if not t.done()]:
                got += [w.payload for w in take_rest(v)]
                await asyncio.sleep(0)
            await asyncio.gather(*tasks, return_exceptions=True)
            got += [w.payload for w in take_rest(v)]
            assert_exact(got, set(admitted))
            assert_nobody_waits(v)
            v.close()

    run(main())


def test_both_ends_cancelled_natively(run: Any) -> None:
    """Three mailboxes of which one emission may wait for two; both sides cancelled at random."""
    rng = seeded()
    rounds = 3_000 * SCALE
    reach = {"x.1": "p", "y.1": "q", "both.1": "pq"}

    async def main() -> None:
        async with aether.Aether() as medium:
            p = medium.vibrator("p", order="fifo", buffer_size=1)
            q = medium.vibrator("q", order="fifo", buffer_size=2)
            p.resonate_on("x.*", "both.*")
            q.resonate_on("y.*", "both.*")
            readers = {"p": p, "q": q}
            got: dict[str, list[int]] = {"p": [], "q": []}
            admitted: dict[str, set[int]] = {"p": set(), "q": set()}

            async def put(channel: str, payload: int) -> None:
                await medium.emit_wave(channel, payload)
                for name in reach[channel]:
                    admitted[name].add(payload)

            async def take(name: str) -> None:
                wave = await readers[name].receive()
                got[name].append(wave.payload)

            tasks: list[asyncio.Task[None]] = []
            for number in range(rounds):
                channel, name = rng.choice(list(reach)), rng.choice("pq")
                for step in rng.sample(["put", "take", "cancel", "cancel", "turn"], k=4):
                    if step == "put":
                        tasks.append(asyncio.create_task(put(channel, number)))
                    elif step == "take":
                        tasks.append(asyncio.create_task(take(name)))
                    elif step == "cancel" and tasks:
                        rng.choice(tasks).cancel()
                    elif step == "turn":
                        await asyncio.sleep(0)
                tasks = [t for t in tasks if not t.done()]
            for _ in range(5):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for name, v in readers.items():
                got[name] += [w.payload for w in take_rest(v)]
                assert_exact(got[name], admitted[name])
                assert_nobody_waits(v)
                v.close()

    run(main())


@pytest.mark.parametrize("how", ["wait_for", "timeout", "shield", "iterator"])
def test_receives_under_the_timeouts_of_asyncio(run: Any, how: str) -> None:
    """Timeouts of nothing to half a millisecond; the wave goes to the caller or stays."""
    rng = seeded()
    waves = 3_000 * SCALE

    async def main() -> None:
        async with aether.Aether() as medium:
            v = medium.vibrator("reader", order="fifo", buffer_size=100_000)
            v.resonate_on("storm")
            got: list[int] = []
            kept: list[asyncio.Task[Any]] = []
            done = False

            async def receive() -> Any:
                return await v.receive()

            async def take_one() -> None:
                limit = rng.choice([0, 0, 1e-5, 1e-4, 5e-4])
                if how == "wait_for":
                    got.append((await asyncio.wait_for(v.receive(), limit)).payload)
                elif how == "timeout":
                    async with asyncio.timeout(limit):
                        got.append((await v.receive()).payload)
                elif how == "iterator":
                    async with asyncio.timeout(limit):
                        async for wave in v:
                            got.append(wave.payload)
                else:
                    kept.append(asyncio.create_task(receive()))
                    await asyncio.wait_for(asyncio.shield(kept[-1]), limit)

            async def consumer() -> None:
                while not done:
                    try:
                        await take_one()
                    except TimeoutError:
                        await asyncio.sleep(0)

            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(consumer())
                for number in range(waves):
                    medium.emit_nowait("storm", number)
                    if rng.random() < 0.3:
                        await asyncio.sleep(rng.choice([0, 0, 0, 1e-5]))
                done = True
                for number in range(waves, waves + 3):
                    medium.emit_nowait("storm", number)
            for task in kept:
                task.cancel()
            for result in await asyncio.gather(*kept, return_exceptions=True):
                if not isinstance(result, BaseException):
                    got.append(result.payload)
            got += [w.payload for w in take_rest(v)]
            assert_exact(got, set(range(waves + 3)))
            assert_nobody_waits(v)
            v.close()

    run(main())


async def test_receivers_under_cancel_scopes() -> None:
    """Scopes cancelled beside the send, in either order, on each of the loops."""
    rng = seeded()
    waves = 8_000 * SCALE
    async with aether.Aether() as medium:
        v = medium.vibrator("reader", order="fifo", buffer_size=100_000)
        v.resonate_on("storm")
        got: list[int] = []
        scopes: list[anyio.CancelScope] = []

        async def take(many: int) -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                if many:
                    got.extend(w.payload for w in await v.receive_many(many))
                else:
                    got.append((await v.receive()).payload)

        sent = 0
        async with anyio.create_task_group() as group:
            while sent < waves:
                for _ in range(rng.randint(0, 3)):
                    group.start_soon(take, rng.choice([0, 0, 3]))
                await turns(rng.randint(0, 2))
                steps = ["send"] * rng.randint(0, 4) + ["cancel"] * rng.randint(0, 4)
                rng.shuffle(steps)
                for step in steps:
                    if step == "send":
                        medium.emit_nowait("storm", sent)
                        sent += 1
                    elif scopes:
                        scopes.pop(rng.randrange(len(scopes))).cancel()
                if len(scopes) > 20:
                    while scopes:
                        scopes.pop().cancel()
            group.cancel_scope.cancel()
        got += [w.payload for w in take_rest(v)]
        assert_exact(got, set(range(sent)))
        assert_nobody_waits(v)
        v.close()


async def test_emitters_under_cancel_scopes() -> None:
    """What was cancelled was not emitted; what returned was, once, to every mailbox."""
    rng = seeded()
    rounds = 2_500 * SCALE
    async with aether.Aether() as medium:
        v = medium.vibrator("reader", order="fifo", buffer_size=2)
        w = medium.vibrator("other", order="amplitude", buffer_size=3)
        v.resonate_on("storm", "only.v")
        w.resonate_on("storm")
        admitted: dict[str, set[int]] = {"v": set(), "w": set()}
        got: dict[str, list[int]] = {"v": [], "w": []}
        scopes: list[anyio.CancelScope] = []

        async def put(channel: str, payload: int) -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                await medium.emit_wave(channel, payload)
                admitted["v"].add(payload)
                if channel == "storm":
                    admitted["w"].add(payload)

        def take(name: str) -> None:
            source = v if name == "v" else w
            if source.statistics().current_buffer_used:
                got[name].append(source.receive_nowait().payload)

        number = 0
        async with anyio.create_task_group() as group:
            for _ in range(rounds):
                for _ in range(rng.randint(0, 3)):
                    group.start_soon(put, rng.choice(["storm", "only.v"]), number)
                    number += 1
                await turns(rng.randint(0, 2))
                steps = [*"vvww"[: rng.randint(0, 4)], *["cancel"] * rng.randint(0, 3)]
                rng.shuffle(steps)
                for step in steps:
                    if step != "cancel":
                        take(step)
                    elif scopes:
                        scopes.pop(rng.randrange(len(scopes))).cancel()
                if len(scopes) > 30:
                    while scopes:
                        scopes.pop().cancel()
            group.cancel_scope.cancel()
        got["v"] += [x.payload for x in take_rest(v)]
        got["w"] += [x.payload for x in take_rest(w)]
        assert_exact(got["v"], admitted["v"])
        assert_exact(got["w"], admitted["w"])
        assert_nobody_waits(v)
        assert_nobody_waits(w)
        v.close()
        w.close()


async def test_timeouts_of_scopes_and_of_emissions() -> None:
    """`move_on_after` around a receive, `timeout=` on an emission: both at a few microseconds."""
    rng = seeded()
    waves = 2_000 * SCALE
    async with aether.Aether() as medium:
        v = medium.vibrator("reader", order="fifo", buffer_size=1)
        v.resonate_on("storm")
        got: list[int] = []
        admitted: set[int] = set()
        refused = unnamed = 0

        async def emitter(numbers: range) -> None:
            nonlocal refused, unnamed
            for number in numbers:
                try:
                    limit = rng.choice([0, 1e-5, 1e-3, 1.0])
                    await medium.emit_wave("storm", number, timeout=limit)
                except TimeoutError as error:
                    unnamed += "reader" not in str(error)
                    refused += 1
                    await anyio.lowlevel.checkpoint()
                else:
                    admitted.add(number)

        async def receiver() -> None:
            while True:
                with anyio.move_on_after(rng.choice([0, 1e-5, 1e-4])):
                    got.append((await v.receive()).payload)
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            group.start_soon(receiver)
            group.start_soon(receiver)
            async with anyio.create_task_group() as emitters:
                emitters.start_soon(emitter, range(waves // 2))
                emitters.start_soon(emitter, range(waves // 2, waves))
            group.cancel_scope.cancel()
        got += [w.payload for w in take_rest(v)]
        assert unnamed == 0, "the full vibrator is named"
        assert len(admitted) + refused == waves // 2 * 2
        assert_exact(got, admitted)
        assert_nobody_waits(v)
        v.close()


async def test_requests_and_expects_cancelled_leave_nothing_behind() -> None:
    """A request given up, before, in and after its answer, does not disturb the next one."""
    rng = seeded()
    async with aether.Aether() as medium:
        v = medium.vibrator("server")
        asker = medium.vibrator("asker")

        @v.on("double", concurrency=4)  # type: ignore[untyped-decorator]
        async def double(wave: Any) -> int:
            await turns(rng.randint(0, 2))
            return int(wave.payload) * 2

        async def ask(number: int, answered: list[int]) -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                answer = await asker.request("double", number, timeout=30.0)
                assert answer.payload == number * 2
                answered.append(number)

        answered: list[int] = []
        for round_ in range(200 * SCALE):
            scopes: list[anyio.CancelScope] = []
            async with anyio.create_task_group() as group:
                for number in range(4):
                    group.start_soon(ask, round_ * 4 + number, answered)
                await turns(rng.randint(0, 8))
                for scope in rng.sample(scopes, k=min(len(scopes), 2)):
                    scope.cancel()
        assert len(answered) == len(set(answered)) >= 200 * SCALE * 2
        assert await medium.settle(30.0)
        answer = await asker.request("double", 21, timeout=30.0)
        assert answer.payload == 42
        assert_nobody_waits(asker)
        await asker.aclose()
        await v.aclose()


async def test_iterators_broken_off_and_taken_up_again() -> None:
    """`async for` with `break` and with a scope around it: the next loop goes on with the next wave."""
    rng = seeded()
    waves = 4_000 * SCALE
    async with aether.Aether() as medium:
        v = medium.vibrator("reader", order="fifo", buffer_size=waves)
        v.resonate_on("storm")
        got: list[int] = []

        async def consumer() -> None:
            while len(got) < waves:
                with anyio.CancelScope() as scope:
                    most = rng.randint(1, 5)
                    async for wave in v:
                        got.append(wave.payload)
                        most -= 1
                        if most == 0 or len(got) == waves:
                            break
                        if rng.random() < 0.3:
                            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(consumer)
            for number in range(waves):
                medium.emit_nowait("storm", number)
                if rng.random() < 0.5:
                    await anyio.lowlevel.checkpoint()
        assert got == list(range(waves))
        assert_nobody_waits(v)
        v.close()


async def test_emit_many_cancelled_has_emitted_a_prefix() -> None:
    """However far it came, what was admitted is the first so many of its items, in order."""
    rng = seeded()
    async with aether.Aether() as medium:
        v = medium.vibrator("reader", order="fifo", buffer_size=3)
        v.resonate_on("storm")
        for round_ in range(400 * SCALE):
            scope = anyio.CancelScope()
            finished = []

            async def put(scope: anyio.CancelScope, finished: list[Any]) -> None:
                with scope:
                    items = [("storm", n) if n % 2 else aether.Wave("storm", n) for n in range(12)]
                    finished += await medium.emit_many(items)

            got = []
            async with anyio.create_task_group() as group:
                group.start_soon(put, scope, finished)
                for _ in range(rng.randint(0, 8)):
                    await anyio.lowlevel.checkpoint()
                    if rng.random() < 0.7:
                        got += take_rest(v)
                scope.cancel()
                got += take_rest(v) if rng.random() < 0.5 else []
            got += take_rest(v)
            assert [w.payload for w in got] == list(range(len(got))), round_
            if finished:
                assert [r.sequence for r in finished] == [w.sequence for w in got]
                assert len(finished) == 12
        assert_nobody_waits(v)
        v.close()


async def test_waiting_emissions_enter_in_the_order_they_came() -> None:
    """Whatever is freed at once, whoever is cancelled and however the loop orders its tasks: of those
    that wait for one mailbox the first comes first, and nobody who comes later passes them.
    """
    rng = seeded()
    async with aether.Aether() as medium:
        v = medium.vibrator("reader", order="fifo", buffer_size=4)
        v.resonate_on("storm")
        number = 0
        arrived: list[int] = []  # in the order in which they began to wait or were let in
        gone: set[int] = set()
        got: list[int] = []
        scopes: dict[int, anyio.CancelScope] = {}

        async def put(n: int) -> None:
            with anyio.CancelScope() as scope:
                arrived.append(n)
                scopes[n] = scope
                await medium.emit_wave("storm", n)
                del scopes[n]
                return
            gone.add(n)

        async with anyio.create_task_group() as group:
            for _ in range(2_000 * SCALE):
                step = rng.choice(["put", "put", "put", "nowait", "take", "take", "cancel", "turn"])
                if step == "put":
                    for _ in range(rng.randint(1, 3)):
                        group.start_soon(put, number)
                        number += 1
                elif step == "nowait":
                    try:
                        medium.emit_nowait("storm", number)
                    except aether.WouldBlock:
                        continue
                    arrived.append(number)
                    number += 1
                elif step == "take":
                    for _ in range(rng.randint(1, v.statistics().current_buffer_used + 1)):
                        if v.statistics().current_buffer_used:
                            got.append(v.receive_nowait().payload)
                elif step == "cancel" and scopes:
                    scopes[rng.choice(list(scopes))].cancel()
                else:
                    await anyio.lowlevel.checkpoint()
            while len(got) + len(gone) < number:
                got += [w.payload for w in take_rest(v)]
                await anyio.lowlevel.checkpoint()
        assert got == [n for n in arrived if n not in gone]
        assert_nobody_waits(v)
        v.close()
