"""A server that is scraped.

Contract:
- One thread waits for connections, each of which has a thread of its own: whoever is slow keeps nobody else waiting.
- A connection on which nothing comes or goes for `IDLE` seconds is closed. Each is asked once.
- Where the process has no more files to open, whoever connects waits, and is looked for once in `DEAF` seconds.
- `close` comes back at once: what is being answered ends by itself.
- The child of a fork is not scraped. What it has of the parent's server listens until both have closed it.
"""

from __future__ import annotations

import contextlib
import io
import selectors
import socket
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, exposition

from aether._closing import Closing

if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from aether.medium import Aether
    from aether.metrics.exposed import MediumCollector

__all__ = ["DEAF", "IDLE", "MetricsServer"]

IDLE = 10.0
"""How long a connection may be idle, in seconds."""

DEAF = 1.0
"""How long nobody is listened to where there is no file for who connects, in seconds."""

_MOST_PORT = 65_535


class _Writer(io.BufferedIOBase):
    """What is answered. Who takes none of it for so long is as good as gone, which the rest knows how to deal with."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        try:
            self._connection.sendall(data)
        except TimeoutError:
            message = "the answer is not read"
            raise ConnectionAbortedError(message) from None
        return len(memoryview(data))


class _Connection(WSGIRequestHandler):
    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(IDLE)
        self.wfile = _Writer(self.connection)

    def handle(self) -> None:
        try:
            super().handle()
        except (TimeoutError, ConnectionError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Scrapes are not worth a line."""


class _Listener(ThreadingMixIn, WSGIServer):
    # Whoever is answered does not hold up the end of the program.
    daemon_threads = True
    # `handle_request` is called when there is one.
    timeout = 0
    # How many may stand before the door.
    request_queue_size = 128

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        self.is_deaf = False
        super().__init__(address, _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except (BlockingIOError, InterruptedError, ConnectionError):
            raise
        except OSError:
            # No file is left to be opened, and who waits would be seen again at once, and again.
            self.is_deaf = True
            raise


class MetricsServer(Closing):
    """A server that is scraped, in threads of its own, until it is closed; see `aether.metrics.serve`.

    Attributes:
        host: Where it listens.
        port: At which port.
    """

    def __init__(self, collector: MediumCollector, port: int, host: str) -> None:
        if not 0 <= port <= _MOST_PORT:
            message = f"port is {port}, and has to be 0..{_MOST_PORT}; 0: one that is free"
            raise ValueError(message)
        self._collector = collector
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as opened:
            self._listener = opened.enter_context(_Listener(family, address[:2]))
            self._listener.set_app(exposition.make_wsgi_app(registry))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            self.host, self.port = host, self._listener.server_port
            self._closing, self._closed = map(opened.enter_context, socket.socketpair())
            self._ready = opened.enter_context(selectors.DefaultSelector())
            self._ready.register(self._listener, selectors.EVENT_READ)
            self._ready.register(self._closed, selectors.EVENT_READ)
            self._opened = opened.pop_all()
        self._thread = threading.Thread(target=self._listen, name="aether-metrics", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with self._opened:
            while not self._is_over():
                self._listener.handle_request()
                if self._listener.is_deaf:
                    self._listener.is_deaf = False
                    self._ready.unregister(self._listener)
                    if self._is_over(DEAF):
                        return
                    self._ready.register(self._listener, selectors.EVENT_READ)

    def _is_over(self, timeout: float | None = None) -> bool:
        """Waits for who connects, and whether it is to end."""
        return any(key.fileobj is self._closed for key, _ in self._ready.select(timeout))

    @property
    def url(self) -> str:
        """What Prometheus is told to scrape."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def add(self, medium: Aether) -> None:
        """Shows one more medium from now on, in place of one of its name that is closed.

        Raises:
            ValueError: It measures nothing, or another one of its name is open.
        """
        self._collector.add(medium)

    def close(self) -> None:
        """Listens no more. A second time does nothing; a scrape that is being answered ends by itself."""
        self._closing.close()
        self._thread.join()
        # In the child of a fork there is no thread that would.
        self._opened.close()
