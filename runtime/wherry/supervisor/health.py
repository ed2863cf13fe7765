"""Asking HTTP whether it is ready, with nothing but the standard library."""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

_PATIENCE_S = 2.0


def is_ready(url: str) -> bool:
    """Whether /readyz answers 200."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
