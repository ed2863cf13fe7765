"""The smallest HTTP client that does: what any program in any language would send."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status, and its body as JSON."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        """The code of a problem; empty when there is none."""
        return str(self.body.get("code", ""))


class Client:
    """Calls one server over one connection, which is opened again when it was closed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=_PATIENCE_S
        )

    def get(self, path: str) -> Answer:
        """GET a path."""
        return self._call("GET", path, None, {})

    def send(self, entity: str, command: str, **fields: Any) -> Answer:
        """Send a command and wait for its reply."""
        return self._call("POST", f"/v1/{entity}/{command}", fields, {})

    def start(self, saga: str, id_: str, *, wait: bool = True, **fields: Any) -> Answer:
        """Start a saga, and wait for its end unless told not to."""
        prefer = {"Prefer": "wait=10" if wait else "respond-async"}
        return self._call("POST", f"/v1/sagas/{saga}?id={id_}", fields, prefer)

    def cancel(self, saga: str, id_: str, reason: str) -> Answer:
        """Let a saga turn back."""
        return self._call("POST", f"/v1/sagas/{saga}/{id_}/cancel", {"reason": reason}, {})

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(
                method, path, data, {"Content-Type": "application/json"} | headers
            )
            response = self._connection.getresponse()
            return Answer(response.status, _object(response.read()))
        except (OSError, HTTPException, ValueError) as error:
            self._connection.close()
            return Answer(0, {"code": "no-answer", "detail": str(error)})


def _object(data: bytes) -> dict[str, Any]:
    found = json.loads(data or b"{}")
    return found if isinstance(found, dict) else {"": found}
