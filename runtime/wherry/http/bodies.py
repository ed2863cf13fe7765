"""Reading the body of a request: how much, of what type, how deep."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from wherry.codec import from_json, to_json
from wherry.errors import Fault, Invalid
from wherry.http.duplicates import has_duplicates
from wherry.http.headers import field
from wherry.http.patience import PATIENCE_S, Patiently
from wherry.http.problems import refused

#: A larger body is refused; a command is an intention, not a document.
LIMIT = 1_048_576
#: JSON that is nested deeper is refused: recursion is what it would cost later.
DEPTH = 32


class Json(Response):
    """A JSON response."""

    media_type = "application/json"

    def __init__(
        self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        # What Starlette would do in several steps; nearly every response is one of these.
        self.status_code = status
        self.background = None
        self.body = to_json(content)
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self.body)),
        ]
        for name, value in (headers or {}).items():
            self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))


async def read_json(request: Request) -> Any:
    """The body as plain JSON values; none is `{}`. Raises Refused or Invalid."""
    body = await _read(request)
    if not body:
        return {}
    _require_json(request)
    return _parse(body)


async def require_no_fields(request: Request) -> None:
    """Take no body, or an empty object. Raises Refused or Invalid."""
    if await read_json(request) != {}:
        raise Invalid("body", [Fault("", "there is nothing to say here: send no body, or {}")])


async def _read(request: Request) -> bytes:
    if int(field(request.scope, b"content-length") or 0) > LIMIT:
        raise _too_large()
    try:
        with Patiently():
            return await _collect(request)
    except TimeoutError:
        raise refused(
            408, "request-timeout", f"the body took more than {PATIENCE_S:.0f} s"
        ) from None
    except ClientDisconnect:
        raise refused(400, "disconnected", "the client has gone before it had said all") from None


async def _collect(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise _too_large()
    return bytes(body)


def _too_large() -> Exception:
    return refused(413, "body-too-large", f"a body may have up to {LIMIT} bytes")


def _require_json(request: Request) -> None:
    type_ = field(request.scope, b"content-type")
    if type_ != "application/json":
        type_ = type_.partition(";")[0].strip().lower()
    if type_ != "application/json":
        detail = f"send Content-Type: application/json, not {type_ or 'none'}"
        raise refused(415, "unsupported-media-type", detail)
    if field(request.scope, b"content-encoding").lower() not in {"", "identity"}:
        raise refused(415, "unsupported-media-type", "send the body without Content-Encoding")


def _parse(body: bytes) -> Any:
    try:
        value = from_json(body)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise _malformed(str(error)) from None
    except RecursionError:
        raise _malformed(f"nested deeper than {DEPTH} levels") from None
    # Few brackets cannot be deep; so the usual body is never walked through.
    if body.count(b"{") + body.count(b"[") > DEPTH and _is_deeper(value, DEPTH):
        raise _malformed(f"nested deeper than {DEPTH} levels")
    if has_duplicates(body, value):
        raise _malformed("an object has a name twice")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    if inner is None:
        return False
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in inner)


def _malformed(why: str) -> Invalid:
    return Invalid("body", [Fault("", f"malformed JSON: {why}")])
