"""OpenTelemetry traces, off unless the standard environment variables name a receiver; off, they cost a comparison.

A record has one trace for its whole life: its ID is derived from integration, flow and key, so that the webhook that
was heard, the run that was woken by it and the documents that were sent lie together without a column for it. A run
has a trace of its own, for it may have many records and its calls belong to all of them; each of its records has a span
in the record's trace, linked with the run's. Every span carries the correlation ID, by which audit and logs are
searched.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318   (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
    OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SDK_DISABLED

Names and attributes hold no personal data: keys, references, counts, durations, statuses.
"""

import hashlib
import os
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from typing import Any, Final

from ml_connector.engine.correlation import correlation

Value = str | int | float | bool

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OFF: Final[AbstractContextManager[None]] = nullcontext()


class _State:
    """Of this process: the tracer, and what to flush at its end; None while tracing is off."""

    tracer: Any = None
    provider: Any = None
    api: Any = None


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a receiver, and does not switch the whole of it off."""
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return not off and any(environment.get(name) for name in _ENDPOINTS)


def start(application: str, *, exporter: Any = None) -> None:
    """Switches tracing on for this process where it is `wanted`, or to `exporter`. Libraries are loaded only then."""
    if exporter is None and not wanted():
        return
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    resources = import_module("opentelemetry.sdk.resources")
    if exporter is None:
        exporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    names = {"service.name": os.environ.get("OTEL_SERVICE_NAME") or f"ml-connector-{application}"}
    provider = sdk.TracerProvider(resource=resources.Resource.create(names), shutdown_on_exit=False)
    provider.add_span_processor(export.BatchSpanProcessor(exporter))
    _State.api = import_module("opentelemetry.trace")
    _State.provider = provider
    _State.tracer = provider.get_tracer("ml_connector")


def stop() -> None:
    """Sends what is left and switches tracing off; blocking, for some seconds at most."""
    if _State.provider is not None:
        _State.provider.shutdown()
    _State.tracer = _State.provider = _State.api = None


def span(name: str, **attributes: Value) -> AbstractContextManager[Any]:
    """A span around the block, within the one that is open. An exception is recorded by its type alone: what it says
    may hold data."""
    return _OFF if _State.tracer is None else _span(name, attributes, None, ())


def run_span(integration: int, flow: str, keys: Iterable[str], **attributes: Value) -> AbstractContextManager[Any]:
    """The span of a run: a trace of its own, linked with its records' traces."""
    if _State.tracer is None:
        return _OFF
    api = _State.api
    links = [api.Link(_record_context(integration, flow, key)) for key in list(keys)[:128]]
    facts: dict[str, Value] = {"integration": integration, "flow": flow, **attributes}
    return _span(f"run {flow}", facts, import_module("opentelemetry.context").Context(), links)


def told(integration: int, flow: str, key: str, name: str, started: float, **attributes: Value) -> None:
    """A span in a record's own trace, which began at `started` (`time.time()`) and ends now: `heard`, an outcome."""
    if _State.tracer is None:
        return
    api = _State.api
    here = api.get_current_span().get_span_context()
    links = [api.Link(here)] if here.is_valid else []
    parent = api.set_span_in_context(api.NonRecordingSpan(_record_context(integration, flow, key)))
    facts: dict[str, Value] = {"integration": integration, "flow": flow, "key": key, **attributes}
    made = _State.tracer.start_span(
        name, context=parent, links=links, start_time=int(started * 1e9), attributes=_with_correlation(facts)
    )
    made.end()


def past(name: str, duration_s: float, *, failed: bool = False, **attributes: Value) -> None:
    """A span within the open one that ends now and has lasted `duration_s`: a call."""
    if _State.tracer is None:
        return
    began = int((time.time() - duration_s) * 1e9)
    made = _State.tracer.start_span(
        name, kind=_State.api.SpanKind.CLIENT, start_time=began, attributes=_with_correlation(attributes)
    )
    if failed:
        made.set_status(_State.api.StatusCode.ERROR)
    made.end()


def record_trace(integration: int, flow: str, key: str) -> str:
    """The ID of a record's trace, 32 hexadecimal digits: what to look for in the tracing system."""
    return hashlib.sha256(f"ml-connector:{integration}:{flow}:{key}".encode()).hexdigest()[:32]


@contextmanager
def _span(name: str, attributes: Mapping[str, Value], context: Any, links: Iterable[Any]) -> Generator[Any]:
    with _State.tracer.start_as_current_span(
        name, context=context, links=list(links), attributes=_with_correlation(attributes), record_exception=False,
        set_status_on_exception=False,
    ) as made:  # fmt: skip
        try:
            yield made
        except BaseException as error:
            made.set_attribute("error.type", type(error).__name__)
            if _State.api is not None:
                made.set_status(_State.api.StatusCode.ERROR)
            raise


def _with_correlation(attributes: Mapping[str, Value]) -> dict[str, Value]:
    now = correlation.get()
    known: dict[str, Value] = {"correlation": now.id} if now.id else {}
    return {
        f"ml_connector.{name}" if "." not in name else name: value for name, value in {**known, **attributes}.items()
    }


def _record_context(integration: int, flow: str, key: str) -> Any:
    """A span that is nowhere: the common parent of everything in a record's trace."""
    trace = record_trace(integration, flow, key)
    return _State.api.SpanContext(
        trace_id=int(trace, 16), span_id=int(trace[:16], 16) or 1, is_remote=True,
        trace_flags=_State.api.TraceFlags(_State.api.TraceFlags.SAMPLED),
    )  # fmt: skip
