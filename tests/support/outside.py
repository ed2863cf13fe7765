"""The systems outside, as the simulators of the order bundle: on a real socket, in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from orders import simulators


@dataclass(frozen=True)
class Outside:
    """Where they are, and what the test wants of them."""

    url: str
    client: httpx.Client

    def script(self, of: str, **script: Any) -> dict[str, Any]:
        """Tell one what becomes of its next calls."""
        answer = self.client.put(f"{self.url}/{of}/script", json=script)
        answer.raise_for_status()
        shown: dict[str, Any] = answer.json()
        return shown

    def ledger(self, of: str) -> dict[str, list[dict[str, Any]]]:
        """What one has done."""
        shown: dict[str, list[dict[str, Any]]] = self.client.get(f"{self.url}/{of}/ledger").json()
        return shown

    def calls(self, of: str) -> dict[str, int]:
        """How often one was called, by path, whatever it answered."""
        counted: dict[str, int] = self.client.get(f"{self.url}/{of}/calls").json()
        return counted


@contextmanager
def outside() -> Iterator[Outside]:
    """All three, with empty ledgers."""
    config = uvicorn.Config(
        simulators.build(), port=0, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    try:
        with httpx.Client() as client:
            yield Outside(f"http://{host}:{port}", client)
    finally:
        server.should_exit = True
        thread.join(10)
