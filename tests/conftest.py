"""What all tests share: the three loops, and how hard hypothesis looks.

Every async test takes `anyio_backend` and so runs on asyncio, asyncio with uvloop, and trio. A test
that is about one loop only narrows it: `@pytest.mark.parametrize("anyio_backend", ["trio"])`.

`HYPOTHESIS_PROFILE` chooses `quick` (the default), `ci` (the default where `CI` is set: the same
examples in every run) or `thorough`.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

NO_UVLOOP = pytest.mark.skipif(
    importlib.util.find_spec("uvloop") is None, reason="uvloop is not available on this platform"
)
LOOPS = ["asyncio", pytest.param("uvloop", marks=NO_UVLOOP), "trio"]
"""The names of the three, for tests that start a loop of their own."""

# Builds and the first import are slow on a busy machine; hangs are the business of pytest-timeout.
settings.register_profile(
    "quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("quick"), derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5_000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if "CI" in os.environ else "quick")
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=NO_UVLOOP),
        pytest.param(("trio", {}), id="trio"),
    ],
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The loop that an async test runs on."""
    backend: tuple[str, dict[str, Any]] = request.param
    return backend
