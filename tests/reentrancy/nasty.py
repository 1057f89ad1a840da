"""What foreign code does at the worst moment, and what must hold after it.

An `Act` is one thing to do to the medium, from wherever it is called: it counts its calls, and those that
were refused as the design says (the vibrator is closed, the mailbox full).
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from typing import Any

import pytest
from tests.probes import assert_works_sync, tuned

from aether import Aether, Closed, EndOfStream, Vibrator, WouldBlock


class OnPurpose(Exception):
    """What nasty code raises."""


class Scene:
    """A medium, the vibrator that is acted on, and one that only looks on."""

    def __init__(self, **options: Any) -> None:
        self.medium = Aether(**options)
        self.onlooker = tuned(self.medium, "echo.*", name="onlooker", buffer_size=10_000)
        self.target = self.onlooker
        self.act: Callable[[], object] = lambda: None
        self.done = 0
        self.others: list[Vibrator] = []
        """To be closed in the end."""

    def aim(self, target: Vibrator, act: str) -> None:
        """From now on, this act is done to this vibrator."""
        self.target = target
        self.act = getattr(self, act)

    def __call__(self) -> None:
        """Does it; that it cannot be done any more is no failure."""
        self.done += 1
        with contextlib.suppress(Closed, WouldBlock, EndOfStream):
            self.act()

    # The acts

    def emit_to_itself(self) -> None:
        self.medium.emit_nowait("a.echo", "echo")

    def emit_elsewhere(self) -> None:
        heard = not self.onlooker.closed
        assert self.medium.emit_nowait("echo.x", "echo").delivered == heard

    def emit_sync(self) -> None:
        # In a loop it is refused, and says what to await.
        with contextlib.suppress(RuntimeError):
            self.medium.emit_sync("echo.y", "echo", timeout=0.0)

    def receive(self) -> None:
        self.target.receive_nowait()

    def close_it(self) -> None:
        self.target.close()

    def clear(self) -> None:
        self.medium.clear()

    def retune(self) -> None:
        self.target.resonate_on("b.*", "a.b.*")
        self.target.detune("b.*")

    def remove(self) -> None:
        self.medium.remove_channel("a.b.*")

    def open_another(self) -> None:
        with contextlib.closing(self.medium.vibrator("another")) as another:
            another.resonate_on("a.*")

    def ask(self) -> None:
        self.target.statistics()
        self.medium.statistics()
        self.medium.explain("a.b")
        self.medium.active_channels()
        self.medium.health()

    def collect(self) -> None:
        gc.collect(1)

    def raise_on_purpose(self) -> None:
        raise OnPurpose

    def all_in_turn(self) -> None:
        """One of those above after the other, but for the last; the end of it all comes late."""
        acts = [name for name in ACTS if isinstance(name, str) and name != "close_it"]
        if self.done % 100 == 99:
            self.close_it()
        else:
            getattr(self, acts[self.done % len(acts)])()

    # What holds afterwards

    def check(self, *, at_least: int = 1) -> None:
        """It was done, everything that entered is accounted for, and the medium works."""
        assert self.done >= at_least, "nothing was done"
        for one in (self.target, self.onlooker):
            s = one.statistics()
            assert s.missed == sum(s.dropped.values())
            assert s.tasks_waiting_send == 0
        total = self.medium.statistics()
        dropped_on_arrival = total.dropped["full"] + total.dropped["faintest"]
        entered = total.received + total.waiting + sum(total.dropped.values())
        assert total.delivered <= entered <= total.delivered + dropped_on_arrival
        if self.medium.phase == "open":
            assert_works_sync(self.medium)
        self.act = lambda: None
        for one in (self.target, self.onlooker, *self.others):
            one.close()


ACTS = [
    "emit_to_itself",
    "emit_elsewhere",
    "emit_sync",
    "receive",
    "close_it",
    "clear",
    "retune",
    "remove",
    "open_another",
    "ask",
    "collect",
    pytest.param(
        "raise_on_purpose",
        marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    ),
]


class Payload:
    """Acts when it goes."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def __del__(self) -> None:
        self.scene()
