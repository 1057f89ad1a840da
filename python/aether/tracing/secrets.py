"""What is secret of a receiver: who asks it, and what is asked of it beyond its path.

Contract:
- `hidden` takes out of any text the queries of all URLs and who uses them, in whatever way they are escaped; and each part
  of the endpoint's own, and of the headers, wherever it stands by itself: a receiver may say which token it does not know.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Secrets"]

# No white space is in a URL; anything else may be, as not everybody escapes what he should.
_USER = re.compile(r"//\S*@")
_QUERY = re.compile(r"([?#])\S+")


class Secrets:
    """What must not be said of an endpoint.

    Args:
        endpoint: Its URL.
        headers: What is sent along.

    Example:
        >>> secrets = Secrets("http://ada:pw@host/path?key=k1", {"authorization": "Bearer b1"})
        >>> secrets.hidden("no such url: /path?key=k1 (k1 is unknown, and so is b1)")
        'no such url: /path?*** (*** is unknown, and so is ***)'
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        words = {form for part in _parts(endpoint, headers) for form in _forms(part)} - {""}
        # The longest first: some may be the beginning of others.
        either = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
        self._words = re.compile(rf"(?<!\w)(?:{either})(?!\w)") if words else None

    def hidden(self, text: str) -> str:
        """A text without them."""
        text = _QUERY.sub(r"\1***", _USER.sub("//***@", text))
        return text if self._words is None else self._words.sub("***", text)


def _parts(endpoint: str, headers: Mapping[str, str]) -> Iterable[str]:
    split = urlsplit(endpoint)
    user, _, _ = split.netloc.rpartition("@")
    yield from (user, *user.split(":", 1))
    # As it is sent.
    yield b64encode(unquote(user).encode("latin-1", "replace")).decode()
    for query in (split.query, split.fragment):
        yield query
        for one in query.split("&"):
            name, equals, value = one.partition("=")
            # The names are those of the receiver.
            yield value if equals else name
    for header in headers.values():
        yield from (header, *header.split()[1:])


def _forms(part: str) -> Iterable[str]:
    """How it may be written."""
    for plain in (part, unquote(part), unquote_plus(part)):
        yield from (plain, quote(plain), quote(plain, safe=""), ascii(plain)[1:-1])
