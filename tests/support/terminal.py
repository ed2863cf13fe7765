"""A command on a terminal: what it draws there, while keys are pressed."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.commands import Done, clean_environment

_PATIENCE_S = 30.0


def on_a_terminal(
    words: Sequence[str],
    cwd: Path,
    *,
    keys: str = "",
    signum: int = 0,
    once: str = "",
    env: dict[str, str] | None = None,
) -> Done:
    """Run a Python program on a terminal of its own, and do something once it has shown a text.

    All that is shown is in `out`: a terminal does not tell stdout from stderr.
    """
    master, slave = pty.openpty()
    settings = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-P", *words], cwd=cwd, start_new_session=True,
        env=clean_environment() | settings | (env or {}),
        stdin=slave, stdout=slave, stderr=slave, preexec_fn=_take_terminal,
    )  # fmt: skip
    os.close(slave)
    try:

        def act() -> None:
            if signum:
                process.send_signal(signum)
            os.write(master, keys.encode())

        shown = _shown(master, once, act)
        return Done(process.wait(_PATIENCE_S), shown, "")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _take_terminal() -> None:
    """Make the terminal on stdin ours, so that Ctrl-C comes to us."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _shown(master: int, once: str, act: Callable[[], None]) -> str:
    """All that is shown until the end; `act` is called when a text has come."""
    acted = not once
    shown, ends = b"", time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            more = os.read(master, 65_536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        shown += more
        if not acted and once in shown.decode(errors="replace"):
            act()
            acted = True
    return shown.decode(errors="replace")
