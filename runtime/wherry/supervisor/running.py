"""What runs in a folder: `.wherry/running.json`, which `wherry dev` and `up` write.

A lock says whether it is true: the kernel gives it back however the supervisor ends, and a pid
that was used again cannot be mistaken for it.
"""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

_FILE = "running.json"
_LOCK = "running.lock"

# Who looks whether something runs holds the lock for a moment as well.
_ATTEMPTS = 5
_PAUSE_S = 0.02


class Claim:
    """A folder that is ours as long as we run."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder = folder
        self._lock = lock

    def tell(self, **what: Any) -> None:
        """Write down what runs."""
        draft = self._folder / f"{_FILE}.new"
        draft.touch(mode=0o600)  # the URL may hold a password
        draft.write_text(json.dumps(what), encoding="utf-8")
        draft.replace(self._folder / _FILE)

    def release(self) -> None:
        """Say that nothing runs any more."""
        (self._folder / _FILE).unlink(missing_ok=True)
        (self._folder / _LOCK).unlink(missing_ok=True)
        os.close(self._lock)


def claim(folder: Path) -> Claim | None:
    """Take the folder; None when another supervisor has it."""
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(_ATTEMPTS):
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _try(lock, fcntl.LOCK_EX) and _is_at(lock, folder / _LOCK):
            return Claim(folder, lock)
        os.close(lock)
        time.sleep(_PAUSE_S)
    return None


def find(folder: Path) -> dict[str, Any] | None:
    """What runs in a folder now; None when nothing does, or what is written there is stale."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _try(lock, fcntl.LOCK_SH):
            return None
        found = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(lock)


def _try(lock: int, mode: int) -> bool:
    try:
        fcntl.flock(lock, mode | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(lock: int, path: Path) -> bool:
    """Whether the file that we have locked is still the one with this name."""
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except OSError:
        return False
