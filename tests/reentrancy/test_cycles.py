"""Cycles through the native half: each is found by the collector, once nobody outside holds it.

`tests/leaks/test_references.py` has those that people make first (a payload that holds its vibrator, a handler
its medium, a parked task); here are the ways round by what else the library hands out.
"""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import aether


class Node:
    """Something one can hold weakly, and that holds something."""

    held: Any = None


def own_emission(medium: aether.Aether, node: Node) -> None:
    """payload -> awaitable -> payload"""
    node.held = medium.emit_wave("a", node)


def own_batch(medium: aether.Aether, node: Node) -> None:
    """payload -> awaitable -> waves -> payload"""
    node.held = medium.emit_many([("a", node), aether.Wave("a", node)])


def own_wave(medium: aether.Aether, node: Node) -> None:
    """payload -> wave -> payload"""
    node.held = aether.Wave("a", node, headers={"k": "v"})


def own_builder(medium: aether.Aether, node: Node) -> None:
    """payload -> builder -> payload"""
    node.held = aether.Wave.builder("a").payload(node)


def cause(medium: aether.Aether, node: Node) -> None:
    """payload -> wave -> the wave that it continues -> payload"""
    v = medium.vibrator("v")
    v.resonate_on("a")
    medium.emit_nowait("a", node, cause=aether.Wave("a", node))
    node.held = (v.receive_nowait(), v)
    v.close()


def emitter(medium: aether.Aether, node: Node) -> None:
    """payload -> emitter; vibrator -> mailbox -> payload"""
    v = medium.vibrator("v")
    v.resonate_on("a")
    medium.emit_nowait("a", node)
    node.held = (v.emitter(), medium.emitter(), v)


def group(medium: aether.Aether, node: Node) -> None:
    """payload -> member -> the mailbox of the group -> payload"""
    members = [medium.vibrator(name, group="g") for name in "ab"]
    members[0].resonate_on("a")
    medium.emit_nowait("a", node)
    node.held = members


def iterator(medium: aether.Aether, node: Node) -> None:
    """payload -> iterator -> vibrator -> mailbox -> payload"""
    v = medium.vibrator("v")
    v.resonate_on("a")
    medium.emit_nowait("a", node)
    node.held = v.__aiter__()


def own_receive(medium: aether.Aether, node: Node) -> None:
    """payload -> awaitable -> vibrator -> mailbox -> payload"""
    v = medium.vibrator("v")
    v.resonate_on("a")
    medium.emit_nowait("a", node)
    node.held = v.receive()


def expectation(medium: aether.Aether, node: Node) -> None:
    """payload -> expectation -> mailbox -> payload, and -> where -> payload"""
    node.held = medium.expect("a", where=lambda wave: wave is node)
    medium.emit_nowait("a", node)


def key(medium: aether.Aether, node: Node) -> None:
    """handler and key -> payload -> vibrator -> lanes"""
    v = medium.vibrator("v")
    v.on("a", key=lambda wave: node)(lambda wave: node)
    medium.emit_nowait("a", node)
    node.held = (v, medium)


def error(medium: aether.Aether, node: Node) -> None:
    """payload -> error -> traceback -> frame -> payload"""
    try:
        medium.emit_nowait("nobody", node, require=1)
    except aether.NoReceiver as caught:
        node.held = caught


def headers(medium: aether.Aether, node: Node) -> None:
    """payload -> a view of a wave's headers, and its channel, beside the wave"""
    wave = aether.Wave("a", node, headers={"k": "v"})
    node.held = (wave, wave.headers, wave.channel, wave.replace(source="s"), wave.propagate())


WAYS: list[Any] = [
    own_emission,
    own_batch,
    own_receive,
    own_wave,
    own_builder,
    cause,
    emitter,
    group,
    iterator,
    expectation,
    error,
    headers,
]


def collects(way: Callable[[aether.Aether, Node], None], *, medium_lives: bool) -> bool:
    """Makes a cycle, lets go of it, and looks whether it goes."""
    medium, node = aether.Aether(), Node()
    gone = weakref.ref(node)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        way(medium, node)
        assert gone() is node
        del node
        if not medium_lives:
            del medium
        gc.collect()
        gc.collect()  # what held the cycle may have been collected by the first
    if medium_lives and gone() is None:
        assert medium.active_channels() == ()
        assert medium.statistics().waiting == 0
    return gone() is None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("medium_lives", [False, True])
def test_a_cycle_is_collected(
    way: Callable[[aether.Aether, Node], None], medium_lives: bool
) -> None:
    assert collects(way, medium_lives=medium_lives), way.__doc__


def test_a_cycle_through_a_handler_is_collected_with_its_medium() -> None:
    """A medium keeps its handlers, and what they hold, until they are closed or it goes itself."""
    assert collects(key, medium_lives=False)
