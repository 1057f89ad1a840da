"""Payloads as bytes and back: what comes back, what is refused and in which words."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import pickle
import re
import subprocess
import sys
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st
from tests.journal.coding import refusal, there_and_back

from aether import Channel, PayloadError
from aether.journal import Codec, Codecs
from aether.journal.codecs import ARRAY, JSON, MSGPACK, NONE, PICKLE, RAW


class Reversed:
    """A codec of a user: text, backwards."""

    name = "reversed"
    tag = 200

    def encode(self, payload: Any) -> bytes:
        return payload[::-1].encode()

    def decode(self, data: bytes) -> Any:
        return data.decode()[::-1]


# -- Plain data --------------------------------------------------------------------------------

WHOLE = st.integers(-(2**63), 2**64 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLOATS = st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | WHOLE | FLOATS | TEXT
PLAIN = st.recursive(
    SCALARS | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT | WHOLE, inner),
    max_leaves=20,
)
JSON_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(PLAIN)
def test_plain_data_comes_back_through_msgpack(payload: Any) -> None:
    assert same(there_and_back(payload), payload)


@given(JSON_PLAIN)
def test_plain_data_comes_back_through_json(payload: Any) -> None:
    assert same(there_and_back(payload, "json"), payload)


@pytest.mark.filterwarnings("ignore:a journal with codec='pickle'")
@given(PLAIN)
def test_plain_data_comes_back_through_pickle(payload: Any) -> None:
    assert same(there_and_back(payload, "pickle"), payload)


@given(PLAIN)
def test_whatever_the_codec_none_bytes_and_arrays_have_their_own_tags(payload: Any) -> None:
    tag, _ = Codecs().encode(payload)
    assert tag == (NONE if payload is None else RAW if type(payload) is bytes else MSGPACK)


def test_nan_comes_back_through_msgpack() -> None:
    assert repr(there_and_back([float("nan"), float("inf")])) == "[nan, inf]"


@pytest.mark.parametrize(
    "payload",
    [
        float("nan"),
        [1.0, float("inf")],
        {"a": {"b": (1, float("-inf"))}},
        {"a": None, "b": float("nan")},
        {"k": {float("nan")}},
    ],
)
def test_json_refuses_what_it_would_write_as_null(payload: Any) -> None:
    assert "NaN or an infinity" in refusal(payload, "json")


@pytest.mark.parametrize("payload", [[None], {"null": "null"}, {"a": [1.5, None, "nan"]}])
def test_json_takes_null_where_it_is_meant(payload: Any) -> None:
    assert same(there_and_back(payload, "json"), payload)


# -- What comes back as something else ---------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Count(int):
    def __int__(self) -> int:
        return 99


class Share(float):
    pass


class Blob(bytes):
    pass


@dataclasses.dataclass
class Order:
    id: int
    tags: tuple[str, ...] = ()


class Point(msgspec.Struct):
    x: int


Pair = collections.namedtuple("Pair", ["a", "b"])  # noqa: PYI024 - one of those too


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize(
    ("payload", "back"),
    [
        ((1, 2), [1, 2]),
        ({7}, [7]),
        (Pair(1, 2), [1, 2]),
        (Order(7, ("a",)), {"id": 7, "tags": ["a"]}),
        (Point(3), {"x": 3}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(int, a=1), {"a": 1}),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (Channel("orders.created"), "orders.created"),
        ({Channel("a"): Channel("b")}, {"a": "b"}),
        ([Name("n"), {Name("k"): 1}], ["n", {"k": 1}]),
        (Count(3), 3),
        (Share(0.5), 0.5),
        (True, True),
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("s"), "s"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),  # noqa: DTZ001 - naive on purpose
        (timedelta(hours=1), "PT3600S"),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_it_comes_back_as_the_table_says(codec: str, payload: Any, back: Any) -> None:
    assert same(there_and_back(payload, codec), back)


def test_a_moment_comes_back_as_a_moment_or_as_text() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=2)))
    back = there_and_back(moment)
    assert back == moment
    assert back.tzinfo is UTC
    assert there_and_back(moment, "json") == "2026-01-02T03:04:05.678901+02:00"


def test_bytes_inside_are_bytes_or_base64() -> None:
    assert there_and_back({"b": b"\0\1", "m": bytearray(b"x")}) == {"b": b"\0\1", "m": b"x"}
    assert there_and_back({"b": b"\0\1"}, "json") == {"b": "AAE="}


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_a_kind_of_bytes_is_bytes(codec: str) -> None:
    class Token(bytes):
        def __bytes__(self) -> bytes:
            return b"not asked"

    codecs = Codecs(codec)
    for plain, special in ((b"x", Token(b"x")), ([b"x"], [Token(b"x")])):
        tag, data = codecs.encode(special)
        assert (tag, data) == codecs.encode(plain)
        assert type(data) is bytes


def test_a_program_without_numpy_is_told_the_same() -> None:
    code = """
import sys
from aether import PayloadError
from aether.journal import Codecs
try:
    Codecs().encode([object()])
except PayloadError as error:
    print("numpy" in sys.modules, "has no form in it" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_keys_are_kept_or_become_text() -> None:
    assert there_and_back({1: "a"}) == {1: "a"}
    assert there_and_back({1: "a"}, "json") == {"1": "a"}


# -- Bytes -------------------------------------------------------------------------------------


def test_bytes_are_not_copied() -> None:
    payload = b"some bytes that are long enough"
    tag, data = Codecs("json").encode(payload)
    assert (tag, data is payload) == (RAW, True)


@pytest.mark.parametrize("kind", [bytearray, memoryview, Blob])
def test_other_buffers_are_copied_and_come_back_as_bytes(kind: Any) -> None:
    tag, data = Codecs().encode(kind(b"abc"))
    assert (tag, type(data), data) == (RAW, bytes, b"abc")


def test_a_buffer_may_change_after_it_was_encoded() -> None:
    payload = bytearray(b"abc")
    _, data = Codecs().encode(payload)
    payload[0] = 0
    assert data == b"abc"


def test_a_view_with_steps_is_read_as_it_shows() -> None:
    assert there_and_back(memoryview(b"abcdef")[::2]) == b"ace"


def test_a_released_view_is_refused() -> None:
    view = memoryview(b"abc")
    view.release()
    assert "send it before you release it" in refusal(view)


# -- What is refused ---------------------------------------------------------------------------


def endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


class Bad:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no")


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize(
    "payload",
    [object(), 1j, endless(), range(3), lambda: None, Bad(), ["\ud800"], {"\udfff": 1}, [object]],
)
def test_what_a_codec_cannot_take_is_told_with_type_codec_and_remedy(
    codec: str, payload: Any
) -> None:
    words = refusal(payload, codec)
    assert (
        words.startswith(f"a payload of type {type(payload).__name__}".replace("Bad", ""))
        or "Bad" in words
    )
    assert f"cannot be written with the codec {codec!r}" in words
    assert "or give the journal a codec of your own" in words


@pytest.mark.parametrize("whole", [2**64, -(2**63) - 1])
def test_a_whole_number_beyond_64_bits(whole: int) -> None:
    assert "ints" in refusal([whole])
    assert there_and_back([whole], "json") == [whole]


def test_a_payload_may_be_as_large_as_it_may_and_no_larger() -> None:
    codecs = Codecs(max_payload_bytes=100)
    assert codecs.encode(bytes(100)) == (RAW, bytes(100))
    with pytest.raises(
        PayloadError, match=r"bytearray takes 101 bytes as raw bytes, and max_payload_bytes is 100"
    ):
        codecs.encode(bytearray(101))
    with pytest.raises(PayloadError, match=r"str takes 103 bytes as msgpack"):
        codecs.encode("x" * 101)


@pytest.mark.filterwarnings("error")
def test_another_limit_warns_of_nothing_again() -> None:
    with pytest.warns(UserWarning, match="pickle"):
        codecs = Codecs("pickle", also=[Reversed()])
    limited = codecs.limited(10)
    with pytest.raises(PayloadError, match="max_payload_bytes is 10"):
        limited.encode({1j})
    tag, data = codecs.encode({1j})
    assert limited.decode(tag, data) == {1j}
    assert limited.decode(200, b"cba") == "abc"
    with pytest.raises(ValueError, match="max_payload_bytes must be 1 or more, not 0"):
        codecs.limited(0)


def test_a_refused_payload_leaves_the_codecs_as_they_were() -> None:
    codecs = Codecs()
    with pytest.raises(PayloadError):
        codecs.encode([1, object()])
    assert codecs.encode([1]) == (MSGPACK, b"\x91\x01")


# -- A user's codec ----------------------------------------------------------------------------


def test_a_codec_of_ones_own_takes_everything_else() -> None:
    codecs = Codecs(Reversed())
    assert isinstance(Reversed(), Codec)
    assert codecs.name == "reversed"
    assert codecs.encode("abc") == (200, b"cba")
    assert codecs.decode(200, b"cba") == "abc"
    assert codecs.encode(None)[0] == NONE
    assert codecs.encode(b"x")[0] == RAW
    assert codecs.decode(MSGPACK, b"\x01") == 1


def test_its_errors_are_payload_errors() -> None:
    assert "'int' object is not subscriptable" in refusal(3, Reversed())
    with pytest.raises(PayloadError, match="3 bytes cannot be read as reversed"):
        Codecs(Reversed()).decode(200, b"\xff\xfe\xfd")


@pytest.mark.parametrize("given_back", [None, "text", 3])
def test_it_has_to_give_bytes(given_back: Any) -> None:
    class Odd(Reversed):
        def encode(self, payload: Any) -> bytes:
            return given_back

    assert "its encode() must give bytes" in refusal("x", Odd())


def test_it_may_give_a_buffer() -> None:
    class Buffered(Reversed):
        def encode(self, payload: Any) -> bytes:
            return memoryview(b"abc")  # type: ignore[return-value]

    assert Codecs(Buffered()).encode("x") == (200, b"abc")


def test_a_memory_error_is_no_payload_error() -> None:
    class Huge(Reversed):
        def encode(self, payload: Any) -> bytes:
            raise MemoryError

        decode = encode

    for call in (lambda: Codecs(Huge()).encode("x"), lambda: Codecs(Huge()).decode(200, b"")):
        with pytest.raises(MemoryError):
            call()


@pytest.mark.parametrize("tag", [-1, 0, 15, 256])
def test_a_tag_out_of_its_range(tag: int) -> None:
    codec = Reversed()
    codec.tag = tag
    with pytest.raises(
        ValueError, match=rf"the tag of the codec 'reversed' must be in 16..255, not {tag}"
    ):
        Codecs(codec)


def test_two_codecs_with_one_tag() -> None:
    with pytest.raises(ValueError, match="have the same tag, 200"):
        Codecs(Reversed(), also=[Reversed()])


@pytest.mark.parametrize("codec", [None, 3, object(), object])
def test_no_codec(codec: Any) -> None:
    with pytest.raises(TypeError, match="must have name, tag, encode and decode"):
        Codecs(codec)


@pytest.mark.parametrize(
    ("name", "tag"), [(7, 200), ("mine", "200"), ("mine", True), ("mine", 2.0)]
)
def test_a_name_is_a_text_and_a_tag_a_number(name: Any, tag: Any) -> None:
    codec = Reversed()
    codec.name, codec.tag = name, tag
    words = f"a codec's name must be a str and its tag an int, not {name!r} and {tag!r}"
    with pytest.raises(TypeError, match=re.escape(words)):
        Codecs(codec)


def test_a_class_is_no_codec() -> None:
    with pytest.raises(
        TypeError, match=r"is a class; a codec is an object of it: write Reversed\(\)"
    ):
        Codecs(Reversed)  # type: ignore[arg-type]


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="codec must be 'msgpack', 'json', 'pickle' or an object"):
        Codecs("yaml")


@pytest.mark.parametrize(
    ("most", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_limit_that_is_none(most: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="max_payload_bytes"):
        Codecs(max_payload_bytes=most)


# -- Reading -----------------------------------------------------------------------------------


def test_each_tag_of_the_library_is_read_whatever_writes() -> None:
    for writer in ("msgpack", "json"):
        for reader in (Codecs(), Codecs("json"), Codecs(Reversed())):
            assert reader.decode(*Codecs(writer).encode({"a": [1]})) == {"a": [1]}


def test_pickle_is_asked_for_by_name_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="runs code when it is read") as warned:
        codecs = Codecs("pickle")
    assert len(warned) == 1
    tag, data = codecs.encode({1j})
    assert (tag, codecs.decode(tag, data)) == (PICKLE, {1j})


def test_pickle_is_never_read_unasked() -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return pytest.fail, ("it ran",)

    with pytest.raises(
        PayloadError, match=r"if you trust whoever wrote the journal, open it with codec='pickle'"
    ):
        Codecs().decode(PICKLE, pickle.dumps(Bomb()))


def test_an_unknown_tag() -> None:
    with pytest.raises(
        PayloadError, match="no codec for the tag 17; open the journal with the codec"
    ):
        Codecs().decode(17, b"")
    with pytest.raises(PayloadError, match="tag 9 is of a later version"):
        Codecs().decode(9, b"")


@pytest.mark.parametrize("tag", [MSGPACK, JSON, ARRAY])
@given(st.binary(max_size=40))
def test_whatever_the_bytes_are_reading_gives_a_payload_or_a_payload_error(
    tag: int, data: bytes
) -> None:
    with contextlib.suppress(PayloadError):
        Codecs().decode(tag, data)


def test_no_payload_has_no_bytes() -> None:
    assert Codecs().decode(NONE, b"") is None
    with pytest.raises(PayloadError, match="no payload"):
        Codecs().decode(NONE, b"x")
