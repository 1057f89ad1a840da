"""The console: what is told on its socket, and that nobody waits for whoever listens."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
import weakref
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from tests.operations.consoles import CONFIG, NEEDS_SOCKETS, answers, in_thread, threads, until

from aether import Aether, HealthConfig
from aether.console import server
from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import (
    Answer,
    Missed,
    Snapshot,
    Tap,
    Watch,
    WaveView,
    encode,
)
from aether.console.shown import MAILBOXES, snapshot

pytestmark = [NEEDS_SOCKETS, pytest.mark.usefixtures("runtime")]


@pytest.mark.anyio
async def test_a_snapshot_has_all_there_is_to_see(tmp_path: Path) -> None:
    config = CONFIG.replace(
        health=HealthConfig(), journal={"path": str(tmp_path / "j"), "durability": "none"}
    )
    async with Aether(config) as medium:
        desk = medium.vibrator("desk", buffer_size=7)
        desk.resonate_on("orders.*")

        @medium.vibrator("clerk").on("orders.*", concurrency=3)
        async def handle(wave: Any) -> None:
            raise ValueError

        await medium.emit_wave("orders.created", {"id": 7})
        await medium.settle(0.5)
        (told,) = await in_thread(lambda: answers(Watch(), 1))
        assert isinstance(told, Snapshot)
        (view,) = told.media
        assert (view.number, view.phase, view.statistics["emitted"]) == (1, "open", 1)
        assert (view.health.live, view.health.ready) == (True, True)
        rows = {(one.vibrator, one.handler): one for one in view.mailboxes}
        assert rows["desk", None].waiting == 1
        assert rows["desk", None].capacity == 7
        assert rows["clerk", "handle"].received == 1
        (handler,) = view.handlers
        assert (handler.vibrator, handler.concurrency, handler.failed) == ("clerk", 3, 1)
        assert handler.mailbox == rows["clerk", "handle"].number
        assert view.resources is not None
        assert view.resources["rss"] > 0
        assert view.journal is not None
        assert view.journal["last"] == 1
        desk.close()


@pytest.mark.anyio
async def test_snapshots_come_one_after_the_other() -> None:
    async with Aether(CONFIG) as medium:
        emitted: list[int] = []

        def listen() -> None:
            with Client(find()) as client:
                for answer in client.ask(Watch(0.1)):
                    assert isinstance(answer, Snapshot)
                    emitted.append(answer.media[0].statistics["emitted"])
                    medium.emit_nowait("a")
                    if len(emitted) == 4:
                        return

        await in_thread(listen)
        assert emitted == [0, 1, 2, 3]


@pytest.mark.anyio
async def test_a_tap_shows_the_waves_of_a_pattern_heard_or_not() -> None:
    async with Aether(CONFIG) as medium:
        shop = medium.vibrator("shop")
        desk = medium.vibrator("desk")
        desk.resonate_on("orders.created")
        told: list[Answer] = []

        def listen() -> None:
            told.extend(answers(Tap("orders.*", 20), 2))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_thread, listen)
            while not told:
                medium.emit_nowait("users.joined")
                shop.emit_nowait("orders.created", {"id": 7, "text": "x" * 100}, amplitude=0.5)
                shop.emit_nowait("orders.unheard", headers={"a": "1", "b": "2"})
                while desk.statistics().current_buffer_used:
                    desk.receive_nowait()
                await anyio.sleep(0.01)
        first, second = told
        assert isinstance(first, WaveView)
        assert isinstance(second, WaveView)
        by_channel = {one.channel: one for one in (first, second)}
        heard, unheard = by_channel["orders.created"], by_channel["orders.unheard"]
        assert (heard.amplitude, heard.source, heard.headers, heard.medium) == (0.5, "shop", 0, 1)
        assert heard.payload == "{'id': 7, 'text':..."
        assert (unheard.payload, unheard.headers) == ("None", 2)
        assert heard.sequence is not None
        assert unheard.sequence is not None
        desk.close()
        shop.close()


@pytest.mark.anyio
async def test_what_there_is_no_room_for_is_counted_and_told() -> None:
    async with Aether(CONFIG) as medium:
        count = 20 * server.WAVES_AT_ONCE
        with Client(find()) as client:
            told = client.ask(Tap("*"))
            # It taps once the first wave comes through.
            first = None

            def one() -> None:
                nonlocal first
                first = next(told)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(in_thread, one)
                while first is None:
                    medium.emit_nowait("warm.up")
                    await anyio.sleep(0.01)
            for number in range(count):
                medium.emit_nowait("orders.created", number)

            def rest() -> tuple[int, int]:
                seen = missed = 0
                for answer in told:
                    if isinstance(answer, Missed):
                        missed += answer.count
                    elif isinstance(answer, WaveView) and answer.channel == "orders.created":
                        seen += 1
                    if seen + missed >= count:
                        break
                return seen, missed

            seen, missed = await in_thread(rest)
        assert 0 < seen <= 3 * server.WAVES_AT_ONCE
        assert count <= seen + missed <= count + 50


@pytest.mark.anyio
async def test_whoever_does_not_read_holds_nobody_up_and_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    async with Aether(CONFIG) as medium:
        deaf = socket.socket(socket.AF_UNIX)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(str(find()))
        deaf.sendall(encode(Tap("*", 10_000)))
        (made,) = server._servers.values()
        await until(lambda: any(client.rings for client in made._clients))
        payload = "x" * 10_000
        with anyio.fail_after(20):
            while made._clients:
                for _ in range(100):
                    medium.emit_nowait("orders.created", payload)
                await anyio.sleep(0.01)
        # What it was sent before is all there is.
        deaf.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            while deaf.recv(1 << 20):
                pass
        deaf.close()
        assert await in_thread(lambda: answers(Watch(), 1))


@pytest.mark.anyio
async def test_whoever_goes_away_leaves_no_tap() -> None:
    async with Aether(CONFIG) as medium:
        client = Client(find())
        told = client.ask(Tap("*"))
        (made,) = server._servers.values()
        asked = threading.Thread(target=lambda: next(told, None))
        asked.start()
        await until(lambda: any(one.rings for one in made._clients))
        medium.emit_nowait("a")
        await in_thread(asked.join)
        client.close()
        await until(lambda: not made._clients)
        gc.collect()
        # A wave that is held by nobody else is gone at once.
        held = type("Payload", (), {})()
        gone = weakref.ref(held)
        medium.emit_nowait("a", held)
        del held
        assert gone() is None


@pytest.mark.anyio
async def test_the_media_of_a_process_share_a_socket_and_have_numbers() -> None:
    async with Aether(CONFIG):
        async with Aether(CONFIG):
            assert len(threads()) == 1
            (told,) = await in_thread(lambda: answers(Watch(), 1))
            assert [one.number for one in told.media] == [1, 2]
        (told,) = await in_thread(lambda: answers(Watch(), 1))
        assert [one.number for one in told.media] == [1]
    await until(lambda: not threads())
    with pytest.raises(ConsoleError, match="no process shows anything"):
        find()


@pytest.mark.anyio
async def test_a_tap_follows_media_that_come_and_go() -> None:
    holding = server.hold()
    try:
        told: list[Answer] = []
        listening = threading.Thread(target=lambda: told.extend(answers(Tap("a"), 2)))
        listening.start()
        for number in (1, 2):
            async with Aether(CONFIG) as medium:
                await until(
                    lambda number=number, medium=medium: (
                        (medium.emit_nowait("a") and 0) or len(told) or _shown(number)
                    )
                )
        await in_thread(listening.join)
    finally:
        holding.close()
    assert len(told) == 2


def _shown(number: int) -> bool:
    """Whether somebody taps the medium of this number."""
    (made,) = server._servers.values()
    return any(number in client.rings for client in made._clients)


def test_a_snapshot_is_bounded_and_says_so() -> None:
    medium = Aether()
    held = [medium.vibrator(f"v{number:03}") for number in range(MAILBOXES + 20)]
    held[-1].resonate_on("a")
    medium.emit_nowait("a")
    (view,) = snapshot([(1, medium)]).media
    assert (len(view.mailboxes), view.more) == (MAILBOXES, 20)
    assert view.mailboxes[0].vibrator == held[-1].name
    for one in held:
        one.close()
