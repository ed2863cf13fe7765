"""One order, one trace: from the request over every turn and call, through all processes."""

import asyncio
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis import Redis

import orders
from orders import settings
from tests.support.commands import ROOT, running
from tests.support.outside import outside
from tests.support.site import eventually
from wherry import tracing
from wherry.deploying.deployment import deploy
from wherry.gateway.requests import Options, command
from wherry.gateway.sending import Sender
from wherry.store.keys import Keys
from wherry.store.server import Server
from wherry.wiring import Bundles, Runtime, open_runtime
from wherry.workers.options import RunnerOptions
from wherry.workers.pump import Pump
from wherry.workers.runner import Hands, Runner

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
ITEMS = [{"product_id": "tea", "quantity": 2}]
ADDRESS = {"name": "Ann", "street": "Quay 1", "city": "Delft", "country": "NL"}
ORDER = {
    "customer_id": "ann", "account_id": "ann", "items": ITEMS, "shipping_address": ADDRESS,
    "payment_method": "card",
}  # fmt: skip
SHOP: list[tuple[str, str, dict[str, Any]]] = [
    ("product/tea", "RegisterProduct", {"name": "Tea", "price": "2.50", "currency": "EUR"}),
    ("product/tea", "UpdateStock", {"quantity": 10}),
    ("account/ann", "OpenAccount", {"owner": "Ann", "currency": "EUR"}),
    ("account/ann", "CreditAccount", {"amount": "100.00", "reason": "gift"}),
]
#: What has to be in the trace of one order.
NAMES = {
    "send CreateOrder", "turn", "commit", "handle CreateOrder", "handle CheckAvailability",
    "handle ReserveItems", "handle ValidateAccount", "handle ProcessPayment",
    "handle DebitAccount", "effect Capture", "handle SellItems", "handle CreateShipment",
    "effect BookShipment", "handle Answer", "handle Notify",
}  # fmt: skip


# -- in one process, with an exporter in memory --------------------------------------------------


@contextmanager
def in_memory() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.trace_with(provider)
    try:
        yield exporter
    finally:
        tracing.trace_with(None)


@contextmanager
def at_work(runtime: Runtime) -> Iterator[None]:
    """A pump and a runner, in threads."""
    done = threading.Event()
    pump = Pump(
        runtime.store, runtime.registry, "here", stopping=done.is_set, code=runtime.bundles.code
    )
    runner = Runner(
        str(runtime.url), Keys(runtime.namespace), runtime.registry, RunnerOptions(),
        Hands(stopping=done.is_set),
    )  # fmt: skip
    with ThreadPoolExecutor() as pool:
        going = [pool.submit(pump.run), pool.submit(lambda: asyncio.run(runner.run()))]
        try:
            yield
        finally:
            done.set()
            for one in going:
                one.result(60)


@pytest.fixture
def shop(server: Server, real_redis: Redis) -> Iterator[Runtime]:
    runtime = open_runtime(
        server.url, "traced", Bundles(orders.app, ("orders",), "t"), partitions=3
    )
    deploy(runtime)
    yield runtime
    runtime.redis.close()


def send(runtime: Runtime, to: str, name: str, body: dict[str, Any], trace: str = "") -> None:
    sender, now = Sender(runtime), runtime.store.now_ms()
    request = command(runtime.registry, to, name, body, now, Options(trace=trace))
    result = sender.wait(request, sender.send(request), 60)
    assert result is not None
    assert result.status == "done", result


def test_one_order_is_one_connected_trace(shop: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """S126: send, turns, handlers, commits and calls, each with its parent in the same trace."""
    with outside() as world, at_work(shop):
        monkeypatch.setattr(settings, "GATEWAY_URL", f"{world.url}/gateway")
        monkeypatch.setattr(settings, "CARRIER_URL", f"{world.url}/carrier")
        for to, name, body in SHOP:
            send(shop, to, name, body)
        with in_memory() as exporter:
            send(shop, "order/o1", "CreateOrder", ORDER)
            eventually(
                lambda: (
                    any(s.name == "handle Notify" for s in exporter.get_finished_spans())
                    and not sum(shop.store.backlog(3))
                ),
                "the customer is told",
            )
        spans = exporter.get_finished_spans()

    (first,) = [span for span in spans if span.name == "send CreateOrder"]
    ours = [span for span in spans if _trace_id(span) == _trace_id(first)]
    known = {span.context.span_id for span in ours if span.context}
    parents = {span.parent.span_id for span in ours if span.parent}

    assert {span.name for span in ours} >= NAMES
    assert parents <= known
    assert [span.name for span in ours if span.parent is None] == ["send CreateOrder"]
    assert all(_trace_id(span) == _trace_id(first) for span in spans)


def _trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


# -- across processes, over OTLP -----------------------------------------------------------------


class Collector(BaseHTTPRequestHandler):
    """Takes what the processes export."""

    batches: list[ExportTraceServiceRequest]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.batches.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    batches: list[ExportTraceServiceRequest] = []
    handler = type("Bound", (Collector,), {"batches": batches})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", batches
        server.shutdown()


def exported(batches: list[ExportTraceServiceRequest], trace: str) -> set[tuple[str, str]]:
    """Which process exported which span of a trace."""
    found = set()
    for resource in (r for batch in list(batches) for r in batch.resource_spans):
        (service,) = (
            a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
        )
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            if span.trace_id.hex() == trace:
                found.add((service, span.name))
    return found


def test_the_processes_of_a_system_export_one_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S126 S125: HTTP, workers and runners add to the trace that the client began."""
    shutil.copytree(ROOT / "functions" / "orders", tmp_path / "functions" / "orders")
    with collector() as (url, batches):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        with running(tmp_path, "up", "--ephemeral") as system, httpx.Client() as client:
            base = f"{system.ready['url']}/v1"
            for to, name, body in SHOP:
                client.post(f"{base}/{to}/{name}", json=body).raise_for_status()
            placed = client.post(
                f"{base}/order/o1/CreateOrder", json=ORDER, headers={"traceparent": PARENT}
            )
            assert Decimal(placed.json()["reply"]["total_amount"]) == Decimal("5.00")
            eventually(
                lambda: {name for _, name in exported(batches, TRACE)} >= NAMES, "all is exported"
            )
            events = client.get(f"{base}/order/o1/events").json()["events"]

    services = {service for service, _ in exported(batches, TRACE)}
    assert services >= {"wherry-http", "wherry-pumps", "wherry-effects"}
    assert {event["trace_id"] for event in events} == {TRACE}
    assert all(re.fullmatch(r"wherry-[a-z]+", service) for service in services)
