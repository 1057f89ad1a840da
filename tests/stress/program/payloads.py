"""Payloads: each knows who sent it and its number; some do something when they go.

What they do, they do in whatever thread drops the last reference, in the midst of anything: an overflow, a
clear, a close, a collection.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable
from typing import Any, Self

import aether


class OnPurpose(Exception):
    """Raised by what is meant to fail."""


class Payload:
    """Who sent it, and its number there."""

    __slots__ = ("__weakref__", "number", "who")

    def __init__(self, who: str, number: int) -> None:
        self.who = who
        self.number = number

    def __repr__(self) -> str:
        return f"{self.who}#{self.number}"


class Nasty(Payload):
    """Does something when it goes."""

    __slots__ = ("act",)

    def __init__(self, who: str, number: int, act: Callable[[], object]) -> None:
        super().__init__(who, number)
        self.act = act

    def __del__(self) -> None:
        # What it meets may be closed, full or at its end; the rest is for `unexpected` to tell.
        with contextlib.suppress(aether.AetherError):
            self.act()

    def __eq__(self, other: object) -> bool:
        raise OnPurpose

    def __hash__(self) -> int:
        raise OnPurpose


def alive() -> list[Payload]:
    """The payloads that are still there."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Payload)]


class Unexpected:
    """Collects what nobody could raise: errors out of `__del__`, weak references and threads."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._before = sys.unraisablehook

    def __enter__(self) -> Self:
        sys.unraisablehook = self._note
        return self

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._before

    def _note(self, args: Any) -> None:
        if not isinstance(args.exc_value, OnPurpose):
            self.found.append(f"{args.exc_value!r} in {args.object!r}")
            self._before(args)
