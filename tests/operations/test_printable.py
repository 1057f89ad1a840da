"""What others call themselves, where it is printed."""

from __future__ import annotations

from hypothesis import given, strategies as st
from tests.operations.followed import following, vibrating

from aether import Aether, Wave
from aether._printable import printable

NAME = "a\x1b[2J\x1b]0;owned\x07\nreached\u202e\x7f\x9b\U000e0001"


@given(st.text(st.characters(exclude_categories=())))
def test_it_is_one_line_and_says_what_was_there(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text
    elif "\\" not in text and text.isascii():
        assert shown.encode("ascii").decode("unicode_escape") == text


def test_an_explanation_has_a_line_for_each_vibrator() -> None:
    medium = Aether(following())
    vibrating(medium, NAME, "orders")
    lines = str(medium.explain("orders")).split("\n")
    assert len(lines) == 3
    assert all(one.isprintable() for one in lines)
    assert lines[2].startswith(r"a\x1b[2J\x1b]0;owned\x07\nreached\u202e\x7f\x9b\U000e0001")


async def test_a_trace_has_a_line_for_each_span(anyio_backend: object) -> None:
    medium = Aether(following())
    desk = medium.vibrator(NAME)
    seen: list[Wave] = []

    @desk.on("orders")
    async def handle(wave: Wave) -> None:
        seen.append(wave)
        raise ValueError("\x1b[31m\nno")

    async with medium:
        await medium.emit_wave("orders")
        assert await medium.settle(10)
        lines = str(medium.trace(seen[0])).split("\n")
        assert len(lines) == 3
        assert all(one.isprintable() for one in lines)
        assert str(medium.trace("\x1b[2J")).isprintable()
