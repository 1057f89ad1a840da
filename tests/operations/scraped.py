"""What the tests of metrics share: a medium that measures, and what a scrape of it says."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

import aether.metrics
from aether import Aether, AetherConfig, ManualClock, MetricsConfig

__all__ = ["Samples", "measured", "parsed", "scrape"]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def measured(
    *,
    domains: int = 100,
    vibrators: int = 200,
    clock: ManualClock | None = None,
    journal: Any = None,
    **config: Any,
) -> Aether:
    """A medium that measures."""
    metrics = MetricsConfig(domains=domains, vibrators=vibrators)
    return Aether(AetherConfig(metrics=metrics, **config), clock=clock, journal=journal)


def parsed(text: str) -> Samples:
    """Samples by name and labels, as prometheus_client's own parser reads them; none is there twice."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, f"{key} is there twice"
            samples[key] = sample.value
    return samples


class scrape:  # noqa: N801 - reads as a verb
    """One scrape: its samples by name, without the label of the medium."""

    def __init__(self, *media: Aether) -> None:
        self.text = aether.metrics.text(*media)
        self.samples = parsed(self.text)

    def __call__(self, name: str, **labels: str) -> float:
        """The sample of this name and these labels, whatever its medium is."""
        found = self.by(name, **labels)
        assert len(found) == 1, f"{name} {labels}: {found}"
        return next(iter(found.values()))

    def by(self, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """All samples of this name that have these labels, by the rest of them."""
        wanted = {*labels.items()}
        return {
            frozenset((key, value) for key, value in has - wanted if key != "medium"): sample
            for (known, has), sample in self.samples.items()
            if known == name and wanted <= has
        }
