"""The application: which path leads where."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from wherry.http.attention import Attention
from wherry.http.commands import Commands
from wherry.http.dead import Dead
from wherry.http.edge import Edge
from wherry.http.effects import Effects
from wherry.http.entities import Entities
from wherry.http.health import Health
from wherry.http.metrics import Meters
from wherry.http.problems import HANDLERS
from wherry.http.queues import Queues
from wherry.http.reference import Reference
from wherry.http.sagas import Sagas
from wherry.http.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(service: Service, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """Return the application. `more` routes come first: they may take paths below /v1 away."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        del app
        await service.courier.start()
        yield
        await service.courier.stop()

    meters = Meters(service)
    app = Starlette(
        routes=[*more, *_routes(service, meters)],
        exception_handlers=HANDLERS,
        lifespan=life,
    )
    app.router.redirect_slashes = False
    return Edge(app, service, meters)


def _routes(service: Service, meters: Meters) -> list[Route]:
    """Every route. The first that fits wins: the particular before the general."""
    sagas, dead = Sagas(service), Dead(service)
    commands, entities = Commands(service), Entities(service)
    health, reference = Health(service), Reference(service)
    attention, effects = Attention(service), Effects(service)
    return [
        _on("/v1/sagas/{name}", get=sagas.listed, post=sagas.start),
        _on("/v1/sagas/{name}/{id}", get=sagas.show),
        _on("/v1/sagas/{name}/{id}/cancel", post=sagas.cancel),
        _on("/v1/sagas/{name}/{id}/kill", post=sagas.kill),
        _on("/v1/attention", get=attention.listed),
        _on("/v1/attention/{kind}/{key}/restart", post=attention.restart),
        _on("/v1/effects", get=effects.listed),
        _on("/v1/effects/{id}", get=effects.show),
        _on("/v1/effects/{id}/retry", post=effects.retry),
        _on("/v1/effects/{id}/resolve", post=effects.resolve),
        _on("/v1/breakers", get=effects.breakers),
        _on("/v1/queues", get=Queues(service).listed),
        _on("/v1/dead", get=dead.listed),
        _on("/v1/dead/retry", post=dead.retry_all),
        _on("/v1/dead/{id}", get=dead.show),
        _on("/v1/dead/{id}/retry", post=dead.retry),
        _on("/v1/dead/{id}/drop", post=dead.drop),
        _on("/v1/{kind}", get=entities.listed),
        _on("/v1/{kind}/{key}", get=entities.state),
        _on("/v1/{kind}/{key}/events", get=entities.events),
        _on("/v1/{kind}/{key}/commands/{id}", get=commands.status),
        _on("/v1/{kind}/{key}/{command}", post=commands.send),
        _on("/livez", get=health.live),
        _on("/readyz", get=health.ready),
        _on("/metrics", get=meters.show),
        _on("/openapi.json", get=reference.openapi),
        _on("/docs", get=reference.page),
        _on("/docs/problems/{code}", get=reference.problem),
    ]


def _on(path: str, get: Endpoint | None = None, post: Endpoint | None = None) -> Route:
    """One route for all methods of a path, so that a 405 names them all."""

    async def endpoint(request: Request) -> Response:
        chosen = post if request.method == "POST" else get
        assert chosen is not None  # noqa: S101 - the route lets no other method pass
        return await chosen(request)

    methods = [name for name, end in (("GET", get), ("POST", post)) if end is not None]
    return Route(path, endpoint, methods=methods, name=path)
