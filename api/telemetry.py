"""Exports spans over OTLP. Imported, with the SDK, only if OTEL_EXPORTER_OTLP_ENDPOINT is set.

The SDK reads its other variables (sampler, batches, resource) itself:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace import Span as RecordedSpan

from api.trace import Span, Tracing, Work

EXPORT_SECONDS = 5
# Monitoring asks these every few seconds.
POLLED = frozenset({"/healthz", "/readyz"})


class RecordedWork(Work):
    def __init__(self, recorded: RecordedSpan, *, worst_status: int) -> None:
        context = recorded.get_span_context()
        super().__init__(
            Span(
                format_trace_id(context.trace_id),
                format_span_id(context.span_id),
                bool(context.trace_flags & TraceFlags.SAMPLED),
            )
        )
        self._recorded = recorded
        self._worst_status = worst_status

    def ended(self, status: int | None, **attributes: object) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._recorded.set_attribute(name, str(value))
        if status is not None:
            self._recorded.set_attribute("http.response.status_code", status)
        if status is None or status >= self._worst_status:
            self._recorded.set_status(Status(StatusCode.ERROR))

    def named(self, name: str) -> None:
        self._recorded.update_name(name)


class ExportedTracing(Tracing):
    """Exports spans in batches, in the background. Refused spans are dropped and logged."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], service_name: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service_name}))
        exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=dict(headers), timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("data-engine-x")

    @contextmanager
    def request(self, caller: Span | None, method: str, path: str) -> Iterator[Work]:
        if path in POLLED:
            # The calls inside inherit this, so they are not exported either.
            quiet = caller.child() if caller else Span.begin()
            yield Work(replace(quiet, is_sampled=False))
            return
        attributes = {"http.request.method": method, "url.path": path}
        with self._recorded(method, SpanKind.SERVER, _context_of(caller, is_remote=True), attributes) as span:
            yield RecordedWork(span, worst_status=500)

    @contextmanager
    def call(self, parent: Span, method: str, url: str, route: str) -> Iterator[Work]:
        target = urlsplit(url)
        attributes = {
            "http.request.method": method,
            "server.address": target.hostname or "",
            "url.path": target.path,
        }
        context = _context_of(parent, is_remote=False)
        with self._recorded(f"{method} {route}", SpanKind.CLIENT, context, attributes) as span:
            yield RecordedWork(span, worst_status=400)

    @contextmanager
    def _recorded(
        self, name: str, kind: SpanKind, context: Context, attributes: Mapping[str, str]
    ) -> Iterator[RecordedSpan]:
        """Leaves out the exception that ends the span: its text may hold what the caller sent."""
        span = self._tracer.start_span(name, context, kind, attributes)
        try:
            yield span
        finally:
            span.end()

    def close(self) -> None:
        self._provider.shutdown()


def parse_headers(text: str) -> dict[str, str]:
    """Parses OTEL_EXPORTER_OTLP_HEADERS: `name=value,name=value`, the values in percent encoding."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def _context_of(span: Span | None, *, is_remote: bool) -> Context:
    if span is None:
        return Context()
    context = SpanContext(
        int(span.trace_id, 16),
        int(span.span_id, 16),
        is_remote,
        TraceFlags(TraceFlags.SAMPLED if span.is_sampled else TraceFlags.DEFAULT),
    )
    return set_span_in_context(NonRecordingSpan(context), Context())
