"""A channel is a `str` with a few questions to it."""

import copy
import json
import pickle
import uuid

import pytest
from tests.probes import assert_says

from aether import Channel, ChannelError


def test_is_a_str_subclass_without_slots() -> None:
    assert issubclass(Channel, str)
    assert "__slots__" not in vars(Channel)
    assert isinstance(Channel("a.b"), str)


def test_compares_and_hashes_as_its_name() -> None:
    channel = Channel("orders.created")
    assert channel == "orders.created"
    assert "orders.created" == channel  # noqa: SIM300 - the other way round
    assert hash(channel) == hash("orders.created")
    assert channel != "orders.other"


def test_finds_itself_in_a_dict_of_names() -> None:
    assert {"orders.created": 1}[Channel("orders.created")] == 1
    assert {Channel("orders.created"): 1}["orders.created"] == 1


def test_two_spellings_of_one_meaning_are_two_names() -> None:
    assert Channel("a.*") != Channel("a.>")


def test_sorts_as_its_name() -> None:
    assert sorted([Channel("b"), "a.c", Channel("a.b")]) == ["a.b", "a.c", "b"]


def test_formats_as_its_name() -> None:
    channel = Channel("orders.created")
    assert f"{channel}" == "orders.created"
    assert str(channel) == "orders.created"
    assert f"{channel:>16}" == "  orders.created"
    assert "%s" % channel == "orders.created"  # noqa: UP031 - it is what is tested
    assert json.dumps(channel) == '"orders.created"'


def test_a_channel_of_a_channel_is_equal() -> None:
    assert Channel(Channel("a.b")) == "a.b"


@pytest.mark.parametrize(
    "clone",
    [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_stay_channels(clone: object) -> None:
    twin = clone(Channel("orders.*"))  # type: ignore[operator]
    assert isinstance(twin, Channel)
    assert twin == "orders.*"
    assert twin.canonical == "orders.>"


def test_is_generic_at_no_cost() -> None:
    channel = Channel[int]("orders.created")
    assert type(channel) is Channel
    assert channel == "orders.created"


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a.*", ("a", "*")),
        ("*", ("*",)),
        ("é.ü", ("é", "ü")),
    ],
)
def test_tokens_and_depth(name: str, tokens: tuple[str, ...]) -> None:
    channel = Channel(name)
    assert channel.tokens == tokens
    assert channel.depth == len(tokens)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.b", False),
        ("a", False),
        ("a.*", True),
        ("+.a", True),
        (">", True),
        ("*", True),
        ("*.a", True),
    ],
)
def test_is_pattern(name: str, expected: bool) -> None:
    assert Channel(name).is_pattern is expected


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("a.b", "a.b"),
        ("a.*", "a.>"),
        ("a.>", "a.>"),
        ("*", ">"),
        ("*.a", "+.a"),
        ("a.+", "a.+"),
        ("a.*.*", "a.+.>"),
        ("*.+.b", "+.+.b"),
    ],
)
def test_canonical(name: str, canonical: str) -> None:
    assert Channel(name).canonical == canonical


@pytest.mark.parametrize(
    ("name", "parent"), [("a.b.c", "a.b"), ("a.b", "a"), ("orders.*", "orders"), ("+.b", "+")]
)
def test_parent(name: str, parent: str) -> None:
    assert Channel(name).parent == parent
    assert isinstance(Channel(name).parent, Channel)


@pytest.mark.parametrize("name", ["a", "*", "+"])
def test_a_single_token_has_no_parent(name: str) -> None:
    assert Channel(name).parent is None


def test_of_joins_literal_tokens() -> None:
    channel = Channel.of("progress", "job-17", "done")
    assert isinstance(channel, Channel)
    assert channel == "progress.job-17.done"
    assert not channel.is_pattern


def test_child_adds_one_literal_token() -> None:
    child = Channel("progress").child("job-17")
    assert isinstance(child, Channel)
    assert child == "progress.job-17"


OUTSIDE = ["", "a.b", ".", "*", "+", ">", "a*", "a b", " ", "\n", "a\x00", "\ud800", "a" * 2000]


@pytest.mark.parametrize("part", OUTSIDE)
def test_of_refuses_a_part_that_is_not_one_literal_token(part: str) -> None:
    with pytest.raises(ChannelError):
        Channel.of("progress", part)


@pytest.mark.parametrize("part", OUTSIDE)
def test_child_refuses_a_part_that_is_not_one_literal_token(part: str) -> None:
    with pytest.raises(ChannelError):
        Channel("progress").child(part)


@pytest.mark.parametrize("pattern", ["*", "a.*", "a.>", "a.+.*"])
def test_nothing_can_be_named_below_what_takes_everything(pattern: str) -> None:
    with pytest.raises(ChannelError) as caught:
        Channel(pattern).child("b")
    assert_says(caught.value, repr(pattern), "takes everything below it", "write '+'")
    assert Channel("a.+").child("b") == "a.+.b"


def test_a_number_beyond_what_python_writes_out_is_refused() -> None:
    number = 1 << 20_000
    for make in (lambda: Channel.of("a", number), lambda: Channel("a").child(number)):
        with pytest.raises(ChannelError, match=r"is an int of 20001 bits; that is too long"):
            make()


def test_of_nothing_is_refused() -> None:
    with pytest.raises(ChannelError):
        Channel.of()


def test_of_writes_numbers_and_uuids_out() -> None:
    job = uuid.UUID(int=7)
    assert Channel.of("progress", 17, job) == f"progress.17.{job}"


def test_of_says_which_part_is_none() -> None:
    with pytest.raises(ChannelError, match=r"part 2 of Channel\.of\(\) is empty"):
        Channel.of("progress", "")
    with pytest.raises(TypeError, match=r"part 3 of Channel\.of\(\) must be a str"):
        Channel.of("progress", 7, None)  # type: ignore[arg-type]
    with pytest.raises(ChannelError, match="at least one"):
        Channel.of()


@pytest.mark.parametrize("part", [None, 7.5, b"x", ["a"], object()])
def test_a_part_that_is_no_str_is_a_type_error(part: object) -> None:
    with pytest.raises(TypeError):
        Channel.of("progress", part)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Channel("progress").child(part)  # type: ignore[arg-type]


def test_the_limits_hold_for_what_is_put_together() -> None:
    with pytest.raises(ChannelError):
        Channel.of(*["a"] * 33)
    with pytest.raises(ChannelError):
        Channel.of("a" * 600, "b" * 600)
    with pytest.raises(ChannelError):
        Channel(".".join("a" * 32)).child("b")


@pytest.mark.parametrize("name", ["tokens", "depth", "is_pattern", "canonical", "parent"])
def test_the_answers_cannot_be_changed(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Channel("a.b"), name, "x")
