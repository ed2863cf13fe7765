"""The stand-ins of a system: which are needed, where they listen, and what others have to know.

The sockets are ours. So their addresses are known, and calls to them wait, before they are up;
and one that is started again is where it was.
"""

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.supervisor.process import Child

#: From a name, a module, its words and descriptors that it inherits to a child.
Make = Callable[[str, str, list[str], list[int]], Child]


@dataclass(frozen=True, slots=True)
class Stand:
    """One stand-in that is needed. `env` is what is set: a variable, and a path."""

    app: str
    env: tuple[tuple[str, str], ...]
    listener: socket.socket

    @property
    def bundle(self) -> str:
        """The bundle that brings it."""
        return self.app.partition(":")[0].partition(".")[0]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def variables(self) -> dict[str, str]:
        """What bundles find in their environment."""
        return {name: self.url + path for name, path in self.env}

    def child(self, functions: Path, make: Make) -> Child:
        """The process."""
        descriptor = self.listener.fileno()
        words = [str(functions), self.app, str(descriptor)]
        return make(f"stand-in-{self.bundle}", "wherry.supervisor.stand_in", words, [descriptor])

    def __str__(self) -> str:
        what = ", ".join(path.strip("/") or self.app for _, path in self.env)
        names = ", ".join(name for name, _ in self.env)
        are = "are" if len(self.env) > 1 else "is"
        for_real = "for real ones" if len(self.env) > 1 else "for the real one"
        return f"{self.bundle}: {what} {are} simulated at {self.url}; set {names} {for_real}"


def may_have_stand_ins(folder: Path) -> bool:
    """Whether a file of the bundles speaks of them. Importing them all would take much longer."""
    return any(b"stand_ins" in path.read_bytes() for path in folder.rglob("*.py"))


def needed(said: Iterable[Mapping[str, Any]], environment: Mapping[str, str]) -> list[Stand]:
    """The stand-ins without which something would be missing, each with a socket that listens."""
    stands = []
    for one in said:
        missing = tuple((n, path) for n, path in one["env"] if n not in environment)
        if missing:
            listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
            stands.append(Stand(one["app"], missing, listener))
    return stands
