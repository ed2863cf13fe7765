"""Entities: their kinds, the list of a kind, and the page of one."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import Damaged, NotFound
from wherry.gateway.history import History
from wherry.gateway.populations import populations
from wherry.gateway.shapes import Json
from wherry.gateway.surroundings import Surroundings
from wherry.gateway.views import statuses
from wherry.http.console.pages import Pages, query
from wherry.http.service import Service

#: Rows of a list, and events of a page.
PAGE = 50
_EVENTS = 20


class EntityPages:
    """The pages of entities."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._history = History(service.runtime)
        self._surroundings = Surroundings(service.runtime)

    async def kinds(self, request: Request) -> Response:
        """Every kind, and how many there are of it."""
        query(request)
        found = await self._service.read(populations, self._service.runtime)
        return self._pages.show(request, "kinds.html", {"items": found["entities"]})

    async def listed(self, request: Request) -> Response:
        """The entities of a kind, newest change first."""
        asked = query(request, "status", "cursor")
        kind, status = request.path_params["kind"], asked.text("status")
        views = self._service.views
        page = await self._service.read(views.entities, kind, status, PAGE, asked.text("cursor"))
        known = statuses(self._service.runtime.registry.kind(kind))
        shown = {"kind": kind, "status": status or None, "statuses": known, **page}
        return self._pages.show(request, "entities.html", shown)

    async def show(self, request: Request) -> Response:
        """One entity: now, or as it was at a version."""
        at = query(request, "at").moment("at", 1)
        address = f"{request.path_params['kind']}/{request.path_params['key']}"
        return self._pages.show(
            request, "entity.html", await self._service.read(self._entity, address, at)
        )

    def _entity(self, address: str, at: int | str | None) -> Json:
        views, runtime = self._service.views, self._service.runtime
        around = self._surroundings.of(address)
        now = self._now(address, around)
        shown = now if at in {None, now["version"]} else views.state(address, at)
        version, kind = shown["version"], runtime.registry.kind(shown["kind"])
        none: Json = {"events": [], "older": None}
        return {
            **shown,
            "stopped": now.get("stopped", False),
            "damaged": now.get("damaged"),
            "newest": now["version"],
            "why": self._service.why.of(address)["because"],
            "history": self._history.of(address, version, _EVENTS) if version else none,
            **around,
            "commands": sorted(c.name for c in kind.commands.values() if not c.internal),
        }

    def _now(self, address: str, around: Json) -> Json:
        """What it is; also when it cannot be read, or something only waits for it to begin."""
        kind, _, key = address.partition("/")
        bare = {"entity": address, "kind": kind, "key": key, "state": None, "updated_at": None}
        try:
            return self._service.views.state(address)
        except Damaged as error:
            return {**bare, **around["stored"], "damaged": str(error)}
        except NotFound:
            if not any(around[name] for name in ("timers", "waiting", "held")):
                raise
            return {**bare, **around["stored"]}
