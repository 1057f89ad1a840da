"""`--metrics-port`: the media of a command, served to Prometheus while it runs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import MISUSED, CliError

if TYPE_CHECKING:
    from aether import AetherConfig
    from aether.metrics.server import MetricsServer

    from .console import Screen

__all__ = ["measuring", "serving"]


@contextmanager
def serving(port: int | None, screen: Screen) -> Generator[MetricsServer | None]:
    """Serves metrics while the body runs, and says where; without a port, nothing happens.

    Raises:
        CliError: It cannot listen there, or prometheus_client is not installed.
    """
    if port is None:
        yield None
        return
    import aether.metrics
    from aether import ConfigError

    try:
        server = aether.metrics.serve(port=port)
    except (ConfigError, ValueError) as error:
        raise CliError(f"--metrics-port: {error}", status=MISUSED) from None
    except OSError as error:
        raise CliError(f"--metrics-port {port}: {error.strerror or error}") from None
    with server:
        screen.complain(f"metrics: {server.url}")
        yield server


def measuring(
    name: str, server: MetricsServer | None, config: AetherConfig | None = None
) -> AetherConfig | None:
    """The configuration of a medium, measured if a server is to show it; `None`: the defaults."""
    if server is None:
        return config
    from aether import AetherConfig, MetricsConfig

    return (config or AetherConfig()).replace(name=name, metrics=MetricsConfig())
