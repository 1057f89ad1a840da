"""The server that is scraped: it answers, whoever else is slow, and ends at once."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import threading
import time
import urllib.request
from typing import Any

import pytest
from tests.operations.scraped import measured, parsed, vibrator

import aether.metrics
from aether.metrics import server as serving


def test_a_server_answers_scrapes_until_it_is_closed() -> None:
    medium = measured()
    with aether.metrics.serve(medium, port=0) as server:
        assert server.url == f"http://127.0.0.1:{server.port}/metrics"
        medium.emit_nowait("orders")
        # Somebody who asks for nothing and keeps the line open.
        with socket.create_connection(("127.0.0.1", server.port)):
            text = urllib.request.urlopen(server.url, timeout=10).read().decode()
        assert parsed(text)["aether_unheard_total", frozenset({("medium", "aether")})] == 1
        with pytest.raises(OSError, match="in use"):
            aether.metrics.serve(medium, port=server.port)
    server.close()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(server.url, timeout=10)


def test_media_may_come_to_a_server() -> None:
    with aether.metrics.serve(port=0) as server:
        first = measured()
        server.add(first)
        server.add(first)
        with pytest.raises(ValueError, match="two media are called 'aether'"):
            server.add(measured())
        first.shut("closed", at_once=True)
        second = measured()
        server.add(second)
        second.emit_nowait("orders")
        text = urllib.request.urlopen(server.url, timeout=10).read().decode()
        assert 'aether_emitted_total{domain="orders",medium="aether"} 1.0' in text


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_out_of_range_is_named(port: int) -> None:
    with pytest.raises(ValueError, match=f"port is {port}, and has to be 0..65535"):
        aether.metrics.serve(port=port)


def test_to_close_a_server_takes_no_time() -> None:
    began = time.monotonic()
    for _ in range(20):
        aether.metrics.serve(port=0).close()
    assert time.monotonic() - began < 5, "not half a second each"


def test_connections_on_which_nothing_happens_end(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "IDLE", 0.05)
    before = threading.active_count()
    with aether.metrics.serve(measured(), port=0) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        for one in idle:
            one.settimeout(30)
            assert one.recv(1) == b"", "the server has closed it"
            one.close()
        assert b"aether_open" in urllib.request.urlopen(server.url, timeout=10).read()
    while threading.active_count() > before:
        time.sleep(0.01)
    assert capfd.readouterr().err == ""


def test_an_answer_that_nobody_reads_ends(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "IDLE", 0.05)
    before = threading.active_count()
    # More than any buffer between the two takes.
    medium = measured()
    vibrator(medium, "x" * 1_000_000)
    with (
        aether.metrics.serve(medium, port=0) as server,
        socket.create_connection(("127.0.0.1", server.port)) as slow,
    ):
        slow.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        slow.recv(1)
        while threading.active_count() > before + 1:
            time.sleep(0.01)
    assert capfd.readouterr().err == ""


def test_without_a_free_file_it_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    real = serving.WSGIServer.get_request

    def deaf_at_first(self: Any) -> Any:
        asked.append(time.monotonic())
        if len(asked) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(self)

    monkeypatch.setattr(serving, "DEAF", 0.5)
    monkeypatch.setattr(serving.WSGIServer, "get_request", deaf_at_first)
    with aether.metrics.serve(measured(), port=0) as server:
        assert b"aether_open" in urllib.request.urlopen(server.url, timeout=10).read()
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 0.5


def test_one_that_waits_for_a_file_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Semaphore(0)

    def deaf(_: Any) -> Any:
        asked.release()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(serving, "DEAF", 1000.0)
    monkeypatch.setattr(serving.WSGIServer, "get_request", deaf)
    with (
        aether.metrics.serve(port=0) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        asked.acquire()
        begun = time.monotonic()
        server.close()
        assert time.monotonic() - begun < 10


def test_without_a_file_for_itself_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    made: list[serving._Listener] = []
    begin = serving._Listener.server_activate

    def activated(self: serving._Listener) -> None:
        made.append(self)
        begin(self)

    def none_left() -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(serving._Listener, "server_activate", activated)
    monkeypatch.setattr(serving.selectors, "DefaultSelector", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        aether.metrics.serve(port=0)
    assert threading.active_count() == before
    assert made[0].socket.fileno() == -1, "nothing listens for nobody"


@pytest.mark.skipif(sys.platform == "win32", reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_the_child_of_a_fork_closes_what_it_has_of_a_server() -> None:
    server = aether.metrics.serve(measured(), port=0)
    closed, told = os.pipe()
    end, ending = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            server.close()
            server.close()
            os.write(told, b"closed")
            os.close(ending)
            os.read(end, 1)
        os._exit(0)
    os.close(told)
    try:
        assert os.read(closed, 6) == b"closed"
        assert b"aether_open" in urllib.request.urlopen(server.url, timeout=10).read()
        server.close()
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(server.url, timeout=10)
    finally:
        os.close(ending)
        os.waitpid(child, 0)
        os.close(closed)
        os.close(end)
