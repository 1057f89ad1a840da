"""Metrics as Prometheus gets them: the list, the text, the server, the dashboard."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from pathlib import Path
from typing import Any

import anyio
from tests.operations.scraped import measured, scrape, vibrator

import aether.metrics
from aether import CircuitBreaker, HealthConfig, TracingConfig, Wave
from aether.events import EVENTS
from aether.journal import Journal
from aether.metrics import METRICS

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "docs" / "grafana.json"
SUFFIXES = {
    "counter": [""],
    "gauge": [""],
    "histogram": ["_bucket", "_count", "_sum"],
    "summary": ["_count", "_sum"],
}


BACKGROUND = {"aether_loop_lag_seconds", "aether_waiting_bytes", "aether_leak_hints"}
"""What is there once it was measured in the background."""


def series_names() -> dict[str, str]:
    """Each name that a series may have, with its metric."""
    return {
        name + suffix: name for name, metric in METRICS.items() for suffix in SUFFIXES[metric.kind]
    }


def test_what_is_exposed_is_what_is_listed(tmp_path: Path) -> None:
    medium = measured(journal=Journal(tmp_path), tracing=TracingConfig())
    desk = vibrator(medium, "desk", overflow="drop_oldest", buffer_size=1)
    desk.resonate_on("a")
    other = vibrator(medium, "other", buffer_size=9)
    other.resonate_on("a", cursor="desk")
    for _ in range(3):
        medium.emit_nowait("a")
    while medium.statistics().emitted != 3:
        pass
    worker = vibrator(medium, "worker")

    @worker.on("b", circuit=CircuitBreaker("service"))
    def work(wave: Wave[Any]) -> None:
        raise ValueError

    async def fail() -> None:
        async with medium.running():
            await medium.emit_wave("b")
            await medium.settle()

    asyncio.run(fail())
    got = scrape(medium)
    names = series_names()
    exposed: dict[str, set[str]] = {}
    for name, labels in got.samples:
        if not name.endswith("_created"):
            exposed.setdefault(names[name], {key for key, _ in labels} - {"le"})
    assert exposed.keys() == METRICS.keys() - BACKGROUND
    for name, labels in exposed.items():
        metric = METRICS[name]
        assert labels == {*metric.labels, *(["medium"] if metric.of_medium else [])}, name


async def test_what_is_measured_in_the_background_is_exposed(anyio_backend: object) -> None:
    medium = measured(health=HealthConfig())
    async with medium:
        while medium.measured is None:
            await anyio.sleep(0.01)
        names = {name for name, _ in scrape(medium).samples}
    assert names >= BACKGROUND


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, metric in METRICS.items():
        assert re.fullmatch(r"aether_[a-z_]+", name)
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert name.endswith("_seconds") == (metric.unit == "seconds"), name
        assert metric.meaning.endswith("."), name
        assert "medium" not in metric.labels


def test_labels_of_any_text_come_through() -> None:
    medium = measured(name='a "name"\n\\')
    name = 'quote " back \\ line \n tab \t é 🌊'
    vibrator(medium, name).resonate_on("a")
    medium.emit_nowait('straße"\\.x')
    got = scrape(medium)
    assert got("aether_vibrator_size", vibrator=name) == 1000
    assert got("aether_emitted_total", domain='straße"\\') == 1
    assert got("aether_open", medium='a "name"\n\\') == 1


def test_the_text_says_what_each_metric_is() -> None:
    text = aether.metrics.text(measured())
    for name, metric in METRICS.items():
        assert f"# TYPE {name} {metric.kind}\n" in text
        assert f"# HELP {name} " in text


def test_scrapes_from_many_threads_agree() -> None:
    medium = measured()
    medium.emit_nowait("orders")
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(aether.metrics.text(medium))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 8
    assert len(set(texts)) == 1


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
    return [
        *asked,
        *(
            one["query"]["query"]
            for one in dashboard["templating"]["list"]
            if one["type"] == "query"
        ),
    ]


def test_the_dashboard_asks_only_for_what_there_is() -> None:
    names = series_names()
    asked = expressions()
    assert len(asked) > 10
    for expression in asked:
        known = re.findall(r"aether_\w+", expression)
        assert known, expression
        for name in known:
            assert name in names, f"{name} in {expression}"
        # Of a counter or a histogram, the rate is of interest.
        for name in known:
            if METRICS[names[name]].kind != "gauge" and "label_values" not in expression:
                assert re.search(rf"(rate|increase)\({name}", expression), expression
        labels = set(re.findall(r"(\w+)=~?\"", expression))
        labels |= {
            one
            for group in re.findall(r"by \(([\w, ]+)\)", expression)
            for one in group.split(", ")
        }
        allowed = {"medium", "le"}.union(*(METRICS[names[name]].labels for name in known))
        assert labels <= allowed, expression


def test_the_dashboard_names_events_that_exist() -> None:
    for expression in expressions():
        for event in re.findall(r'event="([\w.]+)"', expression):
            assert event in EVENTS


def test_the_panels_of_the_dashboard_are_apart() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
