"""Metrics for Prometheus: what this process served, and how the namespace is doing."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from wherry.errors import WherryError
from wherry.gateway.figures import read_figures
from wherry.http.counted import families
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
        self._pairs: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._gauges = {name: Gauge(name, text, registry=self._registry) for name, text in _GAUGES}
        self._found = _Found()
        self._registry.register(self._found)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request. Its route, not its path: that one would have no end of values."""
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        found = self._pairs.get((method, route, status))
        if found is None:  # looking a meter up costs more than counting with it
            found = (
                self._requests.labels(method, route, status),
                self._seconds.labels(method, route),
            )
            self._pairs[method, route, status] = found
        requests, durations = found
        requests.inc()
        durations.observe(seconds)

    async def show(self, request: Request) -> Response:
        """`GET /metrics`."""
        Query(request)
        self._gauges["wherry_http_open_requests"].set(self._service.open_requests)
        self._gauges["wherry_http_streams"].set(len(self._service.followers))
        self._gauges["wherry_http_waiting"].set(self._service.courier.waiters.count())
        try:
            figures = await self._service.read(read_figures, self._service.runtime)
            self._found.families = list(families(figures))
        except WherryError:
            self._found.families = []
        self._gauges["wherry_redis_up"].set(bool(self._found.families))
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Found(Collector):
    """What the last look at Redis has found."""

    def __init__(self) -> None:
        self.families: list[Metric] = []

    def collect(self) -> list[Metric]:
        """Give it to the registry."""
        return self.families


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GAUGES = (
    ("wherry_http_open_requests", "Requests being served now."),
    ("wherry_http_streams", "Logs being followed now, each with a connection to Redis."),
    ("wherry_http_waiting", "Callers that wait for a reply now."),
    ("wherry_redis_up", "1 when Redis answered this scrape; what comes from it is left out else."),
)
