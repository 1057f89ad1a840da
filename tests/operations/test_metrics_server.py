"""The server that is scraped: it answers, whoever else is slow, and ends at once."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request

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
