"""docs/unsafe.md lists every room of unsafe code, and the tests that it names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNSAFE = re.compile(r"^(?!\s*//).*\bunsafe (?:\{|fn|impl|extern)", re.MULTILINE)
ROWS = re.compile(r"^\| `([\w/]+\.rs)` \|.*\|(.*)\|$", re.MULTILINE)


def rows() -> dict[str, str]:
    """Each room, with the text that names its tests."""
    return dict(ROWS.findall((ROOT / "docs" / "unsafe.md").read_text(encoding="utf-8")))


def test_every_room_is_listed() -> None:
    sources = (ROOT / "rust").glob("*/src/**/*.rs")
    rooms = {
        path.as_posix().partition("/src/")[2]
        for path in sources
        if UNSAFE.search(path.read_text(encoding="utf-8"))
    }
    assert rooms == set(rows())


def test_every_room_names_tests_that_are_there() -> None:
    named = 0
    for room, text in rows().items():
        for path, tests in re.findall(r"`(tests/[\w/]+\.py)`: ((?:`test_\w+`(?:, )?)+)", text):
            source = (ROOT / path).read_text(encoding="utf-8")
            for test in re.findall(r"`(\w+)`", tests):
                assert f"def {test}(" in source, (room, path, test)
                named += 1
        assert "tests/" in text or text.strip() == "the same", room
    assert named >= len(rows())


def test_unsafe_is_allowed_in_the_listed_rooms_only() -> None:
    library = (ROOT / "rust" / "native" / "src" / "lib.rs").read_text(encoding="utf-8")
    allowed = set(re.findall(r"allow\(unsafe_code\)\].*\n(?:pub )?mod (\w+);", library))
    # `here` allows it for a single function, `dispatch` is the one of physics.
    rooms = {room.removesuffix(".rs").partition("/")[0] for room in rows()}
    assert allowed | {"here", "dispatch"} == rooms
    for crate, attribute in (("core", "forbid"), ("physics", "deny")):
        library = (ROOT / "rust" / crate / "src" / "lib.rs").read_text(encoding="utf-8")
        assert f"#![{attribute}(unsafe_code)]" in library
        assert "allow(unsafe_code" not in library
    sources = (ROOT / "rust" / "physics" / "src").glob("**/*.rs")
    allow = {path.name for path in sources if "allow(unsafe_code" in path.read_text("utf-8")}
    assert allow == {"dispatch.rs"}
