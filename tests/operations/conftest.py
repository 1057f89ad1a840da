"""Media that tests of operations make end with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.operations.scraped import end_all


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    end_all()
