"""`Wave.builder`: a wave put together field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from aether._native import Wave

if TYPE_CHECKING:
    from aether.channel import Channel

__all__ = ["WaveBuilder"]

T = TypeVar("T")
U = TypeVar("U")


class WaveBuilder(Generic[T]):
    """Puts a wave together; every method but `build` returns the builder itself.

    `build` may be called again: each wave is a new one with an id of its own, and what is set in
    between does not change those already built. Values are checked by `build`, as by `Wave`; what
    was not set has the default of `Wave`. A builder belongs to one thread at a time.

    Args:
        channel: Where the wave is to go; a concrete name.

    Example:
        >>> from aether import Wave
        >>> wave = (
        ...     Wave.builder("orders.created")
        ...     .payload({"id": 7})
        ...     .amplitude(0.5)
        ...     .source("shop")
        ...     .header("tenant", "a")
        ...     .build()
        ... )
        >>> wave.payload, wave.amplitude, wave.source, dict(wave.headers)
        ({'id': 7}, 0.5, 'shop', {'tenant': 'a'})
    """

    __slots__ = ("_channel", "_fields", "_headers")

    def __init__(self, channel: str | Channel[T]) -> None:
        self._channel = channel
        self._fields: dict[str, Any] = {}
        self._headers: dict[str, str] = {}

    def payload(self, payload: U) -> WaveBuilder[U]:
        """What the wave carries: any object, by reference."""
        self._fields["payload"] = payload
        return cast("WaveBuilder[U]", self)

    def amplitude(self, amplitude: float) -> Self:
        """How loud it is: 0..1, clamped; NaN is a `ValueError` of `build`."""
        self._fields["amplitude"] = amplitude
        return self

    def phase(self, phase: float) -> Self:
        """Its phase in radians: finite, wrapped to [0, 2π)."""
        self._fields["phase"] = phase
        return self

    def frequency(self, frequency: float) -> Self:
        """Its frequency in hertz: finite, 0 or more."""
        self._fields["frequency"] = frequency
        return self

    def source(self, source: str) -> Self:
        """Who emits it."""
        self._fields["source"] = source
        return self

    def header(self, key: str, value: str) -> Self:
        """One header; a later one of the same key replaces it."""
        self._headers[key] = value
        return self

    def headers(self, headers: Mapping[str, str]) -> Self:
        """Several headers, beside those already set."""
        if not isinstance(cast("object", headers), Mapping):
            message = f"headers must be a mapping of str to str, not {type(headers).__name__}"
            raise TypeError(message)
        self._headers.update(headers)
        return self

    def ttl(self, ttl: float) -> Self:
        """How old it may become before it is dropped where it waits, in seconds: 0 or more."""
        self._fields["ttl"] = ttl
        return self

    def timestamp(self, timestamp: float) -> Self:
        """When it was made, in Unix seconds; without it, the time of `build`."""
        self._fields["timestamp"] = timestamp
        return self

    def build(self) -> Wave[T]:
        """A new wave of all that was set.

        Raises:
            ChannelError: The channel breaks a rule, or is a pattern.
            TypeError: A value is of the wrong type.
            ValueError: A number is NaN or out of its range.
        """
        # The headers are copied by the wave.
        headers = self._headers or None
        return Wave(self._channel, **self._fields, headers=headers)
