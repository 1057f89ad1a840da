"""Python objects that no caller means to pass, and a small world to pass them in.

A `Recipe` makes its object in the world of one example, as some of them act on its medium: while the library reads such
an argument, it emits, receives and resonates. Each recipe has a name, for the report of a failing example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Self

from hypothesis import strategies as st

from aether import (
    Aether,
    AetherConfig,
    Channel,
    Emitter,
    ManualClock,
    PhysicsEngine,
    Vibrator,
    Wave,
    WaveBuilder,
)


class Boom(Exception):
    """What an argument raises by itself; whoever passed it may see it again."""


class World:
    """A medium at work: a reader that never fills up and always has something, and one who speaks."""

    def __init__(self) -> None:
        """Everything is open, and six waves wait."""
        self.medium = Aether()
        self.reader = self.medium.vibrator("reader", overflow="drop_oldest", buffer_size=8)
        self.reader.resonate_on("*")
        self.speaker: Vibrator = self.medium.vibrator("speaker", buffer_size=2)
        self.emitter: Emitter = self.speaker.emitter()
        self.wave = Wave("a.b", 1)
        self.channel: Channel[Any] = Channel("a.b")
        self.builder: WaveBuilder[Any] = Wave.builder("a.b")
        self.clock = ManualClock(10.0)
        self.engine = PhysicsEngine()
        self.config = AetherConfig()
        self.meddled = 0
        for number in range(6):
            self.medium.emit_nowait("a.b", number)

    def meddle(self) -> None:
        """What an argument does in the midst of a call: everything that could be in its way."""
        self.meddled += 1
        if self.medium.health().live:
            self.medium.emit_nowait("meddled", self.meddled)
        if not self.reader.closed:
            self.reader.receive_nowait()
            self.reader.resonate_on(f"meddled.{self.meddled % 3}")
            self.reader.detune("meddled.1")

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody is left behind open."""
        self.reader.close()
        self.speaker.close()


class Recipe:
    """How to make one object."""

    def __init__(self, name: str, make: Callable[[World], Any]) -> None:
        """A name for the report, and the way."""
        self.name = name
        self.make = make

    def __repr__(self) -> str:
        """Show its name only: its object may not bear to be looked at."""
        return self.name


def value(of: Any) -> Recipe:
    """Make this very value."""
    return Recipe(repr(of)[:60], lambda _: of)


def actor(name: str, act: Callable[[World], Callable[[], None]], **answers: Any) -> Recipe:
    """Make an object that acts whenever it is looked at, and then answers so."""

    def make(world: World) -> Any:
        acting = act(world)

        def method(answer: Any) -> Callable[..., Any]:
            def run(*_: object, **__: object) -> Any:
                acting()
                return answer() if callable(answer) else answer

            return run

        return type(name, (), {f"__{key}__": method(answer) for key, answer in answers.items()})()

    return Recipe(name, make)


def raising(_: World) -> Callable[[], None]:
    def act() -> None:
        raise Boom

    return act


def meddling(world: World) -> Callable[[], None]:
    return world.meddle


class Text(str):
    """A `str` that is not what it says it is."""

    __slots__ = ()

    def __str__(self) -> str:
        """Raise."""
        raise Boom

    def __eq__(self, other: object) -> bool:
        """Raise."""
        raise Boom

    def __hash__(self) -> int:
        """Raise."""
        raise Boom

    def __len__(self) -> int:
        """Lie."""
        return -1  # noqa: PLE0303 - that is the point


class Number(float):
    """A `float` that is not what it says it is."""

    __slots__ = ()

    def __float__(self) -> float:
        """Raise."""
        raise Boom


class Whole(int):
    """An `int` that is not what it says it is."""

    def __index__(self) -> int:
        """Raise."""
        raise Boom


class Names(dict[Any, Any]):
    """A `dict` that grows while it is read."""

    def items(self) -> Any:
        """Change it on the way."""
        for pair in list(super().items()):
            self[object()] = pair
            yield pair

    def keys(self) -> Any:
        """Raise."""
        raise Boom


class Liar:
    """An object that claims to be a wave, and has nothing of one."""

    @property
    def __class__(self) -> Any:
        """Lie."""
        return Wave

    def __getattr__(self, name: str) -> Any:
        """Raise."""
        raise Boom


def broken() -> Iterator[Any]:
    yield ("a.b", 1)
    raise Boom


class Ender:
    """An object whose end emits."""

    def __init__(self, world: World) -> None:
        """Its world."""
        self.world = world

    def __del__(self) -> None:
        """Emit, wherever the last reference goes."""
        if self.world.medium.health().live:
            self.world.medium.emit_nowait("ended", 1)


ANSWERS: dict[str, Any] = {
    "float": 0.5,
    "index": 1,
    "int": 1,
    "str": "a.b",
    "repr": "it",
    "bool": True,
    "hash": 1,
    "eq": True,
    "len": 1,
    "iter": lambda: iter([("a.b", 1)]),
    "getitem": "x",
    "call": None,
    "contains": True,
    "lt": True,
}
WRONG: dict[str, Any] = {name: object() for name in ANSWERS}

PLAIN: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2,
    2**31,
    2**63,
    2**64,
    -(2**200),
    2**2000,
    0.5,
    -0.0,
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    5e-324,
    "",
    "a",
    "a.b",
    "a.*",
    ">",
    "a..b",
    "a b",
    "\ud800",
    "a.\udfff.b",
    "a\0b",
    "é.日本",
    "a" * 1_025,
    ".".join("a" * 33),
    "block",
    "fresh",
    Text("a.b"),
    Text("\ud800"),
    b"a.b",
    bytearray(b"a.b"),
    1j,
    Number(0.5),
    Whole(1),
    (),
    ("a.b", 1),
    ("a.b", 1, 2),
    [],
    [("a.b", 1), ("a..b", 1)],
    [("a.b", 1), "a.b"],
    [Wave("a.b"), None],
    {},
    {"k": "v"},
    {"k": 1},
    {1: "v"},
    {"\ud800": "\ud800"},
    Names({"k": "v"}),
    {"k" * 100: "v" * 100_000},
    {1, 2},
    object,
    object(),
    Wave,
    Liar(),
    len,
    Ellipsis,
]

RECIPES: list[Recipe] = [
    *map(value, PLAIN),
    actor("Raises", raising, **ANSWERS),
    actor("Meddles", meddling, **ANSWERS),
    actor("MeddlesAndLies", meddling, **WRONG),
    Recipe("broken()", lambda _: broken()),
    Recipe("Ender", Ender),
    Recipe("[Ender]", lambda world: [Ender(world)]),
    Recipe("meddling dict", lambda world: {"k": actor("M", meddling, **ANSWERS).make(world)}),
    Recipe(
        "meddling pairs",
        lambda world: [("a.b", 1), (actor("M", meddling, **ANSWERS).make(world), 1)],
    ),
    Recipe("medium", lambda world: world.medium),
    Recipe("reader", lambda world: world.reader),
    Recipe("speaker", lambda world: world.speaker),
    Recipe("emitter", lambda world: world.emitter),
    Recipe("wave", lambda world: world.wave),
    Recipe("channel", lambda world: world.channel),
    Recipe("clock", lambda world: world.clock),
    Recipe("config", lambda world: world.config),
    Recipe("receipt", lambda world: world.medium.emit_nowait("a.b")),
    Recipe("emitted wave", lambda world: world.reader.receive_nowait()),
    Recipe("wave of itself", lambda world: Wave("a.b", [world.wave])),
]

strange: st.SearchStrategy[Recipe] = st.one_of(
    st.sampled_from(RECIPES),
    st.one_of(
        st.text(max_size=20),
        st.floats(),
        st.integers(),
        st.binary(max_size=4),
        st.characters(categories=["Cs"]),
    ).map(value),
)
