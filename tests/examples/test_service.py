"""The example of a service: its own tests pass, on asyncio and on trio; and a server lives as long as its medium."""

import os
import signal
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path

import pytest
from tests.examples.documents import ROOT

from aether import Aether

pytest.importorskip("fastapi", reason="fastapi is not installed, which the example is made with")
pytest.importorskip("httpx", reason="httpx is not installed, which its tests ask it with")

SERVICE = ROOT / "examples" / "orders_service"
PLUGIN = "aether_pytest"
INSTALLED = any(one.value == PLUGIN for one in metadata.distribution("aether-medium").entry_points)


def test_the_tests_of_the_service_pass() -> None:
    # Where the package was installed before it had the plugin, as in a tree that is worked on, it is named.
    named = [] if INSTALLED else ["-p", PLUGIN]
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(SERVICE), "-o", "pythonpath=."]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *settings, *named, "."],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=SERVICE,
    )
    assert "12 passed" in done.stdout, done.stdout + done.stderr


def test_a_server_lives_as_long_as_its_medium_and_hands_it_on() -> None:
    from fastapi import FastAPI, Request

    with warnings.catch_warnings():
        # It would rather have the successor of httpx.
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient

    medium = Aether()
    app = FastAPI(lifespan=medium.lifespan)

    @app.get("/")
    async def phase(request: Request) -> str:
        assert request.state.medium is medium
        return medium.phase

    with TestClient(app) as client:
        assert client.get("/").json() == "open"
    assert medium.phase == "closed"


SLOW = """
import os, signal, sys
import anyio, uvicorn
from service import create_app

# A shell's job in the background ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Bank:
    async def charge(self, order: int, cents: int) -> None:
        await anyio.sleep(0.2)
        os.write(1, b"charged %d\\n" % order)

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        os.write(1, b"ready\\n")

config = uvicorn.Config(create_app(Bank()), uds=sys.argv[1], log_level="warning")
Server(config).run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a program sees")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_a_real_server_charges_what_was_accepted(
    tmp_path: Path, sent: signal.Signals
) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed, the server")
    import httpx

    path = str(tmp_path / "socket")
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SERVICE), *sys.path])},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            transport = httpx.HTTPTransport(uds=path)
            with httpx.Client(transport=transport, base_url="http://service") as client:
                for cents in range(30):
                    answer = client.post("/orders", params={"cents": cents})
                    assert answer.status_code == 202
            process.send_signal(sent)
            out, err = process.communicate(timeout=50)
        finally:
            process.kill()
    charged = sorted(int(line.split()[1]) for line in out.splitlines())
    assert charged == list(range(1, 31)), err.decode()
    # The server ends of the signal, once all is done.
    assert process.returncode == -sent
