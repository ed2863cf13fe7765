"""One stand-in as a process: the ASGI application of a bundle, on a socket that we were given.

python -m wherry.supervisor.stand_in FUNCTIONS orders.simulators:app DESCRIPTOR
"""

import importlib
import socket
import sys
from pathlib import Path

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
    announce(url=f"http://127.0.0.1:{listener.getsockname()[1]}", files=sorted(_read(folder)))
    uvicorn.Server(config).run(sockets=[listener])


def _read(folder: str) -> set[str]:
    """The files of the bundles that were imported: a change of one is a change of this process."""
    files = {getattr(module, "__file__", None) or "" for module in [*sys.modules.values()]}
    return {file for file in files if Path(file).is_relative_to(folder)}


if __name__ == "__main__":
    main()
