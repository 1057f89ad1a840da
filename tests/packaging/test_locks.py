"""docs/locks.md lists every lock of the native side."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = re.compile(r"\b(\w+)(?:: |\()(?:Mutex|RwLock|Guarded)<")


def locks() -> set[tuple[str, str]]:
    """Each lock's name, or its class's, and the file it is in."""
    sources = [path for path in ROOT.glob("rust/*/src/**/*.rs") if "tests" not in path.parts[-3:]]
    return {
        (name, path.relative_to(ROOT / "rust").as_posix())
        for path in sources
        for name in LOCK.findall(path.read_text(encoding="utf-8"))
    }


def test_every_lock_is_listed_with_its_file() -> None:
    text = (ROOT / "docs" / "locks.md").read_text(encoding="utf-8")
    listed = text.partition("## The list")[2].partition("## ")[0]
    rows = set(re.findall(r"^\| `(\w+)` \| `([\w/.]+)`", listed, re.MULTILINE))
    assert rows == locks()
