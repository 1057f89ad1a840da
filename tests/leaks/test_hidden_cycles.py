"""Cycles that the collector might not be told of: through what was never awaited, or closed only later.

A `dict` is no part of a cycle when it is emitted, to the collector's knowledge; an awaitable that nobody
has awaited yet waits for nothing; a name is a `str`. Each may be one all the same.
"""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from aether import Aether, Wave


class Node:
    """Something one can hold weakly, and that holds something."""

    held: Any = None


class Name(str):  # noqa: SLOT000 - it has attributes
    """A name that holds something."""

    held: Any = None


def tuned(medium: Aether, name: str = "v", **options: Any) -> Any:
    v = medium.vibrator(name, **options)
    v.resonate_on("a")
    return v


def own_wave(node: Node) -> None:
    """dict -> wave -> dict"""
    payload: dict[str, Any] = {}
    payload["answer"] = Wave("a", payload)
    payload["node"] = node


def wave_in_a_wave(node: Node) -> None:
    """mailbox -> wave -> wave -> dict -> vibrator"""
    v = tuned(medium := Aether())
    inner: dict[str, Any] = {}
    medium.emit_nowait("a", Wave("b", inner))
    inner["held"] = (v, node)


def shared_by_two_mailboxes(node: Node) -> None:
    """two mailboxes -> wave -> dict -> both vibrators"""
    medium = Aether()
    payload: dict[str, Any] = {}
    vibrators = [tuned(medium), tuned(medium, "other", order="fifo")]
    medium.emit_nowait("a", payload)
    payload["held"] = (vibrators, node)


def own_receive(node: Node) -> None:
    """mailbox -> wave -> payload -> receive -> vibrator"""
    v = tuned(medium := Aether())
    medium.emit_nowait("a", node)
    node.held = v.receive()


def own_next(node: Node) -> None:
    """mailbox -> wave -> payload -> anext -> vibrator"""
    v = tuned(medium := Aether())
    medium.emit_nowait("a", node)
    node.held = v.__anext__()


def own_batch(node: Node) -> None:
    """mailbox -> wave -> payload -> receive_many -> vibrator"""
    v = tuned(medium := Aether())
    medium.emit_nowait("a", node)
    node.held = v.receive_many(2)


def own_name(node: Node) -> None:
    """vibrator -> name -> vibrator"""
    name = Name("v")
    name.held = (tuned(Aether(), name), node)


def parked_emission(node: Node) -> None:
    """task -> emission -> dict -> task, on a loop that is thrown away"""
    medium, loop = Aether(), asyncio.new_event_loop()
    tuned_on = tuned(medium, buffer_size=1)
    medium.emit_nowait("a")
    payload: dict[str, Any] = {}

    async def put() -> None:
        await medium.emit_wave("a", payload)

    async def main() -> None:
        task = loop.create_task(put())
        await asyncio.sleep(0)
        assert tuned_on.statistics().tasks_waiting_send == 1
        payload["held"] = (task, node)

    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending"
    loop.run_until_complete(main())
    loop.close()


CYCLES: list[Callable[[Node], None]] = [
    own_wave,
    wave_in_a_wave,
    shared_by_two_mailboxes,
    own_receive,
    own_next,
    own_batch,
    own_name,
    parked_emission,
]


@pytest.mark.parametrize("cycle", CYCLES, ids=lambda cycle: cycle.__name__)
def test_a_cycle_is_collected(cycle: Callable[[Node], None]) -> None:
    node = Node()
    gone = weakref.ref(node)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        cycle(node)
        del node
        gc.collect()
        gc.collect()  # what held the cycle may have been collected by the first
    assert gone() is None, cycle.__doc__


@pytest.mark.parametrize(
    "emit",
    [
        lambda medium, node: medium.emit_wave("lost.channel", node),
        lambda medium, node: medium.emit_wave("lost.channel", {"held": node}),
        lambda medium, node: medium.emit(Wave("lost.channel", node)),
        lambda medium, node: medium.emitter().emit_wave("lost.channel", node, ttl=1.0),
        lambda medium, node: medium.emit_many([("lost.channel", node)]),
    ],
    ids=["emit_wave", "dict", "emit", "emitter", "emit_many"],
)
def test_an_emission_in_a_cycle_is_collected_and_warns_that_it_was_never_awaited(emit: Any) -> None:
    """Such as a job whose attribute is the emission that it is done, of itself."""
    medium, node = Aether(), Node()
    gone = weakref.ref(node)
    node.held = emit(medium, node)
    del node
    with pytest.warns(RuntimeWarning, match=r"lost\.channel"):
        gc.collect()
    assert gone() is None
    assert medium.statistics().emitted == 0
