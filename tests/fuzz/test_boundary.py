"""Any object, to every argument of every public callable: a documented error or none, and the medium works on.

The callables are read off the classes, and their arguments off the signatures, so that what is added later takes part. One
argument of each call is strange (`tests/fuzz/strange.py`); the others are left out, sound, or strange too. What may come
out is an error of the library, a `TypeError`, a `ValueError`, a `TimeoutError`, or whatever the argument raised by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from tests.fuzz.strange import RECIPES, Boom, Recipe, World, strange, value

from aether import (
    Aether,
    AetherConfig,
    AetherError,
    Channel,
    Closed,
    ManualClock,
    Vibrator,
    Wave,
    WaveBuilder,
    _native,
)
from aether.vibrator import Created

ALLOWED = (AetherError, TypeError, ValueError, TimeoutError, Boom)

WORDS = ["a.b", "a.*", "orders.created"]
SOUND: dict[str, list[Any]] = {
    "channel": WORDS,
    "pattern": WORDS,
    "patterns": WORDS,
    "name": WORDS,
    "other": WORDS,
    "first": WORDS,
    "second": WORDS,
    "parts": ["a", 7],
    "part": ["a", 7],
    "payload": [None, 1, b"x", {"k": 1}],
    "amplitude": [0.0, 0.5, 1.0],
    "phase": [0.0, 3.0],
    "frequency": [1.0, 2.0],
    "headers": [None, {"k": "v"}],
    "source": [None, "s"],
    "timestamp": [None, 5.0],
    "ttl": [None, 10.0],
    "require": [None, 1],
    "timeout": [0.0, 1.0],
    "order": ["amplitude", "fifo", "fresh"],
    "overflow": ["block", "drop_oldest", "conflate", "error"],
    "order_by": [0, 1, 2],
    "overflow_by": [0, 1, 5],
    "buffer_size": [1, 4],
    "noise_floor": [0.0, 0.5],
    "ignore_own": [True, False],
    "group": [None, "g"],
    "concurrency": [1, 2],
    "most": [1, 5],
    "max_wait": [None, 0.0],
    "on_error": ["log", "raise"],
    "attenuation_factor": [0.5, 0.95],
    "decay_interval": [1.0],
    "now": [None, 5.0],
    "seconds": [0.0, 1.0],
    "start": [0.0],
    "key": [None, "k"],
    "value": ["v"],
}
WAVES = [Wave("a.b", 1), Wave("x", 2, amplitude=0.5, phase=2.0)]
SOUND |= dict.fromkeys(["wave", "w1", "w2"], WAVES)
SOUND["items"] = [[("a.b", 1)], WAVES]

EMITTING = ["amplitude", "phase", "frequency", "headers", "ttl", "cause", "compensates", "require"]
# What hides behind **options.
OPTIONS: dict[str, list[str]] = {
    "emit_sync": [*EMITTING, "timeout", "no_such"],
    "request": [*EMITTING, "no_such"],
    "replace": [
        "channel",
        "payload",
        "amplitude",
        "phase",
        "frequency",
        "source",
        "headers",
        "ttl",
    ],
    "AetherConfig": [],
}
# Those that end the medium, or one of its parts, by their contract.
ENDING = {"aclose", "drain", "close", "shut", "_leave"}
# Not of ours: what every `str` and every pydantic model can do.
FOREIGN = {*dir(str), *(set(dir(AetherConfig)) - {"replace"})}
# What the library calls on itself, with objects and counts of its own; and what has no arguments to speak of.
INTERNAL = {
    *("adopt", "disown", "lane_mailbox", "share", "count_shared", "open_mailbox", "explain_rows"),
    *("default", "running"),
}

Call = Callable[..., Any]
Target = tuple[str, Callable[[World], Call]]


def methods(owner: str, kind: type) -> Iterator[Target]:
    """The methods of one object of the world."""
    foreign = FOREIGN if kind in {Channel, AetherConfig} else INTERNAL
    for name in dir(kind):
        static = inspect.getattr_static(kind, name)
        if name.startswith("_") or not callable(getattr(static, "__func__", static)):
            continue
        if name not in foreign or (kind is Channel and name in {"matches", "replace"} - FOREIGN):
            yield f"{owner}.{name}", lambda world, name=name: getattr(getattr(world, owner), name)


def targets() -> Iterator[Target]:
    """Everything that is called."""
    for kind in (Aether, AetherConfig, Channel, ManualClock, Wave, WaveBuilder, Vibrator.create):
        yield kind.__name__, lambda _, kind=kind: kind
    for owner in (
        "medium",
        "reader",
        "emitter",
        "wave",
        "channel",
        "builder",
        "clock",
        "engine",
        "config",
    ):
        with World() as world:
            kind = type(getattr(world, owner))
        yield from methods(owner, kind)
    yield "Channel.of", lambda _: Channel.of
    for name in (
        "check_pattern",
        "check_token",
        "parse_pattern",
        "restore_channel",
        "covers",
        "overlaps",
        "payload_size",
    ):
        yield name, lambda _, name=name: getattr(_native, name)


TARGETS = dict(targets())


def some(name: str) -> st.SearchStrategy[Recipe]:
    sound = st.sampled_from(SOUND[name]).map(value) if name in SOUND else st.just(value(None))
    return st.one_of(sound, sound, strange)


def own_parameters(call: Call) -> list[inspect.Parameter]:
    """The parameters of a callable, without those that stand for its object."""
    parameters = inspect.signature(call).parameters.values()
    return [parameter for parameter in parameters if parameter.name not in {"self", "cls"}]


@st.composite
def arguments(draw: st.DrawFn, name: str, call: Call) -> tuple[list[Recipe], dict[str, Recipe]]:
    """Recipes for one call: one argument is strange."""
    given: list[Recipe] = []
    named: dict[str, Recipe] = {}
    signature = own_parameters(call)
    options = OPTIONS.get(name.rpartition(".")[2], ["no_such"])
    names = [p.name for p in signature if p.kind is not p.VAR_KEYWORD]
    names += options if any(p.kind is p.VAR_KEYWORD for p in signature) else []
    focus = draw(st.sampled_from(names)) if names else None

    def pick(name: str) -> Recipe:
        return draw(strange if name == focus else some(name))

    for parameter in signature:
        word, kind = parameter.name, parameter.kind
        if kind is parameter.VAR_POSITIONAL:
            given += [pick(word) for _ in range(draw(st.integers(1, 3)))]
        elif kind is parameter.VAR_KEYWORD:
            named |= {word: pick(word) for word in options if word == focus or draw(st.booleans())}
        elif parameter.default is parameter.empty or word == focus or draw(st.booleans()):
            recipe = pick(word)
            # One that is left out before it makes a later one a named one.
            if kind is parameter.POSITIONAL_ONLY or (
                kind is not parameter.KEYWORD_ONLY and not named
            ):
                given.append(recipe)
            else:
                named[word] = recipe
        elif kind is not parameter.KEYWORD_ONLY:
            named.setdefault(word, value(parameter.default))
    return given, named


async def outcome(result: Any) -> None:
    """Await what was returned for some turns, and then no more."""
    task = asyncio.ensure_future(result)
    for _ in range(4):
        await asyncio.sleep(0)
    task.cancel()
    try:
        done = await task
    except asyncio.CancelledError:
        return
    if isinstance(done, Vibrator):
        done.close()


async def called(call: Call, given: list[Any], named: dict[str, Any]) -> Any:
    """Call it where a loop runs, and see what comes of it."""
    result = call(*given, **named)
    if inspect.isawaitable(result) or isinstance(result, Created):
        await outcome(result if inspect.isawaitable(result) else _created(result))
    elif isinstance(result, Vibrator):
        result.close()
    return result


async def _created(created: Created) -> Vibrator:
    return await created


def assert_delivers(world: World, *, may_have_ended: bool) -> None:
    """Somebody new hears a wave."""
    try:
        witness = world.medium.vibrator("witness")
    except Closed:
        assert may_have_ended
        return
    witness.resonate_on("witness.it")
    receipt = world.medium.emit_nowait("witness.it", "hello")
    assert receipt.delivered >= 1
    assert witness.receive_nowait().payload == "hello"
    witness.close()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def attempt(
    runner: asyncio.Runner, name: str, world: World, given: list[Recipe], named: dict[str, Recipe]
) -> None:
    """One call: nothing undocumented comes out, and the medium works on."""
    call = TARGETS[name](world)
    method = name.rpartition(".")[2]
    values = [recipe.make(world) for recipe in given]
    options = {word: recipe.make(world) for word, recipe in named.items()}
    with contextlib.suppress(*ALLOWED):
        # Some wait as threads do, where no loop runs.
        if method.endswith("_sync"):
            call(*values, **options)
        else:
            runner.run(called(call, values, options))
    assert_delivers(world, may_have_ended=method in ENDING)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=max(10, settings().max_examples // 10))
@given(data=st.data())
def test_strange_arguments_are_refused_or_taken(
    runner: asyncio.Runner, name: str, data: st.DataObject
) -> None:
    with World() as world:
        given, named = data.draw(arguments(name, TARGETS[name](world)), label="arguments")
        attempt(runner, name, world, given, named)


@pytest.mark.parametrize("name", TARGETS)
def test_each_strange_object_at_each_argument(runner: asyncio.Runner, name: str) -> None:
    with World() as world:
        parameters = own_parameters(TARGETS[name](world))
    words = [
        parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD
    ]
    if len(words) < len(parameters):
        words += OPTIONS.get(name.rpartition(".")[2], ["no_such"])
    for focus, recipe in itertools.product(words, RECIPES):
        given, named = [], {}
        for parameter in parameters:
            word, kind = parameter.name, parameter.kind
            one = recipe if word == focus else value(SOUND.get(word, [None])[0])
            if word != focus and parameter.default is not parameter.empty:
                continue
            if kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL}:
                given.append(one)
            elif kind is not parameter.VAR_KEYWORD:
                named[word] = one
        if all(focus != parameter.name for parameter in parameters):
            named[focus] = recipe
        with World() as world:
            try:
                attempt(runner, name, world, given, named)
            except BaseException as error:
                error.add_note(f"{name}, {focus}: {recipe}")
                raise


def test_the_targets_are_what_people_call() -> None:
    for name in (
        "medium.emit_nowait",
        "reader.receive_many",
        "emitter.emit",
        "Wave",
        "wave.replace",
        "channel.covers",
    ):
        assert name in TARGETS
    assert len(TARGETS) > 80
