"""The README's code runs, is the guide's, and its links and commands exist."""

import re

import pytest
from tests.examples.documents import ROOT, Block, broken_links, chapters, run_and_compare

README = ROOT / "README.md"
GUIDE = ROOT / "docs" / "guide.md"
TEXT = README.read_text(encoding="utf-8")


@pytest.mark.parametrize("blocks", [pytest.param(b, id=title) for title, b in chapters(README)])
def test_chapter_runs_and_gives_what_it_says(blocks: list[Block]) -> None:
    run_and_compare(blocks)


def test_every_block_of_code_was_found() -> None:
    assert sum(len(blocks) for _, blocks in chapters(README)) == TEXT.count("```python\n") >= 1


def test_first_example_is_the_guides() -> None:
    (_, (ours, *_)), *_ = chapters(README)
    (_, (guides, *_)), *_ = chapters(GUIDE)
    assert (ours.code, ours.printed) == (guides.code, guides.printed)


def test_links_lead_somewhere() -> None:
    assert broken_links(README) == []


def test_each_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z-]+)\b", TEXT))
    assert named >= {"demo", "test", "bench"}
    assert [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
