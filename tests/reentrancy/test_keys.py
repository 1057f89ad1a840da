"""Names, keys and questions that run code of their own: `__eq__`, `__hash__`, `key=`, `where=`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.probes import begin, turns
from tests.reentrancy.nasty import ACTS, OnPurpose, Scene

import aether

QUIET_ACTS = [act for act in ACTS if isinstance(act, str)]


class Name(str):  # noqa: SLOT000 - it carries its act
    """A channel's name that acts when it is compared or hashed."""

    act: Callable[[], object]

    def __hash__(self) -> int:
        self.act()
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        self.act()
        return super().__eq__(other)


class Key:
    """The key of a wave that acts when it is compared or hashed."""

    def __init__(self, scene: Scene, value: int) -> None:
        self.scene = scene
        self.value = value

    def __hash__(self) -> int:
        self.scene()
        return 1

    def __eq__(self, other: object) -> bool:
        self.scene()
        return isinstance(other, Key) and self.value == other.value


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("overflow", ["block", "conflate", "drop_oldest"])
def test_a_channel_that_acts_when_it_is_looked_up(act: str, overflow: str) -> None:
    """Conflated by its name: no code of the name runs while a place for it is looked for."""
    scene = Scene()
    v = scene.medium.vibrator("reader", overflow=overflow, buffer_size=40)  # type: ignore[arg-type]
    v.resonate_on("a.*")
    scene.aim(v, act)
    name = Name("a.b")
    name.act = scene
    for number in range(5):
        try:
            receipt = scene.medium.emit_nowait(name, number)
        except (OnPurpose, aether.Closed):
            continue
        assert receipt.matched == receipt.delivered + receipt.dropped
        assert aether.Wave(name, number).channel == "a.b"
    try:
        v.resonate_on(name)
        v.detune(name)
        scene.medium.explain(name)
    except (OnPurpose, aether.Closed):
        pass
    scene.check(at_least=0)


@pytest.mark.parametrize("act", ACTS)
async def test_keys_that_act_when_they_are_compared(
    act: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What the key of a wave does or raises concerns that wave alone."""
    caplog.set_level(logging.CRITICAL, logger="aether")
    scene = Scene()
    handled: list[int] = []
    async with scene.medium:
        v = scene.medium.vibrator("reader")
        scene.aim(v, act)

        @v.on("a.*", concurrency=3, key=lambda wave: Key(scene, wave.payload % 2))
        async def handle(wave: aether.Wave[int]) -> None:
            await turns(2)
            handled.append(wave.payload)

        sent = 0
        for number in range(8):
            try:
                sent += scene.medium.emit_nowait("a.b", number).delivered
            except aether.Closed:
                break
            await turns(1)
        with anyio.fail_after(30):
            assert await scene.medium.settle(25.0)
        s = v.statistics()
        assert s.received + s.missed + s.current_buffer_used >= sent
        own = [number for number in handled if isinstance(number, int)]
        for key in (0, 1):
            line = [number for number in own if number % 2 == key]
            assert line == sorted(line)
        scene.check(at_least=0)


@pytest.mark.parametrize("act", ACTS)
async def test_key_functions_that_act(act: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="aether")
    scene = Scene()
    async with scene.medium:
        v = scene.medium.vibrator("reader")
        scene.aim(v, act)

        def key(wave: aether.Wave[Any]) -> int:
            # What it emits to itself would come here again, without an end.
            if wave.payload != "echo":
                scene()
            return 1

        v.on("a.*", concurrency=2, key=key)(lambda wave: None)
        for number in range(5):
            try:
                scene.medium.emit_nowait("a.b", number)
            except aether.Closed:
                break
            await turns(3)
        with anyio.fail_after(30):
            assert await scene.medium.settle(25.0)
        s = v.statistics()
        if act == "raise_on_purpose":
            assert (s.failed, s.received) == (5, 5)
        scene.check()


@pytest.mark.parametrize("act", QUIET_ACTS)
async def test_expectations_that_act_when_they_are_asked(act: str) -> None:
    scene = Scene()
    async with scene.medium, anyio.create_task_group() as group:
        scene.aim(scene.onlooker, act)

        def where(wave: aether.Wave[Any]) -> bool:
            scene()
            return bool(wave.payload == "last")

        expected = scene.medium.expect("a.*", where=where)

        async def wait() -> Any:
            return await expected

        waiting = begin(group, wait)
        while not waiting.done:
            for payload in (1, "last"):
                scene.medium.emit_nowait("a.b", payload)
                await turns()
        assert (await waiting.result()).payload == "last"
        scene.check()


async def test_an_expectation_that_raises_listens_no_more() -> None:
    async with aether.Aether() as medium:

        def where(wave: aether.Wave[Any]) -> bool:
            raise OnPurpose

        expected = medium.expect("a.*", where=where)
        await medium.emit_wave("a.b", 1)
        with pytest.raises(OnPurpose):
            await expected
        assert medium.active_channels() == ()


@pytest.mark.parametrize("act", QUIET_ACTS)
async def test_errors_that_act_when_they_are_reported(act: str) -> None:
    """`on_error` is code of others too."""
    scene = Scene()
    v = scene.medium.vibrator("reader")
    scene.aim(v, act)

    @v.on("a.*")
    async def handle(wave: aether.Wave[Any]) -> None:
        if wave.payload != "echo":
            raise OnPurpose

    async with anyio.create_task_group() as group:
        running = begin(group, lambda: v.run(on_error=lambda error, wave: scene()))
        await turns()
        for number in range(3):
            try:
                await scene.medium.emit_wave("a.b", number)
            except aether.Closed:
                break
            await turns(3)
        with anyio.fail_after(30):
            assert await scene.medium.settle(25.0)
        scene.check()
        await running.result()
