"""A whole system for a while: `wherry up --ephemeral` as a child, of which nothing is left."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wherry.children import spawn

ROOT = Path(__file__).parents[1]

#: Starting takes a second or two; on a machine that is busy with other things it may take longer.
_START_S = 60.0
#: A system stops within ten seconds; this is when we stop believing it.
_STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """Where a running system is; what its ready line said."""

    url: str
    redis_url: str
    pid: int


@contextmanager
def running(functions: Path = ROOT / "functions", *, workers: int = 2) -> Iterator[Running]:
    """Start a system with a server of its own; stop it at the end, however that comes.

    Raises RuntimeError, with all that it printed, when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        said = Path(folder) / "said"
        child = _start(functions, workers, Path(folder), said)
        try:
            yield _wait_for_ready(child, said)
        finally:
            _stop(child)


def _start(functions: Path, workers: int, folder: Path, said: Path) -> subprocess.Popen[bytes]:
    # Settings of whoever runs us would name another server, or another folder.
    env = {name: value for name, value in os.environ.items() if not name.startswith("WHERRY_")}
    paths = [str(ROOT / "runtime"), *filter(None, [env.get("PYTHONPATH")])]
    env |= {"PYTHONPATH": os.pathsep.join(paths), "WHERRY_DATA_DIR": str(folder / "own")}
    words = ["up", "--ephemeral", "--port", "0", "--workers", str(workers), "-o", "json"]
    command = [sys.executable, "-m", "wherry.cli.main", *words, "--functions", str(functions)]
    return spawn(command, output=said, env=env, on_our_death=signal.SIGTERM)


def _wait_for_ready(child: subprocess.Popen[bytes], said: Path) -> Running:
    ends = time.monotonic() + _START_S
    while child.poll() is None and time.monotonic() < ends:
        for line in _lines(said):
            if line.startswith('{"event": "ready"') and line.endswith("}\n"):
                ready = json.loads(line)
                return Running(ready["url"], ready["redis_url"], ready["pid"])
        time.sleep(0.05)
    raise RuntimeError("the system did not start:\n" + "".join(_lines(said)))


def _lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    return file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
