"""The chapters on detection in docs/physics.md: their code runs, their links lead somewhere."""

import pytest
from tests.examples.documents import ROOT, Block, broken_links, chapters, run_and_compare

DOCUMENT = ROOT / "docs" / "physics.md"
CHAPTERS = {title: blocks for title, blocks in chapters(DOCUMENT) if title == "The model"}


@pytest.mark.parametrize("blocks", [pytest.param(b, id=title) for title, b in CHAPTERS.items()])
def test_chapter_runs_and_gives_what_it_says(blocks: list[Block]) -> None:
    run_and_compare(blocks)


def test_links_lead_somewhere() -> None:
    assert CHAPTERS
    assert broken_links(DOCUMENT) == []
