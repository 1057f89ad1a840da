"""Logs for people or for machines, of what the standard library's `logging` gets: `aether.logging.setup(json=True)`.

The library itself logs to the logger `aether` and configures nothing; `aether.events` lists what it says. This is for
programs that have no set-up of their own.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

__all__ = ["ConsoleFormatter", "JsonFormatter", "setup"]

# What every record has; everything else was given as a field.
_COMMON = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(
    *,
    json: bool = False,
    level: int | str = "INFO",
    stream: IO[str] | None = None,
    logger: str = "",
) -> logging.Handler:
    """Has everything that is logged written to a stream; a second time replaces the first.

    Args:
        json: A JSON object in each line, with the fields of the record; otherwise lines for people.
        level: What is less than this is left out.
        stream: Where to; `None`: standard error.
        logger: For this logger and those below it alone, such as `aether`; empty: for all.

    Returns:
        The handler.

    Raises:
        ValueError: There is no such level.

    Example:
        >>> import io, logging, aether.logging
        >>> out = io.StringIO()
        >>> _ = aether.logging.setup(json=True, stream=out, logger="shop")
        >>> logging.getLogger("shop").warning("sold out", extra={"article": 7})
        >>> print(out.getvalue().partition(", ")[2].strip())
        "level": "WARNING", "logger": "shop", "message": "sold out", "article": 7}
    """
    target = logging.getLogger(logger or None)
    handler = _Handler(stream)
    handler.setFormatter(JsonFormatter() if json else ConsoleFormatter())
    target.setLevel(level)
    for before in [one for one in target.handlers if isinstance(one, _Handler)]:
        target.removeHandler(before)
    target.addHandler(handler)
    # Or the handlers of all would write it again.
    target.propagate = not logger
    return handler


class _Handler(logging.StreamHandler[Any]):
    """One that `setup` has made."""


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was given with a record, `event` first."""
    given = {name: value for name, value in vars(record).items() if name not in _COMMON}
    return {"event": given.pop("event"), **given} if "event" in given else given


def _time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


class JsonFormatter(logging.Formatter):
    """A record as a JSON object in one line: time (UTC), level, logger, message, its fields, and an error's traceback.

    What JSON does not know, NaN and the infinities too, is written as its text, or as its type if that has an error; and a
    field that is named like another as `field_<name>`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        last: dict[str, Any] = {}
        if record.exc_info and record.exc_info[0] is not None:
            last["error"] = record.exc_info[0].__name__
            last["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            last["stack"] = record.stack_info
        for given, value in _fields(record).items():
            name = given
            while name in line or name in last:
                name = f"field_{name}"
            line[name] = value
        return _json({**line, **last})


def _json(line: dict[str, Any]) -> str:
    try:
        return json.dumps(line, default=_text, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        known = {name: _known(value) for name, value in line.items()}
        return json.dumps(known, default=_text)


def _text(value: object, write: Callable[[object], str] = str) -> str:
    """What a value says of itself; a line is not lost because of one that raises."""
    try:
        return write(value)
    except Exception as error:  # noqa: BLE001 - whatever a value raises
        return f"<{type(value).__name__}, which cannot be shown: {type(error).__name__}>"


def _known(value: Any) -> Any:
    """What JSON knows of a value that it does not know as a whole; all of it as text if it is in itself."""
    try:
        return _parts_known(value)
    except RecursionError:
        return _text(value)


def _parts_known(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if isinstance(value, dict):
        table = cast("Mapping[Any, Any]", value)
        return {_text(name): _parts_known(one) for name, one in table.items()}
    if isinstance(value, list | tuple):
        return [_parts_known(one) for one in cast("list[Any]", value)]
    return value


class ConsoleFormatter(logging.Formatter):
    """A record as a line for people: time (local), level, logger, message and its fields."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-8s %(name)s: %(message)s")
        self.default_msec_format = "%s.%03d"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """The first line."""
        fields = " ".join(f"{name}={_text(value, repr)}" for name, value in _fields(record).items())
        line = super().formatMessage(record)
        return f"{line}  [{fields}]" if fields else line
