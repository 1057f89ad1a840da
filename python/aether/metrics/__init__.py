"""Metrics for Prometheus: what a medium has counted and measured, read when somebody asks.

Contract:
- A medium counts and measures for it where its configuration has a section `metrics`; `METRICS` lists all there is.
- Counters are exact. Times are taken of one wave in 64, chosen by its position, so that no regular traffic is favoured.
- A scrape reads the counters of waves at one moment; what stalls, what handlers are at and health come a moment later. Then
  the text is made, in the thread that asks, which may be any. It also finds a medium that is closed.
- There are never more series than the configuration says: beyond that, what is new is counted as `other`. A series once
  there stays, so that no counter ever falls.
- Media are told apart by the label `medium`: the `name` of their configuration. A collector keeps no medium alive.
- In the child of a fork, a scrape raises `ForkedMedium`, as everything does there.

It needs the extra `ops`: ``pip install 'aether-medium[ops]'``.

Example:
    >>> import aether.metrics
    >>> from aether import Aether, AetherConfig, MetricsConfig
    >>> medium = Aether(AetherConfig(metrics=MetricsConfig()))
    >>> _ = medium.emit_nowait("orders.created", {"id": 7})
    >>> text = aether.metrics.text(medium)
    >>> [line for line in text.splitlines() if "orders" in line]
    ['aether_emitted_total{domain="orders",medium="aether"} 1.0']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aether.errors import ConfigError
from aether.metrics.listed import METRICS, Metric

if TYPE_CHECKING:
    from aether.medium import Aether
    from aether.metrics.exposed import MediumCollector
    from aether.metrics.server import MetricsServer

__all__ = ["METRICS", "Metric", "collector", "serve", "text"]


def collector(*media: Aether) -> MediumCollector:
    """What reads these media at each scrape, for a registry of prometheus_client; one of all media for each registry.

    Args:
        media: Those that measure, held weakly; `add` of what is returned takes more.

    Raises:
        ConfigError: prometheus_client is not installed.
        ValueError: A medium measures nothing, or two have one name.

    Example:
        >>> import aether.metrics
        >>> from aether import Aether, AetherConfig, MetricsConfig
        >>> from prometheus_client import CollectorRegistry
        >>> medium = Aether(AetherConfig(name="shop", metrics=MetricsConfig()))
        >>> registry = CollectorRegistry()
        >>> registry.register(aether.metrics.collector(medium))
        >>> registry.get_sample_value("aether_open", {"medium": "shop"})
        1.0
    """
    _check_installed()
    from aether.metrics.exposed import MediumCollector

    return MediumCollector(media)


def text(*media: Aether) -> str:
    """What a scrape of these media gives, in the text format of Prometheus.

    Args:
        media: As for `collector`, whose errors it shares.

    Raises:
        ForkedMedium: A medium was used before this process was forked.
    """
    made = collector(*media)
    from aether.metrics.exposed import text_of

    return text_of(made)


def serve(*media: Aether, port: int, host: str = "127.0.0.1") -> MetricsServer:
    """Begins to answer scrapes, in threads of its own: whoever is slow to ask or to read keeps nobody waiting.

    A connection on which nothing comes or goes for ten seconds is closed.

    Args:
        media: As for `collector`, whose errors it shares.
        port: Where it listens, 0..65535; 0: at one that is free.
        host: At which address. Everybody who reaches it can read the metrics.

    Returns:
        A handle with the `url`: `add` shows more media, `close` ends it, and so does leaving its `with` block.

    Raises:
        OSError: It cannot listen there.
        ValueError: The port is out of range.

    Example:
        >>> import aether.metrics
        >>> from aether import Aether, AetherConfig, MetricsConfig
        >>> medium = Aether(AetherConfig(metrics=MetricsConfig()))
        >>> with aether.metrics.serve(medium, port=0) as server:
        ...     server.url.startswith("http://127.0.0.1:")
        True
    """
    made = collector(*media)
    from aether.metrics.server import MetricsServer

    return MetricsServer(made, port, host)


def _check_installed() -> None:
    import importlib.util

    if importlib.util.find_spec("prometheus_client") is None:
        message = "metrics need prometheus_client: pip install 'aether-medium[ops]'"
        raise ConfigError(message)
