"""Payloads that act when they go, where tasks wait: on every loop."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import anyio
import pytest
from tests.probes import assert_works, begin, turns, until, until_sending
from tests.reentrancy.nasty import ACTS, OnPurpose, Payload, Scene

import aether

pytestmark = pytest.mark.parametrize("act", ACTS)


def reader(scene: Scene, act: str, **options: Any) -> aether.Vibrator:
    """The vibrator in whose mailbox payloads go, and which they act on."""
    v = scene.medium.vibrator("reader", **options)
    v.resonate_on("a.*")
    scene.aim(v, act)
    return v


@pytest.mark.parametrize("how", ["cancelled", "timed out", "made void"])
async def test_of_an_emission_that_waited(act: str, how: str) -> None:
    """It never went out: several wait, and each acts while the others still do."""
    scene = Scene()
    async with scene.medium:
        v = reader(scene, act, buffer_size=1)
        await scene.medium.emit_wave("a.b", "in the way")
        async with anyio.create_task_group() as group:
            timeout = 0.001 if how == "timed out" else None

            def put(timeout: float | None = timeout) -> Any:
                return scene.medium.emit_wave("a.b", Payload(scene), timeout=timeout)

            waiting = [begin(group, put) for _ in range(3)]
            if how != "timed out":
                await until(
                    lambda: v.statistics().tasks_waiting_send == 3 or any(w.done for w in waiting)
                )
            for one in waiting:
                if how == "cancelled":
                    await one.cancel()
            if how == "made void":
                v.detune("a.*")
            await until(lambda: all(one.done for one in waiting))
            waiting.clear()
            await turns()
        v.close()
        await assert_works(scene.medium)
        scene.check(at_least=3)


async def test_in_the_hands_of_a_task_that_is_cancelled(act: str) -> None:
    scene = Scene()
    async with scene.medium:
        v = reader(scene, act, overflow="drop_oldest", buffer_size=50)

        async def take() -> None:
            wave = await v.receive()
            waves = await v.receive_many(2, max_wait=60.0)
            await anyio.sleep_forever()
            del wave, waves

        async with anyio.create_task_group() as group:
            taking = begin(group, take)
            await turns()
            for _ in range(2):
                scene.medium.emit_nowait("a.b", Payload(scene))
                await turns(5)
            await taking.cancel()
            await turns()
            del taking
        v.close()
        await turns()
        scene.check(at_least=1)


@pytest.mark.parametrize("fails", [False, True])
async def test_handled(act: str, fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A worker goes on to the next wave, whatever the last one did when it went."""
    # The record of a failure has the frames of the handler, and they the wave.
    caplog.set_level(logging.CRITICAL, logger="aether")
    scene = Scene()
    handled = 0
    async with scene.medium:
        v = scene.medium.vibrator("reader")
        scene.aim(v, act)

        @v.on("a.*", concurrency=2)
        async def handle(wave: aether.Wave[Any]) -> None:
            nonlocal handled
            handled += 1
            if fails:
                raise OnPurpose

        for _ in range(4):
            try:
                scene.medium.emit_nowait("a.b", Payload(scene))
            except aether.Closed:
                break
            await turns(3)
        with anyio.fail_after(30):
            while not await scene.medium.settle(10.0):
                pass
        await turns()
        assert handled >= 1
        scene.check()


@pytest.mark.parametrize("end", ["clear", "close", "aclose", "raise"])
async def test_behind_a_busy_key(act: str, end: str) -> None:
    """What stands behind a key goes in the loop of the handlers."""
    scene, gate = Scene(), anyio.Event()
    v = scene.medium.vibrator("reader")
    scene.aim(v, act)

    @v.on("a.*", concurrency=2, key=lambda wave: 0)
    async def handle(wave: aether.Wave[Any]) -> None:
        await gate.wait()

    try:
        async with scene.medium:
            for _ in range(4):
                scene.medium.emit_nowait("a.b", Payload(scene))
            await turns()
            if end == "clear":
                scene.medium.clear()
            elif end == "close":
                v.close()
            elif end == "aclose":
                async with anyio.create_task_group() as group:
                    closing = begin(group, v.aclose)
                    await turns()
                    gate.set()
                    await closing.result()
            else:
                raise OnPurpose
            await turns()
            gate.set()
            await turns()
    except OnPurpose:
        pass
    await turns()
    scene.check(at_least=3)


@pytest.mark.parametrize("how", ["answered", "failed", "not answered", "refused"])
async def test_of_a_request(act: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="aether")
    scene = Scene()
    async with scene.medium:
        v = scene.medium.vibrator("reader")
        scene.aim(v, act)
        if how == "not answered":
            v.resonate_on("a.*")
        elif how != "refused":

            @v.on("a.*")
            async def handle(wave: aether.Wave[Any]) -> Any:
                if how == "failed":
                    raise OnPurpose
                return Payload(scene)

        with pytest.raises(BaseException) if how != "answered" else contextlib.nullcontext():
            await scene.medium.request(
                "a.b", Payload(scene), timeout=0.01 if how == "not answered" else 20.0
            )
        await turns()
        v.close()
        await turns()
        scene.check()


@pytest.mark.parametrize("end", ["closed", "passed over"])
async def test_of_an_expectation(act: str, end: str) -> None:
    scene = Scene()
    async with scene.medium:
        scene.aim(scene.onlooker, act)
        expected = scene.medium.expect("a.*", where=lambda wave: wave.channel == "a.last")
        for _ in range(3):
            scene.medium.emit_nowait("a.b", Payload(scene))
        if end == "closed":
            expected.close()
        else:
            async with anyio.create_task_group() as group:

                async def wait() -> Any:
                    return await expected

                waiting = begin(group, wait)
                while not waiting.done:  # a payload may clear what waits
                    scene.medium.emit_nowait("a.last", "here")
                    await turns()
                assert (await waiting.result()).payload == "here"
        scene.check(at_least=3)


@pytest.mark.parametrize("end", ["leave", "raise", "aclose", "drain"])
async def test_left_in_a_medium_that_ends(act: str, end: str) -> None:
    scene = Scene(config=aether.AetherConfig(drain_timeout=0.05))
    try:
        async with scene.medium:
            v = reader(scene, act, overflow="drop_oldest")
            for _ in range(5):
                scene.medium.emit_nowait("a.b", Payload(scene))
            if end == "raise":
                raise OnPurpose
            if end == "aclose":
                await scene.medium.aclose()
            elif end == "drain":
                await scene.medium.drain(0.0)
    except OnPurpose:
        pass
    v.close()
    await turns()
    scene.check(at_least=5)


async def test_of_an_emission_that_comes_to_nobody(act: str) -> None:
    """Parked before a mailbox that is closed: it resumes, and reaches nobody."""
    scene = Scene()
    async with scene.medium, anyio.create_task_group() as group:
        v = reader(scene, "ask", buffer_size=1)
        await scene.medium.emit_wave("a.b", "in the way")
        waiting = begin(group, lambda: scene.medium.emit_wave("a.b", Payload(scene)))
        await until_sending(v)
        scene.aim(v, act)
        v.close()
        receipt = await waiting.result()
        assert receipt.matched == 0
        await turns()
        scene.check()
