"""Spans, by OpenTelemetry: off until a process is told to trace.

    send      a command enters (producer)
    turn      a batch of one partition; linked to each message that came from elsewhere
    handle    one message by its entity; messages that follow have this span as their parent
    commit    the turn is being stored
    effect    one attempt at a call to the outside world (client)

The parent travels with each message as a W3C traceparent, so the spans of all processes that had
part in a flow make one trace. The SDK and an exporter come with `pip install wherry[otel]`.
"""

import logging
import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

log = logging.getLogger(__name__)

#: Any of these turns tracing on; what they mean is OpenTelemetry's matter.
_SWITCHES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
#: A turn names this many of the messages that it was for.
_MOST_LINKS = 64

_tracer: "Tracer | None" = None


class Span:
    """One span; leaving it ends it. This one records nothing, and hands its parent on."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str = "") -> None:
        self.traceparent = traceparent

    def note(self, **attributes: str | int) -> None:
        """Add attributes."""

    def fail(self, why: str) -> None:
        """Mark the span as failed."""

    def end(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.fail(repr(error))
        self.end()


class _Recorded(Span):
    """A span that is recorded."""

    __slots__ = ("_span",)

    def __init__(self, span: Any) -> None:
        context = span.get_span_context()
        super().__init__(
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
        )
        self._span = span

    def note(self, **attributes: str | int) -> None:
        for name, value in attributes.items():
            self._span.set_attribute(f"wherry.{name}", value)

    def fail(self, why: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_status(Status(StatusCode.ERROR, why))

    def end(self) -> None:
        self._span.end()


def trace_with(provider: "TracerProvider | None") -> None:
    """Record the spans of this process with a provider; None: record nothing any more."""
    global _tracer
    _tracer = provider.get_tracer("wherry") if provider else None


def is_on() -> bool:
    """Whether spans are recorded."""
    return _tracer is not None


def trace_as(service: str) -> None:
    """Trace this process if the environment says where to: as `service`, over OTLP by HTTP."""
    if not any(os.environ.get(name) for name in _SWITCHES):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no traces: install the SDK with `pip install 'wherry[otel]'`")
        return
    name = os.environ.get("OTEL_SERVICE_NAME", service)
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace_with(provider)  # the provider ends with the process, and sends what is left


def begin(
    name: str,
    *,
    parent: str = "",
    links: Iterable[str] = (),
    kind: str = "internal",
    **attributes: str | int,
) -> Span:
    """Begin a span. `parent` and `links` are traceparents; `kind` as in OpenTelemetry."""
    if _tracer is None:
        return Span(parent)
    from opentelemetry.trace import Link, SpanKind

    contexts = [context for context in map(_context, links) if context is not None]
    span = _tracer.start_span(
        name,
        context=_parent(parent),
        kind=SpanKind[kind.upper()],
        links=[Link(context) for context in contexts[:_MOST_LINKS]],
        attributes={f"wherry.{key}": value for key, value in attributes.items()},
    )
    return _Recorded(span)


def _parent(traceparent: str) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    context = _context(traceparent)
    return Context() if context is None else set_span_in_context(NonRecordingSpan(context))


def _context(traceparent: str) -> Any:
    """The span that a traceparent names; None when it names none."""
    from opentelemetry.trace import SpanContext, TraceFlags

    try:
        _, trace, span, flags = traceparent.split("-")
        found = SpanContext(
            int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
        )
    except ValueError:
        return None
    return found if found.is_valid else None
