"""The tables of docs/operations.md, from the code: `python -m tests.packaging.operations` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic_core import PydanticUndefined

from aether import AetherConfig
from aether.config.settings import Settings
from aether.events import EVENTS
from aether.metrics import METRICS
from aether.signals import SIGNALS
from aether.tracing.readable import ATTRIBUTES, SPANS

__all__ = ["DOCUMENT", "tables", "written"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def tables() -> dict[str, str]:
    """Each table by its name."""
    return {
        "fields": "\n".join(_fields()),
        "events": "\n".join(_events()),
        "attributes": "\n".join(_attributes()),
        "signals": "\n".join(_signals()),
        "spans": "\n".join(_spans()),
        "metrics": "\n".join(_metrics()),
    }


def written(text: str) -> str:
    """The document with its tables as they have to be."""
    for name, table in tables().items():
        begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        assert begin in text, f"the document has no table {name}"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def _events() -> Iterator[str]:
    yield "| event | level | | fields |"
    yield "|---|---|---|---|"
    for name, event in sorted(EVENTS.items()):
        fields = ", ".join(f"`{one}`" for one in event.fields)
        yield f"| `{name}` | `{event.level}` | {event.meaning} | {fields} |"


def _signals() -> Iterator[str]:
    yield "| signal | |"
    yield "|---|---|"
    for name, meaning in SIGNALS.items():
        yield f"| `{name}` | {meaning} |"


def _spans() -> Iterator[str]:
    yield "| span | kind | |"
    yield "|---|---|---|"
    for work, (kind, meaning) in SPANS.items():
        yield f"| `{work} <channel>` | {kind.name.lower()} | {meaning} |"


def _attributes() -> Iterator[str]:
    yield "| attribute | |"
    yield "|---|---|"
    for name, meaning in ATTRIBUTES.items():
        yield f"| `{name}` | {meaning} |"


def _metrics() -> Iterator[str]:
    yield "| metric | | labels | | of |"
    yield "|---|---|---|---|---|"
    for name, metric in METRICS.items():
        labels = [*(["medium"] if metric.of_medium else []), *metric.labels]
        said = ", ".join(f"`{one}`" for one in labels)
        yield f"| `{name}` | {metric.kind} | {said} | {metric.meaning} | {metric.unit} |"


def _fields() -> Iterator[str]:
    yield "| field | default | | |"
    yield "|---|---|---|---|"
    yield from _rows(AetherConfig, "")


def _rows(settings: type[Settings], prefix: str) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        marks = field.json_schema_extra
        assert isinstance(marks, dict)
        default = "" if field.default is PydanticUndefined else f"`{field.default!r}`"
        yield f"| `{prefix}{name}` | {default} | {marks['reload']} | {field.description} |"
        if name in settings.sections:
            yield from _rows(settings.sections[name], f"{prefix}{name}.")


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
