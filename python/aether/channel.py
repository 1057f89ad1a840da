"""Names of channels and patterns.

A `Channel` is a `str` that has been checked: 1 to 32 tokens joined by ``.``, at most 1024
bytes of UTF-8. A token is one or more characters other than ``.``, white space, control
characters and lone surrogates. Case matters; nothing is trimmed or normalised. A pattern is
the same with wildcards, which are always whole tokens:

======== ============== ========================
written  where          takes
======== ============== ========================
``*``    last           one or more tokens
``>``    last           one or more tokens
``*``    before the end exactly one token
``+``    anywhere       exactly one token
======== ============== ========================

Wherever the library takes a channel, a plain `str` will do. A `Channel` is for those who
want the check early, the payload's type for their type checker, or the questions below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self

from aether import _native
from aether.errors import ChannelError

if TYPE_CHECKING:
    from uuid import UUID

    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["Channel"]


class Channel(str, Generic[T]):  # noqa: SLOT000 - its type arguments are kept in its dict
    """A checked channel or pattern: a `str` that compares, hashes, sorts and formats as its name.

    ``Channel[Order]`` says to type checkers what the waves of the channel carry.

    Args:
        name: The name, such as ``"orders.payment.completed"`` or ``"orders.*"``.

    Raises:
        ChannelError: The name breaks a rule; the message points at the token.
        TypeError: The name is no `str`.

    Example:
        >>> from aether import Channel
        >>> Channel("orders.created") == "orders.created"
        True
        >>> Channel("orders created")
        Traceback (most recent call last):
            ...
        aether.errors.ChannelError: channel 'orders created': token 1 'orders created' has white \
space in it; names take none, write '-' or '_'
    """

    def __new__(cls, name: str) -> Self:
        """Check the name; a `Channel` is returned as it is."""
        if type(name) is cls:
            return name
        return str.__new__(cls, _native.check_pattern(name))

    @classmethod
    def of(cls, *parts: str | int | UUID) -> Self:
        """The channel of these tokens: safe for names that come from outside.

        Each part becomes exactly one literal token, whatever it says: a part that is empty or
        has a dot, a wildcard or white space in it is refused, so nobody can reach a channel that
        was not meant.

        Args:
            parts: The tokens, at least one. An `int` or a `uuid.UUID` is written out.

        Returns:
            The channel; never a pattern.

        Raises:
            ChannelError: A part is no literal token, or the whole is too long.
            TypeError: A part is no `str`, `int` or `UUID`; `bool` and ``None`` are refused too.

        Example:
            >>> from aether import Channel
            >>> Channel.of("progress", 42)
            'progress.42'
            >>> Channel.of("progress", "*")
            Traceback (most recent call last):
                ...
            aether.errors.ChannelError: channel '*': token 1 '*' is a wildcard; a literal token is \
needed here, write a name
        """
        if not parts:
            message = (
                "Channel.of() takes the tokens, at least one, such as Channel.of('progress', 7)"
            )
            raise ChannelError(message)
        return cls(
            ".".join(
                _token(part, f"part {number} of Channel.of()")
                for number, part in enumerate(parts, 1)
            )
        )

    def child(self, part: str | int | UUID) -> Self:
        """The channel below this one.

        Args:
            part: One literal token, as for `of`.

        Raises:
            ChannelError: The part is no literal token, the whole is too long, or this pattern
                ends in a wildcard that already takes everything below it.
            TypeError: The part is no `str`, `int` or `UUID`.

        Example:
            >>> from aether import Channel
            >>> Channel("orders").child("created")
            'orders.created'
        """
        if self[-1] in "*>":
            message = (
                f"channel {str(self)!r}: the last token takes everything below it, so nothing"
                f" can be named there; write '+' for exactly one token"
            )
            raise ChannelError(message)
        return type(self)(f"{self}.{_token(part, 'the part of child()')}")

    def matches(self, other: str) -> bool:
        """Whether every channel of this one is one of the other: ``other.covers(self)``.

        Args:
            other: A channel or pattern.

        Raises:
            ChannelError: `other` is no channel.
            TypeError: `other` is no `str`.

        Example:
            >>> from aether import Channel
            >>> Channel("orders.created").matches("orders.*")
            True
            >>> Channel("orders").matches("orders.*")
            False
        """
        return _native.covers(other, self)

    def covers(self, other: str) -> bool:
        """Whether every channel of the other is one of this one.

        A concrete channel stands for itself. Args and Raises as in `matches`.

        Example:
            >>> from aether import Channel
            >>> Channel("orders.*").covers("orders.+.done")
            True
            >>> Channel("orders.+").covers("orders.*")
            False
        """
        return _native.covers(self, other)

    def overlaps(self, other: str) -> bool:
        """Whether some channel belongs to both. Args and Raises as in `matches`.

        Example:
            >>> from aether import Channel
            >>> Channel("orders.+").overlaps("*.created")
            True
        """
        return _native.overlaps(self, other)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens, as they were spelled.

        Example:
            >>> from aether import Channel
            >>> Channel("orders.*").tokens
            ('orders', '*')
        """
        return tuple(self.split("."))

    @property
    def depth(self) -> int:
        """How many tokens, at least 1.

        Example:
            >>> from aether import Channel
            >>> Channel("orders.payment.completed").depth
            3
        """
        return self.count(".") + 1

    @property
    def is_pattern(self) -> bool:
        """Whether there is a wildcard in it.

        Example:
            >>> from aether import Channel
            >>> Channel("orders.*").is_pattern, Channel("orders.created").is_pattern
            (True, False)
        """
        # A sound name has these only as whole tokens.
        return "*" in self or "+" in self or ">" in self

    @property
    def canonical(self) -> Channel[T]:
        """The one spelling of all that mean the same.

        It has ``+`` for exactly one token and ``>`` for one or more; a concrete channel is its
        own.

        Example:
            >>> from aether import Channel
            >>> Channel("a.*.*").canonical
            'a.+.>'
        """
        if "*" not in self:
            return self
        name, _ = _native.parse_pattern(self)
        return _unchecked(name)

    @property
    def parent(self) -> Channel[Any] | None:
        """The channel or pattern without its last token; ``None`` if there is but one.

        A ``*`` that stands last after this becomes ``+``: it goes on to take exactly one token.

        Example:
            >>> from aether import Channel
            >>> Channel("orders.payment.completed").parent
            'orders.payment'
            >>> Channel("orders.*.completed").parent
            'orders.+'
        """
        name, dot, _ = self.rpartition(".")
        if not dot:
            return None
        if name[-1] == "*":
            name = f"{name[:-1]}+"
        return _unchecked(name)

    # Immutable, so that a copy is itself. Pickled without another check: a channel that the
    # library derived, or a medium with wider limits admitted, may be longer than `Channel` takes.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return str.__new__, (type(self), str(self))


def _unchecked(name: str) -> Channel[Any]:
    """A channel from a name that is known to be sound."""
    cls: type[Channel[Any]] = Channel
    return str.__new__(cls, name)


def _token(part: object, place: str) -> str:
    """One literal token, as a plain `str`."""
    if part == "":
        message = f"{place} is empty; a token is one or more characters, write a name"
        raise ChannelError(message)
    if isinstance(part, str):
        return _native.check_token(part)
    if isinstance(part, int) and not isinstance(part, bool):
        return _number(int(part), place)
    # Here, because few programs need it and `import aether` is to be quick.
    from uuid import UUID

    if isinstance(part, UUID):
        return str(part)
    kind = type(part).__name__
    message = f"{place} must be a str, an int or a UUID, not {kind}; write it as a str"
    raise TypeError(message)


def _number(part: int, place: str) -> str:
    try:
        return _native.check_token(str(part))
    except ChannelError:
        raise
    except ValueError as error:
        # Beyond what Python is willing to write out.
        message = f"{place} is an int of {part.bit_length()} bits; that is too long"
        raise ChannelError(message) from error
