"""Metrics in the hands of prometheus_client: a collector, and its text."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric as Family,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from aether.metrics.listed import METRICS, Metric
from aether.metrics.reading import Distribution, of_medium, of_process

if TYPE_CHECKING:
    from aether.medium import Aether
    from aether.metrics.reading import Sample

__all__ = ["MediumCollector", "text_of"]


class MediumCollector(Collector):
    """Reads media at each scrape; see `aether.metrics.collector`."""

    def __init__(self, media: tuple[Aether, ...]) -> None:
        self._media: dict[str, weakref.ref[Aether]] = {}
        for medium in media:
            self.add(medium)

    def add(self, medium: Aether) -> None:
        """Reads one more medium from now on, in place of one of its name that is closed.

        Raises:
            ValueError: It measures nothing, or another one of its name is open.
        """
        if medium.config.metrics is None:
            # Says so.
            next(of_medium(medium))
        name = medium.config.name
        known = self._media[name]() if name in self._media else None
        if known is not None and known is not medium and known.phase != "closed":
            message = (
                f"two media are called {name!r}, and their series could not be told apart; give each a name: "
                "AetherConfig(name=...)"
            )
            raise ValueError(message)
        self._media[name] = weakref.ref(medium)

    def describe(self) -> Iterator[Family]:
        """The metrics without samples, so that a registry finds names that it has already."""
        return iter(_families().values())

    def collect(self) -> Iterator[Family]:
        """All metrics of the media that are alive.

        Raises:
            ForkedMedium: A medium was used before this process was forked.
        """
        families = _families()
        for name, reference in list(self._media.items()):
            medium = reference()
            if medium is not None:
                _fill(families, of_medium(medium), (name,))
            # A scrape that is slow to be sent keeps nothing alive.
            del medium
        _fill(families, of_process(), ())
        return iter(families.values())


def _fill(families: dict[str, Family], samples: Iterator[Sample], first: tuple[str, ...]) -> None:
    for name, labels, value in samples:
        family: Any = families[name]
        given = [*first, *labels]
        if not isinstance(value, Distribution):
            family.add_metric(given, value)
        elif value.buckets:
            family.add_metric(given, buckets=value.buckets, sum_value=value.sum)
        else:
            family.add_metric(given, count_value=value.count, sum_value=value.sum)


_FAMILIES = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "summary": SummaryMetricFamily,
}


def _families() -> dict[str, Family]:
    return {name: _family(name, metric) for name, metric in METRICS.items()}


def _family(name: str, metric: Metric) -> Family:
    labels = [*(["medium"] if metric.of_medium else []), *metric.labels]
    family: Family = _FAMILIES[metric.kind](name, metric.meaning, labels=labels)
    return family


def text_of(collector: Collector) -> str:
    """What a scrape of a collector gives, in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry).decode()
