"""What is said on the socket of a console: requests that are wrong, versions, and a limit."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import Any

import msgspec
import pytest
from tests.operations.consoles import NEEDS_SOCKETS

from aether.console import server
from aether.console.client import Client, ConsoleError, find
from aether.console.protocol import (
    VERSION,
    Hello,
    Missed,
    Tap,
    decode_answer,
    decode_request,
    encode,
)

pytestmark = [NEEDS_SOCKETS, pytest.mark.usefixtures("runtime")]


def _raw() -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(10)
    one.connect(str(find()))
    return one


def _all(one: socket.socket) -> list[dict[str, Any]]:
    """What is said to the end."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := one.recv(65_536):
            data += more
    one.close()
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense\n", "JSON"),
        (b'{"type": "dance"}\n', "dance"),
        (b'{"type": "tap"}\n', "pattern"),
        (b'{"type": "tap", "pattern": "a..b"}\n', "token 2 is empty"),
        (b'{"type": "record"}\n', "pattern"),
        (b'{"type": "record", "pattern": "a..b"}\n', "token 2 is empty"),
        (b'{"type": "watch", "interval": "soon"}\n', "interval"),
        (b"x" * 70_000, "65,536 bytes at most"),
    ],
)
def test_a_wrong_request_is_answered_and_ends(line: bytes, why: str) -> None:
    one = _raw()
    with contextlib.suppress(BrokenPipeError):
        one.sendall(line)
    hello, failure = _all(one)
    assert (hello["type"], hello["version"], hello["pid"]) == ("hello", VERSION, os.getpid())
    assert failure["type"] == "error"
    assert why in failure["message"]


@pytest.mark.usefixtures("held")
def test_there_is_a_limit_to_who_may_listen() -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(server._CLIENTS):
            stack.enter_context(Client(find()))
        with pytest.raises(ConsoleError, match="connected already"):
            Client(find())


@pytest.mark.usefixtures("held")
def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aether.console.server.VERSION", VERSION + 1)
    with pytest.raises(ConsoleError, match=f"speaks version {VERSION + 1}"):
        Client(find())


def test_what_is_newer_is_left_out() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_answer(b'{"type": "dance"}')
    assert decode_answer(b'{"type": "missed", "count": 7, "new": 1}') == Missed(7)
    assert decode_request(encode(Tap("a", 5))) == Tap("a", 5)
    assert decode_answer(encode(Hello(1, 2, "a", "b"))) == Hello(1, 2, "a", "b")
