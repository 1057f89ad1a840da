"""The examples in the docstrings of a field, and in its chapter of docs/physics.md, run."""

import doctest

import pytest
from tests.examples.documents import ROOT, Block, chapters, run_and_compare

from aether.physics import field

DOCUMENT = ROOT / "docs" / "physics.md"


def test_the_examples_of_the_module_run() -> None:
    results = doctest.testmod(field)
    assert results.attempted > 10
    assert results.failed == 0


@pytest.mark.parametrize("blocks", [pytest.param(b, id=title) for title, b in chapters(DOCUMENT)])
def test_chapter_runs_and_gives_what_it_says(blocks: list[Block]) -> None:
    run_and_compare(blocks)
