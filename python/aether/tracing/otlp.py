"""Spans on their way to a receiver of OTLP over HTTP: OpenTelemetry's exporter, and what the receiver has said.

Contract:
- OpenTelemetry's exporter takes each answer below 400 for a success, and reads none. Here, spans are taken if the answer is
  200..299, empty or one of OTLP, and does not say that some were rejected. Redirects are not followed.
- `export_timeout` bounds each wait of a request: for the connection, for each next part of the head of the answer, and
  for the rest of the answer as a whole; and all tries together, but for the last one.
- Why spans were not taken is in `Refused`, whatever the exporter raises; what OpenTelemetry's exporter would log of it beside
  that is not logged, for this exporter alone.
- What is secret is in none of this, nor in what urllib3 logs meanwhile: see `aether.tracing.secrets`.
- With a credential provider of OpenTelemetry (``OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER``), requests are its own:
  then answers are not seen, and each one below 400 is a success.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import requests
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from aether.tracing.exporting import Refused, text_of
from aether.tracing.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["OtlpExporter"]

# Of an answer, so many bytes are read: those of OTLP have less than a hundred, and perhaps a message.
_MOST = 65_536

_PROVIDERS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)


class OtlpExporter(SpanExporter):
    """Sends spans to a receiver.

    Args:
        endpoint: Its URL.
        headers: What is sent along.
        timeout: How long a request may wait, in seconds: see above.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str], timeout: float) -> None:
        self._secrets = Secrets(endpoint, headers)
        self._seen = _Session()
        session = None if any(os.environ.get(one) for one in _PROVIDERS) else self._seen
        self._exporter = OTLPSpanExporter(
            endpoint, headers=headers, timeout=timeout, session=session
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends some.

        Raises:
            Refused: Not all of them were taken.
        """
        try:
            count, why = self._exported(spans)
        except BaseException as error:  # noqa: BLE001 - whatever it raises may have a secret in it
            count, why = len(spans), text_of(error)
        if count:
            # The only way out for what others say.
            raise Refused(count, self._secrets.hidden(why)) from None
        return SpanExportResult.SUCCESS

    def _exported(self, spans: Sequence[ReadableSpan]) -> tuple[int, str]:
        """How many of these were not taken, and why."""
        with _heard(self._secrets) as messages:
            result = self._exporter.export(spans)
        last = self._seen.taken()
        if isinstance(last, requests.Response):
            return _rejected(last, len(spans))
        if result is SpanExportResult.SUCCESS:
            return 0, ""
        said = messages[-1] if messages else "it says nothing of why"
        return len(spans), said if last is None else f"{type(last).__name__}: {last}"

    def shutdown(self) -> None:
        """Gives up what it would try again."""
        with _heard(self._secrets):
            self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _Session(requests.Session):
    """Looks at each answer, and does not wait for ever for the end of one."""

    _last: requests.Response | requests.RequestException | None = None

    def taken(self) -> requests.Response | requests.RequestException | None:
        """What the last request has come to; `None`: there was none since."""
        last, self._last = self._last, None
        return last

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        until = time.monotonic() + how["timeout"]
        try:
            with super().send(request, **{**how, "stream": True, "allow_redirects": False}) as came:
                self._last = answer = _whole(came, until)
        except requests.RequestException as error:
            self._last = error
            raise
        return answer


def _whole(came: requests.Response, until: float) -> requests.Response:
    """An answer with its body, as far as it is of interest."""
    body = b""
    # One by one: more of them are waited for together.
    for byte in came.iter_content(1):
        body += byte
        if time.monotonic() > until:
            raise requests.ReadTimeout("the answer takes longer than export_timeout")
        if len(body) == _MOST:
            break
    answer = requests.Response()
    answer.status_code, answer.reason = came.status_code, came.reason
    answer.url, answer.headers, answer.raw = came.url, came.headers, io.BytesIO(body)
    return answer


def _rejected(answer: requests.Response, sent: int) -> tuple[int, str]:
    """How many of the spans that were sent the receiver has not taken, and why."""
    if not 200 <= answer.status_code < 300:  # noqa: PLR2004 - what HTTP calls success
        return sent, f"the receiver answers {answer.status_code} {answer.reason}"
    if not answer.content:
        return 0, ""
    kind = answer.headers.get("Content-Type", "application/x-protobuf").partition(";")[0]
    try:
        count, why = _PARTIAL[kind.strip().lower()](answer.content)
    except Exception:  # noqa: BLE001 - a page of something else
        return sent, f"the receiver answers {answer.status_code} with {kind}, which is not of OTLP"
    return max(0, min(count, sent)), why or "the receiver has rejected them"


def _of_protobuf(body: bytes) -> tuple[int, str]:
    return _of_otlp(ExportTraceServiceResponse.FromString(body))


def _of_json(body: bytes) -> tuple[int, str]:
    if not isinstance(json.loads(body), dict):
        message = "a message of protobuf is an object in JSON"
        raise TypeError(message)
    answer = ExportTraceServiceResponse()
    # Its JSON has more than one way to say most things: null is the same as nothing.
    json_format.Parse(body, answer, ignore_unknown_fields=True)
    return _of_otlp(answer)


def _of_otlp(answer: ExportTraceServiceResponse) -> tuple[int, str]:
    partial = answer.partial_success
    return partial.rejected_spans, partial.error_message


_PARTIAL = {"application/x-protobuf": _of_protobuf, "application/json": _of_json}

_listening = threading.local()


@contextlib.contextmanager
def _heard(secrets: Secrets) -> Generator[list[str]]:
    """What OpenTelemetry's exporter says in this thread meanwhile, which is not logged."""
    messages = list[str]()
    _listening.messages, _listening.secrets = messages, secrets
    try:
        yield messages
    finally:
        _listening.messages = _listening.secrets = None


def _is_of_others(record: logging.LogRecord) -> bool:
    messages = getattr(_listening, "messages", None)
    if messages is None:
        return True
    messages.append(record.getMessage())
    return False


def _without_secrets(record: logging.LogRecord) -> bool:
    """Of whom it asks, urllib3 logs the whole URL."""
    secrets = getattr(_listening, "secrets", None)
    if secrets is not None:
        record.msg, record.args = secrets.hidden(record.getMessage()), None
    return True


logging.getLogger(OTLPSpanExporter.__module__).addFilter(_is_of_others)
logging.getLogger("urllib3.connectionpool").addFilter(_without_secrets)
