"""What the tests of metrics share: a medium that measures, and what a scrape of it says."""

from __future__ import annotations

import weakref
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

import aether.metrics
from aether import Aether, AetherConfig, ManualClock, MetricsConfig, Vibrator

__all__ = ["Samples", "end_all", "measured", "parsed", "scrape", "vibrator"]

_made: weakref.WeakSet[Aether] = weakref.WeakSet()
_kept: list[Vibrator] = []

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
    medium = Aether(AetherConfig(metrics=metrics, **config), clock=clock, journal=journal)
    _made.add(medium)
    return medium


def vibrator(medium: Aether, name: str, **options: Any) -> Vibrator:
    """A vibrator that lives as long as the test."""
    made = medium.vibrator(name, **options)
    _kept.append(made)
    return made


def end_all() -> None:
    """Ends the media that a test has made, and their vibrators."""
    for one in _kept:
        one.close()
    _kept.clear()
    for medium in list(_made):
        if medium.phase != "closed":
            medium.shut("closed", at_once=True)
        if medium.journal is not None:
            medium.journal.close()
    _made.clear()


def parsed(text: str) -> Samples:
    """Samples by name and labels, as prometheus_client's own parser reads them; none is there twice."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, f"{key} is there twice"
            samples[key] = sample.value
    return samples


class scrape:
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
