"""What a channel name may be, and what an error says about one that may not."""

import sys
import unicodedata

import pytest
from hypothesis import given, strategies as st

from aether import AetherError, Channel, ChannelError

WHITE = [
    "\t",
    "\n",
    "\x0b",
    "\x0c",
    "\r",
    " ",
    "\x85",
    "\xa0",
    "\u1680",
    "\u2000",
    "\u200a",
    "\u2028",
    "\u2029",
    "\u202f",
    "\u205f",
    "\u3000",
]
CONTROL = ["\x00", "\x01", "\x1b", "\x1f", "\x7f", "\x80", "\x9f"]
SURROGATES = ["\ud800", "\udbff", "\udc00", "\udfff"]


def refused(name: str) -> str:
    with pytest.raises(ChannelError) as caught:
        Channel(name)
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "orders.created",
        "orders.payment.completed",
        "Orders.CREATED",
        "bestellung.grün",
        "注文.作成",
        "a.😀",
        "$SYS.a",
        "a/b:c@d#e",
        "a-b_c~1",
        "\"quoted\".'too'",
        "a\\b.c",
        "zero\u200bwidth",
        "bom\ufeff",
        "\ue000.\uffff",
        "0",
        "-",
        "*",
        "+",
        ">",
        "a.*",
        "a.>",
        "a.+",
        "*.a",
        "*.*",
        "+.+.+",
        "a.*.b.+.>",
    ],
)
def test_is_accepted_as_written(name: str) -> None:
    assert str(Channel(name)) == name


def test_one_to_thirty_two_tokens() -> None:
    assert Channel("a").depth == 1
    assert Channel(".".join("a" * 32)).depth == 32


def test_thirty_three_tokens_are_too_many() -> None:
    message = refused(".".join("a" * 33))
    assert "32" in message
    assert "33" in message


def test_the_empty_name_is_refused() -> None:
    assert "''" in refused("") or '""' in refused("")


@pytest.mark.parametrize("name", [".", "a.", ".a", "a..b", "..", "a.b.", "orders..*"])
def test_an_empty_token_is_refused(name: str) -> None:
    assert name in refused(name)


@pytest.mark.parametrize("name", ["a" * 1024, "é" * 512, "😀" * 256, ("a" * 511 + ".") + "b" * 512])
def test_1024_bytes_of_utf8_are_accepted(name: str) -> None:
    assert len(name.encode()) == 1024
    assert Channel(name) == name


@pytest.mark.parametrize("name", ["a" * 1025, "é" * 512 + "a", "😀" * 256 + "a"])
def test_1025_bytes_of_utf8_are_too_long(name: str) -> None:
    message = refused(name)
    assert "1024" in message
    assert "1025" in message


def test_a_huge_name_is_refused_with_a_message_one_can_read() -> None:
    assert len(refused("a" * 1_000_000)) < 5000


@pytest.mark.parametrize("char", WHITE, ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("form", ["{}", "a{}", "{}a", "a{}b", "x.a{}b.y"])
def test_white_space_is_refused_anywhere(form: str, char: str) -> None:
    refused(form.format(char))


@pytest.mark.parametrize("char", CONTROL, ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("form", ["{}", "a{}", "{}a", "a{}b", "x.a{}b.y"])
def test_control_characters_are_refused_anywhere(form: str, char: str) -> None:
    refused(form.format(char))


@pytest.mark.parametrize("char", SURROGATES, ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("form", ["{}", "a{}b", "x.{}"])
def test_lone_surrogates_are_refused(form: str, char: str) -> None:
    message = refused(form.format(char))
    message.encode()  # the message itself can be printed


@given(st.characters())
def test_every_character_is_accepted_exactly_when_the_rule_says_so(char: str) -> None:
    name = f"a{char}b"
    category = unicodedata.category(char)
    bad = category in {"Cc", "Cs"} or char.isspace() or category.startswith("Z") or char in "*+>"
    if bad:
        refused(name)
    else:
        assert Channel(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "a*",
        "*a",
        "a+",
        "+a",
        "a>",
        ">a",
        "**",
        "++",
        ">>",
        "*+",
        "x.cre*",
        "x.cre*.y",
        "x.a+b.y",
        "orders*.created",
    ],
)
def test_a_wildcard_inside_a_token_is_refused(name: str) -> None:
    refused(name)


@pytest.mark.parametrize("name", [">.a", "a.>.b", ">.>", "a.>.*"])
def test_the_tail_wildcard_stands_only_at_the_end(name: str) -> None:
    assert ">" in refused(name)


def test_case_matters() -> None:
    assert Channel("Orders.Created") != Channel("orders.created")
    assert not Channel("Orders.created").matches("orders.*")


def test_nothing_is_normalised() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert Channel(composed) != Channel(decomposed)
    assert not Channel(composed).matches(decomposed)
    assert Channel("\u212a").tokens == ("\u212a",)  # KELVIN SIGN stays one


@pytest.mark.parametrize(
    "name", [None, 1, 1.5, b"a.b", bytearray(b"a"), ["a"], ("a", "b"), object(), True]
)
def test_a_name_that_is_no_str_is_a_type_error(name: object) -> None:
    with pytest.raises(TypeError, match="str"):
        Channel(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("orders.cre*.done", "cre*"),
        ("orders.a b.done", "a b"),
        ("x.y.bad+", "bad+"),
        ("orders.>.done", ">"),
    ],
)
def test_the_error_quotes_the_name_and_points_at_the_token(name: str, token: str) -> None:
    message = refused(name)
    assert name in message
    position = name.split(".").index(token) + 1
    rest = message.replace(name, "", 1)
    assert token in rest or str(position) in rest or "^" in rest


def test_the_error_points_at_an_empty_token() -> None:
    rest = refused("orders.created..late").replace("orders.created..late", "")
    assert "3" in rest or "^" in rest


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a..b", "empty"),
        ("a.b c", "space"),
        ("a.\x00", "control"),
        ("a.\ud800", "surrogate"),
        ("a.b*", "wildcard"),
        (".".join("a" * 40), "32"),
        ("a" * 2000, "1024"),
    ],
)
def test_the_error_says_the_rule(name: str, rule: str) -> None:
    message = refused(name).lower()
    assert rule in message.replace("whitespace", "white space")


def test_the_error_is_a_value_error_of_aether() -> None:
    assert issubclass(ChannelError, ValueError)
    assert issubclass(ChannelError, AetherError)


def test_the_message_never_breaks_the_terminal() -> None:
    message = refused("a.\x1b[31m.b")
    assert "\x1b" not in message


@given(st.text(max_size=60))
def test_any_text_is_a_channel_or_a_channel_error(text: str) -> None:
    try:
        channel = Channel(text)
    except ChannelError as error:
        assert str(error)  # noqa: PT017 - both outcomes are right, a third is not
    else:
        assert channel == text
        assert ".".join(channel.tokens) == text


def test_the_interpreter_counts_as_many_white_characters_as_the_rule() -> None:
    """The table above is complete: what `str.isspace` knows is refused."""
    spaces = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
    for char in spaces:
        refused(f"a{char}")
