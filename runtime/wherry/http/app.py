"""The application: which path leads where."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from wherry.http.attention import Attention
from wherry.http.commands import Commands
from wherry.http.console.for_people import ForPeople
from wherry.http.console.pages import Pages
from wherry.http.console.routes import console_routes
from wherry.http.dead import Dead
from wherry.http.edge import Edge
from wherry.http.effects import Effects
from wherry.http.entities import Entities
from wherry.http.health import Health
from wherry.http.metrics import Meters
from wherry.http.operators import Operators
from wherry.http.pauses import Paused
from wherry.http.problems import HANDLERS
from wherry.http.queues import Queues
from wherry.http.reference import Reference
from wherry.http.renewal import renewal
from wherry.http.roles import Guarded, answer, anyone, invoke, operate, read
from wherry.http.sagas import Sagas
from wherry.http.service import Service
from wherry.http.table import Table
from wherry.http.timers import TimerRoutes
from wherry.http.why import Why


def build_app(service: Service, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """Return the application. `more` are routes of paths that the API does not have."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        del app
        await service.courier.start()
        async with renewal(service):
            yield
        await service.courier.stop()

    meters = Meters(service)
    rest = Starlette(routes=[*more], exception_handlers=HANDLERS, lifespan=life)
    rest.router.redirect_slashes = False
    pages = Pages(service)
    routes = [*api_routes(service, meters), *console_routes(service, pages)]
    opened = [route for route in routes if route.is_open]
    return ForPeople(Edge(Table(routes, rest), service, meters, opened), pages)


def api_routes(service: Service, meters: Meters) -> list[Guarded]:
    """Every route and its role. The first that fits wins: the particular before the general."""
    sagas, dead = Sagas(service), Dead(service)
    commands, entities = Commands(service), Entities(service)
    health, reference = Health(service), Reference(service)
    attention, effects = Attention(service), Effects(service)
    operators = Operators(service)
    paused, why, queues = Paused(service), Why(service), Queues(service)
    timers = TimerRoutes(service)
    return [
        Guarded("/v1/sagas/{name}", get=read(sagas.listed), post=invoke(sagas.start)),
        Guarded("/v1/sagas/{name}/{id}", get=read(sagas.show)),
        Guarded("/v1/sagas/{name}/{id}/cancel", post=invoke(sagas.cancel, audited=True)),
        Guarded("/v1/sagas/{name}/{id}/kill", post=operate(sagas.kill)),
        Guarded("/v1/sagas/{name}/{id}/retry", post=operate(sagas.retry)),
        Guarded("/v1/attention", get=read(attention.listed)),
        Guarded("/v1/attention/{kind}/{key}/restart", post=operate(attention.restart)),
        Guarded("/v1/effects", get=read(effects.listed)),
        Guarded("/v1/effects/{id}", get=read(effects.show)),
        Guarded("/v1/effects/{id}/retry", post=operate(effects.retry)),
        Guarded("/v1/effects/{id}/resolve", post=operate(effects.resolve)),
        Guarded("/v1/breakers", get=read(effects.breakers)),
        Guarded("/v1/queues", get=read(queues.listed)),
        Guarded("/v1/queues/unanswered", get=read(queues.unanswered)),
        Guarded("/v1/timers", get=read(timers.listed)),
        Guarded("/v1/timers/fire", post=operate(timers.fire)),
        Guarded("/v1/paused", get=read(paused.listed), post=operate(paused.pause)),
        Guarded("/v1/paused/resume", post=operate(paused.resume)),
        Guarded("/v1/audit", get=operate(operators.audit)),
        Guarded("/v1/apikeys", get=operate(operators.keys)),
        Guarded("/v1/why/{id}", get=read(why.of_id)),
        Guarded("/v1/why/{kind}/{key}", get=read(why.of_entity)),
        Guarded("/v1/dead", get=read(dead.listed)),
        Guarded("/v1/dead/retry", post=operate(dead.retry_all)),
        Guarded("/v1/dead/{id}", get=read(dead.show)),
        Guarded("/v1/dead/{id}/retry", post=operate(dead.retry)),
        Guarded("/v1/dead/{id}/drop", post=operate(dead.drop)),
        Guarded("/v1/{kind}", get=read(entities.listed)),
        Guarded("/v1/{kind}/{key}", get=read(entities.state)),
        Guarded("/v1/{kind}/{key}/events", get=read(entities.events)),
        Guarded("/v1/{kind}/{key}/diff", get=read(entities.diff)),
        Guarded("/v1/{kind}/{key}/commands/{id}", get=answer(commands.status)),
        Guarded("/v1/{kind}/{key}/{command}", post=invoke(commands.send)),
        Guarded("/livez", get=anyone(health.live)),
        Guarded("/readyz", get=anyone(health.ready)),
        Guarded("/metrics", get=read(meters.show)),
        Guarded("/openapi.json", get=read(reference.openapi)),
        Guarded("/docs", get=read(reference.page)),
        Guarded("/docs/problems/{code}", get=read(reference.problem)),
    ]
