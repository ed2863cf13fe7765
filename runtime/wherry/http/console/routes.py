"""Which path of the console leads where, and which role it needs."""

from wherry.http.console import assets
from wherry.http.console.actions import Actions
from wherry.http.console.dead import DeadPages
from wherry.http.console.entities import EntityPages
from wherry.http.console.home import Home
from wherry.http.console.live import LivePages
from wherry.http.console.pages import Endpoint, Pages
from wherry.http.console.sagas import SagaPages
from wherry.http.console.search import SearchPages
from wherry.http.console.trying import TryPages
from wherry.http.roles import Door, Guarded, anyone, invoke, operate, read
from wherry.http.service import Service


def console_routes(service: Service) -> list[Guarded]:
    """Every route of the console."""
    pages = Pages(service)

    def page(endpoint: Endpoint) -> Door:
        return read(pages.guarded(endpoint))

    def sends(endpoint: Endpoint) -> Door:
        return invoke(pages.guarded(endpoint))

    def mends(endpoint: Endpoint) -> Door:
        return operate(pages.guarded(endpoint))

    home, actions = Home(service, pages), Actions(service)
    entities, sagas = EntityPages(service, pages), SagaPages(service, pages)
    dead, live = DeadPages(service, pages), LivePages(service, pages)
    trying = TryPages(service, pages)
    return [
        Guarded("/console/static/{name}", get=anyone(assets.serve)),
        Guarded("/console", get=page(home.show)),
        Guarded("/console/entities", get=page(entities.kinds)),
        Guarded("/console/entities/{kind}", get=page(entities.listed)),
        Guarded("/console/entities/{kind}/{key}", get=page(entities.show)),
        Guarded("/console/sagas", get=page(sagas.names)),
        Guarded("/console/sagas/{saga}", get=page(sagas.listed)),
        Guarded("/console/sagas/{saga}/{id}", get=page(sagas.show)),
        Guarded("/console/search", get=page(SearchPages(service, pages).show)),
        Guarded("/console/live", get=page(live.show)),
        Guarded("/console/live/stream", get=page(live.stream)),
        Guarded("/console/try", get=page(trying.listed)),
        Guarded("/console/try/{kind}/{command}", get=page(trying.form), post=sends(trying.send)),
        Guarded("/console/dead", get=page(dead.listed)),
        Guarded("/console/dead/{id}", get=page(dead.show)),
        Guarded("/console/do/dead", post=mends(dead.do)),
        Guarded("/console/do/restart", post=mends(actions.restart)),
        Guarded("/console/do/retry-call", post=mends(actions.retry_call)),
        Guarded("/console/do/cancel", post=sends(actions.cancel)),
        Guarded("/console/do/kill", post=mends(actions.kill)),
    ]
