"""Traces: off without an address, one trace for a record's life, the correlation on every span."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ml_connector.engine import tracing
from ml_connector.engine.correlation import correlated

LOADED = (
    "import sys; from ml_connector.engine import tracing; tracing.start('x');"
    "\nwith tracing.span('a'): pass\nprint([n for n in sys.modules if n.startswith('opentelemetry')])"
)


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.start("test", exporter=exporter)
    yield exporter
    tracing.stop()


def finished(exporter: InMemorySpanExporter) -> dict[str, Any]:
    tracing.stop()
    return {span.name: span for span in exporter.get_finished_spans()}


def test_it_is_off_and_loads_nothing_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
    assert tracing.span("a") is tracing.span("b")


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_switch_it_on(environment: dict[str, str], on: bool) -> None:
    assert tracing.wanted(environment) is on


def test_what_was_heard_and_what_became_of_it_lie_in_one_trace(kept: InMemorySpanExporter) -> None:
    tracing.told(1, "orders", "118", "heard", time.time())
    with correlated(integration=1, flow="orders") as now, tracing.run_span(1, "orders", ["118", "119"]):
        with tracing.span("plan", records=2):
            tracing.past("POST s4hana", 0.5, failed=True, status=503)
        tracing.told(1, "orders", "118", "orders synced", time.time() - 2)
    spans = finished(kept)
    trace = int(tracing.record_trace(1, "orders", "118"), 16)
    assert spans["heard"].context.trace_id == spans["orders synced"].context.trace_id == trace
    run = spans["run orders"]
    assert run.context.trace_id != trace
    assert next(link.context.trace_id for link in run.links) == trace
    assert spans["orders synced"].links[0].context.span_id == run.context.span_id
    assert spans["plan"].parent.span_id == run.context.span_id
    assert spans["POST s4hana"].parent.span_id == spans["plan"].context.span_id
    for name in ("run orders", "plan", "POST s4hana", "orders synced"):
        assert spans[name].attributes["ml_connector.correlation"] == now.id
    call = spans["POST s4hana"]
    assert 0.4e9 < call.end_time - call.start_time < 0.6e9
    assert not call.status.is_ok
    assert spans["orders synced"].end_time - spans["orders synced"].start_time > 1.9e9


def test_an_error_leaves_its_type_and_not_its_words(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Dana Ortiz"), tracing.span("read"):
        raise ValueError("Dana Ortiz, 12 Elm Street")
    span = finished(kept)["read"]
    assert span.attributes["error.type"] == "ValueError"
    assert not span.events
    assert "Dana" not in span.to_json()


def test_runs_side_by_side_keep_their_spans_apart(kept: InMemorySpanExporter) -> None:
    async def run(key: str) -> None:
        with tracing.run_span(1, "orders", [key], run=key):
            await asyncio.sleep(0)
            with tracing.span(f"plan {key}"):
                await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(run("1"), run("2"))

    asyncio.run(both())
    tracing.stop()
    spans = kept.get_finished_spans()
    runs = {
        span.attributes["ml_connector.run"]: span for span in spans if span.name == "run orders" and span.attributes
    }
    for key in ("1", "2"):
        plan = next(span for span in spans if span.name == f"plan {key}")
        assert plan.parent is not None
        assert plan.parent.span_id == runs[key].context.span_id


def test_spans_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    tracing.start("test")
    with tracing.span("read"):
        pass
    tracing.stop()
    server.shutdown()
    assert [path for path, _ in got] == ["/v1/traces"]
    assert b"read" in got[0][1]
    assert b"ml-connector-test" in got[0][1]
