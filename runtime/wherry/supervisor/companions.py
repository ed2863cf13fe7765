"""The processes beside a worker that runs everything: one for each other role, kept running."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen, TimeoutExpired

from wherry.children import spawn
from wherry.settings import Settings
from wherry.supervisor.ready import VARIABLE
from wherry.supervisor.system import environment

log = logging.getLogger(__name__)

#: How long one that has died stays away.
_PAUSE_S = 1.0
#: How long one may take to end.
_GRACE_S = 5.0


@contextmanager
def beside(settings: Settings, roles: Sequence[str]) -> Iterator[None]:
    """Run a worker for each role while the block runs; what they print goes where ours goes."""
    stop = threading.Event()
    keepers = [threading.Thread(target=_keep, args=(role, settings, stop)) for role in roles]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        stop.set()
        for keeper in keepers:
            keeper.join()


def _keep(role: str, settings: Settings, stop: threading.Event) -> None:
    """Keep the worker of a role running until told to stop."""
    while not stop.is_set():
        child = _start(role, settings)
        while child.poll() is None and not stop.wait(0.1):
            pass
        if stop.is_set():
            _end(child)
        else:
            log.warning("the worker for %s ended with %s; it starts again", role, child.returncode)
            stop.wait(_PAUSE_S)


def _start(role: str, settings: Settings) -> Popen[bytes]:
    env = environment(settings, settings.redis_url, Path(settings.data_dir))
    env.pop(VARIABLE, None)  # it is we who tell that we are ready
    # If we are killed it gives its calls back before it ends.
    return spawn(
        [sys.executable, "-P", "-m", "wherry.cli.main", "worker", "--role", role],
        output=None, env=env, on_our_death=signal.SIGTERM,
    )  # fmt: skip


def _end(child: Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
