"""The end of the interpreter, in many shapes: the right status, no crash, no hang.

Each program ends in the middle of something. What it had promised by then (its exit status, what it
printed) is what it ends with.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

REPEAT = 50 if os.environ.get("AETHER_TORTURE") else 2

# Each shape: the source, the status it exits with.
SHAPES: dict[str, tuple[str, int]] = {
    "parked tasks on a loop never closed": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(asyncio.wait_for(v.receive(), 1000)) for _ in range(5)]
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        sys.exit(7)
        """,
        7,
    ),
    "parked emitters on a loop never closed": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader", buffer_size=1)
        v.resonate_on("a")
        medium.emit_nowait("a", 0)

        async def put():
            await medium.emit_wave("a", 1)

        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(put()) for _ in range(5)]
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        """,
        0,
    ),
    "daemon threads in receive_sync": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")
        for _ in range(4):
            threading.Thread(target=v.receive_sync, daemon=True).start()
        until(lambda: v.statistics().tasks_waiting_receive == 4)
        """,
        0,
    ),
    "ordinary threads in receive_sync": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")

        def read():
            try:
                v.receive_sync()
            except aether.AetherError:
                pass

        for _ in range(4):
            threading.Thread(target=read).start()
        until(lambda: v.statistics().tasks_waiting_receive == 4)
        sys.exit(5)
        """,
        5,
    ),
    "ordinary threads in emit_sync": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader", buffer_size=1)
        v.resonate_on("a")
        medium.emit_nowait("a", 0)

        def put():
            try:
                medium.emit_sync("a", 1)
            except aether.AetherError:
                pass

        for _ in range(4):
            threading.Thread(target=put).start()
        until(lambda: v.statistics().tasks_waiting_send == 4)
        """,
        0,
    ),
    "daemon threads in full swing": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader", buffer_size=16)
        v.resonate_on("a")

        def put():
            while True:
                medium.emit_sync("a", [1])

        def take():
            while True:
                v.receive_sync()

        for target in (put, put, take, take):
            threading.Thread(target=target, daemon=True).start()
        until(lambda: v.statistics().received > 1000)
        """,
        0,
    ),
    "a daemon thread with a loop in full swing": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader", buffer_size=16)
        v.resonate_on("a")

        async def main():
            async def put():
                while True:
                    await medium.emit_wave("a", [1])

            task = asyncio.create_task(put())
            while True:
                await v.receive()

        threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
        until(lambda: v.statistics().received > 1000)
        """,
        0,
    ),
    "an unclosed medium full of waves whose payloads emit when they go": (
        """
        medium = aether.Aether()

        class Payload:
            def __del__(self):
                medium.emit_nowait("a", 1)

        v = medium.vibrator("reader", overflow="drop_oldest", buffer_size=100)
        v.resonate_on("a")
        for _ in range(200):
            medium.emit_nowait("a", Payload())
        keep = [v.receive_nowait() for _ in range(10)]
        """,
        0,
    ),
    "payloads that close, clear and raise when they go": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")

        def fail():
            raise LookupError("on purpose")

        class Payload:
            def __init__(self, act):
                self.act = act

            def __del__(self):
                self.act()

        acts = [v.close, medium.clear, fail, gc.collect, lambda: v.resonate_on("b"), v.statistics]
        for act in acts * 3:
            medium.emit_nowait("a", Payload(act))
        keep = v.receive_nowait()
        sys.exit(6)
        """,
        6,
    ),
    "weak references that emit at the end": (
        """
        import weakref

        class Kept:
            pass

        medium = aether.Aether()
        v = medium.vibrator("reader", overflow="drop_oldest", buffer_size=2)
        v.resonate_on("a")
        kept = [Kept() for _ in range(5)]
        for one in kept:
            weakref.finalize(one, medium.emit_nowait, "a", 1)
            medium.emit_nowait("a", one)
        callback = weakref.ref(kept[0], lambda _: medium.emit_nowait("a", 2))
        """,
        0,
    ),
    "a tracer that emits until the end": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader", overflow="drop_oldest", buffer_size=2)
        v.resonate_on("a")
        busy = False

        def trace(*_):
            global busy
            if not busy:
                busy = True
                medium.emit_nowait("a", 1)
                busy = False
            return trace

        sys.settrace(trace)
        sys.setprofile(trace)
        threading.settrace(trace)
        thread = threading.Thread(target=v.receive_sync)
        thread.start()
        """,
        0,
    ),
    "an atexit function that uses everything": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")

        @atexit.register
        def goodbye():
            medium.emit_nowait("a", "late")
            say(v.receive_nowait().payload)
            medium.emit_sync("a", "later")
            say(v.receive_sync(timeout=5).payload)

            async def main():
                await medium.emit_wave("a", "last")
                say((await v.receive()).payload)
                await v.aclose()
                await medium.aclose()

            asyncio.run(main())
        """,
        0,
    ),
    "emission in the teardown of a module": (
        """
        class Late:
            def __init__(self):
                self.medium = aether.Aether()
                self.v = self.medium.vibrator("reader")
                self.v.resonate_on("a")
                self.wave = aether.Wave("a", self)

            def __del__(self):
                try:
                    self.medium.emit_nowait("a", 1)
                    self.v.receive_nowait()
                except Exception:
                    pass

        sys.modules["kept"] = Late()
        late = Late()
        """,
        0,
    ),
    "the default medium, used and left": (
        """
        medium = aether.Aether.default()
        v = medium.vibrator("reader")
        v.resonate_on("*")

        @medium.vibrator("worker").on("a")
        async def handle(wave):
            pass

        medium.emit_nowait("a", object())
        """,
        0,
    ),
    "SystemExit inside async with": (
        """
        async def main():
            async with aether.Aether() as medium:
                v = medium.vibrator("reader")

                @v.on("a")
                async def handle(wave):
                    await asyncio.sleep(1000)

                await medium.emit_wave("a", 1)
                await asyncio.sleep(0)
                raise SystemExit(9)

        asyncio.run(main())
        """,
        9,
    ),
    "an exception inside async with": (
        """
        async def main():
            async with aether.Aether() as medium:
                v = medium.vibrator("reader")
                v.resonate_on("a")
                task = asyncio.create_task(asyncio.wait_for(v.receive(), 1000))
                await asyncio.sleep(0)
                raise LookupError("on purpose")

        asyncio.run(main())
        """,
        1,
    ),
    "trio left by an exception with readers parked": (
        """
        import trio

        async def main():
            async with aether.Aether() as medium, trio.open_nursery() as nursery:
                v = medium.vibrator("reader")
                v.resonate_on("a")
                for _ in range(3):
                    nursery.start_soon(v.receive)
                await trio.testing.wait_all_tasks_blocked()
                raise SystemExit(4)

        import trio.testing
        try:
            trio.run(main)
        except BaseExceptionGroup as group:
            raise group.exceptions[0]
        """,
        4,
    ),
    "sys.exit from a thread and the end of the main thread": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")

        def body():
            medium.emit_nowait("a", 1)
            v.receive_sync()
            sys.exit(3)

        thread = threading.Thread(target=body)
        thread.start()
        """,
        0,
    ),
    "os._exit among parked readers": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")
        threading.Thread(target=v.receive_sync).start()
        until(lambda: v.statistics().tasks_waiting_receive)
        os._exit(11)
        """,
        11,
    ),
    "everything held in a cycle at the end": (
        """
        medium = aether.Aether()
        v = medium.vibrator("reader")
        v.resonate_on("a")
        ring = {"medium": medium, "v": v}
        ring["self"] = ring
        v_wave = aether.Wave("a", ring)
        medium.emit_nowait("a", ring)
        awaitable = v.receive()
        pending = medium.emit_wave("a", ring)
        gc.disable()
        """,
        0,
    ),
}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda name: name.replace(" ", "-"))
def test_interpreter_exit(program: Callable[..., Any], shape: str) -> None:
    source, status = SHAPES[shape]
    for _ in range(REPEAT):
        ended = program(source).exited(status)
        if "atexit" in shape:
            assert ended.out == ["late", "later", "last"], ended.err
            assert "Error" not in ended.err, ended.err


def test_a_loop_the_collector_has_emptied_is_woken_no_more(program: Callable[..., Any]) -> None:
    """A mailbox that goes after the loop of its readers reports nothing, and begins no thread."""
    source = """
    loop = asyncio.new_event_loop()
    medium = aether.Aether()
    v = medium.vibrator("reader")
    v.resonate_on("a")
    tasks = [loop.create_task(v.receive()) for _ in range(5)]
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    loop.kept = [loop, medium, v, tasks]
    """
    for _ in range(REPEAT):
        ended = program(source).exited()
        assert "call_soon_threadsafe" not in ended.err, ended.err


def test_waves_received_before_the_end_are_there(program: Callable[..., Any]) -> None:
    """A thread that was handed a wave before the end keeps it: nothing is handed out and lost."""
    source = """
    medium = aether.Aether()
    v = medium.vibrator("reader")
    v.resonate_on("a")
    got = []

    def read():
        while (wave := v.receive_sync()) is not None:
            got.append(wave.payload)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    for number in range(1000):
        medium.emit_sync("a", number)
    until(lambda: len(got) == 1000)
    say(got == list(range(1000)))
    """
    assert program(source).exited().out == ["True"]
