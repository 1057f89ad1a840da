"""Payloads on their way through a codec."""

from __future__ import annotations

from typing import Any

import pytest

from aether import PayloadError
from aether.journal import Codec, Codecs

__all__ = ["refusal", "there_and_back"]


def there_and_back(payload: Any, codec: str | Codec = "msgpack") -> Any:
    """What comes back of a payload."""
    codecs = Codecs(codec)
    tag, data = codecs.encode(payload)
    assert type(data) is bytes
    return codecs.decode(tag, data)


def refusal(payload: Any, codec: str | Codec = "msgpack") -> str:
    """Why a payload is refused."""
    with pytest.raises(PayloadError) as refused:
        Codecs(codec).encode(payload)
    return str(refused.value)
