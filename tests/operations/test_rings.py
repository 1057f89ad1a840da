"""Rings: the last waves of a pattern, for whoever shows them."""

from __future__ import annotations

import gc
import weakref

from aether import Aether


def test_a_ring_keeps_so_many_and_counts_the_rest() -> None:
    medium = Aether()
    ring = medium.ring("orders.*", 3)
    for number in range(5):
        medium.emit_nowait("orders.created", number)
        medium.emit_nowait("physics.orders")
    waves, missed = ring.take()
    assert ([wave.payload for wave in waves], missed) == ([0, 1, 2], 2)
    assert [wave.sequence for wave in waves] == [1, 3, 5]
    assert ring.take() == ([], 0)
    everything = medium.ring("*", 3)
    medium.emit_nowait("physics.beat.orders")
    assert [wave.channel for wave in everything.take()[0]] == ["physics.beat.orders"]
    ring.close()
    ring.close()
    medium.emit_nowait("orders.created")
    assert ring.take() == ([], 0)


def test_a_ring_is_found_by_the_collector() -> None:
    medium = Aether()

    class Payload:
        ring: object

    payload = Payload()
    payload.ring = medium.ring("a", 3)
    gone = weakref.ref(payload)
    medium.emit_nowait("a", payload)
    del payload
    assert gone() is not None
    gc.collect()
    # A ring that only its own waves refer to.
    assert gone() is None
