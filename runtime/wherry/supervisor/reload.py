"""Noticing that the bundles have changed, by looking at their files now and then."""

import time
from pathlib import Path

_LOOK_S = 0.5

Snapshot = dict[str, tuple[int, int]]


class Watcher:
    """Tells once for each change, when the files have come to rest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = snapshot(folder)
        self._moving: Snapshot | None = None
        self._look_at = 0.0

    def changed(self) -> bool:
        """Whether the files are others than they were, and have not changed since the last look."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_S
        seen = snapshot(self._folder)
        if seen == self._known:
            self._moving = None
            return False
        if seen != self._moving:
            self._moving = seen
            return False
        self._known, self._moving = seen, None
        return True


def snapshot(folder: Path) -> Snapshot:
    """When each Python file was last written, and its size."""
    found = {}
    for path in folder.rglob("*.py"):
        try:
            status = path.stat()
        except OSError:  # gone since it was listed
            continue
        found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found
