"""The code of a document runs, and gives what the document says.

Every block marked python is run: those of one chapter go on from one another inside a
fresh medium, a line that ends in `# -> x` has the value x, and a text block right after
prints exactly that. A block that starts a loop by itself is a program, and runs outside of
the chapter's loop.
"""

import ast
import asyncio
import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aether

ROOT = Path(__file__).parents[2]
CHAPTER = re.compile(r"^## (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
VALUE = re.compile(r"# -> (.+)$")


@dataclass
class Block:
    document: Path
    line: int
    code: str
    printed: str | None

    @property
    def is_program(self) -> bool:
        return re.search(r"^(aether|asyncio|trio)\.run\(", self.code, re.MULTILINE) is not None

    @property
    def promised_values(self) -> int:
        return sum(VALUE.search(line) is not None for line in self.code.splitlines())


def chapters(document: Path) -> Iterator[tuple[str, list[Block]]]:
    """The title of each chapter that holds code, and its blocks."""
    text = document.read_text(encoding="utf-8")
    starts = list(CHAPTER.finditer(text))
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        last = end.start() if end else len(text)
        blocks = [
            Block(document, text.count("\n", 0, found.start()) + 2, found[1], found[2])
            for found in BLOCK.finditer(text, start.end(), last)
        ]
        if blocks:
            yield start[1], blocks


class ShowValues(ast.NodeTransformer):
    """Hands each expression that ends in `# -> x` to `shown`, with its place and x."""

    def __init__(self, block: Block) -> None:
        self.lines = block.code.splitlines()

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        wanted = VALUE.search(self.lines[(node.end_lineno or node.lineno) - 1])
        if wanted:
            arguments = [ast.Constant(wanted[1]), node.value]
            node.value = ast.Call(ast.Name("shown", ast.Load()), arguments, [])
        return node


def compiled(block: Block) -> Any:
    tree = ast.parse(block.code)
    ast.increment_lineno(ast.fix_missing_locations(ShowValues(block).visit(tree)), block.line - 1)
    return compile(tree, str(block.document), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def run_chapter(blocks: list[Block]) -> int:
    """Run the blocks of one chapter; how many values were compared."""
    compared = 0

    def shown(wanted: str, value: object) -> None:
        nonlocal compared
        compared += 1
        assert repr(value) == wanted

    async with aether.Aether() as medium:
        names: dict[str, Any] = {name: getattr(aether, name) for name in aether.__all__}
        names |= {"asyncio": asyncio, "medium": medium, "shown": shown, "__name__": "document"}
        for block in blocks:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                if block.is_program:
                    await asyncio.to_thread(exec, compiled(block), {"__name__": "__main__"})
                else:
                    coroutine = eval(compiled(block), names)
                    if coroutine is not None:
                        await coroutine
            assert output.getvalue() == (block.printed or "")
    return compared


def run_and_compare(blocks: list[Block]) -> None:
    """Run a chapter; every value that it promises was compared."""
    assert asyncio.run(run_chapter(blocks)) == sum(block.promised_values for block in blocks)


def broken_links(document: Path) -> list[str]:
    """Links to chapters and files that are not there; those to other sites are not tried."""
    text = document.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", h[1]).lower().replace(" ", "-") for h in CHAPTER.finditer(text)
    }

    def leads_somewhere(link: str) -> bool:
        if link.startswith("https://"):
            return True
        if link.startswith("#"):
            return link[1:] in headings
        return (document.parent / link.partition("#")[0]).exists()

    return [link for link in re.findall(r"\]\(([^)]+)\)", text) if not leads_somewhere(link)]
