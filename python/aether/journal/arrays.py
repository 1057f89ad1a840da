"""Arrays of numpy as bytes: the format .npy, which keeps type, shape and order, and which others read too."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING, Any

from aether.errors import PayloadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decoded_array", "encoded_array", "kind_of"]

_LONGEST_HEADER = 8_192
"""Of an array, in bytes: what numpy reads back without a doubt."""


def encoded_array(array: NDArray[Any]) -> bytes:
    """An array as .npy.

    Raises:
        PayloadError: It is more than an array, or holds Python objects.
    """
    import numpy as np

    if type(array) is not np.ndarray and type(array) is not np.memmap:
        raise PayloadError(
            f"a payload of type {kind_of(array)} is more than an array, and would come back as a plain one; send"
            f" numpy.asarray(...) of it, or its parts"
        )
    if array.dtype.hasobject:
        raise PayloadError(
            f"an array of {array.dtype} holds Python objects, which have no bytes of their own; send tolist() of it,"
            f" or an array of numbers"
        )
    file = BytesIO()
    # The plainest version that has room for names of fields in any language.
    version = (1, 0) if array.dtype.names is None else (3, 0)
    np.lib.format.write_array(file, array, version, allow_pickle=False)
    if file.tell() - array.nbytes > _LONGEST_HEADER:
        raise PayloadError(
            f"the type of an array takes more than {_LONGEST_HEADER:,} bytes to write down; send its fields as arrays"
            f" of their own"
        )
    return file.getvalue()


def decoded_array(data: bytes) -> NDArray[Any]:
    """The array, read-only; a plain one stays where its bytes are."""
    import numpy as np

    file = BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        file.seek(0)
        array: NDArray[Any] = np.lib.format.read_array(
            file, allow_pickle=False, max_header_size=2 * _LONGEST_HEADER
        )
        if file.tell() != len(data):
            raise ValueError("there are bytes behind the array")
        array.flags.writeable = False
        return array
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    count = math.prod(shape)
    if file.tell() + count * dtype.itemsize != len(data):
        raise ValueError(
            f"{len(data) - file.tell():,} bytes are no array of {dtype} and the shape {shape}"
        )
    if not count or not dtype.itemsize:
        array = np.empty(shape, dtype, order="F" if is_fortran else "C")
        array.flags.writeable = False
        return array
    flat = np.frombuffer(data, dtype, count, file.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")


def kind_of(payload: object) -> str:
    """The type of a payload, as messages name it."""
    kind = type(payload)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
