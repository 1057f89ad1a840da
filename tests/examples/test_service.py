"""The example of a service: its own tests pass, on asyncio and on trio; and a server lives as long as its medium."""

import subprocess
import sys
import warnings
from importlib import metadata

import pytest
from tests.examples.documents import ROOT

from aether import Aether

pytest.importorskip("fastapi", reason="fastapi is not installed, which the example is made with")
pytest.importorskip("httpx", reason="httpx is not installed, which its tests ask it with")

SERVICE = ROOT / "examples" / "orders_service"
PLUGIN = "aether.testing.plugin"
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
    assert "10 passed" in done.stdout, done.stdout + done.stderr


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
