"""The guide's code runs, and gives what the guide says."""

import pytest
from tests.examples.documents import ROOT, Block, broken_links, chapters, run_and_compare

GUIDE = ROOT / "docs" / "guide.md"


@pytest.mark.parametrize("blocks", [pytest.param(b, id=title) for title, b in chapters(GUIDE)])
def test_chapter_runs_and_gives_what_it_says(blocks: list[Block]) -> None:
    run_and_compare(blocks)


def test_every_chapter_with_code_was_found() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert sum(len(blocks) for _, blocks in chapters(GUIDE)) == text.count("```python\n") >= 14


def test_links_lead_somewhere() -> None:
    assert broken_links(GUIDE) == []
