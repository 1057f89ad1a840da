"""What a receiver of OTLP answers: what counts as exported, what as refused, and what is said of it."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable

import pytest
import requests

from aether import Aether

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.operations.followed import following
from tests.operations.receiver import Answer, receiver

from aether.tracing.secrets import Secrets

HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


def partial(rejected: int, message: str = "") -> bytes:
    """An answer of OTLP that says so many spans were rejected."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


def partial_json(rejected: int) -> bytes:
    """The same in JSON."""
    return json.dumps({"partialSuccess": {"rejectedSpans": str(rejected)}}).encode()


@pytest.mark.parametrize(
    ("answer", "failed", "said"),
    [
        (Answer(), 0, ""),
        (Answer(status=204, headers={}), 0, ""),
        (Answer(body=partial(0, "nearly")), 0, ""),
        (Answer(body=partial(3, "too old")), 3, "3 of 10 spans could not be exported"),
        (Answer(body=partial(3, "too old")), 3, "too old"),
        (Answer(body=partial(3), headers={}), 3, "the receiver has rejected them"),
        (Answer(body=partial(1_000)), 10, "10 of 10 spans"),
        (Answer(body=b"{}", headers=JSON), 0, ""),
        (Answer(body=partial_json(4), headers=JSON), 4, "the receiver has rejected them"),
        (Answer(body=b'{"partialSuccess": null}', headers=JSON), 0, ""),
        (Answer(body=b'{"partialSuccess": {"rejectedSpans": null}}', headers=JSON), 0, ""),
        (Answer(body=b'{"partial_success": {"rejected_spans": 4}}', headers=JSON), 4, "4 of 10"),
        (Answer(body=b"[]", headers=JSON), 10, "200 with application/json, which is not of OTLP"),
        (Answer(body=b"null", headers=JSON), 10, "200 with application/json, which is not of OTLP"),
        (Answer(body=b"[", headers=JSON), 10, "200 with application/json, which is not of OTLP"),
        (Answer(body=b"<html>", headers=HTML), 10, "200 with text/html, which is not of OTLP"),
        (Answer(body=b"\xff" * 100_000), 10, "which is not of OTLP"),
        (Answer(status=302, headers={"Location": "/login"}), 10, "answers 302 Found"),
        (Answer(status=404), 10, "answers 404 Not Found"),
    ],
)
def test_what_counts_as_exported_is_what_the_receiver_says(
    answer: Answer, failed: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver() as received:
        received.answer = answer
        medium = Aether(following(endpoint=received.url, shutdown_timeout=30.0))
        assert medium.tracing is not None
        for _ in range(10):
            medium.emit_nowait("a")
        medium.tracing.close()
        statistics = medium.tracing.statistics()
        assert len(received.requests) == 1, "nothing is followed, and nothing sent twice"
    assert (statistics.exported, statistics.failed, statistics.lost) == (10 - failed, failed, 0)
    told = [(record.name, record.getMessage()) for record in caplog.records]
    assert len(told) == bool(failed), "one line, and none of OpenTelemetry's own"
    if failed:
        ((name, message),) = told
        assert name == "aether"
        assert said in message


def test_a_receiver_that_is_not_there_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/traces"
        medium = Aether(following(endpoint=url, export_timeout=0.2, shutdown_timeout=30.0))
        assert medium.tracing is not None
        medium.emit_nowait("a")
        medium.tracing.close()
    (record,) = caplog.records
    assert "ConnectionError" in record.getMessage()
    assert "refused" in record.getMessage()


def test_an_answer_that_does_not_end_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with receiver() as received:
        received.answer = Answer(drips=True)
        medium = Aether(following(endpoint=received.url, export_timeout=0.2, shutdown_timeout=30.0))
        assert medium.tracing is not None
        medium.emit_nowait("a")
        medium.tracing.close()
    assert medium.tracing.statistics().failed == 1
    (record,) = caplog.records
    assert "the answer takes longer than export_timeout" in record.getMessage()


def test_what_exporters_of_others_log_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with receiver() as received:
        received.answer = Answer(status=404)
        medium = Aether(following(endpoint=received.url, shutdown_timeout=30.0))
        assert medium.tracing is not None
        medium.tracing.close()
        OTLPSpanExporter(received.url, timeout=1.0).export([])
    (record,) = caplog.records
    assert record.name.startswith("opentelemetry.")


def test_a_credential_provider_makes_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER"
    monkeypatch.setenv(name, "nobody")
    with pytest.raises(RuntimeError, match="nobody"):
        Aether(following(endpoint="http://127.0.0.1:1/v1/traces"))


def refusing(*_: object, **__: object) -> requests.Response:
    raise requests.ConnectionError(
        "http://user:hunter2@host/v1/traces?token=TOPSECRET is not there"
    )


def leaving(*_: object, **__: object) -> requests.Response:
    raise SystemExit("http://user:hunter2@host/v1/traces?token=TOPSECRET")


def unread(*_: object, **__: object) -> requests.Response:
    logging.getLogger("urllib3.connectionpool").warning(
        "Failed to parse headers (url=%s)", "http://host/v1/traces?token=TOPSECRET"
    )
    answer = requests.Response()
    answer.status_code, answer.reason = 401, "user:hunter2 is unknown, as TOPSECRET, and KEY"
    return answer


def test_no_secret_of_a_receiver_that_is_gone_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
        url = f"http://user:hunter2@{host}/v1/traces?token=TOPSECRET"
        medium = Aether(following(endpoint=url, export_timeout=0.2, shutdown_timeout=30.0))
        assert medium.tracing is not None
        medium.emit_nowait("a")
        medium.tracing.close()
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "/v1/traces?***" in said
    assert not any(secret in said for secret in ("hunter2", "TOPSECRET"))


def test_nor_of_one_that_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver() as received:
        received.answer = Answer(body=partial(1, "TOPSECRET, of hunter2, is too old"))
        url = received.url.replace("//", "//user:hunter2@") + "?token=TOPSECRET"
        medium = Aether(following(endpoint=url, shutdown_timeout=30.0))
        assert medium.tracing is not None
        medium.emit_nowait("a")
        medium.tracing.close()
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "***, of ***, is too old" in said
    assert "POST /v1/traces?***" in said, "what urllib3 says"
    assert not any(secret in said for secret in ("hunter2", "TOPSECRET"))


@pytest.mark.parametrize("happening", [refusing, leaving, unread])
def test_whatever_happens(
    happening: Callable[..., requests.Response],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(requests.Session, "send", happening)
    url = "http://user:hunter2@127.0.0.1:1/v1/traces?token=TOPSECRET"
    config = following(endpoint=url, headers={"x-key": "KEY"}, shutdown_timeout=30.0)
    medium = Aether(config)
    assert medium.tracing is not None
    medium.emit_nowait("a")
    medium.tracing.close()
    assert medium.tracing.statistics().failed == 1
    assert "tracing.export_failed" in [getattr(one, "event", "") for one in caplog.records]
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert not any(secret in said for secret in ("hunter2", "TOPSECRET", "KEY"))


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("401 1 a", "401 *** a"),
        ("http://ho:x@y@host/p?a b", "http://***@host/p?*** b"),
        ("/p?q=a)'b\"", "/p?***"),
        ("a b/c, a%20b/c, a%20b%2Fc, a+b/c", "***, ***, ***, ***"),
        ("p:w, p%3Aw, dTpwOnc=", "***, ***, ***"),
        ("t0ken, Bearer t0ken", "***, ***"),
        ("\u00e9, \\xe9, %C3%A9, \u00e9t\u00e9", "***, ***, ***, \u00e9t\u00e9"),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(said: str, left: str) -> None:
    endpoint = "http://u:p%3Aw@host/p?q=a+b%2Fc&v=1&w=\u00e9"
    secrets = Secrets(endpoint, {"authorization": "Bearer t0ken"})
    assert secrets.hidden(said) == left


def test_where_there_is_no_secret_nothing_is_hidden() -> None:
    assert Secrets("http://host/p", {}).hidden("the receiver answers 404") == (
        "the receiver answers 404"
    )
