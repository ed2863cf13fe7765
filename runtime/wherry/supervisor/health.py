"""Asking HTTP how it is, with nothing but the standard library."""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

_PATIENCE_S = 2.0


def is_ready(url: str) -> bool:
    """Whether it takes commands."""
    return answers(url, "/readyz")


def answers(url: str, path: str) -> bool:
    """Whether a page is there."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def has_console(url: str) -> bool:
    """Whether the web console is part of this server."""
    return answers(url, "/console")
