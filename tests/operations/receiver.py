"""A receiver of OTLP over HTTP, in this process: what it was sent, as its own messages."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["Answer", "Receiver", "receiver"]


@dataclass
class Answer:
    """An answer to a request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/x-protobuf"}
    )
    drips: bool = False
    """The body never ends: each byte of it comes after a while."""


class Receiver:
    """What has come."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self.answers = threading.Event()
        """Until it is set, no request is answered."""
        self.answers.set()
        self.answer = Answer()
        """What it says to each request."""

    def spans(self) -> list[Span]:
        """All spans that have come."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Receives on a port of its own."""
    received, ending = Receiver(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.answers.wait()
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            received.headers.append(dict(self.headers))
            received.requests.append(request)
            answer = received.answer
            self.send_response(answer.status)
            for header, value in answer.headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", "99999" if answer.drips else str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            with contextlib.suppress(OSError):
                while answer.drips and not ending.wait(0.02):
                    self.wfile.write(b"x")

        def log_message(self, *args: Any) -> None:  # type: ignore[override]
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        received.answers.set()
        ending.set()
        server.shutdown()
        server.server_close()
        thread.join()
