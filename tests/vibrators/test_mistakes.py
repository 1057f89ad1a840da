"""What people write at first, and what they are told to write instead."""

import functools
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from tests.probes import assert_says, assert_works, tuned

from aether import Aether, NoReceiver, Wave


async def yields_later(wave: Wave[Any]) -> AsyncGenerator[Any]:
    yield wave.payload


def yields(wave: Wave[Any]) -> Generator[Any]:
    yield wave.payload


class Yielding:
    def __call__(self, wave: Wave[Any]) -> Generator[Any]:
        yield wave.payload


@pytest.mark.parametrize("group", [None, "g"])
@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (yields_later, "yields_later"),
        (yields, "yields"),
        (functools.partial(yields), "partial"),
        (Yielding(), "Yielding"),
    ],
    ids=["async", "plain", "partial", "object"],
)
async def test_a_handler_that_yields_is_refused(handler: Any, name: str, group: str | None) -> None:
    async with Aether() as medium:
        v = tuned(medium, group=group)
        with pytest.raises(TypeError, match="yield") as caught:
            v.on("a.*")(handler)
        assert_says(caught.value, name, "return", "emit")
        assert list(medium.active_channels()) == []
        await assert_works(medium)


async def test_a_handler_may_use_generators() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        v.on("queries.*")(lambda wave: sum(yields(wave)))
        assert (await medium.request("queries.x", 3)).payload == 3


async def test_a_bare_on_says_what_to_write() -> None:
    async with Aether() as medium:
        v = tuned(medium)
        with pytest.raises(TypeError) as caught:

            @v.on  # type: ignore[arg-type]
            async def handle(wave: Wave[Any]) -> None: ...

        assert_says(caught.value, "@v.on('orders.*')")
        await assert_works(medium)


@pytest.mark.parametrize("method", ["on", "resonate_on"])
@pytest.mark.parametrize("kind", [list, tuple, set])
async def test_patterns_in_a_list_are_to_be_unpacked(method: str, kind: type) -> None:
    async with Aether() as medium:
        v = tuned(medium)
        with pytest.raises(TypeError) as caught:
            getattr(v, method)(kind(["a.*", "b.*"]))
        assert_says(caught.value, kind.__name__, f"{method}(*patterns)")
        assert list(medium.active_channels()) == []


@pytest.mark.parametrize("method", ["on", "resonate_on"])
async def test_no_patterns_at_all_is_a_value_error(method: str) -> None:
    async with Aether() as medium:
        v = tuned(medium)
        with pytest.raises(ValueError, match="patterns") as caught:
            getattr(v, method)()
        assert_says(caught.value, f"{method}('orders.*')")


@pytest.mark.parametrize("hand", ["medium", "vibrator"])
async def test_a_request_names_the_field_that_it_does_not_take(hand: str) -> None:
    async with Aether() as medium:
        asker = medium if hand == "medium" else tuned(medium)
        with pytest.raises(TypeError) as caught:
            await asker.request("queries.x", colour="red")  # type: ignore[call-arg]
        assert_says(caught.value, "request()", "'colour'", "timeout")
        await assert_works(medium)


@pytest.mark.parametrize("headers", ["x", "", [("a", "b")], 3, {"a": 1}, {1: "a"}], ids=repr)
async def test_a_request_refuses_the_headers_that_emit_wave_does(headers: Any) -> None:
    async with Aether() as medium:
        tuned(medium, "queries.*")
        with pytest.raises(TypeError) as of_emit:
            await medium.emit_wave("queries.x", headers=headers)
        with pytest.raises(TypeError) as of_request:
            await medium.request("queries.x", headers=headers)
        assert str(of_request.value) == str(of_emit.value)


@pytest.mark.parametrize("require", [0, None, 1, 2])
async def test_a_request_to_nobody_says_so_whatever_it_requires(require: int | None) -> None:
    async with Aether() as medium:
        tuned(medium, "orders.*", name="the-reader")
        with pytest.raises(NoReceiver) as caught:
            await medium.request("queries.x", require=require)
        assert_says(caught.value, "queries.x", f"requires {require or 1}", "the-reader")


async def test_a_request_that_requires_none_is_answered() -> None:
    async with Aether() as medium:
        tuned(medium).on("queries.*")(lambda wave: wave.payload)
        assert (await medium.request("queries.x", 1, require=0)).payload == 1
