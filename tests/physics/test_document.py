"""docs/physics.md: its code runs and gives what it says, its links lead somewhere."""

import pytest
from tests.examples.documents import ROOT, Block, broken_links, chapters, run_and_compare

DOCUMENT = ROOT / "docs" / "physics.md"
CHAPTERS = dict(chapters(DOCUMENT))


def test_each_part_has_its_chapter() -> None:
    assert CHAPTERS.keys() == {"The model", "The field", "Arrays"}


@pytest.mark.parametrize("title", CHAPTERS)
def test_chapter_runs_and_gives_what_it_says(title: str) -> None:
    blocks: list[Block] = CHAPTERS[title]
    run_and_compare(blocks)


def test_links_lead_somewhere() -> None:
    assert broken_links(DOCUMENT) == []
