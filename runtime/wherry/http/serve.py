"""The process: uvicorn with our application, from the first request to a clean end.

On SIGTERM or Ctrl-C it drains: `/readyz` and commands say 503, what is open is finished, then it
ends with code 0. It goes on listening for a moment, so that a load balancer can see the 503.
"""

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from wherry.errors import Misconfigured
from wherry.gateway.api_keys import ApiKeys
from wherry.http.app import build_app
from wherry.http.connections import BoundedProtocol
from wherry.http.security.access import require_loopback
from wherry.http.service import Service
from wherry.wiring import Runtime

log = logging.getLogger(__name__)

#: How long a draining process goes on listening, at least.
NOTICE_S = 0.5
#: How long open requests may take to end; those that wait for a reply are then told 202.
DRAIN_S = 4.0
#: What is left of the five seconds that a stop may take.
CUT_S = 1
#: Files that the process may have open, most of them connections.
CONNECTIONS = 65_536
#: Connections that the kernel accepts for us while we are busy.
LISTENING = 2048


def serve(
    runtime: Runtime,
    *,
    host: str,
    port: int,
    wait: float,
    backlog: int,
    ready: Callable[[str], None],
) -> None:
    """Serve a namespace until SIGTERM or SIGINT. `ready` is given the URL once it listens.

    Raises Misconfigured for an address of others where nobody has to say who they are, and for
    one that is taken.
    """
    run(Service(runtime, wait, backlog), host, port, ready)


def run(service: Service, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve with a service that was put together elsewhere; all else is as `serve` does it."""
    require_fit(service, host)
    _allow_connections()
    listener = _listen(host, port)
    url = _url(listener)
    config = uvicorn.Config(build_app(service), **uvicorn_options())
    # What is here now stays: looking through it again and again would cost a request in twenty.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    DrainingServer(config, service, lambda: ready(url)).run(sockets=[listener])


def require_fit(service: Service, host: str) -> None:
    """Refuse an address of others as long as nobody has to say who they are.

    Raises Misconfigured, Unreachable.
    """
    if not (service.access.is_configured or ApiKeys(service.runtime.store).any()):
        require_loopback(host)


def uvicorn_options() -> dict[str, Any]:
    """How uvicorn serves; the benchmark serves its bare route the same way."""
    return {
        "log_config": None, "access_log": False, "server_header": False, "lifespan": "on",
        "timeout_graceful_shutdown": CUT_S, "timeout_keep_alive": 30, "ws": "none",
        "http": BoundedProtocol,
    }  # fmt: skip


class DrainingServer(uvicorn.Server):
    """uvicorn, but it finishes what is open while it still listens, and ends with code 0."""

    def __init__(self, config: uvicorn.Config, service: Service, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service = service
        self._ready = ready
        self._drain: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on a signal; uvicorn itself would end by the same signal again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._ready()

    def _on_signal(self) -> None:
        if self._drain is None:
            self._drain = asyncio.create_task(self._finish())
        else:  # asked twice: somebody is in a hurry
            self.should_exit = self.force_exit = True

    async def _finish(self) -> None:
        self._service.drain()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < DRAIN_S:
            await asyncio.sleep(0.05)
            if not self._service.open_requests and loop.time() - began >= NOTICE_S:
                break
        self._service.courier.waiters.give_up()
        self.should_exit = True


def _allow_connections() -> None:
    """Let this process have as many connections as the system allows.

    The usual number is small; clients that only hold them would use it up before they are cut off.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS)
    with suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=LISTENING)
    except OSError as error:
        raise Misconfigured(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
