"""The stage: what all simulators share - script, latency, faults, and one answer for each key."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from orders.simulators.script import Fate, Player, Script

KEY = "idempotency-key"

Json = dict[str, Any]
Answer = tuple[int, Json]


@dataclass(frozen=True)
class Call:
    """A call that came for the first time; `declined`: the script wants a business no."""

    key: str
    body: Json
    declined: bool


Work = Callable[[Call], Answer]


@dataclass
class Seen:
    """A key that came: with what, how often, and what was answered."""

    body: Json
    answer: Answer
    asked: int = 1


@dataclass
class Stage:
    """One simulator. `ledgers` keeps what was done, by the path of the call and its key.

    `calls` counts every call by its path, also those that were turned away.
    """

    player: Player = field(default_factory=Player)
    ledgers: dict[str, dict[str, Seen]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def routes(self) -> list[Route]:
        """What every simulator can be asked."""
        return [
            Route("/script", self.script, methods=["GET"]),
            Route("/script", self.load, methods=["PUT"]),
            Route("/calls", self.counted, methods=["GET"]),
        ]

    def call(self, path: str, work: Work) -> Route:
        """A call that is carried out once for each idempotency key.

        `work` returns status and body of the answer.
        """
        ledger = self.ledgers.setdefault(path, {})

        async def endpoint(request: Request) -> Response:
            self.calls[path] += 1
            await self.latency()
            fate = self.player.fate()
            if self.player.script.down or fate == "error":
                return unavailable()
            if fate == "hang":
                return Silence()
            done = await _carry_out(request, ledger, work, fate)
            return {"lost": Cut, "timeout": Silence}.get(fate, lambda: done)()

        return Route(path, endpoint, methods=["POST"])

    async def script(self, _: Request) -> Response:
        """GET /script."""
        return JSONResponse(self.player.shown())

    async def counted(self, _: Request) -> Response:
        """GET /calls."""
        return JSONResponse(dict(self.calls))

    async def load(self, request: Request) -> Response:
        """PUT /script."""
        try:
            script = msgspec.json.decode(await request.body(), type=Script)
        except msgspec.DecodeError as error:
            return JSONResponse({"code": "invalid", "detail": str(error)}, 422)
        self.player.load(script)
        return JSONResponse(self.player.shown())

    async def latency(self) -> None:
        """Be as slow as the script says."""
        if self.player.script.latency_ms > 0:
            await asyncio.sleep(self.player.script.latency_ms / 1000)


async def _carry_out(request: Request, ledger: dict[str, Seen], work: Work, fate: Fate) -> Response:
    key = request.headers.get(KEY, "")
    if not key:
        return JSONResponse({"code": "no-idempotency-key"}, 400)
    try:
        call = Call(key, await request.json(), fate == "decline")
        status, answer = once(ledger, call, work)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        return JSONResponse({"code": "invalid", "detail": repr(error)}, 422)
    return JSONResponse(answer, status)


def once(ledger: dict[str, Seen], call: Call, work: Work) -> Answer:
    """Carry a call out, unless its key was there before: then the first answer is the answer."""
    seen = ledger.get(call.key)
    if seen is None:
        answer = work(call)
        ledger[call.key] = Seen(call.body, answer)
        return answer
    seen.asked += 1
    if seen.body != call.body:
        return 422, {"code": "key-reused"}
    return seen.answer


def unavailable() -> Response:
    """Nothing was done."""
    return JSONResponse({"code": "unavailable"}, 503)


class Silence(Response):
    """No answer, until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the end of the connection."""
        del scope, send
        while (await receive())["type"] != "http.disconnect":
            pass


class Cut(Response):
    """Half an answer, and then the connection ends: a server closes it that was promised more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promise a hundred bytes, and send one."""
        del scope, receive
        headers = [(b"content-length", b"100"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
