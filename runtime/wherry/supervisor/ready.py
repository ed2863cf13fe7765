"""How a child tells the supervisor that it is up: one line of JSON through a pipe.

A port that was chosen by the kernel is known only to the child, and nobody has to ask Redis.
"""

import json
import os
from typing import Any

VARIABLE = "WHERRY_READY_FD"


def announce(**said: Any) -> None:
    """Say that this process is up; nothing happens when nobody waits for it."""
    descriptor = os.environ.pop(VARIABLE, "")
    if not descriptor:
        return
    try:
        os.write(int(descriptor), json.dumps(said).encode() + b"\n")
        os.close(int(descriptor))
    except OSError:  # who asked is gone, and then this process will be as well
        return


class Ear:
    """The supervisor's end of the pipe."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)
        self._heard = b""

    def child_has_it(self) -> None:
        """Close the child's end on our side, so that its death can be heard."""
        os.close(self.write)

    def listen(self) -> dict[str, Any] | None:
        """What the child said, once it has said it."""
        try:
            self._heard += os.read(self._read, 65_536)
        except BlockingIOError:
            return None
        return json.loads(self._heard) if self._heard.endswith(b"\n") else None

    def close(self) -> None:
        """Hear no more."""
        os.close(self._read)
