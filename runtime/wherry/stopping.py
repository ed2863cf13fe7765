"""A wish to stop that a signal handler may express.

`threading.Event` is not made for that: setting it takes a lock, and a handler runs in the thread
that may hold it just then, since it waits. Then the process never ends. A byte in a pipe needs no
lock (D. J. Bernstein's self-pipe).
"""

import os
import select
import signal
from contextlib import suppress
from types import FrameType


class Stop:
    """Like `threading.Event`, as far as it goes; once set it stays so."""

    def __init__(self) -> None:
        self._asked = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def __del__(self) -> None:
        os.close(self._reader)
        os.close(self._writer)

    def set(self) -> None:
        """Ask to stop; often is as good as once."""
        self._asked = True
        with suppress(BlockingIOError):
            os.write(self._writer, b"!")

    def is_set(self) -> bool:
        """Whether somebody has asked."""
        return self._asked

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until somebody asks, but not longer than this; return whether somebody has."""
        if not self._asked:
            look = select.poll()
            look.register(self._reader, select.POLLIN)
            look.poll(None if seconds is None else max(0.0, seconds) * 1000)
        return self._asked


def stop_on(*numbers: signal.Signals) -> Stop:
    """A wish to stop that each of these signals expresses. Only for the main thread."""
    stop = Stop()

    def ask_to_stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        stop.set()

    for number in numbers:
        signal.signal(number, ask_to_stop)
    return stop
