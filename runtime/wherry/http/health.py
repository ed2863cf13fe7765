"""Health: is the process alive, and should it get requests?"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import Misconfigured, WherryError
from wherry.gateway.problems import of_error
from wherry.http.bodies import Json
from wherry.http.problems import refused, respond
from wherry.http.queries import Query
from wherry.http.service import Service
from wherry.store import calls
from wherry.store.calls import FunctionCall, Sending

#: A probe that has to wait longer has its answer.
PATIENCE_S = 2.0


class Health:
    """The routes for supervisors and load balancers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def live(self, request: Request) -> Response:
        """Whether this process answers; a restart is the cure when it does not."""
        Query(request)
        return Json({"status": "alive"}, headers={"Cache-Control": "no-store"})

    async def ready(self, request: Request) -> Response:
        """Whether commands should come here: Redis answers, the library is loaded, we stay."""
        Query(request)
        about = {"Cache-Control": "no-store"}
        try:
            await self._require_ready()
        except TimeoutError:
            late = refused(503, "redis-unreachable", f"no answer within {PATIENCE_S:.0f} s", 1)
            return respond(late.shown, about)
        except WherryError as error:
            shown = getattr(error, "shown", None) or of_error(error)
            return respond(shown, about)
        return Json({"status": "ready"}, headers=about)

    async def _require_ready(self) -> None:
        if self._service.draining:
            raise refused(503, "draining", "this process stops", 1)
        namespace = self._service.runtime.namespace
        words = self._probe().words(namespace)
        reply = await asyncio.wait_for(self._service.courier.batcher.ask(words), PATIENCE_S)
        if reply[0] != b"INVALID":
            raise Misconfigured(f"the library of {namespace} is another one: run `wherry deploy`")

    def _probe(self) -> FunctionCall:
        # A call without arguments is refused before it reads or writes anything, so it tells that
        # the library is there. FUNCTION LIST could too, but would need one right more.
        keys = self._service.runtime.store.keys
        call = calls.send(keys, Sending(0, b"", "", 0))
        return FunctionCall(call.verb, call.keys, ["", "", "", ""])
