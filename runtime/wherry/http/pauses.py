"""Pauses: what rests, and the words that let it rest or go on."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from wherry.codec import codec_of
from wherry.http.bodies import Json, read_json
from wherry.http.queries import Query
from wherry.http.security.visits import visit_of
from wherry.http.service import Service


@dataclass(frozen=True, slots=True)
class Pause:
    """The body of a pause."""

    what: str
    reason: str = ""
    refuse: bool = False


@dataclass(frozen=True, slots=True)
class Resume:
    """The body of a resume."""

    what: str


class Paused:
    """The routes of pauses."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listed(self, request: Request) -> Response:
        """What is paused, and what has not caught up since."""
        Query(request)
        return Json(await self._service.read(self._service.pauses.listed))

    async def pause(self, request: Request) -> Response:
        """Let something rest."""
        Query(request)
        said: Pause = codec_of(Pause).convert(await read_json(request), "pause")
        by = visit_of(request.scope).caller.who
        pause = self._service.pauses.pause
        return Json(
            await self._service.read(
                pause, said.what, by=by, reason=said.reason, refuse=said.refuse
            )
        )

    async def resume(self, request: Request) -> Response:
        """Let something go on."""
        Query(request)
        said: Resume = codec_of(Resume).convert(await read_json(request), "resume")
        return Json(await self._service.read(self._service.pauses.resume, said.what))
