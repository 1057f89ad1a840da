"""`--metrics-port`: what runs is scraped meanwhile, and the scrape passes prometheus_client's own parser."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from tests.operations.scraped import parsed

from aether.cli.console import Screen
from aether.cli.demo import run_demo
from aether.cli.errors import CliError
from aether.cli.metrics import measuring, serving


def test_the_demo_is_scraped_while_it_runs() -> None:
    out, err = io.StringIO(), io.StringIO()
    done: list[bool] = []
    demo = threading.Thread(
        target=lambda: done.append(run_demo(Screen(out=out, err=err), metrics_port=0))
    )
    demo.start()
    emitted = [0.0]
    try:
        deadline = time.monotonic() + 50
        while not (
            found := re.search(r"metrics: (http://127\.0\.0\.1:\d+/metrics)", err.getvalue())
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        while emitted[-1] == 0:
            assert demo.is_alive(), "it has ended, and was never scraped"
            text = urllib.request.urlopen(found[1], timeout=30).read().decode()
            samples = parsed(text)
            counts = [
                value
                for (name, labels), value in samples.items()
                if name == "aether_emitted_total" and ("medium", "demo") in labels
            ]
            emitted.append(sum(counts))
    finally:
        demo.join()
    assert done == [True]
    assert (
        "aether_vibrator_size",
        frozenset({("medium", "demo"), ("vibrator", "digest")}),
    ) in samples
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(found[1], timeout=10)


async def test_a_replay_is_measured(anyio_backend: object, tmp_path: Path) -> None:
    from aether.cli.events import EventReader
    from aether.cli.replay import replay

    file = tmp_path / "events.jsonl"
    file.write_text(
        "".join(f'{{"ts": {n}, "channel": "a.b", "payload": {n}}}\n' for n in range(50))
    )
    screen = Screen(out=io.StringIO(), err=io.StringIO())
    texts: list[str] = []
    with serving(0, screen) as server, EventReader(str(file)) as reader:
        assert server is not None
        url = server.url

        def look(_: int) -> None:
            texts.append(urllib.request.urlopen(url, timeout=30).read().decode())

        await replay(reader, server=server, on_progress=look)
    samples = parsed(texts[-1])
    assert samples["aether_emitted_total", frozenset({("medium", "replay"), ("domain", "a")})] == 50


def test_without_a_port_nothing_is_measured() -> None:
    with serving(None, Screen(out=io.StringIO(), err=io.StringIO())) as server:
        assert server is None
    assert measuring("demo", None) is None


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(CliError, match=rf"--metrics-port {port}: .*in use"),
            serving(port, Screen(out=io.StringIO(), err=io.StringIO())),
        ):
            pass
