"""Where a system keeps its data: a folder that stays, or a temporary one that goes with us."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "wherry-"
_LOCK = "owner.lock"
_LARGE_LOG = 5_000_000


def temporary() -> Path:
    """Make a folder that goes with us; remove those of systems that were killed."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    draft = folder / f"{_LOCK}.new"
    lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held until we end: the descriptor is never closed
    draft.rename(folder / _LOCK)
    return folder


def remove(folder: Path) -> None:
    """Delete a temporary folder."""
    shutil.rmtree(folder, ignore_errors=True)


def log_file(folder: Path, name: str) -> Path:
    """The log of a part of the system; a large one is put aside first."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / f"{name}.log"
    if path.exists() and path.stat().st_size > _LARGE_LOG:
        path.replace(path.with_suffix(".log.old"))
    return path


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        if _is_abandoned(folder):
            remove(folder.parent)


def _is_abandoned(path: Path) -> bool:
    """Whether nobody holds the lock; a folder of another user cannot even be opened."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
