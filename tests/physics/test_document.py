"""docs/physics.md: its examples run."""

import doctest
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "physics.md"


def test_the_examples_run() -> None:
    result = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0
