"""The fixtures for pytest, in a run of its own: with anyio's plugin, with none that knows async, and overridden."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "aether_pytest"

INSTALLED = any(one.value == PLUGIN for one in metadata.distribution("aether-medium").entry_points)


def run_tests(folder: Path, code: str, *arguments: str) -> str:
    """What pytest says of a file with this code; it ends within a minute."""
    (folder / "test_it.py").write_text(code, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n", encoding="utf-8")
    # Where the package was installed before it had the plugin, as in a tree that is worked on, it is named.
    named = [] if INSTALLED else ["-p", PLUGIN]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *named,
            *arguments,
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
    )
    return done.stdout + done.stderr


def test_the_plugin_is_found_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"aether": PLUGIN}
    assert importlib.import_module(PLUGIN)


def test_a_run_that_needs_none_of_it_imports_no_more_than_the_plugin(tmp_path: Path) -> None:
    said = run_tests(
        tmp_path,
        """
import sys

def test_it():
    assert "aether_pytest" in sys.modules
    assert "aether" not in sys.modules
""",
    )
    assert "1 passed" in said, said


def test_the_fixtures_work_together(tmp_path: Path) -> None:
    said = run_tests(
        tmp_path,
        """
import pytest
from aether import Retry

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

async def test_a_handler_is_tried_again(
    anyio_backend, aether_medium, aether_clock, aether_recorder, aether_faults
):
    shop = aether_medium.vibrator("shop")

    @shop.on("orders.*", retry=Retry(on=OSError, attempts=3))
    async def book(wave):
        await shop.emit_wave("booked", wave.payload)

    async with aether_medium:
        aether_faults.error("orders.*", OSError("down"), probability=0.5)
        for number in range(5):
            await aether_medium.emit_wave("orders.created", number)
        await aether_clock.advance(100)
        aether_recorder.assert_emitted("booked", times=5)
        assert aether_faults.seed == 4

async def test_each_test_has_its_own(anyio_backend, aether_clock, aether_recorder):
    assert aether_clock.now() == 0.0
    assert len(aether_recorder) == 0
""",
        "--aether-seed=4",
    )
    assert "4 passed" in said, said


def test_they_need_no_loop(tmp_path: Path) -> None:
    said = run_tests(
        tmp_path,
        """
def test_what_is_emitted(aether_medium, aether_recorder, aether_faults):
    assert aether_faults.seed == 0
    aether_medium.emit_nowait("orders.created", 7)
    aether_recorder.assert_emitted("orders.created", payload=7, times=1)
""",
        "-p",
        "no:anyio",
        "-o",
        "addopts=",
        "-W",
        "ignore::pytest.PytestConfigWarning",
    )
    assert "1 passed" in said, said


def test_the_configuration_can_be_overridden(tmp_path: Path) -> None:
    said = run_tests(
        tmp_path,
        """
import pytest
from aether import AetherConfig

@pytest.fixture
def aether_config():
    return AetherConfig(channel_buffer_size=3)

def test_it(aether_medium):
    reader = aether_medium.vibrator("reader")
    assert reader.statistics().max_buffer_size == 3
    reader.close()
""",
    )
    assert "1 passed" in said, said


def test_a_failure_shows_what_was_emitted_and_not_how_it_was_compared(tmp_path: Path) -> None:
    said = run_tests(
        tmp_path,
        """
def test_it(aether_medium, aether_recorder):
    aether_medium.emit_nowait("orders.created", {"id": 8})
    aether_recorder.assert_emitted("orders.created", payload={"id": 7})
""",
    )
    assert "payload['id'] is 8, not 7" in said, said
    assert "1 failed" in said
    assert "recording.py" not in said, "a traceback that ends in the test"


@pytest.mark.parametrize("module", ["trio", "asyncio", "anyio", "pydantic", "numpy"])
def test_who_does_not_use_it_pays_little(module: str) -> None:
    code = f"import pytest, sys; before = {module!r} in sys.modules; import {PLUGIN}; print({module!r} in sys.modules and not before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_pytest_is_imported_by_the_plugin_alone() -> None:
    code = "import sys, aether.testing; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
