"""Why: what something waits for, in words."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.http.bodies import Json
from wherry.http.queries import Query
from wherry.http.service import Service


class Why:
    """The routes that explain."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def of_id(self, request: Request) -> Response:
        """What a command, a call or a dead letter waits for."""
        return await self._of(request, request.path_params["id"])

    async def of_entity(self, request: Request) -> Response:
        """What an entity, a saga or a timer waits for."""
        kind, key = request.path_params["kind"], request.path_params["key"]
        return await self._of(request, f"{kind}/{key}")

    async def _of(self, request: Request, subject: str) -> Response:
        Query(request)
        return Json(await self._service.read(self._service.why.of, subject))
