"""Single keys from a terminal, without Enter; the terminal is left as it was found."""

import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from select import select

#: Waits so many seconds for a key; empty when none was pressed.
Pressed = Callable[[float], str]


@contextmanager
def keyboard() -> Iterator[Pressed]:
    """Read keys as they are pressed; without a terminal on stdin there are none."""
    if not sys.stdin.isatty():
        yield _wait
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)  # Ctrl-C still interrupts
        yield _press
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _press(seconds: float) -> str:
    ready, _, _ = select([sys.stdin], [], [], seconds)
    return sys.stdin.read(1) if ready else ""


def _wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""
