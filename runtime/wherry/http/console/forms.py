"""Reading a form that a page has sent."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from wherry.errors import Fault, Invalid
from wherry.http.bodies import LIMIT
from wherry.http.problems import refused

_TYPE = "application/x-www-form-urlencoded"
_FIELDS = 2_000


class Form:
    """The fields of a form."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self.items = items

    def text(self, name: str) -> str:
        """The last field of a name; empty when there is none."""
        return next((value for key, value in reversed(self.items) if key == name), "")

    def need(self, name: str) -> str:
        """A field that must be there. Raises Invalid."""
        value = self.text(name)
        if not value:
            raise Invalid("form", [Fault(f"/{name}", "is missing")])
        return value

    def all(self, name: str) -> list[str]:
        """Every field of a name."""
        return [value for key, value in self.items if key == name]

    @property
    def back(self) -> str:
        """The page that the reader came from: only one of ours."""
        path = self.text("back")
        return path if path.startswith("/console") and "\\" not in path else "/console"


async def read_form(request: Request) -> Form:
    """Read the body. Raises Refused or Invalid."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise refused(415, "unsupported-media-type", f"send Content-Type: {_TYPE}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise refused(413, "body-too-large", f"a body may have up to {LIMIT} bytes")
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError as error:
        raise Invalid("form", [Fault("", f"cannot be read: {error}")]) from None
