"""The cookie with which a browser says who it is on the console, and nowhere else."""

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

#: Its name; it holds an API key or a token.
SESSION = "wherry-session"


def from_cookie(headers: Headers) -> list[str]:
    """The `Authorization` that the cookie stands for; none when there is no cookie."""
    given = cookie_parser(headers.get("cookie", "")).get(SESSION)
    return [f"Bearer {given}"] if given else []
