"""The stand-ins that run here: started when they are needed, and anew when their code changes.

What one has been told is in its memory. So a change of other files leaves it alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.supervisor.process import Child, stop_all
from wherry.supervisor.reload import Snapshot, snapshot
from wherry.supervisor.stand_ins import Make, Stand, needed

_GRACE_S = 0.2


@dataclass
class _Running:
    """One that runs; `seen` is what the files of the bundles were when it was started."""

    stand: Stand
    child: Child
    seen: Snapshot

    def is_old(self, now: Snapshot) -> bool:
        """Whether a file that it has read is another one now; or it could not even begin."""
        files = self.child.heard().get("files")
        return files is None or any(self.seen.get(file) != now.get(file) for file in files)


@dataclass
class Standing:
    """All of them. `make` makes a child process."""

    functions: Path
    make: Make
    _running: list[_Running] = field(default_factory=list)

    @property
    def children(self) -> list[Child]:
        """Their processes."""
        return [one.child for one in self._running]

    def start(self, said: Iterable[Mapping[str, Any]], env: Mapping[str, str]) -> list[Stand]:
        """Start those that are needed and do not run yet; return them."""
        known = {one.stand.app for one in self._running}
        new = needed([one for one in said if one["app"] not in known], env)
        for stand in new:
            child = stand.child(self.functions.absolute(), self.make)
            child.start()
            self._running.append(_Running(stand, child, snapshot(self.functions.absolute())))
        return new

    def renew(self) -> None:
        """Start those again whose code is another one than they run; they keep their address."""
        now = snapshot(self.functions.absolute())
        old = [one for one in self._running if one.is_old(now)]
        stop_all([one.child for one in old], _GRACE_S)
        for one in old:
            one.seen = now
            one.child.start()

    def stop(self) -> None:
        """Stop all."""
        stop_all(self.children, _GRACE_S)
