"""The code of the guides runs, and gives what they say."""

from pathlib import Path

import pytest
from tests.examples.documents import ROOT, Block, broken_links, chapters, run_and_compare

GUIDES = [ROOT / "docs" / f"{name}.md" for name in ("guide", "journal", "reliability")]
CHAPTERS = [
    pytest.param(blocks, id=f"{guide.stem}: {title}")
    for guide in GUIDES
    for title, blocks in chapters(guide)
]


@pytest.mark.parametrize("blocks", CHAPTERS)
def test_chapter_runs_and_gives_what_it_says(blocks: list[Block]) -> None:
    run_and_compare(blocks)


@pytest.mark.parametrize(("guide", "least"), list(zip(GUIDES, (14, 3, 5), strict=True)))
def test_every_chapter_with_code_was_found(guide: Path, least: int) -> None:
    text = guide.read_text(encoding="utf-8")
    assert sum(len(blocks) for _, blocks in chapters(guide)) == text.count("```python\n") >= least


@pytest.mark.parametrize("guide", GUIDES)
def test_links_lead_somewhere(guide: Path) -> None:
    assert broken_links(guide) == []
