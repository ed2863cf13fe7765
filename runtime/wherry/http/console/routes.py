"""Which path of the console leads where, and which role it needs."""

from wherry.http.console import assets
from wherry.http.console.actions import Actions
from wherry.http.console.dead import DeadPages
from wherry.http.console.entities import EntityPages
from wherry.http.console.home import Home
from wherry.http.console.live import LivePages
from wherry.http.console.pages import Pages
from wherry.http.console.sagas import SagaPages
from wherry.http.console.search import SearchPages
from wherry.http.console.sign_in import SignIn
from wherry.http.console.trying import TryPages
from wherry.http.roles import Guarded, anyone, invoke, operate, read
from wherry.http.service import Service


def console_routes(service: Service, pages: Pages) -> list[Guarded]:
    """Every route of the console."""
    home, actions = Home(service, pages), Actions(service)
    entities, sagas = EntityPages(service, pages), SagaPages(service, pages)
    dead, live = DeadPages(service, pages), LivePages(service, pages)
    trying, sign_in = TryPages(service, pages), SignIn(service, pages)
    search = SearchPages(service, pages)
    return [
        Guarded("/console/static/{name}", get=anyone(assets.serve)),
        Guarded("/console/sign-in", get=anyone(sign_in.page), post=anyone(sign_in.enter)),
        Guarded("/console/sign-out", post=anyone(sign_in.leave)),
        Guarded("/console", get=read(home.show)),
        Guarded("/console/", get=read(home.show)),
        Guarded("/console/entities", get=read(entities.kinds)),
        Guarded("/console/entities/{kind}", get=read(entities.listed)),
        Guarded("/console/entities/{kind}/{key}", get=read(entities.show)),
        Guarded("/console/sagas", get=read(sagas.names)),
        Guarded("/console/sagas/{saga}", get=read(sagas.listed)),
        Guarded("/console/sagas/{saga}/{id}", get=read(sagas.show)),
        Guarded("/console/search", get=read(search.show)),
        Guarded("/console/live", get=read(live.show)),
        Guarded("/console/live/stream", get=read(live.stream)),
        Guarded("/console/try", get=read(trying.listed)),
        Guarded("/console/try/{kind}/{command}", get=read(trying.form), post=invoke(trying.send)),
        Guarded("/console/try/{kind}/{command}/lines", post=read(trying.lines)),
        Guarded("/console/dead", get=read(dead.listed)),
        Guarded("/console/dead/sure", get=read(dead.sure)),
        Guarded("/console/dead/{id}", get=read(dead.show)),
        Guarded("/console/do/dead", post=operate(dead.do)),
        Guarded("/console/do/restart", post=operate(actions.restart)),
        Guarded("/console/do/resume", post=operate(actions.resume)),
        Guarded("/console/do/retry-call", post=operate(actions.retry_call)),
        Guarded("/console/do/cancel", post=invoke(actions.cancel, audited=True)),
        Guarded("/console/do/retry-saga", post=operate(actions.retry_saga)),
        Guarded("/console/do/kill", post=operate(actions.kill)),
    ]
