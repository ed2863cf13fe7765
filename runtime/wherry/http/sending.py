"""From a request to a command on its way, and from its outcome to a response."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from wherry.engine.envelope import Result
from wherry.errors import Unreachable
from wherry.gateway import shapes
from wherry.gateway.problems import of_result
from wherry.gateway.requests import Options
from wherry.gateway.requests import Request as Command
from wherry.http import headers
from wherry.http.bodies import Json
from wherry.http.courier import Delivered
from wherry.http.problems import respond, with_extra
from wherry.http.service import Service


class Manner(msgspec.Struct, frozen=True):
    """How a client wants a command to be sent, as its headers and its query say."""

    options: Options
    wait: float
    applied: str

    @property
    def has_key(self) -> bool:
        """Whether the client chose an idempotency key."""
        return bool(self.options.key)


def manner(service: Service, request: Request, delay_ms: int) -> Manner:
    """Read the headers. Raises Invalid."""
    wanted = headers.prefer(request, service.wait)
    wait = 0.0 if delay_ms else wanted.wait
    expect = headers.expected_version(request)
    options = Options(
        key=headers.idempotency_key(request),
        expect=None if expect == headers.ANY else expect,
        delay_ms=delay_ms,
        correlation=headers.correlation(request),
        trace=headers.traceparent(request),
        reply=service.courier.channel if wait else "",
        backlog=service.backlog,
    )
    return Manner(options, wait, wanted.applied)


async def deliver(service: Service, command: Command, how: Manner) -> Delivered:
    """Send, and wait as long as the client wants. Raises Refused, with what to repeat."""
    try:
        return await service.courier.deliver(command, how.wait)
    except Unreachable as error:
        detail = "nobody knows whether the command arrived; repeat it with this Idempotency-Key"
        key = how.options.key or command.key
        raise with_extra(
            Unreachable(f"{error}: {detail}"),
            {"command_id": command.command_id, "entity": command.entity, "idempotency_key": key},
        ) from None


def outcome(
    delivered: Delivered, command: Command, how: Manner, done: Any, location: str
) -> Response:
    """Return the response: `done` is the body when the command was done."""
    result = delivered.result
    if result is None:
        return pending(delivered, how, {}, location)
    if result.status == "done":
        return Json(done, headers=said(delivered, how))
    return respond(of_result(_named(result, command)), said(delivered, how))


def pending(delivered: Delivered, how: Manner, more: shapes.Json, location: str) -> Response:
    """Return the response while the outcome is open."""
    body = {"command_id": delivered.command_id, "status": "pending", **more}
    about = {"Location": location, "Retry-After": "1"}
    return Json(body, 202, said(delivered, how) | about)


def said(delivered: Delivered, how: Manner) -> dict[str, str]:
    """The headers that every outcome has."""
    about = {"X-Correlation-ID": how.options.correlation or delivered.command_id}
    if how.applied:
        about["Preference-Applied"] = how.applied
    if delivered.repeated and how.has_key:
        about["Idempotent-Replayed"] = "true"
    return about


def _named(result: Result, command: Command) -> Result:
    result.entity = result.entity or command.entity
    return result
