"""Everything that goes wrong becomes an RFC 9457 problem, here and nowhere else."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from wherry.codec import to_json
from wherry.errors import WherryError
from wherry.gateway.problems import Shown, of_error

MEDIA_TYPE = "application/problem+json"


class Refused(WherryError):
    """HTTP itself says no, before anything was sent."""

    def __init__(self, shown: Shown, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(shown.detail)
        self.shown = shown
        self.headers = headers


def refused(status: int, code: str, detail: str, retry_after: int | None = None) -> Refused:
    """Make the error for a request that cannot be served."""
    return Refused(Shown(code, HTTPStatus(status).phrase, status, 1, detail, retry_after))


def respond(shown: Shown, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response of a problem."""
    said = dict(headers or {})
    if shown.retry_after is not None:
        said["Retry-After"] = str(shown.retry_after)
    return Response(to_json(shown.body()), shown.status, said, MEDIA_TYPE)


def with_extra(error: WherryError, extra: Mapping[str, object]) -> Refused:
    """Return an error as a problem that says more."""
    shown = of_error(error)
    return Refused(replace(shown, extra={**shown.extra, **extra}))


async def on_error(request: Request, error: Exception) -> Response:
    """Answer for an error of ours."""
    del request
    if isinstance(error, Refused):
        return respond(error.shown, error.headers)
    return respond(of_error(error))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer for a path that does not exist, or a method that it does not know."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "OPTIONS":
        return Response(status_code=204, headers=error.headers)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "-")
    shown = Shown(code, phrase, error.status_code, 2, f"{request.method} {request.url.path}")
    return respond(shown, error.headers)


async def on_fault(request: Request, error: Exception) -> Response:
    """Answer for a fault of the program. Starlette raises it again, so that it is logged."""
    del error
    detail = f"{request.method} {request.url.path} met a fault of the server, which has logged it"
    return respond(Shown("internal", "Internal error", 500, 1, detail))


HANDLERS = {WherryError: on_error, HTTPException: on_http_error, Exception: on_fault}
