"""An HTTP server in a thread of the test: real sockets, without the price of a process."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from wherry.http.app import build_app
from wherry.http.security.access import Access
from wherry.http.serve import uvicorn_options
from wherry.http.service import Service
from wherry.wiring import Runtime

EVERYBODY = Access()
CLIENT = httpx.Client(timeout=20)


@contextmanager
def front(runtime: Runtime, access: Access = EVERYBODY, **options: Any) -> Iterator[str]:
    """Serve a namespace; its URL."""
    service = Service(runtime, access=access, **options)
    server = uvicorn.Server(uvicorn.Config(build_app(service), **uvicorn_options()))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def bearer(key: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ask(url: str, path: str = "/v1/lamp", method: str = "GET", **headers: str) -> httpx.Response:
    """Send a request; who sends a command does not wait for it."""
    quick = {"Prefer": "respond-async"} if method == "POST" else {}
    return CLIENT.request(method, url + path, headers={**quick, **headers})


def require_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    return body
