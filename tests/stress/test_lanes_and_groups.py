"""Handlers and groups under load: every wave to one of them, once, in the order of its key.

Lanes are stopped and started, members come and go, readers are cancelled: what was delivered is
handled or counted, and never both.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import aether

pytestmark = [pytest.mark.anyio, pytest.mark.stress, pytest.mark.timeout(400)]
SCALE = 20 if os.environ.get("AETHER_TORTURE") else 1
GUARD = 120.0


def seeded() -> random.Random:
    seed = int(os.environ.get("AETHER_SEED") or random.randrange(2**32))
    print(f"seed {seed}")
    return random.Random(seed)


async def turns(n: int) -> None:
    for _ in range(n):
        await anyio.lowlevel.checkpoint()


async def test_keys_keep_their_order_at_any_concurrency() -> None:
    """Handlers that take between none and six turns, a tenth of which fail."""
    rng = seeded()
    waves = 4_000 * SCALE
    async with aether.Aether() as medium:
        v = medium.vibrator("v")
        seen: dict[int, list[int]] = defaultdict(list)
        running = peak = 0
        busy: Counter[int] = Counter()

        @v.on("work", concurrency=8, key=lambda w: w.payload[0], buffer_size=64)
        async def work(wave: Any) -> None:
            nonlocal running, peak
            key, number = wave.payload
            running += 1
            busy[key] += 1
            peak = max(peak, running)
            assert busy[key] == 1, "two of one key at once"
            await turns(rng.randint(0, 6))
            seen[key].append(number)
            running -= 1
            busy[key] -= 1
            if rng.random() < 0.1:
                raise LookupError("on purpose")

        sent: dict[int, list[int]] = defaultdict(list)
        with anyio.fail_after(GUARD):
            for number in range(waves):
                key = rng.choice([0, 0, 0, *range(20)])  # one key is much busier
                sent[key].append(number)
                await medium.emit_wave("work", (key, number))
            assert await medium.settle(GUARD)
        assert seen == sent
        assert 1 < peak <= 8
        await v.aclose()


async def test_without_keys_each_wave_is_handled_once() -> None:
    """Two lanes and a mailbox of one vibrator, matching the same waves, see all of them."""
    rng = seeded()
    waves = 4_000 * SCALE
    async with aether.Aether() as medium:
        v = medium.vibrator("v", buffer_size=waves)
        v.resonate_on("work.*")
        first: list[int] = []
        second: list[int] = []

        @v.on("work.*", "*", concurrency=3, buffer_size=16)
        async def one(wave: Any) -> None:
            await turns(rng.randint(0, 3))
            first.append(wave.payload)

        @v.on("work.+", buffer_size=4)
        def two(wave: Any) -> None:
            second.append(wave.payload)

        with anyio.fail_after(GUARD):
            for number in range(waves):
                receipt = await medium.emit_wave("work.a", number)
                assert (receipt.matched, receipt.delivered) == (3, 3)
            assert not await medium.settle(0.0), "the mailbox of receive is not empty"
            got = [w.payload for w in await v.receive_many(waves)]
            assert await medium.settle(GUARD)
        assert sorted(first) == got == second == list(range(waves))
        await v.aclose()


async def test_leaving_the_medium_finishes_what_waits() -> None:
    """At the end of `async with`, lanes are full: all of it is handled, and what it emits too."""
    rng = seeded()
    for _ in range(10 * SCALE):
        done: list[int] = []
        last: list[int] = []
        n = rng.randint(0, 60)
        with anyio.fail_after(GUARD):
            async with aether.Aether() as medium:
                v = medium.vibrator("v")

                @v.on("work", concurrency=2)
                async def work(
                    wave: Any, medium: Any = medium, v: Any = v, done: list[int] = done
                ) -> None:
                    await turns(rng.randint(0, 3))
                    await v.emit_wave("result", wave.payload)
                    done.append(wave.payload)

                @v.on("result")
                async def result(wave: Any, last: list[int] = last) -> None:
                    last.append(wave.payload)

                for number in range(n):
                    await medium.emit_wave("work", number)
        assert sorted(done) == sorted(last) == list(range(n))
        with pytest.raises(aether.Closed):
            medium.emit_nowait("work", 0)


async def test_running_entered_again_and_again() -> None:
    """Handlers stop between two `running()`; nothing is handled twice and nothing gets lost."""
    rng = seeded()
    medium = aether.Aether()
    v = medium.vibrator("v")
    handled: list[int] = []

    @v.on("work", concurrency=3, buffer_size=10_000)
    async def work(wave: Any) -> None:
        await turns(rng.randint(0, 2))
        handled.append(wave.payload)

    sent = 0
    with anyio.fail_after(GUARD):
        for _ in range(30 * SCALE):
            async with medium.running():
                for _ in range(rng.randint(0, 20)):
                    await medium.emit_wave("work", sent)
                    sent += 1
                await turns(rng.randint(0, 10))
            before = len(handled)
            medium.emit_nowait("work", sent)
            sent += 1
            await turns(5)
            assert len(handled) == before, "handled while the medium is not entered"
        async with medium.running():
            assert await medium.settle(GUARD)
    assert sorted(handled) == list(range(sent))
    await v.aclose()


async def test_group_members_come_and_go() -> None:
    """Each wave to one member; readers are cancelled, members close, the last one stays."""
    rng = seeded()
    waves = 4_000 * SCALE
    async with aether.Aether() as medium:
        stays = medium.vibrator("stays", group="workers", buffer_size=100_000, order="fifo")
        stays.resonate_on("job.*")
        got: list[Any] = []
        scopes: list[anyio.CancelScope] = []

        async def member(number: int) -> None:
            v = medium.vibrator(f"m{number}", group="workers", buffer_size=100_000, order="fifo")
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                for _ in range(rng.randint(1, 6)):
                    wave = await v.receive()
                    if wave is None:
                        break
                    got.append(wave)
            v.close()

        with anyio.fail_after(GUARD):
            async with anyio.create_task_group() as group:
                for number in range(waves):
                    if rng.random() < 0.4:
                        group.start_soon(member, number)
                    for step in rng.sample(["emit", "cancel", "turn"], k=3):
                        if step == "emit":
                            assert medium.emit_nowait("job.a", number).matched == 1
                        elif step == "turn" and rng.random() < 0.7:
                            await anyio.lowlevel.checkpoint()
                        elif scopes and rng.random() < 0.3:
                            scopes.pop(rng.randrange(len(scopes))).cancel()
                group.cancel_scope.cancel()
        while stays.statistics().current_buffer_used:
            got.append(stays.receive_nowait())
        assert [w.payload for w in got] == list(range(waves)), "lost, doubled or out of order"
        assert stays.statistics().tasks_waiting_receive == 0
        stays.close()


@pytest.mark.parametrize("end", ["close", "aclose", "medium"])
async def test_the_end_wakes_everybody_who_waits(end: str) -> None:
    """Parked readers get the end; parked emitters get through, reach nobody, or are told."""
    medium = aether.Aether()
    ends: list[Any] = []
    with anyio.fail_after(GUARD):
        async with anyio.create_task_group() as group:
            async with medium:
                empty = medium.vibrator("empty")
                empty.resonate_on("empty")
                full = medium.vibrator("full", buffer_size=1)
                full.resonate_on("full")
                await medium.emit_wave("full", 0)

                async def read() -> None:
                    ends.append(await empty.receive())

                async def iterate() -> None:
                    ends.append([w async for w in empty])

                async def many() -> None:
                    ends.append(await empty.receive_many(5))

                async def put() -> None:
                    try:
                        ends.append((await medium.emit_wave("full", 1)).delivered)
                    except aether.Closed:
                        ends.append("closed")

                for task in (read, iterate, many, put, put):
                    group.start_soon(task)
                while (
                    empty.statistics().tasks_waiting_receive < 3
                    or full.statistics().tasks_waiting_send < 2
                ):
                    await anyio.lowlevel.checkpoint()
                if end == "close":
                    empty.close()
                    full.close()
                elif end == "aclose":
                    await empty.aclose()
                    await full.aclose()
                if end != "medium":
                    while len(ends) < 5:
                        await anyio.lowlevel.checkpoint()
            if end == "medium":
                group.start_soon(full.receive)
    told = [e for e in ends if e is None or isinstance(e, list)]
    assert sorted(told, key=str) == [None, [], []]
    rest = [e for e in ends if e is not None and not isinstance(e, list)]
    assert len(rest) == 2
    if end != "medium":
        assert rest == [0, 0], "nobody matches any more"
    empty.close()
    full.close()


async def test_drain_lets_readers_take_the_rest() -> None:
    """`v.drain`: detuned at once, true as soon as the readers have it all."""
    rng = seeded()
    async with aether.Aether() as medium:
        for _ in range(20 * SCALE):
            v = medium.vibrator("v", buffer_size=1_000)
            v.resonate_on("a")
            got: list[int] = []
            n = rng.randint(0, 50)

            async def read(v: Any = v, got: list[int] = got) -> None:
                async for wave in v:
                    await turns(rng.randint(0, 2))
                    got.append(wave.payload)

            with anyio.fail_after(GUARD):
                async with anyio.create_task_group() as group:
                    group.start_soon(read)
                    group.start_soon(read)
                    for number in range(n):
                        medium.emit_nowait("a", number)
                    assert await v.drain(GUARD)
                    assert medium.emit_nowait("a", -1).matched == 0
                    await v.aclose()
            assert sorted(got) == list(range(n))
            assert v.statistics().missed == 0
