"""How payloads are written to a journal, and what comes back.

Contract:
- `encode` takes a payload and gives a tag, which names the way, and bytes. What it cannot take, or what is larger
  than `max_payload_bytes`, is a `PayloadError` that names the type, the codec and the remedy.
- `decode` gives the payload of a tag and bytes. It reads every tag of the library, whichever codec is chosen for
  writing, but `pickle`, which runs code and therefore has to be asked for by name.
- Nothing is lost unseen: what a codec would silently write as something else (NaN in JSON, a mask of an array) is
  refused. What comes back as another type is in this table, and nothing else is:

=================================== ==================================================
payload                             comes back as
=================================== ==================================================
``None``                            ``None``
`bytes`, `bytearray`, `memoryview`  `bytes`; `bytes` are written as they are
`numpy.ndarray`                     a read-only array of the same type and shape
anything else                       what the chosen codec makes of it:
list, tuple, set                    `list`
dict, dataclass, attrs, `Struct`    `dict`; with ``json``, keys become `str`, and the last of the same counts
`Enum`                              its value
subclasses of `str`, `int`, `float` the plain ones; a `Channel` is a `str`
scalars of numpy                    the plain number
`datetime` with a time zone         `datetime` in UTC; with ``json``, ISO text
other dates, times, `UUID`          ISO text
`Decimal`                           its text
bytes inside of something           `bytes`; with ``json``, base64 text
=================================== ==================================================
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, runtime_checkable

import msgspec

from aether.errors import PayloadError
from aether.journal.arrays import decoded_array, encoded_array, kind_of

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "ARRAY",
    "JSON",
    "MSGPACK",
    "NONE",
    "PICKLE",
    "RAW",
    "AsWritten",
    "Codec",
    "Codecs",
    "Encoded",
]

# The library's tags, as docs/journal-format.md has them. 16 to 255 are the users'.
RAW = 0
MSGPACK = 1
JSON = 2
ARRAY = 3
PICKLE = 4
NONE = 5

_NAMES = {
    RAW: "raw bytes",
    MSGPACK: "msgpack",
    JSON: "json",
    ARRAY: "array",
    PICKLE: "pickle",
    NONE: "no payload",
}
_FIRST_OF_USERS, _LAST_OF_USERS = 16, 255

_Encoder = Callable[[Any], bytes]
_Decoder = Callable[[bytes], Any]


@runtime_checkable
class Codec(Protocol):
    """A codec of your own: `encode(payload)` gives bytes, `decode(data)` gives the payload again.

    `name` is for messages. `tag` is 16..255 and stands in each record, so it must never mean something else in the
    same journal. An error of `encode` or `decode` becomes a `PayloadError`.
    """

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def tag(self) -> int:
        """Its number in the records: 16..255."""
        ...

    def encode(self, payload: Any, /) -> bytes:
        """The payload as bytes."""
        ...

    def decode(self, data: bytes, /) -> Any:
        """The payload of these bytes."""
        ...


class Encoded(NamedTuple):
    """A payload as it is written."""

    tag: int
    data: bytes


class Codecs:
    r"""The codecs of a journal: one to write with, and those that can read.

    Args:
        codec: What writes: ``"msgpack"``, ``"json"``, ``"pickle"`` or a `Codec`. `None`, bytes and arrays are written
            as they are, whatever it is. ``"pickle"`` gives a warning: whoever can write to the journal's files can
            run code in the process that reads them.
        also: Codecs that only read, for waves that were written with them.
        max_payload_bytes: How large a payload may be once it is encoded: 1 or more.
        sort: Whether ``"msgpack"`` writes keys and sets in an order of their own, so that equal ones are written equally; not
            where some are of other types than the others, nor keys that are no `str`.

    Raises:
        TypeError: `codec` or one of `also` is no codec.
        ValueError: A name or a tag is out of range, or two codecs have the same tag.

    Example:
        >>> from aether.journal import Codecs
        >>> codecs = Codecs()
        >>> codecs.encode({"id": 7})
        (1, b'\x81\xa2id\x07')
        >>> codecs.decode(1, b'\x81\xa2id\x07')
        {'id': 7}
        >>> codecs.encode(b"as it is")
        (0, b'as it is')
    """

    __slots__ = ("_decoders", "_encode", "_most", "_name", "_names", "_tag")

    def __init__(
        self,
        codec: str | Codec = "msgpack",
        *,
        also: Iterable[Codec] = (),
        max_payload_bytes: int = 1_048_576,
        sort: bool = False,
    ) -> None:
        self._most = _checked_most(max_payload_bytes)
        self._decoders: dict[int, _Decoder] = {
            RAW: bytes,
            MSGPACK: msgspec.msgpack.Decoder().decode,
            JSON: msgspec.json.Decoder().decode,
            ARRAY: decoded_array,
            NONE: _decoded_none,
        }
        self._names = dict(_NAMES)
        for one in also:
            self._learn(one)
        self._tag, self._encode = self._chosen(codec)
        if sort and self._tag == MSGPACK:
            self._encode = _encoded_sorted
        self._name = self._names[self._tag]

    @property
    def name(self) -> str:
        """What the codec that writes is called."""
        return self._name

    def limited(self, max_payload_bytes: int) -> Self:
        """The same codecs with another limit.

        Raises:
            TypeError: The limit is no int.
            ValueError: It is below 1.
        """
        limited = object.__new__(type(self))
        for name in Codecs.__slots__:
            setattr(limited, name, getattr(self, name))
        limited._most = _checked_most(max_payload_bytes)
        return limited

    def encode(self, payload: Any) -> tuple[int, bytes]:
        """The tag and the bytes of a payload.

        Raises:
            PayloadError: The codec cannot take it, or it is larger than `max_payload_bytes`.
        """
        tag, data = self._encoded(payload)
        if len(data) > self._most:
            message = (
                f"a payload of type {kind_of(payload)} takes {len(data):,} bytes as {self._names[tag]}, and"
                f" max_payload_bytes is {self._most:,}; send less, such as a reference to it, or raise the limit"
            )
            raise PayloadError(message)
        return tag, data

    def decode(self, tag: int, data: bytes) -> Any:
        """The payload of a tag and bytes.

        Raises:
            PayloadError: There is no codec for the tag, or it cannot read the bytes.
        """
        decoder = self._decoders.get(tag)
        if decoder is None:
            raise PayloadError(self._unknown(tag))
        try:
            return decoder(data)
        except MemoryError:
            raise
        except Exception as error:
            message = (
                f"{len(data):,} bytes cannot be read as {self._names[tag]}: {_said(error)}; they were written by"
                f" something else under the tag {tag}"
            )
            raise PayloadError(message) from error

    def _encoded(self, payload: Any) -> tuple[int, bytes]:
        if payload is None:
            return NONE, b""
        if isinstance(payload, bytes):
            return RAW, payload if type(payload) is bytes else _plain_bytes(payload)
        if isinstance(payload, bytearray | memoryview):
            return RAW, _copied(payload)
        # What nobody has imported nobody has made an array with.
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(payload, numpy.ndarray):
            return ARRAY, encoded_array(payload)
        try:
            data = self._encode(payload)
        except MemoryError:
            raise
        except Exception as error:
            remedy = "send plain data (dict, list, str, numbers, bytes, a dataclass), or give the journal a codec of your own"
            raise PayloadError(
                f"a payload of type {kind_of(payload)} cannot be written with the codec {self._name!r}: {_said(error)};"
                f" {remedy}"
            ) from error
        if type(data) is not bytes:
            if not isinstance(data, bytes | bytearray | memoryview):
                raise PayloadError(
                    f"the codec {self._name!r} made {kind_of(data)} of a payload of type {kind_of(payload)}; its encode()"
                    f" must give bytes"
                )
            data = bytes(data)
        return self._tag, data

    def _chosen(self, codec: str | Codec) -> tuple[int, _Encoder]:
        if not isinstance(codec, str):
            self._learn(codec)
            return codec.tag, codec.encode
        if codec == "msgpack":
            return MSGPACK, _to_msgpack
        if codec == "json":
            return JSON, _encoded_json
        if codec == "pickle":
            import pickle

            warnings.warn(
                "a journal with codec='pickle' runs code when it is read: whoever can write to its files can run"
                " anything in the process that reads them; use 'msgpack', or a codec of your own",
                UserWarning,
                stacklevel=4,
            )
            self._decoders[PICKLE] = pickle.loads  # asked for by name
            return PICKLE, _pickled
        raise ValueError(
            f"codec must be 'msgpack', 'json', 'pickle' or an object with name, tag, encode and decode, not {codec!r}"
        )

    def _learn(self, codec: Any) -> None:
        """Takes a user's codec for reading."""
        name, tag = getattr(codec, "name", None), getattr(codec, "tag", None)
        calls = (getattr(codec, "encode", None), getattr(codec, "decode", None))
        if name is None or tag is None or not all(map(callable, calls)):
            raise TypeError(
                f"a codec must have name, tag, encode and decode, and {kind_of(codec)} has not; see aether.journal.Codec"
            )
        if isinstance(codec, type):
            raise TypeError(
                f"{codec.__qualname__} is a class; a codec is an object of it: write {codec.__qualname__}()"
            )
        if not isinstance(name, str) or isinstance(tag, bool) or not isinstance(tag, int):
            raise TypeError(
                f"a codec's name must be a str and its tag an int, not {name!r} and {tag!r}"
            )
        if not _FIRST_OF_USERS <= tag <= _LAST_OF_USERS:
            raise ValueError(
                f"the tag of the codec {name!r} must be in {_FIRST_OF_USERS}..{_LAST_OF_USERS}, not {tag}; those below"
                f" are the library's"
            )
        if tag in self._decoders:
            raise ValueError(
                f"the codecs {self._names[tag]!r} and {name!r} have the same tag, {tag}; each needs its own"
            )
        self._decoders[tag] = codec.decode
        self._names[tag] = name

    def _unknown(self, tag: int) -> str:
        if tag == PICKLE:
            return (
                "it was written with pickle, which runs code when it is read; if you trust whoever wrote the journal,"
                " open it with codec='pickle'"
            )
        return (
            f"there is no codec for the tag {tag}; open the journal with the codec that it was written with"
            if tag >= _FIRST_OF_USERS
            else f"the tag {tag} is of a later version of this library; read it with that"
        )


class AsWritten(Codecs):
    """Payloads stay `Encoded` as they are read, and are written so again: for tools, which know no codec of anybody's own."""

    __slots__ = ()

    def encode(self, payload: Any) -> tuple[int, bytes]:
        """The tag and the bytes: of one that was read, those that it had, also where no limit would take them now."""
        return payload if isinstance(payload, Encoded) else super().encode(payload)

    def decode(self, tag: int, data: bytes) -> Encoded:
        """The tag and the bytes."""
        return Encoded(tag, data)


def _checked_most(most: object) -> int:
    if isinstance(most, bool) or not isinstance(most, int):
        raise TypeError(f"max_payload_bytes must be an int, not {kind_of(most)}")
    if most < 1:
        raise ValueError(f"max_payload_bytes must be 1 or more, not {most}")
    return most


def _plain(payload: Any) -> Any:
    """What msgspec does not take as it is, in plain types; it asks for keys too."""
    for kind, plain in _PLAIN.items():
        if isinstance(payload, kind):
            return plain(payload)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(payload, numpy.bool_ | numpy.integer | numpy.floating):
            return _plain_scalar(payload)
        if isinstance(payload, numpy.ndarray):
            raise TypeError(
                "there is an array inside of it; an array is written as it is when it is the payload itself, and"
                " tolist() makes a list of it"
            )
    raise TypeError(f"{kind_of(payload)} has no form in it")


def _copied(payload: Any) -> bytes:
    try:
        return bytes(payload)
    except (BufferError, ValueError) as error:
        raise PayloadError(
            f"a payload of type {kind_of(payload)} cannot be read: {_said(error)}; send it before you release it"
        ) from error


def _plain_bytes(payload: bytes) -> bytes:
    return bytes.__getitem__(payload, slice(None))


# Not `str(payload)` and so on, which ask a subclass what to say.
_PLAIN: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: _plain_bytes,
}


def _plain_scalar(scalar: np.generic) -> Any:
    item = scalar.item()
    if isinstance(item, bool | int | float):
        return item
    raise TypeError(f"{kind_of(scalar)} holds more than a Python number does")


_to_msgpack = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_to_sorted = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic").encode


def _encoded_sorted(payload: Any) -> bytes:
    try:
        return _to_sorted(payload)
    except TypeError:
        # What has no order, if not something that cannot be written at all.
        return _to_msgpack(payload)


_to_json = msgspec.json.Encoder(enc_hook=_plain).encode


def _encoded_json(payload: Any) -> bytes:
    data = _to_json(payload)
    # JSON has neither NaN nor infinity, and msgspec writes null for them.
    if b"null" in data and not _is_finite(msgspec.to_builtins(payload, enc_hook=_plain)):
        raise ValueError("there is a NaN or an infinity in it, which JSON has not; msgpack has")
    return data


def _is_finite(payload: Any) -> bool:
    """Whether all floats in plain data are."""
    left: list[Any] = [payload]
    while left:
        one: Any = left.pop()
        if isinstance(one, float):
            if not math.isfinite(one):
                return False
        elif type(one) is dict:
            left += [*one, *one.values()]
        elif type(one) in {list, tuple, set, frozenset}:
            left += one
    return True


def _decoded_none(data: bytes) -> None:
    if data:
        raise ValueError("no payload has no bytes")


def _pickled(payload: Any) -> bytes:
    import pickle

    return pickle.dumps(payload, protocol=pickle.HIGHEST_PROTOCOL)


def _said(error: Exception) -> str:
    """What an error says, in one line; its name if that is nothing."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
