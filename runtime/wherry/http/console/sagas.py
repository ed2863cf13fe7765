"""Sagas: their names, the list of one name, and the page of one."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway.diagrams import diagram
from wherry.gateway.populations import populations
from wherry.gateway.shapes import Json
from wherry.gateway.timelines import Timeline
from wherry.http.console.entities import PAGE
from wherry.http.console.pages import Pages, query
from wherry.http.service import Service


class SagaPages:
    """The pages of sagas."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._timeline = Timeline(service.runtime, service.views, service.effects)

    async def names(self, request: Request) -> Response:
        """Every saga that is deployed, and how many there are of it."""
        query(request)
        found = await self._service.read(populations, self._service.runtime)
        sagas = self._service.runtime.registry.app.sagas
        rows = [
            {"saga": (name := row["kind"].removeprefix("saga.")), **row,
             "diagram": diagram(sagas[name])}
            for row in found["sagas"]
        ]  # fmt: skip
        return self._pages.show(request, "saga_names.html", {"items": rows})

    async def listed(self, request: Request) -> Response:
        """The sagas of a name, newest change first."""
        asked = query(request, "status", "cursor")
        name, status = request.path_params["saga"], asked.text("status")
        views = self._service.views
        page = await self._service.read(views.sagas, name, status, PAGE, asked.text("cursor"))
        shown = {"saga": name, "status": status or None, **page}
        return self._pages.show(request, "sagas.html", shown)

    async def show(self, request: Request) -> Response:
        """One saga."""
        query(request)
        name, id_ = request.path_params["saga"], request.path_params["id"]
        shown = await self._service.read(self._saga, name, id_)
        return self._pages.show(request, "saga.html", shown)

    def _saga(self, name: str, id_: str) -> Json:
        told = self._timeline.of(name, id_)
        saga = told.pop("saga")
        # What changes with every look would make every look a change.
        now = None if saga["ended_at"] else told["now"]
        drawn = diagram(self._service.runtime.registry.app.sagas[name], saga)
        why = [] if saga["ended_at"] else self._service.why.of(f"saga.{name}/{id_}")["because"]
        return {**saga, "why": why, "timeline": {**told, "now": now}, "diagram": drawn}
