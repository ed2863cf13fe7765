"""One stand-in as a process: the ASGI application of a bundle, on a socket that we were given.

python -m wherry.supervisor.stand_in FUNCTIONS orders.simulators:app DESCRIPTOR
"""

import importlib
import socket
import sys

import uvicorn

from wherry.supervisor.ready import announce


def main() -> None:
    """Serve until SIGTERM."""
    folder, app, descriptor = sys.argv[1:]
    sys.path.insert(0, folder)
    module, _, name = app.partition(":")
    served = getattr(importlib.import_module(module), name)
    listener = socket.socket(fileno=int(descriptor))
    config = uvicorn.Config(
        served, log_level="warning", access_log=False, timeout_graceful_shutdown=1
    )
    announce(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
