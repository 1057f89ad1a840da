"""A panic in Rust is an error of Python, with its place, and a line in the log. See `panicking` for how one is had."""

from __future__ import annotations

from typing import Any

from tests.operations.panicking import run


def panics(told: dict[str, Any]) -> list[str]:
    """The errors that were panics."""
    for name, message, is_ours in told["outcomes"]:
        assert name in ("AetherError", "MemoryError", "WouldBlock"), message
        assert is_ours == (name != "MemoryError")
    return [one[1] for one in told["outcomes"] if one[0] == "AetherError"]


def test_a_panic_is_an_error_with_its_place() -> None:
    told = run("wave = Wave('orders.created')\nsay(failing(lambda: lambda: wave.id))")
    (message,) = panics(told)
    assert message.startswith("a panic in Rust at ")
    assert message.endswith("report it with what the log says of native.panicked")
    ((event, level, said, place, thread, backtrace),) = told["events"]
    assert (event, level) == ("native.panicked", "CRITICAL")
    assert f"at {place}: " in message
    assert place in said
    assert place.rpartition(".rs:")[2].count(":") == 1, "a line and a column"
    assert thread
    assert backtrace == ""
    assert told["panics"] == 1


def test_a_backtrace_is_there_if_it_is_asked_for() -> None:
    told = run("wave = Wave('a')\nsay(failing(lambda: lambda: wave.id))", RUST_BACKTRACE="1")
    assert "panic" in told["events"][0][5]


def test_it_can_be_caught_and_everything_goes_on() -> None:
    told = run(
        """
medium = Aether()
desk = medium.vibrator("desk")
desk.resonate_on("orders.*")
outcomes = failing(lambda: medium.counters) + failing(lambda: desk.mailbox.counters)
outcomes += failing(lambda: lambda: medium.survey(4, 4)) + failing(lambda: medium.active_patterns)
assert medium.emit_nowait("orders.created", 7).delivered == 1
assert desk.receive_nowait().payload == 7
assert medium.resources().panics == _native.panics()
desk.close()
say(outcomes)
"""
    )
    assert len(panics(told)) == len(told["events"]) == told["panics"] > 3


def test_no_step_of_a_wave_takes_the_process_down() -> None:
    told = run(
        """
medium = Aether()
desk = medium.vibrator("desk", buffer_size=1000)
desk.resonate_on("orders.*")

def drive(begin):
    def go():
        one = begin()
        try:
            one.send(None)
        except StopIteration:
            pass
    return go

# Classes are made at their first use; where memory fails in that, CPython 3.13.0 crashes by itself.
drive(lambda: medium.emit_wave("orders.created", 7))()
drive(desk.receive)()
outcomes = failing(lambda: lambda: medium.emit_nowait("orders.created", 7))
outcomes += failing(lambda: drive(lambda: medium.emit_wave("orders.created", 7)))
outcomes += failing(lambda: drive(lambda: medium.emit_wave("orders.new" + str(len(outcomes)), 7, amplitude=0.5)))
outcomes += failing(lambda: drive(desk.receive), 30)
outcomes += failing(lambda: lambda: desk.receive_nowait(), 30)
medium.shut("closed", at_once=True)
# Here the error itself is made in the slot that is driven.
outcomes += failing(lambda: drive(lambda: medium.emit_wave("orders.created", 7)))
desk.close()
told.clear()
say([one for one in outcomes if one and "closed" not in str(one) and type(one).__name__ != "SystemError"])
"""
    )
    panics(told)


def test_a_handler_that_fails_is_logged_and_counted() -> None:
    told = run(
        """
import anyio

async def main():
    async with Aether() as medium:
        desk = medium.vibrator("desk")
        @desk.on("orders.*")
        async def handle(wave):
            if wave.payload == "panic":
                raise AetherError("a panic in Rust")
            raise ValueError("no")
        await medium.emit_wave("orders.created", 1)
        await medium.emit_wave("orders.created", "panic")
        await medium.settle(5)
        assert desk.statistics().failed == 2
        desk.close()

anyio.run(main)
assert [one.event for one in told] == ["handler.failed"] * 2
assert told[0].exc_info[0] is ValueError and told[0].exc_info[2] is not None
assert told[0].vibrator == "desk" and told[0].channel == "orders.created"
told.clear()
say([])
"""
    )
    assert told["panics"] == 0


def test_nobody_waits_for_a_note_that_has_panicked() -> None:
    told = run(
        """
import tempfile
from aether.journal import Journal

async def main():
    async with Aether(journal=Journal(tempfile.mkdtemp())) as medium:
        desk = medium.vibrator("desk")
        outcomes = []
        try:
            # No note has room for such a name, and the check for that is Python's.
            desk.mailbox.resonate_by_cursor(["orders.*"], "x" * 70_000, None, False, 30.0, 5)
        except AetherError as error:
            outcomes.append(error)
        for number in range(3):
            await medium.emit_wave("orders.created", number)
            try:
                wave = desk.mailbox.receive_nowait()
                async with asyncio.timeout(10):
                    await desk.ack(wave)
            except AetherError as error:
                outcomes.append(error)
        desk.close()
        return outcomes

say(asyncio.run(main()))
"""
    )
    # The last is that of the end, which closes the journal all the same.
    assert len(panics(told)) == 4
    assert len(told["events"]) == told["panics"] == 5
