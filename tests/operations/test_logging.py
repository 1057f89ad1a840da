"""What is logged, and how it is written."""

from __future__ import annotations

import io
import json
import logging
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import aether.logging
from aether import Aether
from aether.events import EVENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    names = ("", "aether", "shop")
    loggers = [logging.getLogger(name or None) for name in names]
    before = [(one, one.level, list(one.handlers), one.propagate) for one in loggers]
    yield
    for one, level, handlers, propagate in before:
        one.setLevel(level)
        one.handlers[:] = handlers
        one.propagate = propagate


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """What was written, line by line."""
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_of_json_has_the_fields_of_its_record() -> None:
    out = io.StringIO()
    aether.logging.setup(json=True, stream=out, logger="shop")
    log = logging.getLogger("shop.desk")
    log.warning("%s is sold out", "tea", extra={"article": 7, "event": "sold_out"})
    log.debug("left out")
    (line,) = lines(out)
    assert abs(datetime.fromisoformat(line.pop("time")) - datetime.now(UTC)).total_seconds() < 60
    assert list(line.items()) == [
        ("level", "WARNING"),
        ("logger", "shop.desk"),
        ("message", "tea is sold out"),
        ("event", "sold_out"),
        ("article", 7),
    ]


def test_whatever_is_in_a_record_is_one_line() -> None:
    out = io.StringIO()
    aether.logging.setup(json=True, stream=out, logger="shop")
    log = logging.getLogger("shop")
    log.info("two\nlines", extra={"level": "mine", "path": Path("a"), "text": "\u2028\n"})
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    first, second = lines(out)
    assert (first["message"], first["level"], first["field_level"]) == (
        "two\nlines",
        "INFO",
        "mine",
    )
    assert (first["path"], first["text"]) == ("a", "\u2028\n")
    assert second["error"] == "ValueError"
    assert second["traceback"].startswith("Traceback")


def test_a_field_that_is_named_like_another_is_not_lost() -> None:
    out = io.StringIO()
    aether.logging.setup(json=True, stream=out, logger="shop")
    log = logging.getLogger("shop")
    given = {"error": 1, "traceback": 2, "stack": 3, "field_error": 4, "field_level": 5, "level": 6}
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed", extra=given, stack_info=True)
    log.info("done", extra=given)
    first, second = lines(out)
    assert (first["error"], first["level"]) == ("ValueError", "ERROR")
    assert first["traceback"].startswith("Traceback")
    assert first["stack"].startswith("Stack")
    assert first["field_traceback"] == 2
    assert first["field_stack"] == 3
    assert sorted(value for value in first.values() if isinstance(value, int)) == [1, 2, 3, 4, 5, 6]
    assert (second["error"], second["traceback"], second["stack"]) == (1, 2, 3)


def test_what_json_does_not_know_is_text() -> None:
    out = io.StringIO()
    aether.logging.setup(json=True, stream=out, logger="shop")
    endless: list[Any] = []
    endless.append(endless)
    given = {
        "share": math.nan,
        "limits": {"low": -math.inf, "high": (math.inf, 1.5)},
        "keys": {(1, 2): Path("a")},
        "endless": endless,
    }
    logging.getLogger("shop").info("measured", extra=given)

    def strict(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    line = json.loads(out.getvalue(), parse_constant=strict)
    assert line["message"] == "measured"
    assert line["share"] == "nan"
    assert line["limits"] == {"low": "-inf", "high": ["inf", 1.5]}
    assert line["keys"] == {"(1, 2)": "a"}
    assert line["endless"] == "[[...]]"


class Silent:
    """It says nothing of itself."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize("as_json", [True, False])
def test_a_field_that_fails_loses_no_line(as_json: bool) -> None:
    out = io.StringIO()
    aether.logging.setup(json=as_json, stream=out, logger="shop")
    given = {"one": Silent(), "table": {Silent(): math.nan}} if as_json else {"one": Silent()}
    logging.getLogger("shop").error("sold out", extra=given)
    (line,) = out.getvalue().splitlines()
    assert "sold out" in line
    told = "<Silent, which cannot be shown: RuntimeError>"
    assert told in line
    if as_json:
        assert json.loads(line)["table"] == {told: "nan"}


def test_lines_for_people_have_the_fields_too() -> None:
    out = io.StringIO()
    aether.logging.setup(stream=out, logger="shop")
    logging.getLogger("shop").info("sold out", extra={"article": 7})
    logging.getLogger("shop").info("closed")
    first, second = out.getvalue().splitlines()
    assert re.fullmatch(r"\S+ \S+ INFO     shop: sold out  \[article=7\]", first)
    assert re.fullmatch(r"\S+ \S+ INFO     shop: closed", second)


def test_a_second_time_replaces_the_first() -> None:
    first, second, other = io.StringIO(), io.StringIO(), io.StringIO()
    aether.logging.setup(stream=other)
    aether.logging.setup(stream=first, logger="shop")
    aether.logging.setup(stream=second, logger="shop", level=logging.ERROR)
    logging.getLogger("shop").error("once")
    logging.getLogger("shop").info("left out")
    assert (first.getvalue(), other.getvalue()) == ("", "")
    assert second.getvalue().count("once") == 1
    with pytest.raises(ValueError, match="LOUD"):
        aether.logging.setup(level="LOUD", logger="shop")


def test_what_the_medium_says_is_written() -> None:
    out = io.StringIO()
    aether.logging.setup(json=True, stream=out, logger="aether")
    medium = Aether()
    desk = medium.vibrator("desk", buffer_size=1, overflow="drop_oldest")
    desk.resonate_on("orders")
    for _ in range(5):
        medium.emit_nowait("orders")
    desk.close()
    (line,) = lines(out)
    assert (line["event"], line["vibrator"], line["reason"]) == (
        "vibrator.losing",
        "desk",
        "oldest",
    )


def test_every_event_is_listed_and_none_else() -> None:
    said: set[str] = set()
    for path in ROOT.glob("python/aether/**/*.py"):
        said |= set(re.findall(r'"event": "([\w.]+)"', path.read_text(encoding="utf-8")))
    native = ROOT / "rust" / "native" / "src"
    said |= set(re.findall(r'say\(\s*py,\s*"([\w.]+)"', (native / "log.rs").read_text("utf-8")))
    said |= set(
        re.findall(r'set_item\("event", "([\w.]+)"\)', (native / "stalls.rs").read_text("utf-8"))
    )
    assert said == EVENTS.keys()


def test_every_call_of_a_logger_names_its_event() -> None:
    for path in ROOT.glob("python/aether/**/*.py"):
        text = path.read_text(encoding="utf-8")
        # One that is chosen by its level is called once.
        chosen = len(re.findall(r"say = _log\.\w+ if .* else _log\.\w+\n", text))
        calls = re.findall(r"_log\.(?:debug|info|warning|error|exception|critical)\(", text)
        calls += ["say("] * chosen
        assert len(calls) == text.count('"event": "'), path
