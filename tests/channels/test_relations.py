"""`matches`, `covers` and `overlaps`, by the sentences of the guide."""

from collections.abc import Callable

import pytest

from aether import Channel, ChannelError

RELATIONS = ["matches", "covers", "overlaps"]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("orders.created", "orders.created"),
        ("orders.created", "orders.*"),
        ("orders.payment.completed", "orders.*"),
        ("orders.payment.completed", "orders.>"),
        ("orders", "*"),
        ("orders.created", "*"),
        ("a.b.c.d.e", "*"),
        ("a.b.c", ">"),
        ("orders.created", "orders.+"),
        ("orders", "+"),
        ("orders.created", "+.created"),
        ("orders.created", "*.created"),
        ("a.b.c", "a.*.c"),
        ("a.b.c", "a.+.c"),
        ("a.b.c", "+.+.+"),
        ("a.b.c.d", "*.b.*"),
        ("a.b.c.d", "a.+.*"),
        (".".join("a" * 32), "a.*"),
        (".".join("a" * 32), ".".join("+" * 32)),
    ],
)
def test_matches(name: str, pattern: str) -> None:
    assert Channel(name).matches(pattern) is True


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("orders", "orders.*"),
        ("orders", "orders.>"),
        ("orders.payment.completed", "orders.+"),
        ("orders", "orders.+"),
        ("orders.created", "orders"),
        ("orders", "orders.created"),
        ("orders.created.late", "*.created"),
        ("a.b.c", "+"),
        ("a.x.b.c", "a.*.c"),
        ("a.c", "a.*.c"),
        ("a.b", "a.+.*"),
        ("ordersx.created", "orders.*"),
        ("order.created", "orders.*"),
        (".".join("a" * 32), ".".join("+" * 31)),
    ],
)
def test_does_not_match(name: str, pattern: str) -> None:
    assert Channel(name).matches(pattern) is False


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("orders.*", "orders.+.done"),
        ("orders.*", "orders.>"),
        ("orders.>", "orders.*"),
        ("orders.*", "orders.+"),
        ("*", "orders.*"),
        ("*", "*"),
        ("*", "+.+"),
        ("+.*", "a.b.c"),
        ("+.+", "*.a"),
        ("+.a", "*.a"),
        ("a.*", "a.*.*"),
    ],
)
def test_covers(wide: str, narrow: str) -> None:
    assert Channel(wide).covers(narrow) is True


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("orders.+.done", "orders.*"),
        ("orders.+", "orders.*"),
        ("orders.*", "orders"),
        ("+", "*"),
        ("a.+", "+.a"),
        ("a.*.*", "a.*"),
        ("orders.*", "*"),
        ("a", "+"),
    ],
)
def test_does_not_cover(wide: str, narrow: str) -> None:
    assert Channel(wide).covers(narrow) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("orders.+", "*.created"),
        ("orders.*", "+.+.done"),
        ("*", "a.b.c"),
        ("a.*", "a.b.>"),
        ("a.b", "a.b"),
        ("+.b", "a.+"),
        ("a.*.c", "a.b.*"),
    ],
)
def test_overlaps(one: str, other: str) -> None:
    assert Channel(one).overlaps(other) is True
    assert Channel(other).overlaps(one) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("orders.+", "orders.+.+"),
        ("orders.+", "orders"),
        ("a.*", "b.*"),
        ("a.*", "a"),
        ("+.a", "+.b"),
        ("a.b", "a.c"),
    ],
)
def test_does_not_overlap(one: str, other: str) -> None:
    assert Channel(one).overlaps(other) is False
    assert Channel(other).overlaps(one) is False


def test_a_concrete_channel_stands_for_itself() -> None:
    channel = Channel("orders.created")
    assert channel.matches(channel)
    assert channel.covers(channel)
    assert channel.overlaps(channel)


def test_a_pattern_may_stand_on_the_left_of_matches() -> None:
    assert Channel("orders.+.done").matches("orders.*")
    assert not Channel("orders.*").matches("orders.+.done")


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("kind", [str, Channel])
def test_the_other_side_is_str_or_channel(relation: str, kind: Callable[[str], str]) -> None:
    assert getattr(Channel("orders.created"), relation)(kind("orders.created")) is True


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("other", [None, 1, b"orders", ["orders"], object()])
def test_the_other_side_of_another_type_is_a_type_error(relation: str, other: object) -> None:
    with pytest.raises(TypeError):
        getattr(Channel("orders.created"), relation)(other)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize(
    "other", ["", "a..b", "a b", "cre*", "a.>.b", "a" * 2000, ".".join("a" * 33)]
)
def test_the_other_side_that_is_no_channel_is_a_channel_error(relation: str, other: str) -> None:
    with pytest.raises(ChannelError):
        getattr(Channel("orders.created"), relation)(other)
