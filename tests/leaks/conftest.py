"""What the tests of leaks share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def little_to_collect() -> Iterator[None]:
    """Hides from the collector what was there before: in a run of all tests that is much, and these collect often."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
