"""Arrays as bytes and back: with type and shape, or not at all."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays
from tests.journal.coding import refusal, there_and_back

from aether import PayloadError
from aether.journal import Codecs
from aether.journal.codecs import ARRAY

ARRAYS = arrays.arrays(
    arrays.boolean_dtypes()
    | arrays.integer_dtypes(endianness="?")
    | arrays.floating_dtypes(endianness="?")
    | arrays.complex_number_dtypes()
    | arrays.datetime64_dtypes()
    | arrays.timedelta64_dtypes()
    | arrays.byte_string_dtypes()
    | arrays.unicode_string_dtypes(),
    arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


@given(ARRAYS, st.sampled_from(["C", "F"]), st.booleans())
def test_an_array_comes_back_with_its_type_and_shape(
    array: np.ndarray[Any, Any], order: Any, turned: bool
) -> None:
    array = np.asarray(array, order=order)
    if turned and array.ndim:
        array = array[::-1]
    codecs = Codecs("json")
    tag, data = codecs.encode(array)
    back = codecs.decode(tag, data)
    assert tag == ARRAY
    assert (type(back), back.dtype, back.shape) == (np.ndarray, array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    assert not back.flags.writeable


@pytest.mark.parametrize(
    "dtype",
    [
        [("x", "<f8"), ("y", ">i2", (2, 3))],
        [("größe", "<f4"), ("数", "u1")],
        {"names": ["a"], "formats": ["u1"], "offsets": [3], "itemsize": 8},
    ],
)
def test_an_array_of_fields_comes_back(dtype: Any) -> None:
    array = np.zeros(3, dtype)
    array[array.dtype.names[0]] = 7
    back = there_and_back(array)
    assert back.dtype == array.dtype
    assert repr(back.tolist()) == repr(array.tolist())
    assert not back.flags.writeable


def test_a_plain_array_is_read_where_its_bytes_are() -> None:
    codecs = Codecs()
    tag, data = codecs.encode(np.arange(1000))
    back = codecs.decode(tag, data)
    assert np.shares_memory(back, np.frombuffer(data, np.uint8))


def test_numpy_reads_what_is_written() -> None:
    _, data = Codecs().encode(np.arange(6).reshape(2, 3))
    assert np.load(io.BytesIO(data)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([object()]), "holds Python objects"),
        (np.array(["a"], dtype=np.dtypes.StringDType()), "holds Python objects"),
        (np.zeros(1, [("a", "O")]), "holds Python objects"),
        (np.ma.masked_array([1, 2], [0, 1]), "is more than an array"),
        (np.zeros(1, [("f" * 9_000, "u1")]), "takes more than 8,192 bytes to write down"),
        ({"a": np.zeros(2)}, "there is an array inside of it"),
        (np.complex128(1j), "has no form in it"),
        (np.longdouble(1), "holds more than a Python number does"),
    ],
)
def test_an_array_that_would_lose_something_is_refused(array: Any, words: str) -> None:
    assert words in refusal(array)


@pytest.mark.parametrize("cut", [0, 5, 20, 127, 130])
def test_a_piece_of_an_array_is_no_array(cut: int) -> None:
    codecs = Codecs()
    tag, data = codecs.encode(np.arange(2))
    with pytest.raises(PayloadError, match="cannot be read as array"):
        codecs.decode(tag, data[:cut])


def test_bytes_behind_an_array_are_told() -> None:
    for version in ((1, 0), (2, 0)):
        file = io.BytesIO()
        np.lib.format.write_array(file, np.arange(2), version=version)
        assert list(Codecs().decode(ARRAY, file.getvalue())) == [0, 1]
        with pytest.raises(PayloadError, match=r"cannot be read as array: .*bytes"):
            Codecs().decode(ARRAY, file.getvalue() + b"x")


def test_a_pickled_array_is_never_loaded() -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([object]), allow_pickle=True)
    with pytest.raises(PayloadError, match="objects"):
        Codecs().decode(ARRAY, file.getvalue())
