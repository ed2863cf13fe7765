"""Metrics for Prometheus: what this process served, and how the namespace is doing."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from wherry.errors import WherryError
from wherry.http.queries import Query
from wherry.http.service import Service

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Meters:
    """The meters of one process. They are its own: no registry is shared."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "wherry_http_requests", "Requests served.", ["method", "route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "wherry_http_request_seconds", "How long requests took, waiting for replies included.",
            ["method", "route"], buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._gauges = {
            name: Gauge(name, text, labels, registry=self._registry)
            for name, text, *labels in _GAUGES
        }

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request. Its route, not its path: that one would have no end of values."""
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    async def show(self, request: Request) -> Response:
        """`GET /metrics`."""
        Query(request)
        self._gauges["wherry_http_open_requests"].set(self._service.open_requests)
        self._gauges["wherry_http_waiting"].set(self._service.courier.waiters.count())
        try:
            await self._service.read(self._sample)
            up = 1
        except WherryError:
            up = 0
        self._gauges["wherry_redis_up"].set(up)
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def _sample(self) -> None:
        store = self._service.runtime.store
        partitions = self._service.runtime.registry.partitions
        for number, waiting in enumerate(store.backlog(partitions)):
            self._gauges["wherry_backlog"].labels(str(number)).set(waiting)
        self._gauges["wherry_pumps_alive"].set(len(store.alive(store.now_ms())))
        self._gauges["wherry_dead_letters"].set(sum(self._dead(partitions)))

    def _dead(self, partitions: int) -> Iterator[int]:
        redis, keys = self._service.runtime.redis, self._service.runtime.store.keys
        for number in range(partitions):
            yield redis.xlen(keys.partition(number).dead)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GAUGES = (
    ("wherry_http_open_requests", "Requests being served now."),
    ("wherry_http_waiting", "Callers that wait for a reply now."),
    ("wherry_redis_up", "1 when Redis answered this scrape; the gauges below are then fresh."),
    ("wherry_backlog", "Messages that wait in an inbox.", "partition"),
    ("wherry_pumps_alive", "Pumps that are alive."),
    ("wherry_dead_letters", "Messages that could not be handled and wait for a decision."),
)
