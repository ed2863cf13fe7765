"""What HTTP in Python costs at least: one bare Starlette route that parses a body and returns it.

The same server, parser, loop and options as those of `wherry serve`, and nothing of ours.
"""

import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from wherry.http.serve import uvicorn_options
from wherry.supervisor.ready import announce


async def echo(request: Request) -> JSONResponse:
    """Return the body."""
    return JSONResponse(await request.json())


def main() -> None:
    """Serve until SIGTERM."""
    app = Starlette(routes=[Route("/v1/{kind}/{key}/{command}", echo, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    announce(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    options = uvicorn_options() | {"http": "httptools"}  # uvicorn's own protocol, as it comes
    uvicorn.Server(uvicorn.Config(app, **options)).run(sockets=[listener])


if __name__ == "__main__":
    main()
